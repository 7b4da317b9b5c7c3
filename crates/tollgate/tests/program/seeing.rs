//! Every decision can be seen.

use serde_json::Value;
use tollgate_testkit::Upstream;

use crate::instance::{Setup, value};

/// Statuses, access log and metrics tell the same story, and every refusal names its limit.
#[tokio::test]
async fn nothing_is_lost_between_clients_logs_and_metrics() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let instance = Setup::new(&format!(
        "
http:
  middlewares:
    per-key:
      rateLimit: {{average: 1, period: 1h, burst: 3, sourceCriterion: {{requestHeaderName: X-Api-Key}}}}
  routers: {{api: {{rule: \"PathPrefix(`/api`)\", service: s, middlewares: [per-key]}}}}
  services: {{s: {{loadBalancer: {{servers: [{{url: \"{}\"}}]}}}}}}
",
        upstream.url()
    ))
    .start();
    let (mut admitted, mut refused) = (0, 0);
    for number in 0..40 {
        let mut client = tollgate_testkit::RawClient::connect(instance.web).await;
        let request = format!("GET /api HTTP/1.1\r\nHost: a.test\r\nX-Api-Key: canary-{}\r\n\r\n", number % 4);
        match client.ask(request).await.status() {
            200 => admitted += 1,
            429 => refused += 1,
            other => panic!("answered with {other}"),
        }
    }
    assert_eq!((admitted, refused), (12, 28));
    assert_eq!(upstream.requests().len(), admitted);

    let lines = instance.access_log(40);
    assert_eq!(lines.len(), 40);
    let refusals: Vec<_> = lines.iter().filter(|line| line["DownstreamStatus"] == 429).collect();
    assert_eq!(refusals.len(), refused);
    for line in refusals {
        assert_eq!(line["LimitName"], "per-key@file", "{line}");
        assert_eq!(line["LimitVerdict"], "deny", "{line}");
        assert_eq!(line["LimitSource"], "memory", "{line}");
        assert_eq!(line["LimitRemaining"], 0, "{line}");
        assert!(line["LimitKey"].as_str().is_some_and(|key| key.starts_with('#')), "{line}");
        assert_eq!(line["RouterName"], "api@file", "{line}");
        assert!(line.get("ServiceName").is_none_or(Value::is_null), "{line}");
        assert_eq!(line["OriginStatus"], 0, "{line}");
    }
    let text = std::fs::read_to_string(instance.path("access")).unwrap();
    assert!(!text.contains("canary"), "a key is never shown");

    let metrics = instance.admin("/metrics").await.text();
    let decisions = |verdict: &str, source: &str| {
        let series = format!(
            "tollgate_limiter_decisions_total{{limit=\"per-key@file\",source=\"{source}\",verdict=\"{verdict}\"}}"
        );
        value(&metrics, &series) as usize
    };
    assert_eq!(decisions("allow", "memory"), admitted);
    assert_eq!(decisions("deny", "memory"), refused);
    let requests = |code: u16| {
        let lines = metrics.lines().filter(|line| line.starts_with("traefik_router_requests_total"));
        let lines = lines.filter(|line| line.contains("api@file") && line.contains(&format!("code=\"{code}\"")));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as usize
    };
    assert_eq!((requests(200), requests(429)), (admitted, refused));
    assert!(!metrics.contains("canary"));
}

#[tokio::test]
async fn the_api_shows_traefiks_shapes() {
    let instance = Setup::new(
        "
http:
  middlewares:
    negative: {rateLimit: {average: 1, period: -1s, burst: 2}}
    fine: {rateLimit: {average: 6, period: 1m, burst: 3}}
  routers:
    broken: {rule: \"Path(`/b`)\", service: s, middlewares: [negative]}
    good: {rule: \"Path(`/g`)\", service: s, middlewares: [fine]}
  services: {s: {loadBalancer: {servers: [{url: \"http://127.0.0.1:1\"}]}}}
",
    )
    .start();
    let json = async |path: &str| -> Value { serde_json::from_str(&instance.admin(path).await.text()).unwrap() };
    assert_eq!(instance.admin("/ping").await.text(), "OK");
    assert!(json("/api/version").await.get("Version").is_some());
    let overview = json("/api/overview").await;
    assert_eq!(overview["http"]["routers"]["errors"], 1, "{overview}");
    let negative = json("/api/http/middlewares/negative@file").await;
    assert_eq!(negative["error"][0], "negative value not valid for period: -1s", "{negative}");
    assert_eq!((&negative["status"], &negative["type"]), (&"disabled".into(), &"ratelimit".into()), "{negative}");
    assert_eq!(negative["usedBy"][0], "broken@file", "{negative}");
    let good = json("/api/http/routers/good@file").await;
    assert_eq!((&good["status"], &good["priority"]), (&"enabled".into(), &10.into()), "{good}");
    assert_eq!(json("/api/http/middlewares/fine@file").await["rateLimit"]["period"], "1m0s");
    let missing = instance.admin("/api/http/routers/zz@file").await;
    assert_eq!((missing.status(), missing.text().trim()), (404, r#"{"message":"router not found: zz@file"}"#));
    let raw = json("/api/rawdata").await;
    assert!(raw["routers"].get("good@file").is_some() && raw.get("tcpRouters").is_none(), "{raw}");
}
