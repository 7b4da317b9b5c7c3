//! Quotas over windows: the script that counts them inside the server, how it is called, and what it answers.
//! Whatever the server says is input: it is read, never believed.

use redis::Value;
use tollgate_limiter::window::{Frame, GiveBack, Hint, Slice, Taken};
use tollgate_limiter::{Ask, Timestamp};

use super::error::StoreError;
use super::reply::{self, nonsense};
use super::script::Script;

/// What is asked of one usage.
#[derive(Debug, Clone, Copy)]
pub struct WindowAsk {
    /// Of the key, in the key space of the quota (`WindowQuota::key_space`).
    pub digest: [u8; 16],
    /// What is to be done.
    pub step: WindowStep,
}

/// One step of one usage.
#[derive(Debug, Clone, Copy)]
pub enum WindowStep {
    /// Permits are taken.
    Take {
        /// Of the quota.
        limit: u64,
        /// Of the quota, for about the server's time.
        frame: Frame,
        /// How many.
        ask: Ask,
        /// What was last told here of this usage.
        hint: Hint,
    },
    /// Permits are given back.
    GiveBack {
        /// The slice that they were counted in.
        index: u64,
        /// How many.
        count: u64,
        /// How often permits were given back before, as far as it is known here.
        returns: u64,
    },
}

/// The answer to one script call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowReplies {
    /// The server's time inside the script.
    pub now: Timestamp,
    /// For every key, in order: what became of it, or why nothing could be said.
    pub keys: Vec<Result<WindowAnswer, StoreError>>,
}

/// What became of one usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowAnswer {
    /// What was handed out.
    Taken(Taken),
    /// Nothing was done, because the server's time is in none of the windows of the frame: a new one is to be made for
    /// [`WindowReplies::now`].
    Frame,
    /// What became of permits that were given back.
    GaveBack(GiveBack),
}

/// The script that counts requests in windows. See `window.lua`.
pub(crate) fn window() -> Script {
    Script::new(include_str!("window.lua"))
}

/// The command that asks `script`, which is [`window`], for the steps of several usages.
pub(crate) fn call(script: &Script, asks: &[WindowAsk]) -> redis::Cmd {
    let mut cmd = script.on_keys(asks.iter().map(|ask| &ask.digest));
    for WindowAsk { step, .. } in asks {
        match step {
            WindowStep::Take { limit, frame, ask, hint } => {
                cmd.arg(if matches!(frame, Frame::Calendar { .. }) { "c" } else { "s" });
                cmd.arg(limit).arg(ask.want).arg(ask.need);
                cmd.arg(hint.index).arg(hint.count).arg(hint.used).arg(hint.returns);
                match frame {
                    Frame::Calendar { starts } => cmd.arg(starts),
                    Frame::Sliding { slice } => cmd.arg(slice.get()),
                };
            }
            WindowStep::GiveBack { index, count, returns } => {
                cmd.arg("g").arg(index).arg(count).arg(returns);
            }
        }
    }
    cmd
}

/// Reads the answer to a call of the script that counts in windows.
pub fn decode(value: Value, asks: &[WindowAsk]) -> Result<WindowReplies, StoreError> {
    let (now, items) = reply::split(value, asks.len())?;
    let keys = items.into_iter().zip(asks).map(|(item, ask)| answer(item, &ask.step, now)).collect();
    Ok(WindowReplies { now, keys })
}

fn answer(value: Value, step: &WindowStep, now: Timestamp) -> Result<WindowAnswer, StoreError> {
    let numbers = match value {
        Value::Array(numbers) => numbers.iter().map(number).collect::<Option<Vec<_>>>(),
        Value::BulkString(text) if text == b"FRAME" => return out_of_frame(step, now),
        other => return Err(reply::refusal(other)),
    };
    let numbers = numbers.ok_or_else(|| nonsense("a key's answer is not made of numbers"))?;
    match step {
        WindowStep::Take { limit, frame, ask, .. } => {
            let slice = frame.slice(now).ok_or_else(|| nonsense("a time out of frame"))?;
            taken(&numbers, &slice, now, *limit, ask.want).map(WindowAnswer::Taken)
        }
        WindowStep::GiveBack { .. } => gave_back(&numbers).map(WindowAnswer::GaveBack),
    }
}

/// A number as the scripts have them: up to 2⁵³.
fn number(value: &Value) -> Option<u64> {
    reply::integer(value).filter(|number| *number <= 1 << 53)
}

fn out_of_frame(step: &WindowStep, now: Timestamp) -> Result<WindowAnswer, StoreError> {
    match step {
        WindowStep::Take { frame, .. } if frame.slice(now).is_none() => Ok(WindowAnswer::Frame),
        _ => Err(nonsense("a time in frame is said to be out of it")),
    }
}

/// An answer about a slice. Permits are good until the end of the slice that `now` is in, whatever the server says;
/// what it says of other times is believed as far as a healthy one could say so.
fn taken(numbers: &[u64], slice: &Slice, now: Timestamp, limit: u64, want: u64) -> Result<Taken, StoreError> {
    let &[count, index, remaining, next_free, reset, latest, in_latest, used, returns, healed] = numbers else {
        return Err(nonsense("a key's answer is not ten numbers"));
    };
    let hint = Hint { index: latest, count: in_latest, used, returns };
    let [next_free, reset] = [next_free, reset].map(Timestamp::from_micros);
    if count > want || count > limit || remaining > limit - count || in_latest > used {
        return Err(nonsense("more permits than there are"));
    }
    if next_free < now || next_free > slice.latest_free(now) || reset < now || index < slice.index {
        return Err(nonsense("a time that cannot be"));
    }
    Ok(Taken { count, index, until: slice.until(), remaining, next_free, reset, hint, healed: healed == 1 })
}

fn gave_back(numbers: &[u64]) -> Result<GiveBack, StoreError> {
    match numbers {
        [0, _] => Ok(GiveBack::Gone),
        [1, _] => Ok(GiveBack::Done),
        [2, returns] => Ok(GiveBack::Again { returns: *returns }),
        _ => Err(nonsense("a key's answer is not about permits given back")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tollgate_limiter::window::{Unit, WindowQuota};

    use super::super::ErrorKind;
    use super::*;

    const NOW: u64 = 1_774_828_800_000_000;

    fn ints(numbers: &[u64]) -> Value {
        Value::Array(numbers.iter().map(|number| Value::Int(number.cast_signed())).collect())
    }

    fn take(quota: &WindowQuota) -> WindowAsk {
        let frame = quota.frame(Timestamp::from_micros(NOW));
        let step = WindowStep::Take { limit: quota.limit(), frame, ask: Ask::up_to(5), hint: Hint::default() };
        WindowAsk { digest: [0; 16], step }
    }

    fn decode_one(ask: WindowAsk, now: u64, answer: Value) -> Result<WindowAnswer, StoreError> {
        let value = Value::Array(vec![Value::Int(now.cast_signed()), answer]);
        decode(value, &[ask]).unwrap().keys.remove(0)
    }

    #[test]
    fn answers_stand_side_by_side() {
        let hour = take(&WindowQuota::sliding(10, Duration::from_hours(1)).unwrap());
        let day = take(&WindowQuota::calendar(10, Unit::Day, "UTC").unwrap());
        let back = WindowAsk { digest: [0; 16], step: WindowStep::GiveBack { index: 1, count: 2, returns: 3 } };
        let now = NOW + 3 * 86_400_000_000;
        let index = now / 60_000_000;
        let value = Value::Array(vec![
            Value::Int(now.cast_signed()),
            ints(&[5, index, 5, now, now + 3_660_000_000, index, 5, 9, 7, 1]),
            Value::BulkString(b"FRAME".to_vec()),
            ints(&[2, 4]),
            Value::BulkString(b"WRONGTYPE Operation against a key".to_vec()),
        ]);
        let replies = decode(value, &[hour, day, back, hour]).unwrap();
        let expected = Taken {
            count: 5,
            index,
            until: Timestamp::from_micros(now + 60_000_000),
            remaining: 5,
            next_free: replies.now,
            reset: Timestamp::from_micros(now + 3_660_000_000),
            hint: Hint { index, count: 5, used: 9, returns: 7 },
            healed: true,
        };
        assert_eq!(replies.keys[0], Ok(WindowAnswer::Taken(expected)));
        assert_eq!(replies.keys[1], Ok(WindowAnswer::Frame));
        assert_eq!(replies.keys[2], Ok(WindowAnswer::GaveBack(GiveBack::Again { returns: 4 })));
        assert_eq!(replies.keys[3].as_ref().unwrap_err().kind, ErrorKind::ForeignValue);
    }

    #[test]
    fn nonsense_is_refused() {
        let day = take(&WindowQuota::calendar(10, Unit::Day, "UTC").unwrap());
        let (index, end) = (NOW / 1_000_000, NOW + 86_400_000_000);
        let good = [5, index, 5, NOW, end, index, 5, 5, 0, 0];
        assert!(decode_one(day, NOW, ints(&good)).is_ok());
        let bad_numbers = [
            (0, 6),
            (0, u64::MAX),
            (1, index - 1),
            (2, 6),
            (3, NOW - 1),
            (3, end + 1),
            (4, NOW - 1),
            (6, 6),
            (8, (1 << 53) + 1),
        ];
        for (place, number) in bad_numbers {
            let mut bad = good;
            bad[place] = number;
            let error = decode_one(day, NOW, ints(&bad)).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Protocol, "{number} at {place}");
        }
        for numbers in [&[], &good[1..]] {
            assert_eq!(decode_one(day, NOW, ints(numbers)).unwrap_err().kind, ErrorKind::Protocol);
        }
        let frame = Value::BulkString(b"FRAME".to_vec());
        assert_eq!(decode_one(day, NOW, frame).unwrap_err().kind, ErrorKind::Protocol, "it is in frame");
        let late = decode_one(day, end * 2, ints(&good));
        assert_eq!(late.unwrap_err().kind, ErrorKind::Protocol, "and that is not");
        for value in [Value::Nil, Value::Int(1), Value::Array(vec![]), Value::Array(vec![Value::Int(1)])] {
            assert_eq!(decode(value, &[day]).unwrap_err().kind, ErrorKind::Protocol);
        }
    }
}
