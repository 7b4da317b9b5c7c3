//! The pool of this thread, and what is counted about all of them.

use std::cell::RefCell;
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};

use parking_lot::Mutex;
use tokio::task::{AbortHandle, unconstrained};
use tokio::time::{Instant, sleep_until};

use super::exchange::Exchange;
use super::pool::{Bounds, Key, Pool, Reusable as _};

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
pub(super) fn take(key: Key) -> Option<Box<Exchange>> {
    LOCAL.with_borrow_mut(|local| {
        let connection = local.pool.take(key)?;
        add_one(&local.counters.reused);
        local.count();
        Some(connection)
    })
}

/// Lets a connection wait on this thread.
pub(super) fn put(key: Key, connection: Box<Exchange>, bounds: Bounds) {
    LOCAL.with_borrow_mut(|local| {
        local.watch();
        if let Some(watcher) = &local.watcher
            && connection.poll_gone(&mut Context::from_waker(watcher)).is_ready()
        {
            return;
        }
        local.pool.put(key, connection, bounds, Instant::now());
        local.count();
    });
}

/// A connection was made on this thread.
pub(super) fn on_dial() {
    LOCAL.with_borrow(|local| add_one(&local.counters.dialed));
}

/// The idle connections of one thread, and the task that watches them.
///
/// A connection that waits wakes the watcher, one that is used its request: each registers itself where the other was.
/// So a connection that its backend closes is closed here at once, and while all goes well the watcher sleeps.
struct Local {
    pool: Pool<Box<Exchange>>,
    /// Written by this thread only, read by whoever wants the sum.
    counters: Arc<Counters>,
    task: Option<AbortHandle>,
    /// Wakes the watcher. It is known once the task has run for the first time, and then asks every connection there is.
    watcher: Option<Waker>,
}

#[derive(Default)]
struct Counters {
    idle: AtomicU64,
    dialed: AtomicU64,
    reused: AtomicU64,
}

/// Cheaper than an atomic addition, for there is one writer.
fn add_one(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
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
        Self { pool: Pool::new(), counters, task: None, watcher: None }
    }

    fn count(&self) {
        self.counters.idle.store(self.pool.len() as u64, Ordering::Relaxed);
    }

    /// Sees to it that there is a watcher while anything waits. It went with its runtime if that is gone.
    fn watch(&mut self) {
        if self.task.as_ref().is_none_or(AbortHandle::is_finished) {
            self.watcher = None;
            // What is looked at is as much as there is: a budget would only make the watcher come again.
            self.task = Some(tokio::spawn(unconstrained(watch())).abort_handle());
        }
    }

    /// Closes what is to be closed, and says when to come again.
    fn sweep(&mut self, cx: &mut Context<'_>) -> Option<Instant> {
        let next = self.pool.sweep(Instant::now(), cx);
        self.count();
        self.watcher = next.map(|_| cx.waker().clone());
        if next.is_none() {
            self.task = None;
        }
        next
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.counters.idle.store(0, Ordering::Relaxed);
    }
}

async fn watch() {
    // Connections end with the runtime that they belong to.
    let _rest = Rest;
    let mut alarm = pin!(sleep_until(Instant::now()));
    poll_fn(|cx| {
        loop {
            let Some(next) = LOCAL.with_borrow_mut(|local| local.sweep(cx)) else { return Poll::Ready(()) };
            alarm.as_mut().reset(next);
            ready!(alarm.as_mut().poll(cx));
        }
    })
    .await;
}

/// Closes what waits on this thread when dropped.
struct Rest;

impl Drop for Rest {
    fn drop(&mut self) {
        // The thread may be ending, and its pool gone.
        let _ = LOCAL.try_with(|local| {
            if let Ok(mut local) = local.try_borrow_mut() {
                local.pool = Pool::new();
                local.count();
            }
        });
    }
}
