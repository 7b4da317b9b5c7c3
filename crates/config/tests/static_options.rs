//! What the options mean: defaults, problems, and what Traefik has that is not yet here.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tollgate_config::load::Format;
use tollgate_config::static_config::Log;
use tollgate_config::{Diagnostic, Severity, StaticConfig};

type Outcome = Result<(StaticConfig, Vec<Diagnostic>), Vec<Diagnostic>>;

fn yaml(text: &str) -> Outcome {
    StaticConfig::load_text(text, Format::Yaml, "t.yml")
}

fn warnings(text: &str) -> Vec<String> {
    let (_, warnings) = yaml(text).unwrap();
    warnings.iter().map(ToString::to_string).collect()
}

fn problems(text: &str) -> Vec<String> {
    let problems = yaml(text).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

const WEB: &str = "entryPoints: {web: {address: ':8000'}}\n";

#[test]
fn defaults_are_shown_as_traefik_shows_them() {
    // The line `Static configuration loaded [json]` of Traefik 3.7.15 for this file, without the
    // parts that are not here.
    let text = "entryPoints:\n  web: {address: '127.0.0.1:18101'}\nlog: {level: debug}\nping: {}\n\
                api: {}\naccessLog: {}\nmetrics: {prometheus: {}}\n";
    let expected = serde_json::json!({
        "accessLog": {"fields": {"defaultMode": "keep", "headers": {"defaultMode": "drop"}}, "filters": {}, "format": "common"},
        "api": {"basePath": "/", "dashboard": true},
        "entryPoints": {
            "traefik": {"address": ":8080", "forwardedHeaders": {}, "http": {"maxHeaderBytes": 1_048_576, "sanitizePath": true},
                "http2": {"maxConcurrentStreams": 250},
                "transport": {"lifeCycle": {"graceTimeOut": "10s"}, "respondingTimeouts": {"idleTimeout": "3m0s", "readTimeout": "1m0s"}}},
            "web": {"address": "127.0.0.1:18101", "forwardedHeaders": {}, "http": {"maxHeaderBytes": 1_048_576, "sanitizePath": true},
                "http2": {"maxConcurrentStreams": 250},
                "transport": {"lifeCycle": {"graceTimeOut": "10s"}, "respondingTimeouts": {"idleTimeout": "3m0s", "readTimeout": "1m0s"}}},
        },
        "global": {},
        "log": {"format": "common", "level": "DEBUG"},
        "metrics": {"prometheus": {"addEntryPointsLabels": true, "addServicesLabels": true, "buckets": [0.1, 0.3, 1.2, 5.0], "entryPoint": "traefik"}},
        "ping": {"entryPoint": "traefik", "terminatingStatusCode": 503},
        "providers": {"providersThrottleDuration": "2s"},
    });
    let (config, warnings) = yaml(text).unwrap();
    assert_eq!(serde_json::to_value(&config).unwrap(), expected);
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn toml_means_the_same_as_yaml() {
    let toml =
        "[entryPoints.web]\naddress = ':8000'\n[entryPoints.web.transport.respondingTimeouts]\nreadTimeout = 5\n";
    let same = "entryPoints: {web: {address: ':8000', transport: {respondingTimeouts: {readTimeout: 5s}}}}";
    let (toml, _) = StaticConfig::load_text(toml, Format::Toml, "t.toml").unwrap();
    assert_eq!(toml, yaml(same).unwrap().0);
}

#[test]
fn the_internal_entry_point_exists_when_something_is_on_it() {
    for (text, expected) in [
        ("ping: {}", Some(":8080")),
        ("ping: true", Some(":8080")),
        ("ping: false", None),
        ("ping: {manualRouting: true}", None),
        ("ping: {entryPoint: web}", None),
        ("metrics: {prometheus: {}}", Some(":8080")),
        ("api: {}", None),
        ("api: {insecure: true}", Some("127.0.0.1:8080")),
        ("api: {insecure: true}\nping: {}", Some(":8080")),
    ] {
        let (config, _) = yaml(&format!("{WEB}{text}")).unwrap();
        let internal = config.entry_points.get("traefik");
        let address = internal.map(|entry_point| entry_point.address.to_string());
        assert_eq!(address.as_deref(), expected, "{text}");
    }
}

#[test]
fn the_api_alone_is_kept_to_the_machine_and_says_so() {
    let found = warnings(&format!("{WEB}api: {{insecure: true}}"));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("t.yml:2:17: warning: api.insecure: the API shows"), "{found:?}");

    let text = "entryPoints: {traefik: {address: ':9000'}}\napi: {insecure: true}";
    let (config, warnings) = yaml(text).unwrap();
    assert_eq!(config.entry_points["traefik"].address.to_string(), ":9000");
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn routers_without_entry_points_are_on_all_but_the_internal_one() {
    let (config, _) = yaml("entryPoints: {a: {address: ':1'}, b: {address: ':2'}}\nping: {}").unwrap();
    assert_eq!(config.default_entry_points(), ["a", "b"]);
    let (config, _) = yaml("entryPoints: {a: {address: ':1'}, b: {address: ':2', asDefault: true}}").unwrap();
    assert_eq!(config.default_entry_points(), ["b"]);
}

#[test]
fn what_traefik_has_and_we_have_not_is_warned_about_once_per_part() {
    let text = format!(
        "{WEB}providers: {{docker: {{endpoint: 'unix:///x', exposedByDefault: false}}}}\n\
         certificatesResolvers: {{le: {{acme: {{email: a@b.c, storage: x}}}}}}\n\
         tracing: {{}}\nhub: {{token: x, whatever: [1]}}\nlog: {{maxSize: 5}}\n\
         experimental: {{plugins: {{p: {{moduleName: m, version: v1}}}}}}"
    );
    let found = warnings(&text);
    let paths: Vec<_> = found.iter().map(|line| line.split(": ").nth(2).unwrap()).collect();
    assert_eq!(paths, ["providers.docker", "certificatesResolvers", "tracing", "hub", "log.maxSize", "experimental"]);
    assert!(found[0].contains("known to Traefik, not yet here"));
}

#[test]
fn what_nobody_has_is_an_error_with_place_path_and_suggestion() {
    let text =
        "entryPoints:\n  web:\n    adress: ':8000'\nbanana: 1\nproviders:\n  docker:\n    endpiont: x\nhttp: {}\n";
    assert_eq!(
        problems(text),
        [
            "t.yml:3:5: error: entryPoints.web.adress: field not found, node: adress; hint: did you mean \"address\"?",
            "t.yml:4:1: error: banana: field not found, node: banana",
            "t.yml:6:3: warning: providers.docker: known to Traefik, not yet here: it has no effect",
            "t.yml:7:5: error: providers.docker.endpiont: field not found, node: endpiont; hint: did you mean \"endpoint\"?",
            "t.yml:8:1: error: http: field not found, node: http; hint: that is dynamic configuration: \
             put it into the file that providers.file.filename names",
        ]
    );
}

#[test]
fn every_problem_of_a_file_is_found_at_once() {
    let text = "entryPoints:\n  web:\n    address: '8000'\n    asDefault: maybe\n    forwardedHeaders: {trustedIPs: [foo]}\n    \
                transport: {respondingTimeouts: {readTimeout: 1d}}\n    http: {}\nlog: {level: loud, format: jsno}\n\
                accessLog: {filters: {statusCodes: '200,x'}, fields: {defaultMode: redact}}\napi: yes\nglobal: {}\n";
    let found = yaml(text).unwrap_err();
    let found: Vec<_> = found.iter().map(|problem| (problem.path.as_str(), problem.code)).collect();
    assert_eq!(
        found,
        [
            ("api", "wrong-type"),
            ("entryPoints.web.address", "not-an-address"),
            ("entryPoints.web.asDefault", "not-a-bool"),
            ("entryPoints.web.forwardedHeaders.trustedIPs", "not-an-address"),
            ("entryPoints.web.transport.respondingTimeouts.readTimeout", "not-a-duration"),
            ("entryPoints.web.http", "empty-section"),
            ("log.level", "unknown-value"),
            ("log.format", "unknown-value"),
            ("accessLog.filters.statusCodes[1]", "not-a-status-range"),
            ("accessLog.fields.defaultMode", "unknown-value"),
            ("global", "empty-section"),
        ]
    );
}

#[test]
fn contradictions_are_found_once_everything_reads() {
    for (text, severity, code, path) in [
        ("entryPoints: {web: {asDefault: true}}", Severity::Error, "no-address", "entryPoints.web"),
        ("entryPoints: {web: {}}", Severity::Error, "no-address", "entryPoints.web"),
        ("entryPoints: {u: {address: ':53/udp'}}", Severity::Warning, "not-yet-here", "entryPoints.u.address"),
        ("providers: {file: {watch: true}}", Severity::Error, "no-file", "providers.file"),
        ("providers: {file: {filename: a, directory: b}}", Severity::Warning, "two-sources", "providers.file.filename"),
        ("ping: {entryPoint: wbe}", Severity::Warning, "no-entry-point", "ping.entryPoint"),
        ("ping: {terminatingStatusCode: 42}", Severity::Error, "not-a-status", "ping.terminatingStatusCode"),
        ("metrics: {prometheus: {buckets: [1, 1]}}", Severity::Error, "bad-buckets", "metrics.prometheus.buckets"),
        ("api: {basePath: x}", Severity::Error, "not-a-path", "api.basePath"),
        (
            "entryPoints: {web: {address: ':1', http: {middlewares: [a]}}}",
            Severity::Warning,
            "no-provider",
            "entryPoints.web.http.middlewares[0]",
        ),
        (
            "entryPoints: {web: {address: ':1', transport: {keepAliveMaxTime: -1s}}}",
            Severity::Warning,
            "negative-duration",
            "entryPoints.web.transport.keepAliveMaxTime",
        ),
    ] {
        let found = match yaml(text) {
            Ok((_, warnings)) => warnings,
            Err(problems) => problems,
        };
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        let found = &found[0];
        assert_eq!((found.severity, found.code, found.path.as_str()), (severity, code, path), "{text}");
        assert!(found.place.is_some());
    }
}

#[test]
fn an_empty_word_is_the_default() {
    let (config, _) = yaml("log: {level: '', format: ''}").unwrap();
    assert_eq!(config.log, Some(Log::default()));
}

#[test]
fn an_entry_point_of_udp_is_not_opened() {
    let (config, _) = yaml("entryPoints: {u: {address: ':53/udp'}, web: {address: ':80/tcp'}}").unwrap();
    let names: Vec<_> = config.entry_points.keys().collect();
    assert_eq!(names, ["web"]);
}

#[test]
fn files_that_are_static_are_told_from_dynamic_ones() {
    for (text, expected) in [
        ("entryPoints: {}", true),
        ("PROVIDERS: {file: {}}", true),
        ("http: {routers: {}}", false),
        ("tls: {}\nlog: {}", false),
        ("foo: 1", false),
        ("", false),
    ] {
        let node = tollgate_config::load::load_node(text, Format::Yaml, "t").unwrap();
        assert_eq!(StaticConfig::claims(&node), expected, "{text}");
    }
}

/// Traefik serves such an entry point over TLS, or redirects it: without that, nothing is better than clear text.
#[test]
fn an_entry_point_that_asks_for_tls_is_left_out() {
    let text = "
entryPoints:
  web: {address: ':80', http: {redirections: {entryPoint: {to: websecure}}}}
  websecure: {address: ':443', http: {tls: {}}}
  plain: {address: ':81'}
";
    let (config, said) = StaticConfig::load_text(text, Format::Yaml, "t.yml").unwrap();
    assert_eq!(config.entry_points.keys().collect::<Vec<_>>(), ["plain"]);
    let left_out = said.iter().filter(|one| one.message.contains("left out") && !one.is_error());
    assert_eq!(left_out.count(), 2, "{said:?}");
}
