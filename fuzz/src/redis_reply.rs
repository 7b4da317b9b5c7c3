//! What a Redis server, or whoever answers in its place, sends for a script call.

use std::time::Duration;

use tollgate_limiter::window::{Hint, Usage, WindowQuota};
use tollgate_limiter::{Ask, Denial, Monotonic, Reading, Span, Timestamp};
use tollgate_store::{Most, WindowAnswer, WindowAsk, WindowStep, decode_replies, decode_windows};

/// The first byte says what was asked: how many keys, and how many slots of each. The rest is the answer on the wire.
///
/// An answer is refused, or holds for every key at most what was asked for; errors are short and printable; and the
/// times in it bear the arithmetic that the limiter does with them.
pub fn redis_reply(data: &[u8]) {
    let Some((&asked, wire)) = data.split_first() else { return };
    let most = Most { want: u64::from(asked >> 6), lease: u64::from(asked >> 4 & 3) };
    let wants = vec![most; usize::from(asked & 15)];
    usage(wire);
    let Ok(value) = redis::parse_redis_value(wire) else { return };
    window_reply(asked, value.clone());
    let replies = match decode_replies(value, &wants) {
        Ok(replies) => replies,
        Err(error) => return assert_short(&error.detail),
    };
    assert_eq!(replies.keys.len(), wants.len());
    let reading = Reading { store: replies.now, sent: Monotonic(1_000), received: Monotonic(2_000) };
    for (key, want) in replies.keys.into_iter().zip(wants) {
        match key {
            Ok(key) => {
                assert!(key.count <= want.want && key.lent <= want.lease, "{key:?} when {want:?} were asked for");
                for moment in [key.first, key.next] {
                    assert_denial_ends(&Denial::new(&reading, moment, Span::from_micros(500_000)));
                }
            }
            Err(error) => assert_short(&error.detail),
        }
    }
}

/// The same of a call that counts in windows: odd questions give permits back, the others take some.
fn window_reply(asked: u8, value: redis::Value) {
    let quota = WindowQuota::sliding(100, Duration::from_secs(60)).expect("a possible quota");
    let frame = quota.frame(Timestamp::from_micros(1));
    let want = u64::from(asked >> 4);
    let step = |index: u8| match index % 2 {
        0 => WindowStep::Take { limit: 100, frame, ask: Ask { want, need: 0 }, hint: Hint::default() },
        _ => WindowStep::GiveBack { index: 1, count: want, returns: 0 },
    };
    let asks: Vec<_> = (0..asked & 15).map(|index| WindowAsk { digest: [index; 16], step: step(index) }).collect();
    let replies = match decode_windows(value, &asks) {
        Ok(replies) => replies,
        Err(error) => return assert_short(&error.detail),
    };
    assert_eq!(replies.keys.len(), asks.len());
    for answer in replies.keys {
        match answer {
            Ok(WindowAnswer::Taken(taken)) => assert!(taken.count <= want, "{taken:?} when {want} were asked for"),
            Ok(WindowAnswer::Frame | WindowAnswer::GaveBack(_)) => {}
            Err(error) => assert_short(&error.detail),
        }
    }
}

/// What a key holds is read or refused; what was read is written as it was meant.
fn usage(text: &[u8]) {
    let Some(usage) = std::str::from_utf8(text).ok().and_then(|text| text.parse::<Usage>().ok()) else { return };
    assert_eq!(usage.to_string().parse().ok(), Some(usage));
}

fn assert_short(detail: &str) {
    assert!(detail.chars().count() <= 200 && !detail.contains(char::is_control), "{detail:?}");
}

/// Once a client has waited as long as it was told, it is no longer refused out of hand.
fn assert_denial_ends(denial: &Denial) {
    let now = Monotonic(3_000);
    let wait = denial.retry_after(now);
    assert!(!denial.stands(now.after(wait)) || wait == Duration::MAX, "a denial outlasts {wait:?}");
}
