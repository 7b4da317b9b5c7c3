//! Connections that wait for their next request.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

/// What can wait in a pool.
pub(super) trait Reusable {
    /// Whether a request can be sent on it now. Once false it stays false.
    fn is_alive(&self) -> bool;

    /// Ready once it is not. Until then whoever asked last is woken when that changes.
    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()>;
}

/// The idle connections of one thread, by backend, oldest first.
///
/// The newest is taken first, so that what a quiet hour does not need grows old and is closed.
pub(super) struct Pool<C> {
    idle: HashMap<Key, VecDeque<Idle<C>>, BuildHasherDefault<Spread>>,
    total: usize,
}

/// Which backend, with which settings: one number for each [`super::Client`] that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key(pub(super) u64);

/// Spreads keys over a table. They are numbers that we gave out ourselves, so that nobody can choose them to collide.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, number: u64) {
        // 2^64 divided by the golden ratio: neighbours end far apart, in the upper bits too.
        self.0 = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 ^ u64::from(byte));
        }
    }
}

struct Idle<C> {
    connection: C,
    expires: Instant,
}

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// For one backend.
    pub(super) per_backend: usize,
    /// For all backends together.
    pub(super) total: usize,
    /// How long.
    pub(super) timeout: Duration,
}

impl<C: Reusable> Pool<C> {
    pub(super) fn new() -> Self {
        Self { idle: HashMap::default(), total: 0 }
    }

    /// How many connections wait.
    pub(super) fn len(&self) -> usize {
        self.total
    }

    /// The connection that was used last, if one is still good.
    pub(super) fn take(&mut self, key: Key) -> Option<C> {
        let queue = self.idle.get_mut(&key)?;
        while let Some(idle) = queue.pop_back() {
            self.total -= 1;
            if idle.connection.is_alive() {
                return Some(idle.connection);
            }
        }
        None
    }

    /// Keeps `connection` for later. At a bound the oldest goes.
    pub(super) fn put(&mut self, key: Key, connection: C, bounds: Bounds, now: Instant) {
        if bounds.per_backend == 0 || bounds.total == 0 {
            return;
        }
        if self.total >= bounds.total {
            self.drop_oldest();
        }
        let queue = self.idle.entry(key).or_default();
        if queue.len() >= bounds.per_backend {
            queue.pop_front();
            self.total -= 1;
        }
        queue.push_back(Idle { connection, expires: now + bounds.timeout });
        self.total += 1;
    }

    /// Closes what has waited too long or was closed by its backend. Says when to come again, if not woken before;
    /// `None` when nothing is left to watch.
    pub(super) fn sweep(&mut self, now: Instant, cx: &mut Context<'_>) -> Option<Instant> {
        self.idle.retain(|_, queue| {
            queue.retain(|idle| idle.expires > now && idle.connection.poll_gone(cx).is_pending());
            !queue.is_empty()
        });
        self.total = self.idle.values().map(VecDeque::len).sum();
        self.idle.values().flatten().map(|idle| idle.expires).min()
    }

    /// Only at the total bound: a walk over all backends is cheaper than an order kept for every request.
    fn drop_oldest(&mut self) {
        let oldest = self.idle.values_mut().filter(|queue| !queue.is_empty()).min_by_key(|queue| queue[0].expires);
        if let Some(queue) = oldest {
            queue.pop_front();
            self.total -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    struct Fake(u32, Rc<Cell<bool>>);

    impl Reusable for Fake {
        fn is_alive(&self) -> bool {
            self.1.get()
        }

        fn poll_gone(&self, _: &mut Context<'_>) -> Poll<()> {
            if self.1.get() { Poll::Pending } else { Poll::Ready(()) }
        }
    }

    const A: Key = Key(1);
    const B: Key = Key(2);
    const BOUNDS: Bounds = Bounds { per_backend: 2, total: 3, timeout: Duration::from_secs(90) };

    fn live(name: u32) -> Fake {
        Fake(name, Rc::new(Cell::new(true)))
    }

    fn take(pool: &mut Pool<Fake>, key: Key) -> Option<u32> {
        pool.take(key).map(|fake| fake.0)
    }

    #[test]
    fn the_connection_used_last_is_taken_first_and_only_for_its_backend() {
        let (mut pool, now) = (Pool::new(), Instant::now());
        pool.put(A, live(1), BOUNDS, now);
        pool.put(A, live(2), BOUNDS, now);
        assert_eq!(take(&mut pool, B), None);
        assert_eq!([take(&mut pool, A), take(&mut pool, A), take(&mut pool, A)], [Some(2), Some(1), None]);
        assert_eq!(pool.len(), 0);
    }

    #[test]
    fn a_connection_that_its_backend_closed_is_passed_over() {
        let (mut pool, now) = (Pool::new(), Instant::now());
        let alive = Rc::new(Cell::new(true));
        pool.put(A, live(1), BOUNDS, now);
        pool.put(A, Fake(2, Rc::clone(&alive)), BOUNDS, now);
        alive.set(false);
        assert_eq!(take(&mut pool, A), Some(1));
        assert_eq!(pool.len(), 0);
    }

    #[test]
    fn at_a_bound_the_oldest_goes() {
        let (mut pool, now) = (Pool::new(), Instant::now());
        for name in 1..=3 {
            pool.put(A, live(name), BOUNDS, now + Duration::from_secs(u64::from(name)));
        }
        assert_eq!(pool.len(), 2, "two for one backend");
        for name in 4..=5 {
            pool.put(B, live(name), BOUNDS, now + Duration::from_secs(u64::from(name)));
        }
        assert_eq!(pool.len(), 3, "three for all");
        assert_eq!([take(&mut pool, A), take(&mut pool, A)], [Some(3), None]);
        assert_eq!([take(&mut pool, B), take(&mut pool, B)], [Some(5), Some(4)]);
    }

    fn sweep(pool: &mut Pool<Fake>, now: Instant) -> Option<Instant> {
        pool.sweep(now, &mut Context::from_waker(std::task::Waker::noop()))
    }

    #[test]
    fn sweeping_closes_what_expired_and_says_when_to_come_again() {
        let (mut pool, now) = (Pool::new(), Instant::now());
        pool.put(A, live(1), BOUNDS, now);
        pool.put(B, live(2), BOUNDS, now + Duration::from_secs(10));
        assert_eq!(sweep(&mut pool, now + Duration::from_secs(89)), Some(now + Duration::from_secs(90)));
        assert_eq!(pool.len(), 2);
        assert_eq!(sweep(&mut pool, now + Duration::from_secs(90)), Some(now + Duration::from_secs(100)));
        assert_eq!(pool.len(), 1);
        assert_eq!(sweep(&mut pool, now + Duration::from_secs(100)), None);
        assert_eq!(pool.len(), 0);
    }

    #[test]
    fn sweeping_closes_what_its_backend_closed() {
        let (mut pool, now) = (Pool::new(), Instant::now());
        let alive = Rc::new(Cell::new(true));
        pool.put(A, Fake(1, Rc::clone(&alive)), BOUNDS, now);
        pool.put(A, live(2), BOUNDS, now);
        alive.set(false);
        assert_eq!(sweep(&mut pool, now), Some(now + Duration::from_secs(90)));
        assert_eq!(pool.len(), 1);
    }

    #[test]
    fn nothing_is_kept_where_nothing_may_be() {
        let mut pool = Pool::new();
        pool.put(A, live(1), Bounds { per_backend: 0, ..BOUNDS }, Instant::now());
        assert_eq!(pool.len(), 0);
    }
}
