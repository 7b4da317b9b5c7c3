//! Waiting for something that another thread brings about.

use std::time::{Duration, Instant};

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not hold within `deadline`.
pub async fn wait_until(mut condition: impl FnMut() -> bool, deadline: Duration) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < deadline, "the condition did not come true within {deadline:?}");
        tokio::time::sleep(STEP).await;
    }
}

/// Waits until `condition` holds, and blocks the thread meanwhile.
///
/// # Panics
/// When it does not hold within `deadline`.
pub fn wait_until_blocking(mut condition: impl FnMut() -> bool, deadline: Duration) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < deadline, "the condition did not come true within {deadline:?}");
        std::thread::sleep(STEP);
    }
}

const STEP: Duration = Duration::from_millis(2);
