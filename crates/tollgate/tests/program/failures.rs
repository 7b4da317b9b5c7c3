//! What clients see when things break.

use std::process::Command;
use std::time::{Duration, Instant};

use tollgate_testkit::{Redis, Upstream, free_port};

use crate::instance::{PROGRAM, Setup, value};
use crate::sharing::wait_for_store;

/// With what a loaded machine adds.
const PROMPT: Duration = Duration::from_millis(1_200);

#[tokio::test]
async fn a_redis_that_dies_is_a_chosen_answer_and_never_an_error() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let mut redis = Redis::start();
    let limit = |policy: &str| {
        format!(
            "{{plugin: {{distributedRateLimit: {{limit: 1000, burst: 1000, leases: false, {policy}responseHeaders: true, \
             store: {{redis: {{endpoints: [\"{}\"], timeout: 300ms}}}}}}}}}}",
            redis.endpoint()
        )
    };
    let instance = Setup::new(&format!(
        "
http:
  middlewares:
    closed: {}
    open: {}
    traefik: {{rateLimit: {{average: 1000, burst: 1000, leases: false, redis: {{endpoints: [\"{}\"]}}}}}}
  routers:
    closed: {{rule: \"Path(`/closed`)\", service: s, middlewares: [closed]}}
    open: {{rule: \"Path(`/open`)\", service: s, middlewares: [open]}}
    traefik: {{rule: \"Path(`/traefik`)\", service: s, middlewares: [traefik]}}
  services: {{s: {{loadBalancer: {{servers: [{{url: \"{}\"}}]}}}}}}
",
        limit(""),
        limit("denyOnError: false, "),
        redis.endpoint(),
        upstream.url()
    ))
    .start();
    wait_for_store(&instance).await;
    for path in ["/closed", "/open", "/traefik"] {
        assert_eq!(instance.get("a.test", path).await.status(), 200);
    }

    for silence in [Silence::Killed, Silence::Stopped] {
        match silence {
            Silence::Killed => redis.kill(),
            Silence::Stopped => redis.pause(),
        }
        for _ in 0..5 {
            for (path, status) in [("/closed", 429), ("/open", 200), ("/traefik", 429)] {
                let asked = Instant::now();
                let answer = instance.get("a.test", path).await;
                assert_eq!(answer.status(), status, "{path}, {silence:?}");
                assert!(asked.elapsed() < PROMPT, "{path}: {:?}, {silence:?}", asked.elapsed());
                if path != "/traefik" {
                    assert!(answer.header("x-rate-limit-fallback").is_some(), "a policy does not hide");
                }
            }
        }
        let metrics = instance.admin("/metrics").await.text();
        assert!(value(&metrics, "tollgate_limiter_policy_in_force") >= 1.0);
        match silence {
            Silence::Killed => redis.restart(),
            Silence::Stopped => redis.resume(),
        }
        let back = Instant::now();
        wait_for_store(&instance).await;
        assert!(back.elapsed() < PROMPT, "{:?}", back.elapsed());
        for path in ["/closed", "/open", "/traefik"] {
            assert_eq!(instance.get("a.test", path).await.status(), 200);
        }
    }
    let log = instance.log();
    let said = log.lines().filter(|line| line.contains("the store cannot be used")).count();
    assert!((1..=12).contains(&said), "said when it changes, not for every request: {log}");
}

#[derive(Debug, Clone, Copy)]
enum Silence {
    Killed,
    Stopped,
}

#[tokio::test]
async fn a_wrong_password_is_one_clear_line() {
    let redis = Redis::with_config(&["requirepass right"]);
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let instance = Setup::new(&format!(
        "
http:
  middlewares: {{limit: {{rateLimit: {{average: 1, redis: {{endpoints: [\"{}\"], password: canary-wrong}}}}}}}}
  routers: {{r: {{rule: \"Path(`/`)\", service: s, middlewares: [limit]}}}}
  services: {{s: {{loadBalancer: {{servers: [{{url: \"{}\"}}]}}}}}}
",
        redis.endpoint(),
        upstream.url()
    ))
    .start();
    assert_eq!(instance.get("a.test", "/").await.status(), 429);
    tollgate_testkit::wait_until(|| instance.log().contains("log-in refused"), Duration::from_secs(10)).await;
    let log = instance.log();
    let line = log.lines().find(|line| line.contains("log-in refused")).unwrap();
    assert!(line.contains("hint: check username and password"), "{line}");
    assert!(!log.contains("canary"), "{log}");
}

fn fails(arguments: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(arguments).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn what_cannot_start_says_why() {
    let missing = fails(&["run", "--configFile=/nowhere/traefik.yml"]);
    assert!(missing.contains("/nowhere/traefik.yml"), "{missing}");

    let unknown = fails(&["run", "--entryPoints.web.adress=:80"]);
    assert!(unknown.contains("adress") && unknown.contains("address"), "{unknown}");

    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let busy = fails(&["run", &format!("--entryPoints.web.address={address}")]);
    assert!(busy.contains("web") && busy.contains(&address.to_string()), "{busy}");
    assert!(busy.to_lowercase().contains("address already in use"), "{busy}");

    let nonsense = fails(&["rnu"]);
    assert!(nonsense.contains("usage"), "{nonsense}");
}

/// Two instances on one address would share its connections without anybody knowing.
#[tokio::test]
async fn a_second_instance_on_the_same_address_is_refused() {
    let instance = Setup::new("http: {}").start();
    let second = fails(&["run", &format!("--entryPoints.web.address={}", instance.web)]);
    assert!(second.to_lowercase().contains("address already in use"), "{second}");
}

#[tokio::test]
async fn a_backend_that_is_not_there_is_a_bad_gateway() {
    let instance = Setup::new(&format!(
        "
http:
  routers:
    gone: {{rule: \"Path(`/gone`)\", service: gone}}
    empty: {{rule: \"Path(`/empty`)\", service: empty}}
  services:
    gone: {{loadBalancer: {{servers: [{{url: \"http://127.0.0.1:{}\"}}]}}}}
    empty: {{loadBalancer: {{servers: [{{url: \"http://127.0.0.1:1\", weight: 0}}]}}}}
",
        free_port()
    ))
    .start();
    let gone = instance.get("a.test", "/gone").await;
    assert_eq!((gone.status(), gone.text().as_str()), (502, "Bad Gateway"));
    let empty = instance.get("a.test", "/empty").await;
    assert_eq!((empty.status(), empty.text().trim()), (503, "no available server"));
    let nothing = instance.get("a.test", "/nothing").await;
    assert_eq!((nothing.status(), nothing.text().trim()), (404, "404 page not found"));
}
