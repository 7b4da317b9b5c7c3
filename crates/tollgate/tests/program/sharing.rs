//! One limit, whoever is asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_testkit::{Admission, FaultProxy, Redis, Upstream, certain_excess};

use crate::instance::{Instance, Setup};

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The example that this project began with.
fn example(redis: &str, upstream: &Upstream, comment: u32) -> String {
    format!(
        "# {comment}
http:
  middlewares:
    global-rate-limit:
      rateLimit: {{average: 100, period: 1m, burst: 20{redis}}}
  routers:
    api: {{rule: \"Host(`api.example.com`)\", service: api-service, middlewares: [global-rate-limit]}}
    reload{comment}: {{rule: \"Host(`{comment}.example.com`)\", service: api-service}}
  services:
    api-service: {{loadBalancer: {{servers: [{{url: \"{}\"}}]}}}}
",
        upstream.url()
    )
}

/// Sends 25 requests every 2.5 s for a minute, in turn to each instance, which read their files anew meanwhile.
/// Returns how many got through.
async fn a_minute_of_bursts(instances: &[Arc<Instance>], files: impl Fn(u32) -> String) -> u32 {
    let mut ticks = tokio::time::interval(Duration::from_millis(2_500));
    let mut admitted = 0;
    for burst in 0..=24_u32 {
        ticks.tick().await;
        let requests: Vec<_> = (0..25)
            .map(|request| {
                let instance = instances[request % instances.len()].clone();
                tokio::spawn(async move { instance.get("api.example.com", "/").await.status() })
            })
            .collect();
        for request in requests {
            match request.await.unwrap() {
                200 => admitted += 1,
                429 => {}
                other => panic!("answered with {other}"),
            }
        }
        if burst % 4 == 1 {
            let number = burst as usize / 4 % instances.len();
            instances[number].reload(&files(burst)).await;
        }
    }
    admitted
}

/// 120 of 625 requests get through: the burst of 20, and 100 in a minute. Traefik 3.7.15 lets 480 pass. The clocks of
/// the instances differ by minutes, and their configuration changes all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_instances_with_clocks_apart_let_one_limit_through() {
    let upstream = Upstream::answering(ANSWER);
    let redis = Redis::start();
    let store = format!(", redis: {{endpoints: [\"{}\"]}}", redis.endpoint());
    let files = |comment| example(&store, &upstream, comment);
    let shared = [0, 100, -30].map(|seconds| {
        let setup = Setup::new(&files(0));
        Arc::new(if seconds == 0 { setup.start() } else { setup.with_clock_off_by(seconds).start() })
    });
    for instance in &shared {
        wait_for_store(instance).await;
    }
    let alone = [Arc::new(Setup::new(&example("", &upstream, 0)).start())];
    let (shared, alone) = tokio::join!(
        a_minute_of_bursts(&shared, files),
        a_minute_of_bursts(&alone, |comment| example("", &upstream, comment)),
    );
    assert!((119..=121).contains(&shared), "{shared} got through three instances and one Redis");
    assert!((119..=121).contains(&alone), "{alone} got through one instance in memory");
}

/// Until the instance has found the store, its failure policy decides.
pub(crate) async fn wait_for_store(instance: &Instance) {
    let unavailable = async || {
        let metrics = instance.admin("/metrics").await.text();
        crate::instance::value(&metrics, "tollgate_limiter_policy_in_force") > 0.0
    };
    while unavailable().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// One bucket per middleware: over routers and chains, in memory and in Redis alike.
#[tokio::test]
async fn a_bucket_belongs_to_the_middleware() {
    let upstream = Upstream::answering(ANSWER);
    let redis = Redis::start();
    for store in [String::new(), format!(", redis: {{endpoints: [\"{}\"]}}", redis.endpoint())] {
        let instance = Setup::new(&format!(
            "
http:
  middlewares:
    limit: {{rateLimit: {{average: 1, period: 10s, burst: 2{store}}}}}
    links: {{chain: {{middlewares: [limit]}}}}
  routers:
    one: {{rule: \"Path(`/one`)\", service: s, middlewares: [limit]}}
    two: {{rule: \"Path(`/two`)\", service: s, middlewares: [limit]}}
    three: {{rule: \"Path(`/three`)\", service: s, middlewares: [links]}}
  services: {{s: {{loadBalancer: {{servers: [{{url: \"{}\"}}]}}}}}}
",
            upstream.url()
        ))
        .start();
        wait_for_store(&instance).await;
        let mut statuses = Vec::new();
        for path in ["/one", "/two", "/one", "/two", "/three"] {
            statuses.push(instance.get("a.test", path).await.status());
        }
        assert_eq!(statuses, [200, 200, 429, 429, 429], "{store}");
    }
}

/// A limit of nothing per period is no limit, in both stores. (In Traefik it refuses everything once Redis is named.)
#[tokio::test]
async fn an_average_of_zero_is_unlimited_in_both_stores() {
    let upstream = Upstream::answering(ANSWER);
    for store in ["", ", redis: {endpoints: [\"127.0.0.1:1\"]}"] {
        let instance = Setup::new(&format!(
            "
http:
  middlewares: {{limit: {{rateLimit: {{average: 0{store}}}}}}}
  routers: {{r: {{rule: \"Path(`/`)\", service: s, middlewares: [limit]}}}}
  services: {{s: {{loadBalancer: {{servers: [{{url: \"{}\"}}]}}}}}}
",
            upstream.url()
        ))
        .start();
        for _ in 0..20 {
            assert_eq!(instance.get("a.test", "/").await.status(), 200);
        }
    }
}

/// Three instances under a flood, one of them killed and started again, the store's connection of another cut: in no
/// window did more get through than the limit, and little less did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_window_holds_too_many_whoever_is_killed() {
    let (limit, burst) = (200, 200);
    let upstream = Upstream::answering(ANSWER);
    let redis = Redis::start();
    let proxy = FaultProxy::start(redis.address());
    let setup = |store: &str| {
        Setup::new(&format!(
            "
http:
  middlewares: {{limit: {{rateLimit: {{average: {limit}, burst: {burst}, redis: {{endpoints: [\"{store}\"]}}}}}}}}
  routers: {{r: {{rule: \"PathPrefix(`/`)\", service: s, middlewares: [limit]}}}}
  services: {{s: {{loadBalancer: {{servers: [{{url: \"{}\"}}]}}}}}}
",
            upstream.url()
        ))
    };
    let direct = redis.endpoint();
    let steady = Arc::new(setup(&direct).start());
    let cut = Arc::new(setup(&proxy.endpoint()).start());
    wait_for_store(&steady).await;
    wait_for_store(&cut).await;

    let started = Instant::now();
    let over = move || started.elapsed() > Duration::from_secs(5);
    let flood = |instance: Arc<Instance>| {
        tokio::spawn(async move {
            let mut admitted = Vec::new();
            while !over() {
                let sent = Instant::now();
                match instance.get("a.test", "/").await.status() {
                    200 => admitted.push(Admission { sent, answered: Instant::now() }),
                    429 => {}
                    other => panic!("answered with {other}"),
                }
            }
            admitted
        })
    };
    let mut clients: Vec<_> =
        [&steady, &steady, &cut, &cut].into_iter().map(|instance| flood(instance.clone())).collect();
    for _life in 0..3 {
        let mortal = setup(&direct).start();
        let address = mortal.web;
        clients.push(tokio::spawn(async move {
            let mut admitted = Vec::new();
            // Until it is killed, and then a request may find nobody.
            while let Some(admission) = try_get(address).await {
                admitted.extend(admission);
            }
            admitted
        }));
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        proxy.cut();
        // Dropping it is kill -9.
        drop(mortal);
    }
    let mut admitted = Vec::new();
    for client in clients {
        admitted.extend(client.await.unwrap());
    }
    let excess = certain_excess(limit, Duration::from_secs(1), burst, &admitted);
    assert!(excess <= 0.0, "{excess} too many in some window, of {}", admitted.len());
    let ideal = (burst + 5 * limit) as f64;
    assert!(admitted.len() as f64 >= 0.9 * ideal, "{} admitted of {ideal}", admitted.len());
}

/// One request. `None` if nobody is there any more; what was admitted else.
async fn try_get(address: std::net::SocketAddr) -> Option<Option<Admission>> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let sent = Instant::now();
    let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n").await.ok()?;
    let mut answer = Vec::new();
    // An answer that was cut off was not had, though it may have been admitted: it counts for nobody.
    stream.read_to_end(&mut answer).await.ok()?;
    let admission = Admission { sent, answered: Instant::now() };
    Some(answer.starts_with(b"HTTP/1.1 200").then_some(admission))
}
