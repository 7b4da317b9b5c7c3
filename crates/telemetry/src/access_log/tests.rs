use std::collections::BTreeSet;
use std::time::Duration;

use http::HeaderMap;
use serde_json::{Value, json};
use tollgate_pipeline::{Exchange, Verdict};

use super::*;
use crate::testing::{Rest, exchange, headers, proxied, record, refused};

/// The line of an exchange, without its end.
fn line(settings: &Settings, exchange: &Exchange, status: u16, bytes: u64) -> String {
    line_with(settings, exchange, status, bytes, &HeaderMap::new(), &HeaderMap::new())
}

fn line_with(
    settings: &Settings,
    exchange: &Exchange,
    status: u16,
    bytes: u64,
    request: &HeaderMap,
    response: &HeaderMap,
) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access.log");
    let log = AccessLog::start(Settings { file: Some(path.clone()), ..settings.clone() }).expect("a log");
    let rest = Rest::of(&log.wants(), request, response);
    log.write(&rest.finished(exchange, status, bytes));
    log.close(Duration::from_secs(20));
    let mut text = std::fs::read_to_string(path).expect("the log");
    assert!(text.is_empty() || text.pop() == Some('\n'), "{text}");
    assert!(!text.contains('\n'), "{text}");
    text
}

fn object(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn json_settings() -> Settings {
    Settings { format: Format::Json, ..Settings::default() }
}

/// Lines that Traefik 3.7.15 wrote for the same exchanges, but for the user information in the URL and what we add.
#[test]
fn common_lines_are_traefiks() {
    let settings = Settings::default();
    assert_eq!(
        line(&settings, &proxied(), 200, 11),
        r#"127.0.0.1 - - [23/Nov/2026:20:26:25 +0000] "GET /p?x=1&y=%22 HTTP/1.1" 200 11 "-" "-" 1 "api@file" "http://xxxx@127.0.0.1:9391" 1ms"#
    );
    assert_eq!(
        line(&settings, &refused(), 429, 17),
        r#"127.0.0.1 - - [23/Nov/2026:20:26:25 +0000] "GET /p?x=1&y=%22 HTTP/1.1" 429 17 "-" "-" 1 "api@file" "-" 1ms "limit=api-limit@file key=127.0.0.1 verdict=deny source=store remaining=0""#
    );
    assert_eq!(
        line(&settings, &exchange(), 404, 19),
        r#"127.0.0.1 - - [23/Nov/2026:20:26:25 +0000] "GET /p?x=1&y=%22 HTTP/1.1" 404 19 "-" "-" 1 "-" "-" 1ms"#
    );
}

#[test]
fn header_fields_and_dropped_fields_are_traefiks() {
    let names = ["StartUTC", "startlocal", "ClientHost", "RouterName", "RequestCount", "Duration", "OriginStatus"];
    let settings = Settings {
        fields: Fields::new(Mode::Keep, names.map(|name| (name, Mode::Drop))),
        headers: HeaderRule::new(Mode::Drop, [("User-Agent", Mode::Keep), ("Referer", Mode::Redact)]),
        ..Settings::default()
    };
    let request = headers(&[("user-agent", b"ua \"q\" x"), ("referer", b"http://ref/")]);
    assert_eq!(
        line_with(&settings, &proxied(), 200, 11, &request, &HeaderMap::new()),
        r#"- - - [-] "GET /p?x=1&y=%22 HTTP/1.1" 200 11 "REDACTED" "ua \"q\" x" - "-" "http://xxxx@127.0.0.1:9391" 0ms"#
    );
    let combined = Settings { format: Format::GenericClf, fields: Fields::default(), ..settings };
    assert_eq!(
        line_with(&combined, &refused(), 429, 17, &request, &HeaderMap::new()),
        r#"127.0.0.1 - - [23/Nov/2026:20:26:25 +0000] "GET /p?x=1&y=%22 HTTP/1.1" 429 17 "REDACTED" "ua \"q\" x""#
    );
}

#[test]
fn what_a_client_sends_cannot_forge_a_line() {
    let settings = Settings { headers: HeaderRule::new(Mode::Keep, []), ..Settings::default() };
    let mut exchange = refused();
    exchange.target = "/a\"b?c=d".parse().expect("a target that http takes");
    exchange.limits[0].key = "a b\n\"127.0.0.2".into();
    let request =
        headers(&[("user-agent", b"\" 200 0 \"-\" \x80\xff\t"), ("x-forwarded-for", b"9.9.9.9 - - [\" \xff")]);
    assert_eq!(
        line_with(&settings, &exchange, 429, 17, &request, &HeaderMap::new()),
        r#"9.9.9.9 - - [\" \xff - - [23/Nov/2026:20:26:25 +0000] "GET /a\"b?c=d HTTP/1.1" 429 17 "-" "\" 200 0 \"-\" \x80\xff\t" 1 "api@file" "-" 1ms "limit=api-limit@file key=a\x20b\n\"127.0.0.2 verdict=deny source=store remaining=0""#
    );
    let json = Settings { format: Format::Json, ..settings };
    let object = object(&line_with(&json, &exchange, 429, 17, &request, &HeaderMap::new()));
    assert_eq!(object["RequestPath"], "/a\"b?c=d");
    assert_eq!(object["LimitKey"], "a b\n\"127.0.0.2");
    assert_eq!(object["request_User-Agent"], "\" 200 0 \"-\" \u{fffd}\u{fffd}\t");
}

/// The names that Traefik 3.7.15 wrote for the same exchange; `ours` is what we add.
#[test]
fn json_lines_have_traefiks_names_and_values() {
    let object = object(&line(&json_settings(), &proxied(), 200, 11));
    let expected = json!({
        "ClientAddr": "127.0.0.1:58328", "ClientHost": "127.0.0.1", "ClientPort": "58328", "ClientUsername": "-",
        "DownstreamContentSize": 11, "DownstreamStatus": 200, "Duration": 1_746_879, "OriginContentSize": 11,
        "OriginDuration": 621_422, "OriginStatus": 200, "Overhead": 1_125_457, "RequestAddr": "a.example",
        "RequestContentSize": 0, "RequestCount": 1, "RequestHost": "a.example", "RequestMethod": "GET",
        "RequestPath": "/p?x=1&y=%22", "RequestPort": "-", "RequestProtocol": "HTTP/1.1", "RequestScheme": "http",
        "RetryAttempts": 0, "RouterName": "api@file", "ServiceAddr": "127.0.0.1:9391", "ServiceName": "s@file",
        "ServiceURL": "http://xxxx@127.0.0.1:9391", "StartLocal": "2026-11-23T20:26:25.250634217Z",
        "StartUTC": "2026-11-23T20:26:25.250634217Z", "entryPointName": "web", "level": "info", "msg": "",
        "time": "2026-11-23T20:26:25Z"
    });
    assert_eq!(object, expected);
}

#[test]
fn a_refusal_in_json_names_the_limit_and_no_service() {
    let mut exchange = refused();
    let delayed = Verdict::Delay(Duration::from_millis(3));
    exchange.limits.push(record("other@file", delayed, None));
    let object = object(&line(&json_settings(), &exchange, 429, 17));
    for (name, value) in [
        ("OriginStatus", json!(0)),
        ("OriginDuration", json!(0)),
        ("OriginContentSize", json!(0)),
        ("GzipRatio", json!(0)),
        ("Overhead", json!(1_746_879)),
        ("DownstreamContentSize", json!(17)),
        ("LimitName", json!("api-limit@file")),
        ("LimitKey", json!("127.0.0.1")),
        ("LimitVerdict", json!("deny")),
        ("LimitSource", json!("store")),
        ("LimitRemaining", json!(0)),
        ("LimitDelay", json!(0)),
    ] {
        assert_eq!(object[name], value, "{name}");
    }
    assert_eq!(
        object["Limits"],
        json!([
            {"Limit": "api-limit@file", "Key": "127.0.0.1", "Verdict": "deny", "Source": "store", "Remaining": 0, "DelayNs": 0},
            {"Limit": "other@file", "Key": "127.0.0.1", "Verdict": "delay", "Source": "store", "DelayNs": 3_000_000},
        ])
    );
    for absent in ["ServiceName", "ServiceURL", "ServiceAddr"] {
        assert_eq!(object.get(absent), None, "{absent}");
    }
}

#[test]
fn json_header_fields_are_kept_redacted_and_joined() {
    let settings =
        Settings { headers: HeaderRule::new(Mode::Keep, [("Authorization", Mode::Redact)]), ..json_settings() };
    let request = headers(&[("host", b"a"), ("authorization", b"Basic c2VjcmV0"), ("x-two", b"a"), ("x-two", b"b")]);
    let response = headers(&[("retry-after", b"10")]);
    let text = line_with(&settings, &proxied(), 200, 11, &request, &response);
    assert!(!text.contains("c2VjcmV0"), "{text}");
    let object = object(&text);
    let names: BTreeSet<_> = object.as_object().expect("an object").keys().filter(|name| name.contains("t_")).collect();
    assert_eq!(names, BTreeSet::from([&"request_Authorization".to_owned(), &"request_X-Two".to_owned()]));
    assert_eq!(object["request_Authorization"], "REDACTED");
    assert_eq!(object["request_X-Two"], "a,b");
    assert_eq!(object["downstream_Retry-After"], "10");
}

#[test]
fn names_choose_fields_in_json() {
    let settings = Settings { fields: Fields::new(Mode::Drop, [("downstreamstatus", Mode::Keep)]), ..json_settings() };
    let object = object(&line(&settings, &refused(), 429, 17));
    assert_eq!(object, json!({"DownstreamStatus": 429, "level": "info", "msg": "", "time": "2026-11-23T20:26:25Z"}));
}

#[test]
fn the_query_can_be_left_out() {
    let settings = Settings { drop_query: true, ..json_settings() };
    assert_eq!(object(&line(&settings, &proxied(), 200, 1))["RequestPath"], "/p");
}

#[test]
fn one_filter_that_fits_is_enough() {
    let statuses = Filters { status_codes: vec![200..=200, 300..=302], ..Filters::default() };
    let slow = Filters { min_duration: Duration::from_millis(1), ..Filters::default() };
    let slower = Filters { min_duration: Duration::from_secs(1), ..Filters::default() };
    let retried = Filters { retry_attempts: true, ..Filters::default() };
    let either = Filters { min_duration: Duration::from_millis(1), ..statuses.clone() };
    let mut twice = proxied();
    twice.upstream.as_mut().expect("upstream").retries = 1;
    for (filters, exchange, status, written) in [
        (Filters::default(), proxied(), 500, true),
        (statuses.clone(), proxied(), 301, true),
        (statuses, proxied(), 429, false),
        (slow, proxied(), 429, true),
        (slower, proxied(), 429, false),
        (either, proxied(), 429, true),
        (retried.clone(), proxied(), 200, false),
        (retried, twice, 200, true),
    ] {
        let settings = Settings { filters: filters.clone(), ..Settings::default() };
        assert_eq!(!line(&settings, &exchange, status, 1).is_empty(), written, "{filters:?} {status}");
    }
}

#[test]
fn our_own_services_are_logged_only_if_asked_for() {
    let internal = Exchange { router: Some("ping@internal".into()), ..exchange() };
    assert_eq!(line(&Settings::default(), &internal, 200, 2), "");
    let settings = Settings { add_internals: true, ..Settings::default() };
    assert!(line(&settings, &internal, 200, 2).contains("\"ping@internal\""));
}

#[test]
fn the_strictest_limit_decides() {
    let limits = [
        record("a", Verdict::Allow, Some(9)),
        record("b", Verdict::Allow, Some(3)),
        record("c", Verdict::Delay(Duration::from_millis(1)), Some(0)),
        record("d", Verdict::Delay(Duration::from_millis(2)), Some(0)),
        record("e", Verdict::Deny, Some(7)),
    ];
    for (asked, decides) in [(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")] {
        assert_eq!(&*deciding(&limits[..asked]).expect("one was asked").limit, decides);
    }
    assert!(deciding(&[]).is_none());
}

#[test]
fn the_reader_of_a_connect_sees_where_to() {
    let exchange =
        Exchange { method: http::Method::CONNECT, target: "a.example:443".parse().expect("authority"), ..exchange() };
    assert!(line(&Settings::default(), &exchange, 405, 0).contains("\"CONNECT a.example:443 HTTP/1.1\""));
}

#[test]
fn addresses_are_written_as_they_usually_are() {
    for (peer, address, host) in [
        ("203.0.113.7:80", "203.0.113.7:80", "203.0.113.7"),
        ("0.10.255.100:1", "0.10.255.100:1", "0.10.255.100"),
        ("[2001:db8::1]:65535", "[2001:db8::1]:65535", "2001:db8::1"),
    ] {
        let exchange = Exchange { peer: peer.parse().expect("an address"), ..exchange() };
        let object = object(&line(&json_settings(), &exchange, 404, 0));
        assert_eq!((&object["ClientAddr"], &object["ClientHost"]), (&json!(address), &json!(host)));
        assert!(line(&Settings::default(), &exchange, 404, 0).starts_with(&format!("{host} - - [")));
    }
}
