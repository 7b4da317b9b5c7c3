//! The connections of one entry point on one thread: how many, and how to reach them all.

mod reserve;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Waker};

use parking_lot::Mutex;
use tokio::sync::Notify;

use reserve::Reserve;

/// The open connections of one entry point on one thread.
///
/// A connection looks at [`Seat::is_draining`] whenever it is polled, and is woken once when that changes, so that
/// waiting for the end costs a connection nothing.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    seats: Mutex<Seats>,
    draining: AtomicBool,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Seats {
    next: u64,
    wakers: BTreeMap<u64, Option<Waker>>,
}

impl Connections {
    /// A place for one more connection.
    pub(crate) fn enter(self: &Arc<Self>) -> Seat {
        let mut seats = self.seats.lock();
        let number = seats.next;
        seats.next += 1;
        seats.wakers.insert(number, None);
        Seat { connections: Arc::clone(self), number, registered: false }
    }

    /// Asks all connections to finish what they are at and close.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        // Woken outside the lock: a waker may run what leaves its seat.
        let wakers: Vec<_> = self.seats.lock().wakers.values().flatten().cloned().collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Ready when no connection is left.
    pub(crate) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.seats.lock().wakers.is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

/// The place of one connection, left when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    connections: Arc<Connections>,
    number: u64,
    registered: bool,
}

impl Seat {
    /// Whether the connection should finish and close. The task that asks is woken when it should.
    pub(crate) fn is_draining(&mut self, cx: &Context<'_>) -> bool {
        if !self.registered {
            self.registered = true;
            self.connections.seats.lock().wakers.insert(self.number, Some(cx.waker().clone()));
        }
        self.connections.draining.load(Ordering::Relaxed)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.connections.seats.lock();
        seats.wakers.remove(&self.number);
        if seats.wakers.is_empty() {
            self.connections.emptied.notify_waiters();
        }
    }
}

/// How many connections the whole process may have, and has.
#[derive(Debug)]
pub(crate) struct Capacity {
    most: usize,
    open: AtomicUsize,
    /// What is left for the others.
    pub(crate) reserve: Reserve,
}

impl Capacity {
    /// Room for `most` connections.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, open: AtomicUsize::new(0), reserve: Reserve::default() })
    }

    /// Room for as many connections as leave each of them, and ourselves, the file descriptors for going on: one
    /// towards the client, one towards a backend.
    pub(crate) fn of_process() -> Arc<Self> {
        const OWN: usize = 64;
        let files = open_file_limit().unwrap_or(usize::MAX);
        Self::new((files.saturating_sub(OWN) / 2).max(1))
    }

    /// One place of it, if one is free.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Place> {
        let place = Place { capacity: Arc::clone(self) };
        (self.open.fetch_add(1, Ordering::Relaxed) < self.most).then_some(place)
    }

    /// How many are taken.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// One taken place, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    capacity: Arc<Capacity>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.capacity.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The soft limit of open files of this process.
fn open_file_limit() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    #[test]
    fn a_full_house_lets_nobody_in_until_somebody_leaves() {
        let capacity = Capacity::new(2);
        let (first, second) = (capacity.take(), capacity.take());
        assert!(first.is_some() && second.is_some());
        assert!(capacity.take().is_none());
        assert_eq!(capacity.open(), 2);
        drop(first);
        assert!(capacity.take().is_some());
    }

    #[test]
    fn the_limit_of_open_files_is_known() {
        assert!(open_file_limit().is_some_and(|files| files > 0));
    }

    #[tokio::test]
    async fn draining_reaches_who_is_there_and_who_comes() {
        let connections = Arc::new(Connections::default());
        let mut early = connections.enter();
        let mut asked =
            Box::pin(poll_fn(move |cx| if early.is_draining(cx) { Poll::Ready(()) } else { Poll::Pending }));
        let waiting = tokio::spawn(async move { asked.as_mut().await });
        tokio::task::yield_now().await;
        connections.drain();
        waiting.await.unwrap();

        let mut late = connections.enter();
        poll_fn(|cx| {
            assert!(late.is_draining(cx));
            Poll::Ready(())
        })
        .await;
        drop(late);
        connections.emptied().await;
    }
}
