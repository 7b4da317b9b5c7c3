//! Where the body of an answer is in the bytes behind its head, and where it ends.

use bytes::{Buf as _, Bytes, BytesMut};
use http::HeaderMap;

use super::answer::Flaw;
use super::head;

/// Reads a body out of bytes as they arrive. It knows no socket.
#[derive(Debug)]
pub(super) enum Decoder {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks (RFC 9112 §7.1).
    Chunked(Chunk),
    /// Everything until the connection ends.
    Close,
}

/// What comes next of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Data(Bytes),
    /// Nothing comes behind them.
    Trailers(HeaderMap),
    End,
}

/// Where in a chunked body the reader stands.
#[derive(Debug)]
pub(super) enum Chunk {
    /// Before the line that says how long the chunk is.
    Size,
    /// So many bytes are left of it, never zero.
    Data(u64),
    /// Before the line end behind it.
    DataEnd,
    /// Behind the last chunk.
    Trailers,
    End,
}

impl Decoder {
    /// No body.
    pub(super) const NONE: Self = Self::Length(0);

    pub(super) fn chunked() -> Self {
        Self::Chunked(Chunk::Size)
    }

    /// Takes what comes next off the front of `bytes`; `None` if more of them are needed for that.
    pub(super) fn next(&mut self, bytes: &mut BytesMut) -> Result<Option<Part>, Flaw> {
        match self {
            Self::Length(0) => Ok(Some(Part::End)),
            Self::Length(left) => Ok(data(bytes, left)),
            Self::Chunked(chunk) => chunk.next(bytes),
            Self::Close => {
                let mut endless = u64::MAX;
                Ok(data(bytes, &mut endless))
            }
        }
    }

    /// Whether nothing comes any more.
    pub(super) fn is_at_end(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunk::End))
    }

    /// The connection has ended, and with it the body, if that is how it ends.
    pub(super) fn on_connection_end(&mut self) -> Option<()> {
        matches!(self, Self::Close).then(|| *self = Self::NONE)
    }

    /// How many bytes are still to come, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunked(Chunk::End) => Some(0),
            Self::Chunked(_) | Self::Close => None,
        }
    }
}

impl Chunk {
    fn next(&mut self, bytes: &mut BytesMut) -> Result<Option<Part>, Flaw> {
        loop {
            *self = match self {
                Self::Size => match take_size(bytes)? {
                    Some(0) => Self::Trailers,
                    Some(size) => Self::Data(size),
                    None => return Ok(None),
                },
                Self::Data(left) => {
                    let part = data(bytes, left);
                    if *left == 0 {
                        *self = Self::DataEnd;
                    }
                    return Ok(part);
                }
                Self::DataEnd => match bytes.get(..2) {
                    Some(b"\r\n") => {
                        bytes.advance(2);
                        Self::Size
                    }
                    Some(_) => return Err(Flaw::Malformed("a chunk longer than it said")),
                    None => return Ok(None),
                },
                Self::Trailers => {
                    let trailers = take_trailers(bytes)?;
                    if trailers.is_some() {
                        *self = Self::End;
                    }
                    return Ok(trailers);
                }
                Self::End => return Ok(Some(Part::End)),
            };
        }
    }
}

/// At most `left` bytes.
fn data(bytes: &mut BytesMut, left: &mut u64) -> Option<Part> {
    let length = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
    if length == 0 {
        return None;
    }
    *left -= length as u64;
    Some(Part::Data(bytes.split_to(length).freeze()))
}

/// The size that the line in front of a chunk says. Extensions are for the next hop, that is us, and mean nothing here.
fn take_size(bytes: &mut BytesMut) -> Result<Option<u64>, Flaw> {
    let Some(end) = memchr::memchr(b'\n', bytes).filter(|&end| end < MAX_SIZE_LINE) else {
        let too_long = bytes.len() >= MAX_SIZE_LINE;
        return if too_long { Err(Flaw::Malformed("a chunk size without end")) } else { Ok(None) };
    };
    let size = size(&bytes[..end]).ok_or(Flaw::Malformed("a chunk size that is none"))?;
    bytes.advance(end + 1);
    Ok(Some(size))
}

fn size(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\r")?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, rest) = line.split_at(digits);
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let rest = &rest[blanks..];
    let extended = rest.is_empty() || rest[0] == b';' && !rest.iter().any(|&byte| byte < b' ' && byte != b'\t');
    if digits.is_empty() || digits.len() > 16 || !extended {
        return None;
    }
    Some(digits.iter().fold(0, |size, digit| size << 4 | u64::from(hex(*digit))))
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// The trailers behind the last chunk, up to the empty line: its end if there are none.
fn take_trailers(bytes: &mut BytesMut) -> Result<Option<Part>, Flaw> {
    if bytes.starts_with(b"\r\n") {
        bytes.advance(2);
        return Ok(Some(Part::End));
    }
    let end = memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4);
    let Some(end) = end.filter(|&end| end <= MAX_TRAILERS) else {
        let too_long = bytes.len() >= MAX_TRAILERS;
        return if too_long { Err(Flaw::Malformed("trailers without end")) } else { Ok(None) };
    };
    let lines = bytes.split_to(end).freeze();
    if memchr::memchr_iter(b'\n', &lines).any(|at| at == 0 || lines[at - 1] != b'\r') {
        return Err(Flaw::Malformed("a bare line feed in the trailers"));
    }
    head::trailers(&lines).map(|trailers| Some(Part::Trailers(trailers)))
}

/// How long the line with the size of a chunk may be, extensions included.
const MAX_SIZE_LINE: usize = 4 << 10;

/// How long trailers may be, all together.
const MAX_TRAILERS: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// Everything that a body of chunks gives, read in pieces of this length.
    fn read(body: &str, piece: usize) -> Result<(String, bool, String), Flaw> {
        let (mut decoder, mut bytes, mut data) = (Decoder::chunked(), BytesMut::new(), String::new());
        for piece in body.as_bytes().chunks(piece) {
            bytes.extend_from_slice(piece);
            while let Some(part) = decoder.next(&mut bytes)? {
                match part {
                    Part::Data(part) => data.push_str(std::str::from_utf8(&part).unwrap()),
                    Part::Trailers(trailers) => write!(data, "{trailers:?}").unwrap(),
                    Part::End => break,
                }
            }
        }
        Ok((data, decoder.is_at_end(), String::from_utf8(bytes.to_vec()).unwrap()))
    }

    #[test]
    fn chunks_are_joined_and_what_follows_is_left() {
        for (body, data, rest) in [
            ("0\r\n\r\n", "", ""),
            ("2\r\nok\r\n0\r\n\r\nHTTP", "ok", "HTTP"),
            ("1\r\no\r\n0001;a=b\r\nk\r\n000\r\n\r\n", "ok", ""),
            ("a \t\r\n0123456789\r\nA;x\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", ""),
            ("0\r\nX-Sum: 1\r\n\r\n!", "{\"x-sum\": \"1\"}", "!"),
        ] {
            for piece in [1, 2, 3, 100] {
                assert_eq!(read(body, piece), Ok((data.to_owned(), true, rest.to_owned())), "{body:?} by {piece}");
            }
        }
    }

    #[test]
    fn what_is_not_quite_a_chunk_is_none() {
        let long_line = format!("1;{}\r\n", "x".repeat(MAX_SIZE_LINE));
        let long_trailers = format!("0\r\nX: {}\r\n\r\n", "x".repeat(MAX_TRAILERS));
        for body in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            " 1\r\n",
            "1 1\r\n",
            "1\n",
            "1\r\r\n",
            "1;a\rb\r\n",
            "1;a\0\r\n",
            "1\r\noops\r\n",
            "1\r\no\n0\r\n\r\n",
            "00000000000000001\r\no\r\n",
            "0\r\nX : 1\r\n\r\n",
            "0\r\nX: 1\n\r\n\r\n",
            "0\r\n\nX: 1\r\n\r\n",
            "0\r\nX: 1\r\n folded\r\n\r\n",
            "0\r\nno field\r\n\r\n",
            &long_line,
            &long_trailers,
        ] {
            for piece in [1, 2, 3, 1 << 20] {
                let shown = &body[..body.len().min(40)];
                assert!(read(body, piece).is_err(), "{shown:?} by {piece}: {:?}", read(body, piece));
            }
        }
    }

    #[test]
    fn a_body_that_is_not_there_yet_is_waited_for() {
        for body in ["", "1", "1\r", "2\r\nok", "2\r\nok\r", "2\r\nok\r\n", "0\r\n", "0\r\n\r", "0\r\nX: 1\r\n", "ff"] {
            assert!(read(body, 1).is_ok_and(|(_, ended, _)| !ended), "{body:?}");
        }
    }
}
