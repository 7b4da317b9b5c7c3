//! Which source counts, and how each is spelled.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use tollgate_config::static_config::{AccessLogFormat, LogFormat, LogLevel};
use tollgate_config::{Diagnostic, StaticConfig};

type Outcome = Result<(StaticConfig, Vec<Diagnostic>), Vec<Diagnostic>>;

/// A machine with these files and variables.
#[derive(Default)]
struct Machine {
    files: BTreeMap<&'static str, &'static str>,
    env: Vec<(&'static str, &'static str)>,
}

impl Machine {
    fn file(mut self, path: &'static str, text: &'static str) -> Self {
        self.files.insert(path, text);
        self
    }

    fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.push((name, value));
        self
    }

    fn load(&self, args: &[&str]) -> Outcome {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        StaticConfig::load(&args, self.env.iter().map(own), |path: &Path| {
            let text = path.to_str().and_then(|path| self.files.get(path));
            text.map(|&text| text.to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
        })
    }
}

fn flags(args: &[&str]) -> Outcome {
    Machine::default().load(args)
}

fn ports(config: &StaticConfig) -> Vec<(&str, u16)> {
    let entry_points = config.entry_points.iter();
    entry_points.map(|(name, entry_point)| (name.as_str(), entry_point.address.port)).collect()
}

fn codes(diagnostics: &[Diagnostic]) -> Vec<&'static str> {
    diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

const WEB: &str = "entryPoints: {web: {address: ':8000'}}\n";

#[test]
fn without_any_source_there_is_http_on_port_80() {
    let (config, warnings) = flags(&[]).unwrap();
    assert_eq!(ports(&config), [("http", 80)]);
    assert!(warnings.is_empty());
}

#[test]
fn a_file_can_be_named_in_every_spelling() {
    let machine = Machine::default().file("/x/own.yml", WEB);
    for args in [
        &["--configFile=/x/own.yml"] as &[&str],
        &["--configfile=/x/own.yml"],
        &["--config-file", "/x/own.yml"],
        &["-configFile", "/x/own.yml"],
    ] {
        let (config, warnings) = machine.load(args).unwrap();
        assert_eq!(ports(&config), [("web", 8000)], "{args:?}");
        assert!(warnings.is_empty(), "{warnings:?}");
    }
}

#[test]
fn a_file_that_was_named_must_be_there() {
    assert_eq!(codes(&flags(&["--configFile"]).unwrap_err()), ["flag-without-value"]);
    let problems = flags(&["--configFile=/x/none.yml"]).unwrap_err();
    assert_eq!(codes(&problems), ["unreadable"]);
    assert_eq!(problems[0].place.as_ref().unwrap().to_string(), "/x/none.yml");
}

#[test]
fn files_are_found_in_the_usual_places_own_name_first() {
    let toml = "[entryPoints.web]\naddress = ':1'\n";
    let cases = [
        ("/etc/tollgate/tollgate.toml", toml, 1),
        ("./tollgate.yml", "entryPoints: {web: {address: ':2'}}", 2),
        ("/etc/traefik/traefik.yaml", "entryPoints: {web: {address: ':3'}}", 3),
        ("/home/x/.cfg/traefik.yml", "entryPoints: {web: {address: ':4'}}", 4),
        ("/home/x/.config/traefik.yml", "entryPoints: {web: {address: ':5'}}", 5),
        ("./traefik.yml", "entryPoints: {web: {address: ':6'}}", 6),
    ];
    // Each is found when those before it are not there.
    for first in 0..cases.len() {
        let mut machine = Machine::default().env("HOME", "/home/x").env("XDG_CONFIG_HOME", "/home/x/.cfg");
        for (path, text, _) in &cases[first..] {
            machine = machine.file(path, text);
        }
        let (config, _) = machine.load(&[]).unwrap();
        assert_eq!(ports(&config), [("web", cases[first].2)]);
    }
}

#[test]
fn one_source_counts_and_the_others_are_warned_about() {
    let machine = Machine::default().env("TRAEFIK_LOG_LEVEL", "DEBUG").file("/own.yml", WEB);
    let (config, warnings) = machine.load(&["--configFile=/own.yml", "--ping"]).unwrap();
    assert!(config.ping.is_none() && config.log.is_none());
    assert_eq!(codes(&warnings), ["source-ignored", "source-ignored"]);
    let places: Vec<_> = warnings.iter().map(|w| w.place.as_ref().unwrap().to_string()).collect();
    assert_eq!(places, ["--ping", "TRAEFIK_LOG_LEVEL"]);

    let (config, warnings) = machine.load(&["--ping"]).unwrap();
    assert!(config.ping.is_some() && config.log.is_none());
    assert_eq!(codes(&warnings), ["source-ignored"]);

    let (config, warnings) = machine.load(&[]).unwrap();
    assert_eq!(config.log.unwrap().level, LogLevel::Debug);
    assert!(warnings.is_empty());
}

#[test]
fn flags_are_spelled_as_for_traefik() {
    let (config, warnings) = flags(&[
        "--entryPoints.web.address=:8000",
        "--ENTRYPOINTS.web.http.middlewares=a@file, b@file",
        "--entrypoints.web.forwardedheaders.trustedips[0]=10.0.0.0/8",
        "--entrypoints.web.forwardedheaders.trustedips[1]=192.168.1.1",
        "--entrypoints.web.transport.respondingTimeouts.readTimeout=5",
        "--entrypoints.web.transport.lifecycle.gracetimeout=1m30s",
        "--providers.file.filename",
        "dynamic.yml",
        "--providers.file.watch=false",
        "--log.level=debug",
        "--log.format",
        "json",
        "--accesslog",
        "--accesslog.format=genericCLF",
        "--accesslog.filters.statuscodes=200,300-302",
        "--accesslog.fields.headers.names.User-Agent=keep",
        "--metrics.prometheus.headerlabels[x.y]=X-Y",
        "--metrics.prometheus.buckets=0.1,5",
        "-ping",
        "true",
        "--api=false",
    ])
    .unwrap();
    assert_eq!(codes(&warnings), [] as [&str; 0]);
    let web = &config.entry_points["web"];
    assert_eq!(web.address.port, 8000);
    assert_eq!(web.http.middlewares, ["a@file", "b@file"]);
    assert!(web.forwarded_headers.trusted_ips.contains([10, 1, 2, 3].into()));
    assert!(web.forwarded_headers.trusted_ips.contains([192, 168, 1, 1].into()));
    assert!(!web.forwarded_headers.trusted_ips.contains([192, 168, 1, 2].into()));
    let timeouts = &web.transport.responding_timeouts;
    assert_eq!(timeouts.read_timeout.get(), Duration::from_secs(5));
    assert_eq!(timeouts.idle_timeout.get(), Duration::from_mins(3));
    assert_eq!(timeouts.write_timeout.limit(), None);
    assert_eq!(web.transport.life_cycle.grace_time_out.get(), Duration::from_secs(90));
    let file = config.providers.file.unwrap();
    assert_eq!((file.filename.as_str(), file.watch), ("dynamic.yml", false));
    let log = config.log.unwrap();
    assert_eq!((log.level, log.format), (LogLevel::Debug, LogFormat::Json));
    let access_log = config.access_log.unwrap();
    assert_eq!(access_log.format, AccessLogFormat::GenericClf);
    assert!(access_log.filters.status_codes.iter().any(|range| range.contains(301)));
    assert!(access_log.fields.headers.names.contains_key("User-Agent"));
    let prometheus = config.metrics.unwrap().prometheus.unwrap();
    assert_eq!(prometheus.header_labels["x.y"], "X-Y");
    assert_eq!(prometheus.buckets, [0.1, 5.0]);
    assert_eq!(config.ping.unwrap().terminating_status_code, 503);
    assert!(config.api.is_none());
}

#[test]
fn names_that_somebody_chose_keep_their_case() {
    let (config, _) = flags(&["--entryPoints.WEB.address=:1", "--entrypoints.web.address=:2"]).unwrap();
    assert_eq!(ports(&config), [("WEB", 1), ("web", 2)]);
}

#[test]
fn a_list_given_twice_is_joined_and_a_value_given_twice_is_the_last() {
    let (config, warnings) = flags(&[
        "--entryPoints.web.address=:1",
        "--entryPoints.web.address=:2",
        "--entryPoints.web.http.middlewares=a@file",
        "--entrypoints.web.HTTP.middlewares=b@file",
    ])
    .unwrap();
    assert_eq!(ports(&config), [("web", 2)]);
    assert_eq!(config.entry_points["web"].http.middlewares, ["a@file", "b@file"]);
    assert_eq!(codes(&warnings), ["repeated-option", "repeated-option"]);
}

#[test]
fn bad_flags_are_all_reported_at_once() {
    let problems = flags(&[
        "stray",
        "---log.level=info",
        "--log.levle=info",
        "--entryPoints.web.address",
        "--api.insecure=yes",
        "--entryPoints.web.http.middlewares[99999999999]=a",
    ])
    .unwrap_err();
    let found: Vec<_> =
        problems.iter().map(|problem| (problem.code, problem.place.as_ref().unwrap().to_string())).collect();
    let expected = [
        ("unexpected-argument", "stray"),
        ("bad-flag", "---log.level"),
        ("flag-without-value", "--entryPoints.web.address"),
        ("bad-flag", "--entryPoints.web.http.middlewares[99999999999]"),
        ("unknown-option", "--log.levle"),
        ("not-a-bool", "--api.insecure"),
    ];
    for (code, place) in expected {
        assert!(found.contains(&(code, place.to_owned())), "{code} {place}: {found:?}");
    }
    let slip = problems.iter().find(|problem| problem.path == "log.levle").unwrap();
    assert_eq!(slip.hint.as_deref(), Some("did you mean \"level\"?"));
}

#[test]
fn values_that_may_be_secret_are_not_repeated() {
    let problems = flags(&[
        "---providers.redis.password=SECRET",
        "--providers.redis.password=SECRET",
        "--providers.etcd=redis://u:SECRET@h",
        "--providers.redis.pasword=SECRET",
        "--hub.token=SECRET",
    ])
    .unwrap_err();
    let expected = ["bad-flag", "not-yet-here", "unknown-option", "not-yet-here", "wrong-type", "not-yet-here"];
    assert_eq!(codes(&problems), expected);
    let said: String = problems.iter().map(ToString::to_string).collect();
    assert!(!said.contains("SECRET"), "{said}");
}

#[test]
fn no_flag_makes_it_panic() {
    for name in [
        "-",
        "--",
        "--=",
        "--[",
        "--]",
        "--[]",
        "--[0]=a",
        "--a[",
        "--a[0",
        "--a..b=1",
        "--a.=1",
        "--.a=1",
        "---",
        "--é[é].é=é",
        "--entryPoints",
        "--entryPoints=",
        "--entryPoints.=1",
        "--entryPoints..address=1",
        "--entryPoints[0]=1",
        "--entryPoints.web",
        "--entryPoints.web=x",
        "--entryPoints.web.http.middlewares[x]=1",
        "--log.level.x=1",
        "--accessLog.filters.statusCodes[1000]=200",
        "--accessLog.filters.statusCodes[1001]=200",
        "--hub.a[0].b=1",
        "--entryPoints.web.http.tls.domains[0].main=x",
        "--entryPoints.web.http.tls.domains=x",
    ] {
        // A setting before and after, so that trees of every shape meet.
        for args in [&[name] as &[&str], &["--entryPoints.web.address=:1", name, "--entryPoints.web.address=:2"]] {
            match flags(args) {
                Ok((config, said)) => {
                    let left_out = said.iter().any(|one| one.message.contains("left out"));
                    assert!(left_out || !config.entry_points.is_empty(), "{name}");
                }
                Err(problems) => assert!(problems.iter().any(Diagnostic::is_error), "{name}"),
            }
        }
    }
}

#[test]
fn variables_are_spelled_as_for_traefik_and_own_ones_prevail() {
    let machine = Machine::default()
        .env("TRAEFIK_ENTRYPOINTS_WEB_ADDRESS", ":1")
        .env("TOLLGATE_ENTRYPOINTS_WEB_ADDRESS", ":2")
        .env("TRAEFIK_ENTRYPOINTS_WEB_HTTP_MIDDLEWARES", "a@file,b@file")
        .env("TRAEFIK_ENTRYPOINTS_WEB_FORWARDEDHEADERS_TRUSTEDIPS_0", "10.0.0.1")
        .env("TOLLGATE_PING", "true");
    let (config, warnings) = machine.load(&[]).unwrap();
    assert_eq!(ports(&config), [("traefik", 8080), ("web", 2)]);
    let web = &config.entry_points["web"];
    assert_eq!(web.http.middlewares, ["a@file", "b@file"]);
    assert_eq!(web.forwarded_headers.trusted_ips.written(), ["10.0.0.1"]);
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn variables_of_others_do_no_harm() {
    let machine = Machine::default()
        .env("TRAEFIK_SERVICE_HOST", "10.0.0.1")
        .env("TRAEFIK_PORT_80_TCP", "tcp://10.0.0.1:80")
        .env("TOLLGATE_ENTRYPOINT_WEB_ADDRESS", ":1")
        .env("PATH", "/bin");
    let (config, warnings) = machine.load(&[]).unwrap();
    assert_eq!(ports(&config), [("http", 80)]);
    assert_eq!(codes(&warnings), ["unknown-variable"]);
    assert_eq!(warnings[0].hint.as_deref(), Some("did you mean ENTRYPOINTS?"));
}
