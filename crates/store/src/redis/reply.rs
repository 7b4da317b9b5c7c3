//! What the server answered. Whatever it says is input: it is read, never believed.

use redis::Value;
use tollgate_limiter::Timestamp;

use super::error::{ErrorKind, StoreError};

/// The answer to one script call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replies {
    /// The server's time inside the script.
    pub now: Timestamp,
    /// For every key, in order: what was handed out, or why nothing could be said.
    pub keys: Vec<Result<KeyReply, StoreError>>,
}

/// What was handed out of one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyReply {
    /// How many slots for those who wait.
    pub count: u64,
    /// The first of them or, if there was none, the one to wait for.
    pub first: Timestamp,
    /// How many slots to keep: the last ones before the next free slot.
    pub lent: u64,
    /// The next free slot.
    pub next: Timestamp,
    /// Whether the server had lost what it was told.
    pub healed: bool,
}

/// The most that may be asked of one bucket, and so the most that an answer can be about.
#[derive(Debug, Clone, Copy, Default)]
pub struct Most {
    /// Slots for those who wait.
    pub want: u64,
    /// Slots to keep.
    pub lease: u64,
}

/// Reads the answer to a call for buckets of which at most so much was asked.
pub fn decode(value: Value, asked: &[Most]) -> Result<Replies, StoreError> {
    let (now, items) = split(value, asked.len())?;
    Ok(Replies { now, keys: items.into_iter().zip(asked).map(|(item, most)| key_reply(item, *most)).collect() })
}

/// The server's time, and the answers for that many keys.
pub(super) fn split(value: Value, keys: usize) -> Result<(Timestamp, Vec<Value>), StoreError> {
    let Value::Array(items) = value else {
        return Err(nonsense("not an array"));
    };
    let mut items = items.into_iter();
    let now = items.next().as_ref().and_then(micros).ok_or_else(|| nonsense("no time"))?;
    let answers: Vec<_> = items.take(keys).collect();
    if answers.len() != keys {
        return Err(nonsense("fewer answers than questions"));
    }
    Ok((Timestamp::from_micros(now), answers))
}

/// Reads the answer to a call that gives slots back: for every bucket whether they came back. Whatever else is said is a
/// no.
pub(crate) fn decode_flags(value: &Value) -> Vec<bool> {
    match value {
        Value::Array(flags) => flags.iter().map(|flag| integer(flag) == Some(1)).collect(),
        _ => Vec::new(),
    }
}

fn key_reply(value: Value, most: Most) -> Result<KeyReply, StoreError> {
    let Value::Array(numbers) = value else { return Err(refusal(value)) };
    let reply = numbers_of(&numbers).ok_or_else(|| nonsense("a key's answer is not seven numbers"))?;
    if reply.count > most.want || reply.lent > most.lease {
        return Err(nonsense("more slots than were asked for"));
    }
    Ok(reply)
}

/// What the answer for a key that is not made of numbers says went wrong.
pub(super) fn refusal(value: Value) -> StoreError {
    match value {
        Value::BulkString(text) => key_error(&String::from_utf8_lossy(&text)),
        Value::SimpleString(text) => key_error(&text),
        Value::ServerError(error) => {
            let detail = error.details().unwrap_or_default().to_owned();
            StoreError { kind: ErrorKind::of_code(error.code(), &detail), detail: bounded(&detail) }
        }
        _ => nonsense("a key's answer is neither numbers nor an error"),
    }
}

fn numbers_of(numbers: &[Value]) -> Option<KeyReply> {
    let [count, first, first_fraction, lent, next, next_fraction, healed] = numbers else { return None };
    Some(KeyReply {
        count: integer(count)?,
        first: moment(first, first_fraction)?,
        lent: integer(lent)?,
        next: moment(next, next_fraction)?,
        healed: integer(healed)? == 1,
    })
}

fn moment(whole: &Value, fraction: &Value) -> Option<Timestamp> {
    let fraction = integer(fraction).and_then(|fraction| u32::try_from(fraction).ok())?;
    (fraction < 1 << 24).then_some(Timestamp::from_parts(micros(whole)?, fraction))
}

/// An error of one key, as the script passes it on: `CODE what happened`.
pub(super) fn key_error(text: &str) -> StoreError {
    let text = text.strip_prefix('-').unwrap_or(text);
    let code = text.split(' ').next().unwrap_or_default();
    StoreError { kind: ErrorKind::of_code(code, text), detail: bounded(text) }
}

fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

pub(super) fn integer(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

/// A time in microseconds that the arithmetic on it can bear: below 2⁵³, as the script's numbers are.
fn micros(value: &Value) -> Option<u64> {
    integer(value).filter(|micros| *micros < 1 << 53)
}

pub(super) fn nonsense(what: &str) -> StoreError {
    StoreError { kind: ErrorKind::Protocol, detail: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ints(numbers: &[i64]) -> Value {
        Value::Array(numbers.iter().copied().map(Value::Int).collect())
    }

    fn most(want: u64, lease: u64) -> Most {
        Most { want, lease }
    }

    #[test]
    fn slots_and_errors_stand_side_by_side() {
        let value = Value::Array(vec![
            Value::Int(5_000_000),
            ints(&[2, 4_000_000, 7, 3, 6_000_000, 9, 1]),
            Value::BulkString(b"WRONGTYPE Operation against a key".to_vec()),
            Value::BulkString(b"OOM command not allowed".to_vec()),
        ]);
        let replies = decode(value, &[most(3, 3), most(1, 0), most(1, 0)]).unwrap();
        assert_eq!(replies.now, Timestamp::from_micros(5_000_000));
        let expected = KeyReply {
            count: 2,
            first: Timestamp::from_parts(4_000_000, 7),
            lent: 3,
            next: Timestamp::from_parts(6_000_000, 9),
            healed: true,
        };
        assert_eq!(replies.keys[0], Ok(expected));
        assert_eq!(replies.keys[1].as_ref().unwrap_err().kind, ErrorKind::ForeignValue);
        assert_eq!(replies.keys[2].as_ref().unwrap_err().kind, ErrorKind::OutOfMemory);
    }

    #[test]
    fn nonsense_is_refused() {
        for value in [
            Value::Nil,
            Value::Int(1),
            Value::Array(vec![]),
            Value::Array(vec![Value::Int(-1), ints(&[0, 0, 0, 0, 0, 0, 0])]),
            Value::Array(vec![Value::Int(1 << 60), ints(&[0, 0, 0, 0, 0, 0, 0])]),
            Value::Array(vec![Value::Int(1)]),
        ] {
            assert_eq!(decode(value.clone(), &[most(1, 1)]).unwrap_err().kind, ErrorKind::Protocol, "{value:?}");
        }
        for key in [
            ints(&[2, 0, 0, 0, 0, 0, 0]),
            ints(&[1, 0, 0, 2, 0, 0, 0]),
            ints(&[1, 0, 0]),
            ints(&[1, 0, 1 << 24, 0, 0, 0, 0]),
            ints(&[1, -5, 0, 0, 0, 0, 0]),
            Value::Nil,
        ] {
            let replies = decode(Value::Array(vec![Value::Int(1), key.clone()]), &[most(1, 1)]).unwrap();
            assert_eq!(replies.keys[0].as_ref().unwrap_err().kind, ErrorKind::Protocol, "{key:?}");
        }
    }
}
