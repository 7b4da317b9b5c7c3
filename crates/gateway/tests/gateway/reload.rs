//! A new configuration: who began with the old one ends with it, and what it remembered is not forgotten.

use std::sync::Arc;

use tollgate_testkit::{Gate, Upstream};

use crate::harness::{apply, everything_to, start};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const ASK: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

#[tokio::test]
async fn buckets_survive_a_reload() {
    let upstream = Upstream::answering(OK);
    let config = |more: &str| {
        format!(
            "{}
           middlewares: {{limit: {{rateLimit: {{average: 1, period: 1h, burst: 2}}}}{more}}}",
            everything_to(&upstream.url(), "limit")
        )
    };
    let mut running = start(&config(""));
    assert_eq!(running.get("/", "").await.status(), 200);
    running.apply(&config(", other: {addPrefix: {prefix: /x}}"));
    assert_eq!(running.get("/", "").await.status(), 200);
    running.apply(&config(""));
    assert_eq!(running.get("/", "").await.status(), 429);
    assert_eq!(running.resources.stores.limit_snapshots().len(), 1);
}

#[tokio::test]
async fn a_request_ends_with_what_it_began_with() {
    let (begun, release) = (Gate::new(), Gate::new());
    let (tell_begun, released) = (begun.clone(), release.clone());
    let old = Upstream::start(move |peer| {
        peer.request();
        tell_begun.open();
        released.wait();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold");
    });
    let new = Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew");
    let mut running = start(&everything_to(&old.url(), ""));
    let mut client = running.connect().await;
    client.send(ASK).await;
    tokio::task::spawn_blocking(move || begun.wait()).await.unwrap();
    running.apply(&everything_to(&new.url(), ""));
    assert_eq!(running.get("/", "").await.body, b"new");
    release.open();
    assert_eq!(client.answer().await.body, b"old");
    assert_eq!(client.ask(ASK).await.body, b"new");
}

#[tokio::test]
async fn only_news_are_applied() {
    use std::collections::BTreeMap;

    use tokio::sync::{mpsc, watch};
    use tollgate_config::MergedConfig;
    use tollgate_provider::Aggregate;

    let upstream = Upstream::answering(OK);
    let mut running = start(&everything_to(&upstream.url(), ""));
    let first = apply(&mut running.reloader, &everything_to(&upstream.url(), ""));
    let (publish, aggregates) = watch::channel(Arc::<Aggregate>::default());
    let (tell, mut told) = mpsc::unbounded_channel();
    let reloading = tokio::spawn(running.reloader.run(aggregates, move |reloaded| {
        tell.send(reloaded.generation).unwrap();
    }));
    let say = async |config: &Arc<MergedConfig>| {
        publish.send_replace(Arc::new(Aggregate { config: Arc::clone(config), diagnostics: BTreeMap::new() }));
        tokio::task::yield_now().await;
    };
    // What is in force already, said again, is no news; neither is what has just been applied.
    say(&first.config).await;
    let other = Arc::new(MergedConfig::default());
    say(&other).await;
    assert_eq!(told.recv().await, Some(first.generation + 1));
    say(&other).await;
    say(&first.config).await;
    assert_eq!(told.recv().await, Some(first.generation + 2));
    drop(publish);
    reloading.await.unwrap();
    assert_eq!(told.recv().await, None);
}
