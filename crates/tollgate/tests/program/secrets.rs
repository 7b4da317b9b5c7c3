//! No secret leaves the process: a canary in every place where a credential can stand, and a look everywhere.

use std::time::Duration;

use crate::instance::Setup;

const CANARY: &str = "canary-in-the-mine";

#[tokio::test]
async fn no_secret_is_shown_anywhere() {
    let instance = Setup::new(&format!(
        "
http:
  middlewares:
    redis:
      rateLimit:
        average: 1
        redis: {{endpoints: [\"127.0.0.1:1\"], username: user-{CANARY}, password: {CANARY}}}
    hub:
      plugin:
        distributedRateLimit:
          limit: 1
          store:
            redis:
              endpoints: [\"127.0.0.1:1\"]
              username: user-{CANARY}
              password: {CANARY}
              sentinel: {{masterSet: main, username: user-{CANARY}, password: {CANARY}}}
    tls:
      rateLimit:
        average: 1
        redis: {{endpoints: [\"127.0.0.1:1\"], tls: {{cert: \"no certificate\", key: \"{CANARY}\"}}}}
    basic: {{basicAuth: {{users: [\"user:{CANARY}\"]}}}}
    digest: {{digestAuth: {{users: [\"user:realm:{CANARY}\"]}}}}
    forward: {{forwardAuth: {{address: \"http://user:{CANARY}@127.0.0.1:1/\"}}}}
    headers: {{headers: {{customRequestHeaders: {{Authorization: \"Bearer {CANARY}\", X-Api-Key: {CANARY}}}}}}}
    unknown: {{plugin: {{something: {{token: {CANARY}, nested: {{password: {CANARY}}}}}}}}}
  routers:
    redis: {{rule: \"Path(`/redis`)\", service: s, middlewares: [redis]}}
    hub: {{rule: \"Path(`/hub`)\", service: s, middlewares: [hub]}}
    tls: {{rule: \"Path(`/tls`)\", service: s, middlewares: [tls]}}
    basic: {{rule: \"Path(`/basic`)\", service: s, middlewares: [basic, digest, forward, unknown]}}
    headers: {{rule: \"Path(`/headers`)\", service: s, middlewares: [headers]}}
  services: {{s: {{loadBalancer: {{servers: [{{url: \"http://user:{CANARY}@127.0.0.1:1\"}}]}}}}}}
",
    ))
    .start();
    for path in ["/redis", "/hub", "/tls", "/basic", "/headers"] {
        instance.get("a.test", path).await;
    }
    for path in [
        "/api/rawdata",
        "/api/overview",
        "/api/entrypoints",
        "/api/http/routers",
        "/api/http/services",
        "/api/http/services/s@file",
        "/api/http/middlewares",
        "/api/http/middlewares/redis@file",
        "/api/http/middlewares/hub@file",
        "/api/http/middlewares/headers@file",
        "/metrics",
    ] {
        let answer = instance.admin(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert!(!answer.text().contains(CANARY), "{path}: {}", answer.text());
    }
    instance.access_log(5);
    // A mistake beside a secret must not quote it.
    instance.write(
        "routes.yml",
        &format!("http: {{middlewares: {{m: {{rateLimit: {{redis: {{pasword: {CANARY}}}}}}}, n: {{basicAuth: {{users: {CANARY}}}}}}}}}"),
    );
    tollgate_testkit::wait_until(|| instance.log().contains("pasword"), Duration::from_secs(10)).await;
    for name in ["log", "access"] {
        let text = std::fs::read_to_string(instance.path(name)).unwrap();
        assert!(!text.contains(CANARY), "{name}: {text}");
    }
}
