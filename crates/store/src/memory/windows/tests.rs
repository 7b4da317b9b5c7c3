//! Usages in memory, at times that the tests choose.

use std::time::Duration;

use tollgate_limiter::window::{Unit, Usage};
use tollgate_limiter::{Source, Span};

use super::*;
use crate::hash::ProcessKeys;

/// A Monday, midnight in Greenwich.
const START: u64 = 1_774_828_800;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros((START + seconds) * 1_000_000)
}

fn hourly(limit: u64) -> BoundWindow {
    BoundWindow::new(WindowQuota::sliding(limit, Duration::from_hours(1)).unwrap(), at(0))
}

fn daily(limit: u64) -> BoundWindow {
    BoundWindow::new(WindowQuota::calendar(limit, Unit::Day, "UTC").unwrap(), at(0))
}

/// Keys by their names.
struct Names(crate::hash::LimitHasher);

impl Names {
    fn new() -> Self {
        Self(ProcessKeys::random().for_limit("limit"))
    }

    fn key(&self, name: &str) -> WindowKey {
        WindowKey {
            own: self.0.hash(&Source::Host(name).into()),
            overflow: self.0.hash(&tollgate_limiter::KeyBytes::overflow()),
        }
    }
}

#[test]
fn a_window_has_its_limit_for_every_key() {
    let (windows, names, window) = (Windows::new(100_000), Names::new(), daily(3));
    let take = |name, seconds| windows.take(&window, names.key(name), at(seconds), Ask::up_to(2)).taken;
    assert_eq!([take("a", 0).count, take("a", 1).count, take("a", 2).count, take("b", 2).count], [2, 1, 0, 2]);
    assert_eq!(take("a", 3).next_free, at(86_400));
    assert_eq!(take("a", 86_400).count, 2, "another day, and another frame");
    assert_eq!(take("a", 3 * 86_400).until, at(4 * 86_400));
}

#[test]
fn what_is_given_back_is_there_again() {
    let (windows, names, window) = (Windows::new(100_000), Names::new(), hourly(5));
    let key = names.key("a");
    let counted = windows.take(&window, key, at(0), Ask::all(5));
    assert!(windows.give_back(counted.place, counted.taken.index, 2));
    assert!(windows.give_back(counted.place, counted.taken.index, 1));
    assert_eq!(windows.take(&window, key, at(100), Ask::up_to(9)).taken.count, 3);
    assert!(!windows.give_back(counted.place, counted.taken.index, 3), "more than is counted there");
    assert!(!windows.give_back(names.key("b").own, counted.taken.index, 1));
}

#[test]
fn looking_leaves_no_trace() {
    let (windows, names, window) = (Windows::new(100_000), Names::new(), hourly(5));
    let take = |want| windows.take(&window, names.key("a"), at(0), Ask { want, need: want }).taken.remaining;
    assert_eq!((take(0), windows.len(), windows.bytes()), (5, 0, 0));
    assert_eq!((take(1), windows.len()), (4, 1));
    assert!((1..=72).contains(&windows.bytes()), "{}", windows.bytes());
}

#[test]
fn a_flood_of_keys_does_not_set_a_used_up_quota_free() {
    let (windows, names, window) = (Windows::new(64_000), Names::new(), hourly(1));
    let passes = |name: &str, seconds| windows.take(&window, names.key(name), at(seconds), Ask::ONE).taken.count == 1;
    assert!(passes("victim", 0));
    let admitted = (0..100_000).filter(|key| passes(&format!("key{key}"), 1)).count();
    assert!((500..=1_100).contains(&admitted), "{admitted}");
    assert!(!passes("victim", 2));
    assert!(windows.bytes() <= 64_000 + 64 * 72 + 72, "{}", windows.bytes());
    let shared = windows.take(&window, names.key("one more"), at(3), Ask::ONE);
    assert_eq!(shared.place, names.key("").overflow);

    assert!(passes("victim", 3_660), "it has come back");
    assert!((0..400).all(|key| passes(&format!("new{key}"), 3_661)), "and there is room again");
}

/// Usages that are there cannot grow either when there is no room: what they hold comes back later, not earlier.
#[test]
fn without_room_usages_make_do_with_the_slices_they_have() {
    let (windows, names, window) = (Windows::new(64_000), Names::new(), hourly(61));
    let has_place = |name: &String| {
        let key = names.key(name);
        windows.take(&window, key, at(0), Ask::ONE).place == key.own
    };
    let names_held: Vec<_> = (0..10_000).map(|key| format!("key{key}")).filter(has_place).collect();
    let bytes = windows.bytes();
    for minute in 1..61 {
        for name in &names_held {
            let taken = windows.take(&window, names.key(name), at(60 * minute), Ask::ONE).taken;
            assert_eq!(taken.count, 1, "{name} at minute {minute}");
        }
    }
    assert!(windows.bytes() <= bytes, "{} grew to {}", bytes, windows.bytes());
    let refused = windows.take(&window, names.key(&names_held[0]), at(3_660), Ask::ONE).taken;
    assert_eq!((refused.count, refused.next_free), (0, at(7_260)));
}

#[test]
fn what_does_not_count_goes_and_the_memory_with_it() {
    let (windows, names, window) = (Windows::new(10_000_000), Names::new(), hourly(100));
    for minute in 0..10 {
        for key in 0..2_000 {
            windows.take(&window, names.key(&format!("key{key}")), at(60 * minute), Ask::ONE);
        }
    }
    assert_eq!(windows.len(), 2_000);
    assert!(windows.bytes() > 2_000 * (56 + 10 * 16));
    for _ in 0..8 {
        windows.sweep(at(540 + 3_659));
    }
    assert_eq!(windows.len(), 2_000);
    for _ in 0..8 {
        windows.sweep(at(540 + 3_660));
    }
    assert_eq!((windows.len(), windows.bytes()), (0, 0));
}

/// The store adds a table and nothing else: with room enough it decides as a usage of its own does.
#[test]
fn the_store_decides_as_the_step_does() {
    let (windows, names) = (Windows::new(10_000_000), Names::new());
    for window in [hourly(40), daily(40)] {
        let mut usages: Vec<Usage> = vec![Usage::default(); 10];
        let mut random = 88_172_645_463_325_252_u64;
        let mut now = at(0);
        for step in 0..20_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            now = now + Span::from_micros(random % 30_000_000);
            let which = (random >> 32) as usize % usages.len();
            let key = names.key(&format!("{:?} {which}", window.quota.window()));
            let ask = Ask::up_to(1 + (random >> 40) % 8);
            let ours = windows.take(&window, key, now, ask).taken;
            let expected =
                window::take(&window.quota, &mut usages[which], &window.quota.slice(now), now, ask, Hint::default());
            assert_eq!(ours, expected, "step {step}");
            if random >> 60 == 0 && ours.count > 1 {
                let given = window::give_back(&mut usages[which], ours.index, 1, ours.hint.returns);
                assert_eq!(windows.give_back(key.own, ours.index, 1), given == GiveBack::Done);
            }
            if step % 50 == 0 {
                windows.sweep(now);
            }
        }
    }
}
