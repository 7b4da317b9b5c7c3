//! Lines, also those that arrive in pieces.

use memchr::memchr;

use crate::Violation;

/// A buffer that grew beyond this is given back after its line.
const KEPT_CAPACITY: usize = 1024;

/// The beginning of a line whose end has not arrived. Empty while lines arrive whole.
#[derive(Clone, Debug, Default)]
pub(super) struct LineBuffer {
    start: Vec<u8>,
}

/// What was found in the bytes at hand.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// A line, with its carriage return but without its line feed; so many bytes were taken for it,
    /// the line feed included.
    Line { line: &'a [u8], taken: usize },
    /// No end of the line; the bytes were kept.
    Partial,
    /// No end of the line within the room it has.
    TooLong,
}

impl LineBuffer {
    /// How many bytes are kept.
    pub(super) fn len(&self) -> usize {
        self.start.len()
    }

    /// Looks for the end of the line, which may have `room` bytes with its line end.
    pub(super) fn find<'a>(&'a mut self, bytes: &'a [u8], room: usize) -> Found<'a> {
        let room = room.saturating_sub(self.start.len());
        let window = &bytes[..bytes.len().min(room)];
        match memchr(b'\n', window) {
            Some(end) if self.start.is_empty() => Found::Line { line: &bytes[..end], taken: end + 1 },
            Some(end) => {
                self.start.extend_from_slice(&bytes[..end]);
                Found::Line { line: &self.start, taken: end + 1 }
            }
            None if window.len() == room => Found::TooLong,
            None => {
                self.start.extend_from_slice(bytes);
                Found::Partial
            }
        }
    }

    /// Forgets the line that was found.
    pub(super) fn clear(&mut self) {
        if self.start.capacity() > KEPT_CAPACITY {
            self.start = Vec::new();
        } else {
            self.start.clear();
        }
    }
}

/// Reads a line without its line end, and blames a carriage return inside it for whatever is wrong with it.
pub(super) fn read<T>(line: &[u8], parse: impl FnOnce(&[u8]) -> Result<T, Violation>) -> Result<T, Violation> {
    let text = line.strip_suffix(b"\r").ok_or(Violation::BareLineFeed)?;
    parse(text).map_err(|violation| match memchr(b'\r', text) {
        Some(_) => Violation::BareCarriageReturn,
        None => violation,
    })
}
