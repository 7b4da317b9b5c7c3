//! The head of a request: RFC 9112 §3, §5 and §6.

use std::num::NonZeroU64;

use memchr::memchr;

use super::line;
use crate::field::{Field, Name};
use crate::syntax::{is_authority, is_target_text, is_token, number};
use crate::{Limits, Violation};

/// What is known of a head so far.
#[derive(Clone, Debug)]
pub(super) struct Head {
    place: Place,
    /// Bytes of the lines read.
    bytes: usize,
    fields: usize,
    version: Version,
    host: Seen,
    length: Option<u64>,
    chunked: Seen,
}

/// Which line comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The first line of the connection: a request line, the preface of HTTP/2, or an empty line.
    Connection,
    /// A request line, or an empty line.
    Message,
    /// A request line: the one empty line was there.
    RequestLine,
    Fields,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

/// Whether a field that may come once has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    No,
    Yes,
}

/// What a line of a head led to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    More,
    /// It was the first line of the preface of HTTP/2.
    Preface,
    End(Body),
}

/// What follows a head.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    None,
    Length(NonZeroU64),
    Chunked,
}

impl Head {
    /// The head at the start of a connection.
    pub(super) fn first() -> Self {
        Self::at(Place::Connection)
    }

    /// A head after another message.
    pub(super) fn next() -> Self {
        Self::at(Place::Message)
    }

    fn at(place: Place) -> Self {
        Self { place, bytes: 0, fields: 0, version: Version::Http11, host: Seen::No, length: None, chunked: Seen::No }
    }

    /// Whether nothing was read but perhaps the empty line before a request.
    pub(super) fn is_untouched(&self) -> bool {
        self.place != Place::Fields
    }

    /// How many bytes the head may still have.
    pub(super) fn room(&self, limits: &Limits) -> usize {
        limits.head_bytes.saturating_sub(self.bytes)
    }

    /// Reads a line that has its carriage return, but not its line feed.
    pub(super) fn on_line(&mut self, line: &[u8], limits: &Limits) -> Result<Step, Violation> {
        self.bytes += line.len() + 1;
        line::read(line, |text| match (self.place, text) {
            (Place::Connection | Place::Message, []) => {
                // RFC 9112 §2.2: some clients end a body with a line end that belongs to nothing.
                self.place = Place::RequestLine;
                Ok(Step::More)
            }
            (Place::Connection, b"PRI * HTTP/2.0") => Ok(Step::Preface),
            (Place::Connection | Place::Message | Place::RequestLine, text) => {
                self.on_request_line(text, limits)?;
                self.place = Place::Fields;
                Ok(Step::More)
            }
            (Place::Fields, []) => self.end().map(Step::End),
            (Place::Fields, text) => self.on_field(Field::parse(text)?, limits).map(|()| Step::More),
        })
    }

    fn on_request_line(&mut self, text: &[u8], limits: &Limits) -> Result<(), Violation> {
        let (method, rest) = split_space(text).ok_or(Violation::RequestLine)?;
        let (target, version) = split_space(rest).ok_or(Violation::RequestLine)?;
        if target.is_empty() {
            return Err(Violation::RequestLine);
        }
        self.version = read_version(version)?;
        if !is_token(method) {
            return Err(Violation::Method);
        }
        if method == b"CONNECT" {
            return Err(Violation::Connect);
        }
        if target.len() > limits.target_bytes {
            return Err(Violation::TargetTooLong);
        }
        if is_target(method, target) { Ok(()) } else { Err(Violation::Target) }
    }

    fn on_field(&mut self, field: Field<'_>, limits: &Limits) -> Result<(), Violation> {
        self.fields += 1;
        if self.fields > limits.fields {
            return Err(Violation::TooManyFields);
        }
        match field.name() {
            Name::ContentLength => self.on_length(field.value),
            Name::TransferEncoding => self.on_encoding(field.value),
            Name::Host => self.on_host(field.value),
            Name::Expect if !field.value.eq_ignore_ascii_case(b"100-continue") => Err(Violation::Expectation),
            Name::Expect | Name::Other => Ok(()),
        }
    }

    fn on_length(&mut self, value: &[u8]) -> Result<(), Violation> {
        if self.length.is_some() {
            return Err(Violation::RepeatedContentLength);
        }
        if self.chunked == Seen::Yes {
            return Err(Violation::LengthAndEncoding);
        }
        let length = number(value).filter(|&length| i64::try_from(length).is_ok());
        self.length = Some(length.ok_or(Violation::ContentLength)?);
        Ok(())
    }

    fn on_encoding(&mut self, value: &[u8]) -> Result<(), Violation> {
        if self.version == Version::Http10 {
            return Err(Violation::EncodingOnHttp10);
        }
        if self.chunked == Seen::Yes {
            return Err(Violation::RepeatedTransferEncoding);
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Violation::TransferEncoding);
        }
        if self.length.is_some() {
            return Err(Violation::LengthAndEncoding);
        }
        self.chunked = Seen::Yes;
        Ok(())
    }

    fn on_host(&mut self, value: &[u8]) -> Result<(), Violation> {
        if self.host == Seen::Yes {
            return Err(Violation::RepeatedHost);
        }
        if !is_authority(value) {
            return Err(Violation::Host);
        }
        self.host = Seen::Yes;
        Ok(())
    }

    fn end(&self) -> Result<Body, Violation> {
        if self.version == Version::Http11 && self.host == Seen::No {
            return Err(Violation::MissingHost);
        }
        Ok(match (self.chunked, self.length.and_then(NonZeroU64::new)) {
            (Seen::Yes, _) => Body::Chunked,
            (Seen::No, Some(length)) => Body::Length(length),
            (Seen::No, None) => Body::None,
        })
    }
}

/// Splits `text` at its first space.
fn split_space(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr(b' ', text)?;
    Some((&text[..at], &text[at + 1..]))
}

fn read_version(text: &[u8]) -> Result<Version, Violation> {
    match text {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Err(Violation::Version),
        _ => Err(Violation::RequestLine),
    }
}

/// Whether `target` is a path, an absolute http or https URI, or the asterisk of OPTIONS (RFC 9112 §3.2).
fn is_target(method: &[u8], target: &[u8]) -> bool {
    match target {
        b"*" => method == b"OPTIONS",
        [b'/', ..] => is_target_text(target),
        _ => is_target_text(target) && authority(target).is_some_and(is_authority),
    }
}

/// The authority of an absolute http or https URI.
fn authority(target: &[u8]) -> Option<&[u8]> {
    let rest = [b"http://".as_slice(), b"https://"].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })?;
    rest.split(|byte| matches!(byte, b'/' | b'?')).next()
}
