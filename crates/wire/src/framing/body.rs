//! A chunked body: RFC 9112 §7.1.

use super::line::{self, Found, LineBuffer};
use crate::field::Field;
use crate::syntax::is_field_value;
use crate::{Limits, Violation};

/// The digits of the largest size that fits 64 bits.
const SIZE_DIGITS: usize = 16;

/// What is known of a chunked body so far.
#[derive(Clone, Debug)]
pub(super) struct Chunked {
    part: Part,
    /// Bytes of extensions the body may still have.
    extensions: usize,
    /// Bytes of trailers, line ends included, the body may still have.
    trailers: usize,
    /// Trailer fields the body may still have.
    fields: usize,
}

/// What comes next in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Size,
    /// Bytes left of a chunk, never 0.
    Data(u64),
    CarriageReturn,
    LineFeed,
    Trailer,
    End,
}

impl Chunked {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            part: Part::Size,
            extensions: limits.extension_bytes,
            trailers: limits.trailer_bytes,
            fields: limits.fields,
        }
    }

    /// Reads one line or one run of data. Returns how many bytes were taken and what comes next.
    pub(super) fn step(&mut self, bytes: &[u8], buffer: &mut LineBuffer) -> Result<(usize, Part), Violation> {
        let taken = match self.part {
            Part::Size | Part::Trailer => self.on_bytes_of_line(bytes, buffer)?,
            Part::Data(left) => {
                let taken = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.part = match left - taken as u64 {
                    0 => Part::CarriageReturn,
                    left => Part::Data(left),
                };
                taken
            }
            Part::CarriageReturn => self.on_byte(b'\r', bytes, Part::LineFeed)?,
            Part::LineFeed => self.on_byte(b'\n', bytes, Part::Size)?,
            Part::End => 0,
        };
        Ok((taken, self.part))
    }

    fn on_byte(&mut self, expected: u8, bytes: &[u8], next: Part) -> Result<usize, Violation> {
        if bytes.first() != Some(&expected) {
            return Err(Violation::ChunkEnd);
        }
        self.part = next;
        Ok(1)
    }

    fn on_bytes_of_line(&mut self, bytes: &[u8], buffer: &mut LineBuffer) -> Result<usize, Violation> {
        match buffer.find(bytes, self.room()) {
            Found::Partial => Ok(bytes.len()),
            Found::TooLong => Err(self.too_long()),
            Found::Line { line, taken } => {
                let part = line::read(line, |text| self.on_line(text));
                buffer.clear();
                self.part = part?;
                Ok(taken)
            }
        }
    }

    /// How long the next line may be with its line end.
    fn room(&self) -> usize {
        let text = match self.part {
            Part::Trailer => self.trailers,
            _ => self.extensions.saturating_add(SIZE_DIGITS),
        };
        text.saturating_add("\r\n".len())
    }

    fn too_long(&self) -> Violation {
        match self.part {
            Part::Trailer => Violation::TrailersTooLarge,
            _ => Violation::ChunkExtension,
        }
    }

    fn on_line(&mut self, text: &[u8]) -> Result<Part, Violation> {
        match (self.part, text) {
            (Part::Trailer, []) => Ok(Part::End),
            (Part::Trailer, text) => self.on_trailer(text),
            (_, text) => self.on_size(text),
        }
    }

    fn on_size(&mut self, text: &[u8]) -> Result<Part, Violation> {
        let digits = text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (digits, extension) = text.split_at(digits);
        let size = hexadecimal(digits).ok_or(Violation::ChunkSize)?;
        if !matches!(extension, [] | [b';', ..]) {
            return Err(Violation::ChunkSize);
        }
        if !is_field_value(extension) {
            return Err(Violation::ChunkExtension);
        }
        self.extensions = self.extensions.checked_sub(extension.len()).ok_or(Violation::ChunkExtension)?;
        Ok(if size == 0 { Part::Trailer } else { Part::Data(size) })
    }

    /// Trailers have to be well formed; which of them are let through is for the gateway to say.
    fn on_trailer(&mut self, text: &[u8]) -> Result<Part, Violation> {
        Field::parse(text)?;
        self.fields = self.fields.checked_sub(1).ok_or(Violation::TooManyFields)?;
        let size = text.len() + "\r\n".len();
        self.trailers = self.trailers.checked_sub(size).ok_or(Violation::TrailersTooLarge)?;
        Ok(Part::Trailer)
    }
}

/// The value of 1 to 16 hexadecimal digits.
fn hexadecimal(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    if text.len() > SIZE_DIGITS {
        return None;
    }
    u64::from_str_radix(text, 16).ok()
}
