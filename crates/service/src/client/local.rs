//! The pool of this thread, and what is counted about all of them.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::Connection;
use super::pool::{Bounds, Key, Pool};

/// Connections to backends, of all threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Waiting for their next request now.
    pub idle: u64,
    /// Made since the start.
    pub dialed: u64,
    /// Requests sent on a connection that had waited, since the start.
    pub reused: u64,
}

/// What was counted so far. It walks over the threads: for a metrics page, not for a request.
pub fn stats() -> Stats {
    let mut sum = Stats::default();
    for counters in THREADS.lock().iter() {
        sum.idle += counters.idle.load(Ordering::Relaxed);
        sum.dialed += counters.dialed.load(Ordering::Relaxed);
        sum.reused += counters.reused.load(Ordering::Relaxed);
    }
    sum
}

/// Takes a connection that waits on this thread.
pub(super) fn take(key: Key) -> Option<Connection> {
    LOCAL.with_borrow_mut(|local| {
        let connection = local.pool.take(key);
        if connection.is_some() {
            local.counters.reused.fetch_add(1, Ordering::Relaxed);
        }
        local.count();
        connection
    })
}

/// Lets a connection wait on this thread.
pub(super) fn put(key: Key, connection: Connection, bounds: Bounds) {
    LOCAL.with_borrow_mut(|local| {
        local.pool.put(key, connection, bounds, Instant::now());
        local.count();
        local.watch();
    });
}

/// A connection was made on this thread.
pub(super) fn on_dial() {
    LOCAL.with_borrow(|local| local.counters.dialed.fetch_add(1, Ordering::Relaxed));
}

struct Local {
    pool: Pool<Connection>,
    /// Written by this thread only, read by whoever wants the sum.
    counters: Arc<Counters>,
    reaper: Option<AbortHandle>,
}

#[derive(Default)]
struct Counters {
    idle: AtomicU64,
    dialed: AtomicU64,
    reused: AtomicU64,
}

thread_local! {
    static LOCAL: RefCell<Local> = RefCell::new(Local::new());
}

/// Threads are few and are remembered for ever, so that what they counted does not go backwards.
static THREADS: Mutex<Vec<Arc<Counters>>> = Mutex::new(Vec::new());

impl Local {
    fn new() -> Self {
        let counters = Arc::<Counters>::default();
        THREADS.lock().push(Arc::clone(&counters));
        Self { pool: Pool::new(), counters, reaper: None }
    }

    fn count(&self) {
        self.counters.idle.store(self.pool.len() as u64, Ordering::Relaxed);
    }

    /// Sees to it that somebody comes to close what waits too long: one task for the thread, while anything waits.
    /// It went with its runtime if that is gone.
    fn watch(&mut self) {
        if self.reaper.as_ref().is_none_or(AbortHandle::is_finished) {
            self.reaper = Some(tokio::spawn(reap()).abort_handle());
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.counters.idle.store(0, Ordering::Relaxed);
    }
}

async fn reap() {
    loop {
        let next = LOCAL.with_borrow_mut(|local| {
            let next = local.pool.reap(Instant::now());
            local.count();
            if next.is_none() {
                local.reaper = None;
            }
            next
        });
        match next {
            Some(next) => sleep_until(next).await,
            None => return,
        }
    }
}
