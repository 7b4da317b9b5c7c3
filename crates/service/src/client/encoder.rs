//! A request as the bytes that a backend reads.

use http::{HeaderMap, HeaderName, Method, Uri, header};
use tollgate_pipeline::Body;

/// How the body of a request says where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks: nobody knows how many.
    Chunked,
}

impl Coding {
    /// The one that suits `body`.
    pub(super) fn of(body: &Body) -> Self {
        match http_body::Body::size_hint(body).exact() {
            _ if body.is_empty() => Self::Length(0),
            Some(length) => Self::Length(length),
            None => Self::Chunked,
        }
    }
}

/// Which of the fields that concern us a head has: nearly always none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    pub(super) upgrade: bool,
    pub(super) expect: bool,
}

/// Writes the head of a request. Exactly one field says how long the body is, whatever `headers` say; the others go out
/// as they are, their names written as Traefik writes them.
pub(super) fn head(out: &mut Vec<u8>, method: &Method, target: &Uri, headers: &HeaderMap, coding: Coding) -> Seen {
    let mut seen = Seen::default();
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.path_and_query().map_or("/", |target| target.as_str()).as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in headers {
        match *name {
            header::CONTENT_LENGTH | header::TRANSFER_ENCODING => continue,
            // Only chunks can be followed by trailers.
            header::TRAILER if coding != Coding::Chunked => continue,
            header::UPGRADE => seen.upgrade = true,
            header::EXPECT => seen.expect = true,
            _ => {}
        }
        field(out, name, value.as_bytes());
    }
    match coding {
        Coding::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Coding::Length(0) if !matches!(*method, Method::POST | Method::PUT | Method::PATCH) => {}
        Coding::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            digits(out, length);
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(b"\r\n");
    seen
}

/// Writes what stands in front of a chunk of this length, which is not zero.
pub(super) fn chunk_size(out: &mut Vec<u8>, length: usize) {
    let digits = (usize::BITS - length.leading_zeros()).div_ceil(4);
    out.extend((0..digits).rev().map(|digit| HEX[length >> (4 * digit) & 0xf]));
    out.extend_from_slice(b"\r\n");
}

/// Writes what stands behind all chunks.
pub(super) fn last_chunk(out: &mut Vec<u8>, trailers: Option<&HeaderMap>) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.into_iter().flatten() {
        field(out, name, value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

fn field(out: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    let name = name.as_str().as_bytes();
    out.reserve(name.len() + value.len() + 4);
    title_case(out, name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes a field name as Go writes it: upper case at the start and after each hyphen. It comes in lower case.
fn title_case(out: &mut Vec<u8>, name: &[u8]) {
    let start = out.len();
    out.extend_from_slice(name);
    let (words, rest) = out[start..].as_chunks_mut();
    let mut begins = 1;
    for word in words {
        *word = title_case_word(*word, &mut begins);
    }
    for byte in rest {
        let hyphen = u64::from(*byte == b'-');
        if begins == 1 {
            byte.make_ascii_uppercase();
        }
        begins = hyphen;
    }
}

/// Eight letters of a name at once: names are short and many, and a branch for each letter is what takes the time.
/// `begins` is 1 if a part of the name begins with the first of them, and then if one begins behind the last.
fn title_case_word(word: [u8; 8], begins: &mut u64) -> [u8; 8] {
    const ONES: u64 = u64::MAX / 0xff;
    const TOPS: u64 = ONES * 0x80;
    // No byte of a name has its top bit set (RFC 9110 §5.1), so that no sum below reaches the next byte, and the top
    // bits tell what was asked of each byte.
    let word = u64::from_le_bytes(word);
    let hyphens = !((word ^ (ONES * u64::from(b'-'))) + ONES * 0x7f) & TOPS;
    let starts = hyphens << 8 | *begins << 7;
    *begins = hyphens >> 63;
    let letters = (word + ONES * u64::from(0x80 - b'a')) & !(word + ONES * u64::from(0x7f - b'z'));
    // What tells the cases apart is the bit 0x20.
    (word ^ (letters & starts) >> 2).to_le_bytes()
}

fn digits(out: &mut Vec<u8>, number: u64) {
    let (mut digits, mut begin, mut left) = ([b'0'; 20], 20, number);
    while left > 0 || begin == 20 {
        begin -= 1;
        digits[begin] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    out.extend_from_slice(&digits[begin..]);
}

const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn written(method: &Method, fields: &[(&'static str, &'static str)], coding: Coding) -> String {
        let headers =
            fields.iter().map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let headers = headers.collect::<HeaderMap>();
        let mut out = Vec::new();
        head(&mut out, method, &Uri::from_static("/a?b=c"), &headers, coding);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_are_written_as_everybody_writes_them() {
        let fields =
            [("host", "a.test"), ("x-forwarded-for", "1.2.3.4"), ("te", ""), ("x--y-", "z"), ("x-1a_b.c", "d")];
        let expected = "GET /a?b=c HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 1.2.3.4\r\nTe: \r\nX--Y-: z\r\n\
                        X-1a_b.c: d\r\n\r\n";
        assert_eq!(written(&Method::GET, &fields, Coding::Length(0)), expected);
    }

    #[test]
    fn names_of_any_shape_are_written_letter_by_letter() {
        // Every character that may stand in a name (RFC 9110 §5.6.2), at every place of a word, after every other kind.
        let allowed = (b'!'..=b'~').filter(|byte| !b"\"(),/:;<=>?@[\\]{}".contains(byte) && !byte.is_ascii_uppercase());
        for byte in allowed {
            for length in 0..20 {
                for before in [b'-', b'a', b'1'] {
                    let mut name = vec![before; length];
                    name.extend_from_slice(&[byte, b'-', byte, byte, b'z']);
                    let mut starts = true;
                    let expected = name.iter().map(|&byte| {
                        let letter = if starts { byte.to_ascii_uppercase() } else { byte };
                        starts = byte == b'-';
                        letter
                    });
                    let expected: Vec<u8> = expected.collect();
                    let mut out = b"before".to_vec();
                    title_case(&mut out, &name);
                    assert_eq!(out[6..], expected, "{}", String::from_utf8_lossy(&name));
                }
            }
        }
    }

    #[test]
    fn framing_is_ours() {
        let lies = [("content-length", "7"), ("transfer-encoding", "gzip"), ("trailer", "x-sum")];
        for (method, coding, fields) in [
            (Method::GET, Coding::Length(0), ""),
            (Method::DELETE, Coding::Length(0), ""),
            (Method::POST, Coding::Length(0), "Content-Length: 0\r\n"),
            (Method::GET, Coding::Length(10), "Content-Length: 10\r\n"),
            (Method::PUT, Coding::Length(u64::MAX), "Content-Length: 18446744073709551615\r\n"),
            (Method::POST, Coding::Chunked, "Trailer: x-sum\r\nTransfer-Encoding: chunked\r\n"),
        ] {
            let expected = format!("{method} /a?b=c HTTP/1.1\r\n{fields}\r\n");
            assert_eq!(written(&method, &lies, coding), expected);
        }
    }

    #[test]
    fn a_chunk_says_its_size_in_hexadecimal() {
        for length in [1, 15, 16, 255, 256, 65_535, 1 << 20, usize::MAX] {
            let mut out = Vec::new();
            chunk_size(&mut out, length);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{length:x}\r\n"));
        }
    }
}
