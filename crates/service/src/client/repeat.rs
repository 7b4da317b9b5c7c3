//! What is needed to send a request a second time.

use http::{HeaderName, HeaderValue, Method, Request, Uri};
use tollgate_pipeline::Body;

use super::outgoing::Outgoing;

/// A request that may be sent a second time when nobody knows whether it was received: it has no body, and its method
/// is safe (RFC 9110 §9.2.2).
///
/// Every request on a kept connection leaves one behind and nearly none is ever used, so the fields are kept as lines
/// in one piece of memory: a map of them costs several times as much to copy and to drop.
pub(super) struct Repeat {
    method: Method,
    uri: Uri,
    lines: Vec<u8>,
}

/// How much room lines have before the memory for them grows.
const USUAL: usize = 512;

impl Repeat {
    /// What is needed to repeat `request`, if it may be sent twice.
    pub(super) fn of(request: &Request<Outgoing>) -> Option<Self> {
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE);
        if !is_safe || !request.body().is_empty() {
            return None;
        }
        let mut lines = Vec::with_capacity(USUAL);
        for (name, value) in request.headers() {
            lines.extend_from_slice(name.as_str().as_bytes());
            lines.push(b':');
            lines.extend_from_slice(value.as_bytes());
            lines.push(b'\n');
        }
        Some(Self { method: request.method().clone(), uri: request.uri().clone(), lines })
    }

    /// The request once more.
    pub(super) fn into_request(self) -> Request<Outgoing> {
        let mut request = Request::new(Outgoing::new(Body::empty(), None));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        // Neither a colon in a name nor a line end in a value can be: the types of both forbid it.
        for line in self.lines.split(|&byte| byte == b'\n') {
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            let (name, value) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(&line[colon + 1..]));
            if let (Ok(name), Ok(value)) = (name, value) {
                request.headers_mut().append(name, value);
            }
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method, body: Body) -> Request<Outgoing> {
        let mut request = Request::new(Outgoing::new(body, None));
        *request.method_mut() = method;
        *request.uri_mut() = Uri::from_static("/path?query=1");
        let fields: [(&str, &[u8]); 6] = [
            ("host", b"a.test:80"),
            ("x-list", b"1"),
            ("x-list", b" 2: \t3 "),
            ("x-empty", b""),
            ("x-bytes", b"\x80\xff"),
            ("x-last", b"1"),
        ];
        for (name, value) in fields {
            request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
        }
        request
    }

    #[test]
    fn the_second_request_is_the_first() {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE] {
            let first = request(method, Body::empty());
            let second = Repeat::of(&first).unwrap().into_request();
            assert_eq!(second.method(), first.method());
            assert_eq!(second.uri(), first.uri());
            assert_eq!(second.headers(), first.headers());
            assert!(second.body().is_empty());
        }
    }

    #[test]
    fn what_may_change_something_is_sent_once() {
        assert!(Repeat::of(&request(Method::POST, Body::empty())).is_none());
        assert!(Repeat::of(&request(Method::DELETE, Body::empty())).is_none());
        assert!(Repeat::of(&request(Method::GET, Body::full("body"))).is_none());
    }
}
