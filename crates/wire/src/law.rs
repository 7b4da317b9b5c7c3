//! The law of [`Framing`], for property tests and fuzzing: how the bytes are cut makes no difference.

use crate::{Framing, Limits, State, Violation};

/// Everything there is to see after a connection was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Bytes that passed, without those of the line that was refused.
    pub passed: usize,
    /// Why the others did not.
    pub violation: Option<Violation>,
    /// Heads that passed completely.
    pub heads: u64,
    /// Where the reader stands at the end.
    pub state: State,
}

/// Reads `pieces` one after the other, up to the first violation.
pub fn read<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut framing = Framing::new(limits);
    let mut passed = 0;
    let mut violation = None;
    for piece in pieces {
        let kept = framing.kept();
        let advance = framing.advance(piece);
        passed += advance.pass;
        violation = advance.violation;
        if violation.is_some() {
            // A line that was kept is the one refused when nothing passed after it.
            passed -= if advance.pass == 0 { kept } else { 0 };
            break;
        }
    }
    Outcome { passed, violation, heads: framing.heads(), state: framing.state() }
}

/// A fuzz target: the first byte says how many cuts follow, each a length in one byte; the rest is a connection.
///
/// # Panics
/// When the connection is read differently whole, in these pieces, or byte by byte.
pub fn fuzz(data: &[u8]) {
    let Some((&count, rest)) = data.split_first() else { return };
    let (cuts, connection) = rest.split_at(rest.len().min(usize::from(count)));
    for limits in [Limits::default(), SMALL] {
        let whole = read(limits, [connection]);
        assert_eq!(read(limits, pieces(connection, cuts)), whole, "in pieces, {limits:?}");
        assert_eq!(read(limits, connection.chunks(1)), whole, "byte by byte, {limits:?}");
    }
}

/// Limits that short inputs reach.
const SMALL: Limits = Limits { head_bytes: 96, target_bytes: 16, fields: 3, extension_bytes: 8, trailer_bytes: 24 };

/// Cuts `bytes` into pieces of the given lengths; the last piece is what remains.
fn pieces<'a>(mut bytes: &'a [u8], lengths: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths = lengths.iter();
    std::iter::from_fn(move || {
        let length = match lengths.next() {
            Some(&length) => usize::from(length).min(bytes.len()),
            None if bytes.is_empty() => return None,
            None => bytes.len(),
        };
        let (piece, rest) = bytes.split_at(length);
        bytes = rest;
        Some(piece)
    })
}
