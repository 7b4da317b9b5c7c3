use super::*;
use crate::shared::{self, Bucket, Step};

const MS: u64 = 1_000_000;
const START: u64 = 1_700_000_000_000_000;

/// A store and one instance, with a round trip of 200 µs, on clocks that agree.
struct Pair {
    quota: Quota,
    terms: Terms,
    bucket: Option<Bucket>,
    turnstile: Turnstile<u32>,
    now: Monotonic,
    calls: u32,
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Here,
    Store,
    Refused,
    RefusedByStore,
}

impl Pair {
    fn new(limit: u64, burst: u64) -> Self {
        let quota = Quota::new(limit, Duration::from_secs(1), burst).unwrap();
        let terms = Terms::of(&quota, Span::ZERO, true);
        let (turnstile, now) = (Turnstile::default(), Monotonic(MS));
        Self { quota, terms, bucket: None, turnstile, now, calls: 0 }
    }

    fn wait(&mut self, duration: Duration) {
        self.now = self.now.after(duration);
    }

    fn store_time(&self) -> Timestamp {
        Timestamp::from_micros(START + self.now.0 / 1_000)
    }

    fn request(&mut self) -> End {
        match self.turnstile.enter(&self.terms, self.now, || 0) {
            Entered::Spent { calls, .. } => {
                if calls {
                    self.call();
                }
                End::Here
            }
            Entered::Denied { calls, .. } => {
                if calls {
                    self.call();
                }
                End::Refused
            }
            Entered::Waits => unreachable!("one after the other"),
            Entered::Calls if self.call() == 1 => End::Store,
            Entered::Calls => End::RefusedByStore,
        }
    }

    /// Calls until nobody waits; how many the store admitted.
    fn call(&mut self) -> u64 {
        let mut admitted = 0;
        loop {
            let turn = self.turnstile.turn(&self.terms, 1, self.now, 10, |_| false);
            assert!(turn.settled.is_empty());
            let Some(call) = turn.call else { return admitted };
            self.calls += 1;
            let step = Step { lease: call.lease, hint: call.hint, ..Step::plain(call.ask(), self.terms.max_delay) };
            let sent = self.now;
            self.wait(Duration::from_micros(100));
            let store = self.store_time();
            let stepped = shared::step(&self.quota, self.bucket, store, &step);
            self.bucket = stepped.bucket;
            self.wait(Duration::from_micros(100));
            admitted += stepped.count;
            let refused = call.waiters.len() as u64 - stepped.count;
            let interval = self.quota.interval();
            let lease = (stepped.lease > 0).then(|| Run {
                first: stepped.next - interval.times(stepped.lease),
                step: interval,
                life: self.quota.life(),
                count: stepped.lease,
            });
            let reading = Reading { store, sent, received: self.now };
            self.turnstile.on_reply(&self.terms, &Told { reading, lease, next: stepped.next, refused });
        }
    }
}

#[test]
fn the_first_calls_and_the_others_wait_for_the_next_call() {
    let mut turnstile = Turnstile::default();
    let quota = Quota::new(1, Duration::from_secs(1), 1).unwrap();
    let terms = Terms::of(&quota, Span::ZERO, true);
    let now = Monotonic(0);
    assert_eq!(turnstile.enter(&terms, now, || 1), Entered::Calls);
    let first = turnstile.turn(&terms, 1, now, 10, |_| false).call.unwrap();
    assert_eq!((first.waiters, first.lease.most), (VecDeque::from([1]), 0));
    for waiter in 2..=5 {
        assert_eq!(turnstile.enter(&terms, now, || waiter), Entered::Waits);
    }
    let second = turnstile.turn(&terms, 1, now, 2, |waiter| *waiter == 3).call.unwrap();
    assert_eq!(second.waiters, [2], "a batch is bounded, and who has left is passed over");
    assert_eq!(turnstile.turn(&terms, 1, now, 10, |_| false).call.unwrap().waiters, [4, 5]);
    assert!(turnstile.turn(&terms, 1, now, 10, |_| false).call.is_none());
    assert!(turnstile.is_only_remembering());
    assert_eq!(turnstile.enter(&terms, now, || 6), Entered::Calls, "whoever comes after the last call calls again");
}

#[test]
fn a_known_refusal_needs_no_call_and_ends() {
    let mut pair = Pair::new(1, 1);
    assert_eq!(pair.request(), End::Store);
    assert_eq!(pair.request(), End::Refused);
    assert_eq!(pair.calls, 1);
    pair.wait(Duration::from_millis(1_001));
    assert_eq!(pair.request(), End::Store);
}

#[test]
fn who_waited_is_told_what_was_learned_meanwhile() {
    let mut pair = Pair::new(1, 1);
    assert_eq!(pair.turnstile.enter(&pair.terms, pair.now, || 1), Entered::Calls);
    let call = pair.turnstile.turn(&pair.terms, 1, pair.now, 10, |_| false).call.unwrap();
    assert_eq!(pair.turnstile.enter(&pair.terms, pair.now, || 2), Entered::Waits);
    let store = pair.store_time();
    let stepped = shared::step(&pair.quota, None, store, &Step::plain(call.ask(), Span::ZERO));
    let reading = Reading { store, sent: pair.now, received: pair.now };
    pair.turnstile.on_reply(&pair.terms, &Told { reading, lease: None, next: stepped.next, refused: 0 });
    let turn = pair.turnstile.turn(&pair.terms, 1, pair.now, 10, |_| false);
    assert!(turn.call.is_none());
    assert!(matches!(turn.settled[..], [(2, Settled::Denied(_))]));
}

#[test]
fn a_busy_key_is_decided_here() {
    let mut pair = Pair::new(10_000, 10_000);
    let mut here = 0;
    for _ in 0..8_000 {
        here += u32::from(pair.request() == End::Here);
        pair.wait(Duration::from_micros(125));
    }
    assert!(pair.calls < 80, "{} calls", pair.calls);
    assert!(here > 7_950, "{here} here");
}

#[test]
fn a_quiet_key_is_not_leased() {
    let mut pair = Pair::new(100, 100);
    for _ in 0..50 {
        assert_eq!(pair.request(), End::Store);
        pair.wait(Duration::from_millis(400));
    }
    assert_eq!(pair.turnstile.held(), 0);
}

#[test]
fn a_burst_of_one_is_never_leased() {
    let mut pair = Pair::new(1_000, 1);
    for _ in 0..1_000 {
        pair.request();
        pair.wait(Duration::from_micros(300));
    }
    assert_eq!(pair.turnstile.held(), 0);
}

#[test]
fn a_flood_hardly_calls_and_gets_all_there_is() {
    let mut pair = Pair::new(1_000, 100);
    let mut admitted = 0;
    for _ in 0..100_000 {
        admitted += u32::from(matches!(pair.request(), End::Here | End::Store));
        pair.wait(Duration::from_micros(10));
    }
    let seconds = f64::from(u32::try_from(pair.now.0 / MS).unwrap()) / 1e3;
    let ideal = 100.0 + 1_000.0 * seconds;
    // Each call stops this single client for a round trip.
    assert!(f64::from(admitted) <= ideal && f64::from(admitted) >= 0.99 * ideal, "{admitted} of {ideal}");
    assert!(pair.calls < 100, "{} calls", pair.calls);
}

#[test]
fn what_is_not_needed_goes_back() {
    let mut pair = Pair::new(10_000, 10_000);
    for _ in 0..2_000 {
        pair.request();
        pair.wait(Duration::from_micros(125));
    }
    let held = pair.turnstile.held();
    assert!(held > 0);
    assert_eq!(pair.turnstile.surplus(pair.now, false), None, "not yet");
    pair.wait(Duration::from_millis(300));
    let mut returned = 0;
    while let Some(Surplus { run }) = pair.turnstile.surplus(pair.now, false) {
        pair.bucket = Some(shared::give_back(pair.bucket.unwrap(), run.first, run.end()).unwrap());
        returned += run.count;
    }
    // The older of two runs does not reach up to the next free slot, and dies in its time.
    assert!(returned > held / 2, "{returned} of {held}");
    pair.wait(pair.quota.life().to_duration());
    assert_eq!(pair.turnstile.take_died(pair.now), held - returned);
    assert_eq!(pair.turnstile.held(), 0);
}
