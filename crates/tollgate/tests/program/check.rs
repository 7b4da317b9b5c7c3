//! `tollgate check`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::instance::PROGRAM;

fn check(directory: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(PROGRAM).arg("check").args(arguments).current_dir(directory).output().unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

const STATIC: &str = "entryPoints: {web: {address: \":8000\"}}\nproviders: {file: {filename: routes.yml}}\n";

#[test]
fn nothing_wrong_is_said_in_as_many_words() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("traefik.yml"), STATIC).unwrap();
    let good = "http: {routers: {r: {rule: \"Host(`a.test`)\", service: s}}, services: {s: {loadBalancer: {servers: [{url: \"http://127.0.0.1:1\"}]}}}}";
    fs::write(directory.path().join("routes.yml"), good).unwrap();
    assert_eq!(check(directory.path(), &["traefik.yml"]), (Some(0), "nothing is wrong\n".into()));
    assert_eq!(check(directory.path(), &["routes.yml"]), (Some(0), "nothing is wrong\n".into()));
}

#[test]
fn everything_that_is_wrong_is_said_with_its_place_and_a_hint() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("traefik.yml"), STATIC).unwrap();
    let bad = "http:
  middlewares:
    limit:
      rateLimit: {average: 1, period: -1s}
    other:
      compress: {}
  routers:
    a: {rule: \"Host(`a.test`) &&\", service: s, entryPoints: [wbe]}
    b: {rule: \"Hots(`a.test`)\", service: ghost, middlewares: [limit, other, ghost]}
  services:
    s: {loadBalancer: {servers: [{url: \"http://127.0.0.1:1\"}]}}
";
    fs::write(directory.path().join("routes.yml"), bad).unwrap();
    let (status, text) = check(directory.path(), &["traefik.yml"]);
    assert_eq!(status, Some(1));
    for expected in [
        "routes.yml:4:",
        "http.middlewares.limit.rateLimit.period",
        "negative value not valid for period: -1s",
        "not yet here",
        "http.routers.a",
        "wbe",
        "Host",
        "http.routers.b",
        "ghost",
        "hint",
        "errors",
    ] {
        assert!(text.contains(expected), "{expected:?} is missing in\n{text}");
    }

    let (status, json) = check(directory.path(), &["traefik.yml", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(status, Some(1));
    assert!(json["errors"].as_u64().unwrap() >= 4, "{json:#}");
    let first = &json["diagnostics"][0];
    assert!(first["path"].is_string() && first["message"].is_string() && first["code"].is_string(), "{first:#}");
}

#[test]
fn a_file_that_is_refused_is_said_to_be() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("routes.toml"), "[http.middlewares.m.rateLimit]\naverge = 1\n").unwrap();
    let (status, text) = check(directory.path(), &["routes.toml"]);
    assert_eq!(status, Some(1));
    assert!(text.contains("routes.toml:2:") && text.contains("averge") && text.contains("average"), "{text}");
    let (status, text) = check(directory.path(), &["missing.yml"]);
    assert_eq!(status, Some(1));
    assert!(text.contains("missing.yml"), "{text}");
}
