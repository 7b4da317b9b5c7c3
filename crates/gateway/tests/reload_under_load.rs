//! A thousand new configurations under load: nothing fails, nothing is forgotten, nothing leaks. In a process of its
//! own, because its threads and open files are counted.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "gateway/harness.rs"]
#[allow(dead_code, reason = "each test binary needs a part of it")]
mod harness;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tollgate_testkit::{RawClient, Upstream, wait_until};

use harness::{PATIENCE, everything_to, start};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const ASK: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

fn limited(url: &str, generation: usize) -> String {
    format!(
        "{}
           middlewares:
             mark: {{headers: {{customResponseHeaders: {{X-Generation: 'g{generation}'}}}}}}
             limit: {{rateLimit: {{average: 1000000, burst: 1000000}}}}",
        everything_to(url, "mark, limit")
    )
}

/// Threads and open files of this process.
fn held() -> (usize, usize) {
    let count = |path| std::fs::read_dir(path).unwrap().count();
    (count("/proc/self/task"), count("/proc/self/fd"))
}

#[tokio::test]
async fn a_thousand_reloads_under_load_fail_nothing_and_leak_nothing() {
    let upstream = Upstream::answering(OK);
    let mut running = start(&limited(&upstream.url(), 0));
    let address = running.address();
    let (stop, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            tokio::spawn(async move {
                let mut client = RawClient::connect(address).await;
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.ask(ASK).await;
                    assert_eq!((answer.status(), &answer.body[..]), (200, &b"ok"[..]));
                    assert!(answer.header("x-generation").is_some());
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    wait_until(|| asked.load(Ordering::Relaxed) > 100, PATIENCE).await;
    let before = held();
    for generation in 1..=1000 {
        running.apply(&limited(&upstream.url(), generation));
        tokio::task::yield_now().await;
    }
    let at_the_end = asked.load(Ordering::Relaxed);
    wait_until(|| asked.load(Ordering::Relaxed) > at_the_end + 100, PATIENCE).await;
    assert_eq!(held(), before, "threads and files");
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(running.get("/", "").await.header("x-generation"), Some("g1000"));
    // The limit is the one it was: all of its requests are counted in one bucket.
    let limits = running.resources.stores.limit_snapshots();
    let [limit] = &*limits else { panic!("{} limits", limits.len()) };
    assert_eq!(
        limit.decisions.iter().map(|(_, _, count)| *count as usize).sum::<usize>(),
        asked.load(Ordering::Relaxed) + 1
    );
    assert_eq!(upstream.connections(), upstream.open_connections(), "connections to the backend survive");
}
