//! The law of reading an answer, for tests and fuzzing: how its bytes are cut makes no difference.

use bytes::BytesMut;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::decoder::Part;
use super::head::{Asked, Head};

/// Everything there is to see after an answer was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Outcome {
    /// Of the final answer, if there is one that can be passed on.
    head: Option<(StatusCode, HeaderMap)>,
    persistent: bool,
    data: Vec<u8>,
    trailers: HeaderMap,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum End {
    /// More bytes are wanted.
    #[default]
    Open,
    /// So many bytes are behind it.
    Complete(usize),
    /// What follows cannot be read.
    Flawed,
}

/// A fuzz target: the first byte says how many cuts follow, each a length in one byte; the rest is an answer.
///
/// # Panics
/// When the answer is read differently whole, in these pieces, or byte by byte; or when it was not read in the only way
/// there is.
pub fn fuzz(data: &[u8]) {
    let Some((&count, rest)) = data.split_first() else { return };
    let (cuts, answer) = rest.split_at(rest.len().min(usize::from(count)));
    for asked in requests() {
        let whole = read(&asked, [answer]);
        assert_eq!(read(&asked, pieces(answer, cuts)), whole, "in pieces, {asked:?}");
        assert_eq!(read(&asked, answer.chunks(1)), whole, "byte by byte, {asked:?}");
        check(&asked, &whole);
    }
}

/// Whatever an answer depends on.
fn requests() -> [Asked; 3] {
    let upgrade = Some(HeaderValue::from_static("websocket"));
    [Asked::default(), Asked { bodyless: true, upgrade: None }, Asked { bodyless: false, upgrade }]
}

fn read<'a>(asked: &Asked, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let (mut outcome, mut bytes, mut room, mut body) = (Outcome::default(), BytesMut::new(), HeaderMap::new(), None);
    for piece in pieces {
        bytes.extend_from_slice(piece);
        while body.is_none() {
            match Head::take(&mut bytes, &mut room, asked) {
                Ok(Some(head)) if head.is_interim() => room = head.headers,
                Ok(Some(head)) => {
                    outcome.head = Some((head.status, head.headers));
                    outcome.persistent = head.persistent;
                    body = Some(head.body);
                }
                Ok(None) => break,
                // It does not matter whether the flaw was seen or the head is not complete yet: nothing is passed on.
                Err(_) => return outcome,
            }
        }
        let Some(body) = &mut body else { continue };
        loop {
            match body.next(&mut bytes) {
                Ok(Some(Part::Data(data))) => outcome.data.extend_from_slice(&data),
                Ok(Some(Part::Trailers(trailers))) => outcome.trailers = trailers,
                Ok(Some(Part::End)) => {
                    outcome.end = End::Complete(bytes.len());
                    break;
                }
                Ok(None) => break,
                Err(_) => return Outcome { end: End::Flawed, ..outcome },
            }
        }
    }
    outcome
}

/// What must hold for every answer, told from its head alone.
fn check(asked: &Asked, outcome: &Outcome) {
    let Some((status, headers)) = &outcome.head else {
        assert_eq!(*outcome, Outcome::default());
        return;
    };
    let lengths: Vec<&HeaderValue> = headers.get_all(header::CONTENT_LENGTH).iter().collect();
    let encodings: Vec<&HeaderValue> = headers.get_all(header::TRANSFER_ENCODING).iter().collect();
    let bodyless = asked.bodyless || matches!(status.as_u16(), 101 | 204 | 304);
    if *status == StatusCode::SWITCHING_PROTOCOLS {
        assert!(asked.upgrade.is_some());
    } else {
        assert!(lengths.len() + encodings.len() <= 1, "two lengths");
    }
    assert_ne!(*status, StatusCode::CONTINUE);
    match (bodyless, lengths.first(), encodings.first()) {
        (true, ..) => assert!(outcome.data.is_empty() && matches!(outcome.end, End::Complete(_))),
        (false, Some(length), _) => {
            let length: u64 = length.to_str().unwrap_or_default().parse().expect("a number");
            let read = outcome.data.len() as u64;
            assert!(read <= length && (read == length) == matches!(outcome.end, End::Complete(_)));
        }
        (false, None, Some(_)) => {}
        (false, None, None) => assert!(outcome.end == End::Open && !outcome.persistent),
    }
}

/// Cuts `bytes` into pieces of the given lengths; the last piece is what remains.
fn pieces<'a>(bytes: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    let mut rest = bytes;
    let mut pieces = Vec::new();
    for &length in lengths {
        let (piece, behind) = rest.split_at(rest.len().min(usize::from(length)));
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_the_same_however_they_are_cut() {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n\x01\x02",
            "HTTP/1.0 200 OK\n\nuntil the end",
            "HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\nrest",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokk\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n folded: no\r\n\r\n",
        ] {
            for cut in 0..=answer.len() as u8 {
                fuzz(&[&[1, cut], answer.as_bytes()].concat());
                fuzz(&[&[3, cut, 1, 2], answer.as_bytes()].concat());
            }
        }
    }

    #[test]
    fn the_law_sees_what_it_is_told() {
        let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\nrest";
        let outcome = read(&Asked::default(), pieces(answer, &[1, 2, 50]));
        assert_eq!((outcome.data.as_slice(), outcome.end, outcome.persistent), (&b"ok"[..], End::Complete(4), true));
        assert_eq!(outcome.trailers["x-sum"], "1");
    }
}
