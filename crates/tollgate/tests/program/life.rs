//! Starting, reading files anew, ending.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tollgate_testkit::{Gate, RawClient, Redis, Upstream, wait_until};

use crate::instance::{PROGRAM, Setup, value};
use crate::sharing::wait_for_store;

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn route(upstream: &Upstream, path: &str) -> String {
    format!(
        "
http:
  routers: {{r: {{rule: \"Path(`{path}`)\", service: s}}}}
  services: {{s: {{loadBalancer: {{servers: [{{url: \"{}\"}}]}}}}}}
",
        upstream.url()
    )
}

#[tokio::test]
async fn a_good_file_takes_effect_and_a_bad_one_changes_nothing() {
    let upstream = Upstream::answering(ANSWER);
    let instance = Setup::new(&route(&upstream, "/one")).start();
    assert_eq!(instance.get("a.test", "/one").await.status(), 200);
    instance.reload(&route(&upstream, "/two")).await;
    assert_eq!(instance.get("a.test", "/two").await.status(), 200);
    assert_eq!(instance.get("a.test", "/one").await.status(), 404);

    instance.write("routes.yml", "http: {routers: {r: {rul: \"Path(`/three`)\"}}}");
    wait_until(|| instance.log().contains("routes.yml:1:"), Duration::from_secs(10)).await;
    let log = instance.log();
    assert!(log.contains("http.routers.r.rul") && log.contains("rule"), "the place, the path and a hint: {log}");
    assert_eq!(instance.get("a.test", "/two").await.status(), 200, "the last good configuration stays");

    // One router with a mistake is disabled; the others work.
    let mixed = route(&upstream, "/four")
        .replace("routers: {", "routers: {broken: {rule: \"Path(`/broken`)\", service: s, middlewares: [ghost]}, ");
    instance.reload(&mixed).await;
    assert_eq!(instance.get("a.test", "/four").await.status(), 200);
    assert_eq!(instance.get("a.test", "/broken").await.status(), 404);
    let broken = instance.admin("/api/http/routers/broken@file").await.text();
    assert!(broken.contains("\"status\":\"disabled\"") && broken.contains("ghost@file"), "{broken}");
}

#[tokio::test]
async fn buckets_and_connections_survive_every_reload_and_nothing_piles_up() {
    let upstream = Upstream::answering(ANSWER);
    let redis = Redis::start();
    let file = |number: u32| {
        format!(
            "
http:
  middlewares:
    shared: {{rateLimit: {{average: 1, period: 1h, burst: 2, redis: {{endpoints: [\"{}\"]}}}}}}
    alone: {{rateLimit: {{average: 1, period: 1h, burst: 2}}}}
  routers:
    shared: {{rule: \"Path(`/shared`)\", service: s, middlewares: [shared]}}
    alone: {{rule: \"Path(`/alone`)\", service: s, middlewares: [alone]}}
    number{number}: {{rule: \"Path(`/{number}`)\", service: s}}
  services: {{s: {{loadBalancer: {{servers: [{{url: \"{}\"}}]}}}}}}
",
            redis.endpoint(),
            upstream.url()
        )
    };
    let instance = Setup::new(&file(0)).start();
    wait_for_store(&instance).await;
    for path in ["/shared", "/alone"] {
        for status in [200, 200, 429] {
            assert_eq!(instance.get("a.test", path).await.status(), status);
        }
    }
    // Besides the connection that asks.
    let clients = || redis.command(&["CLIENT", "LIST"]).text().lines().count() - 1;
    assert_eq!(clients(), 1);
    instance.reload(&file(1)).await;
    let files = instance.open_files();
    for number in 2..30 {
        instance.reload(&file(number)).await;
        assert_eq!(instance.get("a.test", &format!("/{number}")).await.status(), 200);
        for path in ["/shared", "/alone"] {
            assert_eq!(instance.get("a.test", path).await.status(), 429, "after {number} reloads");
        }
    }
    assert_eq!(clients(), 1, "one connection, however often the file is read");
    assert!(instance.open_files() <= files + 3, "{} open files, {files} before", instance.open_files());
}

#[tokio::test]
async fn a_request_under_way_is_finished_and_then_the_program_ends_well() {
    let gate = Gate::new();
    let held = gate.clone();
    let upstream = Upstream::start(move |peer| {
        while peer.request().is_some() {
            held.wait();
            peer.send(ANSWER);
        }
    });
    let mut instance = Setup::new(&route(&upstream, "/slow")).start();
    let idle = RawClient::connect(instance.web).await;
    let mut client = RawClient::connect(instance.web).await;
    client.send("GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    wait_until(|| !upstream.requests().is_empty(), Duration::from_secs(10)).await;
    instance.signal("TERM");
    let refuses = || std::net::TcpStream::connect(instance.web).is_err();
    wait_until(refuses, Duration::from_secs(10)).await;
    gate.open();
    let answer = client.answer().await;
    assert_eq!((answer.status(), answer.header("connection")), (200, Some("close")));
    assert_eq!(instance.ended(Duration::from_secs(10)).code(), Some(0));
    drop(idle);
}

#[tokio::test]
async fn a_second_signal_cuts_what_is_under_way() {
    let upstream = Upstream::start(|peer| {
        peer.request();
        peer.wait_closed();
    });
    let mut instance = Setup::new(&route(&upstream, "/never")).start();
    let mut client = RawClient::connect(instance.web).await.with_patience(Duration::from_secs(30));
    client.send("GET /never HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    wait_until(|| !upstream.requests().is_empty(), Duration::from_secs(10)).await;
    instance.signal("TERM");
    // Two signals in one moment may be one; the second comes when the first has been heard.
    wait_until(|| std::net::TcpStream::connect(instance.web).is_err(), Duration::from_secs(10)).await;
    instance.signal("TERM");
    assert_eq!(instance.ended(Duration::from_secs(8)).code(), Some(0), "before the grace of 10 s is over");
    client.closed().await;
}

#[tokio::test]
async fn health_is_asked_and_answered() {
    let mut instance = Setup::new("http: {}").start();
    let ask = |instance: &crate::instance::Instance| {
        let file = format!("--configFile={}", instance.path("traefik.yml").display());
        Command::new(PROGRAM).args(["healthcheck", &file]).output().unwrap().status.code()
    };
    assert_eq!(ask(&instance), Some(0));
    instance.signal("TERM");
    instance.ended(Duration::from_secs(10));
    assert_eq!(ask(&instance), Some(1));
}

#[tokio::test]
async fn the_log_is_opened_anew_after_it_was_moved_away() {
    let instance = Setup::new("http: {}").start();
    instance.get("a.test", "/").await;
    instance.access_log(1);
    std::fs::rename(instance.path("access"), instance.path("access.1")).unwrap();
    instance.signal("USR1");
    wait_until(|| instance.path("access").exists(), Duration::from_secs(10)).await;
    instance.get("a.test", "/").await;
    assert_eq!(instance.access_log(1).len(), 1);
}

/// The README's first command, and the lines that it prints.
#[tokio::test]
async fn the_demo_does_what_it_says() {
    let mut child =
        Command::new(PROGRAM).arg("demo").env_clear().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = Arc::new(std::sync::Mutex::new(String::new()));
    let reader = {
        let (output, mut stdout) = (output.clone(), child.stdout.take().unwrap());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = std::io::Read::read(&mut stdout, &mut buffer) {
                output.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        })
    };
    wait_until(|| output.lock().unwrap().contains("Ctrl-C ends the demo"), Duration::from_secs(20)).await;
    let said = output.lock().unwrap().clone();
    let address = |before: &str, after: &str| {
        let rest = said.split(before).nth(1).unwrap();
        rest.split(after).next().unwrap().parse().unwrap()
    };
    let web = address("listening on http://", ",");
    let admin = address("curl -s http://", "/metrics");
    let mut statuses = Vec::new();
    for _ in 0..25 {
        statuses.push(crate::instance::get(web, "localhost", "/hello?name=you").await.status());
    }
    let admitted = statuses.iter().filter(|status| **status == 200).count();
    assert!((20..=22).contains(&admitted), "{statuses:?}");
    let metrics = crate::instance::get(admin, "localhost", "/metrics").await.text();
    assert!(value(&metrics, "tollgate_limiter_decisions_total") >= 25.0, "{metrics}");
    let shown = crate::instance::get(admin, "localhost", "/api/http/middlewares/global-rate-limit@file").await.text();
    assert!(shown.contains("\"average\":100"), "{shown}");
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
}
