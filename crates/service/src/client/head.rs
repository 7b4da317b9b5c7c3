//! The head of an answer, and what it says about the body and the connection.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use smallvec::SmallVec;

use super::answer::Flaw;
use super::decoder::Decoder;

/// A parsed head, without doubt about where the body ends.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The body that follows. Empty for an interim answer and a change of protocol.
    pub(super) body: Decoder,
    /// Whether the backend will answer another request on this connection.
    pub(super) persistent: bool,
}

/// What an answer's meaning depends on of the request.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// It was a `HEAD`: whatever the answer says, it has no body.
    pub(super) bodyless: bool,
    /// The protocol that it asked to change to.
    pub(super) upgrade: Option<HeaderValue>,
}

impl Head {
    /// Takes a head off the front of `bytes`, once it is complete. Its fields share the memory of `bytes`; their map is
    /// the one in `room`, emptied.
    pub(super) fn take(bytes: &mut BytesMut, room: &mut HeaderMap, asked: &Asked) -> Result<Option<Self>, Flaw> {
        // What is tolerated in front of a request (RFC 9112 §2.2) is not in front of an answer.
        if bytes.first().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
            return Err(Flaw::Malformed("an empty line before the status"));
        }
        let Some(Lines { status, minor, length, fields }) = Lines::of(bytes)? else { return Ok(None) };
        let lines = bytes.split_to(length).freeze();
        let mut headers = std::mem::take(room);
        headers.clear();
        let facts = Facts::gather(&lines, &fields, &mut headers)?;
        let body = match status {
            StatusCode::SWITCHING_PROTOCOLS => {
                check_upgrade(&headers, asked.upgrade.as_ref())?;
                Decoder::NONE
            }
            _ => facts.body(status, minor, asked)?,
        };
        let persistent = facts.persistent(minor) && !matches!(body, Decoder::Close);
        Ok(Some(Self { status, headers, body, persistent }))
    }

    /// One that another follows (RFC 9110 §15.2).
    pub(super) fn is_interim(&self) -> bool {
        self.status.is_informational() && self.status != StatusCode::SWITCHING_PROTOCOLS
    }
}

/// Parses the fields of `lines` into a map whose values share their memory.
pub(super) fn trailers(lines: &Bytes) -> Result<HeaderMap, Flaw> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let fields: Spans = match httparse::parse_headers(lines, &mut fields) {
        Ok(httparse::Status::Complete((length, fields))) if length == lines.len() => spans(lines, fields),
        Ok(_) => return Err(Flaw::Malformed("trailers that end too early")),
        Err(error) => return Err(malformed(error)),
    };
    let mut headers = HeaderMap::with_capacity(fields.len());
    Facts::gather(lines, &fields, &mut headers)?;
    Ok(headers)
}

/// Where everything is in a head.
struct Lines {
    status: StatusCode,
    /// Of HTTP/1: 0 or 1.
    minor: u8,
    length: usize,
    fields: Spans,
}

/// Where name and value of a field are: begin and end of each.
type Span = [u32; 4];
type Spans = SmallVec<[Span; 24]>;

impl Lines {
    fn of(bytes: &[u8]) -> Result<Option<Self>, Flaw> {
        let mut fields = [const { std::mem::MaybeUninit::uninit() }; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut []);
        let parsed =
            httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut response, bytes, &mut fields);
        match parsed {
            Ok(httparse::Status::Complete(length)) => {
                let code = response.code.unwrap_or_default();
                let status = StatusCode::from_u16(code).map_err(|_| Flaw::Malformed("a status that is none"))?;
                let fields = spans(bytes, response.headers);
                Ok(Some(Self { status, minor: response.version.unwrap_or_default(), length, fields }))
            }
            Ok(httparse::Status::Partial) => Ok(None),
            Err(error) => Err(malformed(error)),
        }
    }
}

fn spans(bytes: &[u8], fields: &[httparse::Header<'_>]) -> Spans {
    // The parts were cut out of `bytes`, and no head is as long as 4 GiB.
    let at = |part: &[u8]| (part.as_ptr().addr() - bytes.as_ptr().addr()) as u32;
    let span = |field: &httparse::Header<'_>| {
        let (name, value) = (at(field.name.as_bytes()), at(field.value));
        [name, name + field.name.len() as u32, value, value + field.value.len() as u32]
    };
    fields.iter().map(span).collect()
}

fn malformed(error: httparse::Error) -> Flaw {
    use httparse::Error;
    Flaw::Malformed(match error {
        Error::HeaderName => "a field name that is none",
        Error::HeaderValue => "a field value with a character that may not be there",
        Error::NewLine => "a line end that is none",
        Error::Status => "a status that is none",
        Error::Token => "not a status line",
        Error::TooManyHeaders => "too many fields",
        Error::Version => "not HTTP/1",
    })
}

/// What the fields say about framing, gathered in one look.
#[derive(Default)]
struct Facts {
    /// How often there is a `Content-Length`, and the last one, if it is a number.
    lengths: u8,
    length: Option<u64>,
    /// How often there is a `Transfer-Encoding`, and whether the last one is `chunked`.
    encodings: u8,
    chunked: bool,
    close: bool,
    keep_alive: bool,
}

impl Facts {
    fn gather(lines: &Bytes, fields: &Spans, headers: &mut HeaderMap) -> Result<Self, Flaw> {
        let mut facts = Self::default();
        for &span in fields {
            let [name_from, name_to, value_from, value_to] = span.map(|at| at as usize);
            let name = HeaderName::from_bytes(&lines[name_from..name_to]);
            let value = HeaderValue::from_maybe_shared(lines.slice(value_from..value_to));
            let (Ok(name), Ok(value)) = (name, value) else { return Err(malformed(httparse::Error::HeaderValue)) };
            facts.note(&name, value.as_bytes());
            headers.append(name, value);
        }
        Ok(facts)
    }

    fn note(&mut self, name: &HeaderName, value: &[u8]) {
        match *name {
            header::CONTENT_LENGTH => {
                self.lengths += 1;
                self.length = number(value);
            }
            header::TRANSFER_ENCODING => {
                self.encodings += 1;
                self.chunked = value.eq_ignore_ascii_case(b"chunked");
            }
            header::CONNECTION => {
                for token in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                    self.close |= token.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            _ => {}
        }
    }

    /// How the body is framed (RFC 9112 §6.3), if there is only one way to read it.
    fn body(&self, status: StatusCode, minor: u8, asked: &Asked) -> Result<Decoder, Flaw> {
        let framed = match (self.lengths, self.length, self.encodings) {
            (0, _, 0) => Decoder::Close,
            (1, Some(length), 0) => Decoder::Length(length),
            (1, Some(_), 1) => return Err(Flaw::LengthAndEncoding),
            // HTTP/1.0 knows no chunks, so that what follows may be anything.
            (0, _, 1) if self.chunked && minor > 0 => Decoder::chunked(),
            (0 | 1, Some(_), _) | (0, None, _) => return Err(Flaw::Encoding),
            _ => return Err(Flaw::Length),
        };
        let bodyless = asked.bodyless
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        Ok(if bodyless { Decoder::NONE } else { framed })
    }

    fn persistent(&self, minor: u8) -> bool {
        !self.close && (minor > 0 || self.keep_alive)
    }
}

/// Digits and nothing else; the number has to be one that can be counted to.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn check_upgrade(headers: &HeaderMap, asked: Option<&HeaderValue>) -> Result<(), Flaw> {
    let mut answered = headers.get_all(header::UPGRADE).iter();
    match (answered.next(), answered.next(), asked) {
        (Some(answered), None, Some(asked)) if answered.as_bytes().eq_ignore_ascii_case(asked.as_bytes()) => Ok(()),
        _ => Err(Flaw::Upgrade),
    }
}

/// How many fields a head may have.
const MAX_FIELDS: usize = 100;
