//! What an operator sees of limits, and can do about one client.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_testkit::{Message, RawClient, Redis, Upstream, wait_until};

use crate::instance::{Instance, Setup};
use crate::sharing::wait_for_store;

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Limits that refill so slowly that nothing of it is seen while a test lasts. One lends nothing, so that what is not
/// in its buckets was admitted.
fn dynamic(redis: &Redis, upstream: &Upstream) -> String {
    let store = format!("redis: {{endpoints: [\"{}\"]}}", redis.endpoint());
    format!(
        "
http:
  middlewares:
    limit: {{rateLimit: {{average: 5, period: 1h, burst: 5, leases: false, {store}}}}}
    by-key:
      rateLimit: {{average: 5, period: 1h, burst: 5, sourceCriterion: {{requestHeaderName: X-Api-Key}}, {store}}}
    own: {{rateLimit: {{average: 5, period: 1h, burst: 5, scope: router, sourceCriterion: {{requestHost: true}}}}}}
    chain: {{chain: {{middlewares: [limit]}}}}
  routers:
    one: {{rule: \"Path(`/one`)\", service: s, middlewares: [limit]}}
    two: {{rule: \"Path(`/two`)\", service: s, middlewares: [chain]}}
    key: {{rule: \"Path(`/key`)\", service: s, middlewares: [by-key]}}
    own: {{rule: \"Path(`/own`)\", service: s, middlewares: [own]}}
  services: {{s: {{loadBalancer: {{servers: [{{url: \"{}\"}}]}}}}}}
",
        upstream.url()
    )
}

async fn shown(instance: &Instance, path: &str) -> Value {
    let answer = instance.admin(path).await;
    assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
    serde_json::from_str(&answer.text()).unwrap()
}

/// A `POST` to the entry point for people, with these lines in its head.
async fn post(instance: &Instance, path: &str, lines: &str) -> Message {
    let mut client = RawClient::connect(instance.admin).await;
    let host = instance.admin;
    client
        .ask(format!("POST {path} HTTP/1.1\r\nHost: {host}\r\n{lines}Content-Length: 0\r\nConnection: close\r\n\r\n"))
        .await
}

async fn posted(instance: &Instance, path: &str) -> Value {
    let answer = post(instance, path, "").await;
    assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
    serde_json::from_str(&answer.text()).unwrap()
}

/// The log, once it says this.
async fn logged(instance: &Instance, text: &str) -> String {
    wait_until(|| instance.log().contains(text), Duration::from_secs(10)).await;
    instance.log()
}

/// Asks so often, and returns how many were let through.
async fn admitted(instance: &Instance, path: &str, requests: usize) -> usize {
    let mut admitted = 0;
    for _ in 0..requests {
        match instance.get("a.test", path).await.status() {
            200 => admitted += 1,
            429 => {}
            other => panic!("answered with {other}"),
        }
    }
    admitted
}

const LIMIT: &str = "/api/limits/limit@file";
const KEY: &str = "/api/limits/limit@file/key?address=127.0.0.1";
const RESET: &str = "/api/limits/limit@file/key/reset?address=127.0.0.1";

#[tokio::test]
async fn an_operator_sees_a_client_and_lets_it_in() {
    let upstream = Upstream::answering(ANSWER);
    let redis = Redis::start();
    let [first, second] = [(); 2].map(|()| Setup::new(&dynamic(&redis, &upstream)).start());
    wait_for_store(&first).await;
    wait_for_store(&second).await;

    // What one instance admits the other sees; to look costs nothing.
    assert_eq!(admitted(&first, "/one", 2).await, 2);
    for instance in [&first, &second, &first, &second] {
        let state = shown(instance, KEY).await;
        assert_eq!((&state["remaining"], &state["key"]), (&json!(3), &json!("127.0.0.1")), "{state}");
        assert!((1430.0..=1440.0).contains(&state["resetAfter"].as_f64().unwrap()), "{state}");
    }
    assert_eq!(admitted(&second, "/two", 5).await, 3);
    let state = shown(&second, KEY).await;
    assert_eq!(state["remaining"], 0, "{state}");
    assert!((710.0..=720.0).contains(&state["retryAfter"].as_f64().unwrap()), "{state}");

    // The instance that is asked knows at once.
    assert_eq!(posted(&second, RESET).await["remaining"], 5);
    assert_eq!(admitted(&second, "/one", 7).await, 5);
    let grant = "/api/limits/limit@file/key/grant?address=127.0.0.1&requests=3";
    assert_eq!(posted(&second, grant).await["remaining"], 3);
    assert_eq!(admitted(&second, "/one", 7).await, 3);

    let row = shown(&second, LIMIT).await;
    assert_eq!((&row["usedBy"], &row["type"]), (&json!(["one@file", "two@file"]), &json!("ratelimit")), "{row}");
    let allowed: u64 = row["decisions"]["allow"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(allowed, 3 + 5 + 3, "of this instance: {row}");
    let store = &row["store"];
    assert_eq!((&store["name"], &store["available"]), (&json!(redis.endpoint()), &json!(true)), "{row}");
    assert_eq!((&store["instances"], &store["servers"][0]["address"]), (&json!(2), &json!(redis.endpoint())), "{row}");
    let log = logged(&second, "requests granted by the API").await;
    for (what, more) in [("bucket reset by the API", ""), ("requests granted by the API", " requests=3")] {
        let line = log.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}: {log}"));
        assert!(
            line.contains("INF") && line.contains(&format!("limit=limit@file key=127.0.0.1{more} client=127.0.0.1:")),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_key_of_the_api_is_that_of_a_request() {
    let upstream = Upstream::answering(ANSWER);
    let redis = Redis::start();
    let instance = Setup::new(&dynamic(&redis, &upstream)).start();
    wait_for_store(&instance).await;
    let mut client = RawClient::connect(instance.web).await;
    let head = "GET /key HTTP/1.1\r\nHost: a.test\r\nX-Api-Key:  canary key \r\n\r\n";
    assert_eq!(client.ask(head).await.status(), 200);
    assert_eq!(instance.get("A.test.:8000", "/own").await.status(), 200);
    let own = "/api/limits/own%40file%2Fown%40file";
    for (path, remaining) in [
        ("/api/limits/by-key@file/key?header=canary+key", 4),
        ("/api/limits/by-key@file/key?header=other", 5),
        ("/api/limits/by-key@file/key?header=", 5),
        ("/api/limits/own@file/own@file/key?host=a.test", 4),
        (&format!("{own}/key?host=A.TEST.:80"), 4),
        (&format!("{own}/key?host=b.test"), 5),
    ] {
        assert_eq!(shown(&instance, path).await["remaining"], remaining, "{path}");
    }
    posted(&instance, "/api/limits/by-key@file/key/reset?header=canary+key").await;
    let log = logged(&instance, "key=#").await;
    assert!(!log.contains("canary"), "{log}");
    let names: Vec<_> = shown(&instance, "/api/limits?per_page=2&search=o")
        .await
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].clone())
        .collect();
    assert_eq!(names, ["own@file/own@file"]);
}

#[tokio::test]
async fn what_cannot_be_done_is_explained_and_other_sites_do_nothing() {
    let upstream = Upstream::answering(ANSWER);
    let mut redis = Redis::start();
    let instance = Setup::new(&dynamic(&redis, &upstream)).start();
    wait_for_store(&instance).await;
    assert_eq!(admitted(&instance, "/one", 1).await, 1);
    for (path, status, said) in [
        ("/api/limits/nobody@file/key?address=127.0.0.1", 404, "limit not found: nobody@file"),
        ("/api/limits/limit@file/key?host=a.test", 400, "counts by address: ask with address=…, not host=…"),
        ("/api/limits/by-key@file/key", 400, "counts by the header x-api-key: ask with header=…"),
        ("/api/limits/limit@file/key?address=localhost", 400, "is no IP address"),
    ] {
        let answer = instance.admin(path).await;
        assert!(answer.status() == status && answer.text().contains(said), "{path}: {}", answer.text());
    }
    assert_eq!(instance.admin(RESET).await.status(), 405);
    for line in ["Origin: http://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n", "Origin: null\r\n"] {
        let answer = post(&instance, RESET, line).await;
        assert!(answer.status() == 403 && answer.text().contains("another site"), "{line}: {}", answer.text());
    }
    assert_eq!(shown(&instance, KEY).await["remaining"], 4, "nothing was changed");

    redis.kill();
    while shown(&instance, LIMIT).await["store"]["available"] == true {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for answer in [instance.admin(KEY).await, post(&instance, RESET, "").await] {
        let error: Value = serde_json::from_str(&answer.text()).unwrap();
        assert_eq!((answer.status(), &error["kind"]), (503, &json!("unreachable")), "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.starts_with(&format!("the store {} cannot tell: cannot be reached: ", redis.endpoint())),
            "{error}"
        );
        assert_eq!(error["hint"], "check the endpoint and that the server is running", "{error}");
    }
    let rows = shown(&instance, "/api/limits?status=warning").await;
    let names: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["by-key@file", "limit@file"], "{rows}");
    let store = &rows[1]["store"];
    assert_eq!((&store["state"], &store["servers"][0]["available"]), (&json!("unavailable"), &json!(false)), "{rows}");
    assert_eq!(store["error"]["hint"], "check the endpoint and that the server is running", "{rows}");
    assert!(rows[1]["error"][0].as_str().unwrap().contains("is unavailable"), "{rows}");
}
