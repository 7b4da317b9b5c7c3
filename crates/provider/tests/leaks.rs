//! A storm of changes leaves nothing behind. Alone in its process, since it counts what the
//! process holds.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::time::Duration;

#[path = "file/harness.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod harness;

use harness::{Watched, events_only, routers};

/// Watches of the file system that this process has open.
fn watches() -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap();
    open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| target.as_os_str().to_string_lossy().contains("inotify"))
        .count()
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

#[tokio::test]
async fn of_a_thousand_rapid_changes_the_last_wins_and_nothing_is_left_behind() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let mut watched = Watched::file(events_only, "d.yml", &[("d.yml", &routers(&["first"]))]);
    // One change, so that everything that is made once is made.
    watched.write("d.yml", &routers(&["second"]));
    watched.until_routers(&["second"]).await;
    let before = (watches(), tasks(), threads());
    assert_eq!(before.0, 1);
    for number in 0..1_000 {
        let text = match number % 4 {
            // Some are broken, some are empty, some are written over and some put in place.
            0 => "http: [".to_owned(),
            1 => String::new(),
            _ => routers(&[&format!("r{number}")]),
        };
        if number % 2 == 0 {
            watched.write("d.yml", &text);
        } else {
            watched.replace("d.yml", &text);
        }
        tokio::task::yield_now().await;
    }
    watched.until_routers(&["r999"]).await;
    assert_eq!((watches(), tasks(), threads()), before);
    watched.stop().await;
    // The watcher's thread ends by itself, a moment later.
    tokio::time::timeout(Duration::from_secs(20), async {
        while watches() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .expect("the watch is closed");
    assert_eq!(tasks(), 0);
}
