//! What there is to say about one exchange once its answer has left.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tollgate_pipeline::Exchange;

use crate::access_log::{HeaderRule, Mode};

/// A finished exchange: the input of the metrics and of the access log.
#[derive(Debug, Clone, Copy)]
pub struct Finished<'a> {
    /// What everybody wrote down on the way; its `request_bytes` are final.
    pub exchange: &'a Exchange,
    /// What was kept of the request's header fields.
    pub head: &'a Head,
    /// The status the client was sent.
    pub status: StatusCode,
    /// The header fields the client was sent, as [`Wants::response`] kept them.
    pub response: &'a [Kept],
    /// The header fields the backend sent, as [`Wants::response`] kept them; empty where nobody recorded them.
    pub origin: &'a [Kept],
    /// The `grpc-status` of the answer, from its header or its trailers, if it had one.
    pub grpc_status: Option<u16>,
    /// Bytes of the answer's body that the client was sent.
    pub response_bytes: u64,
    /// From the head of the request to the last byte of the answer.
    pub duration: Duration,
}

impl Finished<'_> {
    /// Whether one of our own services answered: the API, ping, the metrics.
    pub(crate) fn is_internal(&self) -> bool {
        self.exchange.router.as_deref().is_some_and(|router| router.ends_with("@internal"))
    }
}

/// What has to be remembered of the header fields of requests and answers until the exchange is finished. Built
/// once, from what the access log and the metrics are configured to tell.
#[derive(Debug, Clone, Default)]
pub struct Wants {
    pub(crate) kind: bool,
    pub(crate) forwarded_for: bool,
    pub(crate) request: HeaderRule,
    pub(crate) response: HeaderRule,
}

impl Wants {
    /// Adds what the metrics need to know of a request: the application protocol that it speaks.
    #[must_use]
    pub fn with_kind(mut self) -> Self {
        self.kind = true;
        self
    }

    /// What is to be kept of an answer's header fields. Costs nothing if nothing is wanted.
    pub fn response(&self, headers: &HeaderMap) -> Vec<Kept> {
        self.response.keep(headers)
    }
}

/// What is remembered of a request's header fields.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// The application protocol, for the metrics.
    pub kind: RequestKind,
    /// The first `X-Forwarded-For` line, for the access log's client host.
    pub forwarded_for: Option<HeaderValue>,
    /// The fields that the access log shows.
    pub kept: Vec<Kept>,
}

impl Head {
    /// What `wants` asks for of a request's header fields, as they are before a middleware touches them.
    pub fn of(headers: &HeaderMap, wants: &Wants) -> Self {
        Self {
            kind: if wants.kind { RequestKind::of(headers) } else { RequestKind::Http },
            forwarded_for: wants.forwarded_for.then(|| headers.get("x-forwarded-for").cloned()).flatten(),
            kept: wants.request.keep(headers),
        }
    }
}

/// A header field that the access log shows. A name with several values comes several times in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The name.
    pub name: HeaderName,
    /// The value; `None` if only its presence may be told.
    pub value: Option<HeaderValue>,
}

impl HeaderRule {
    /// The fields that may be shown, redacted ones without their value. `Host` is not one of them: like Go's
    /// server we treat it as part of the request line.
    pub(crate) fn keep(&self, headers: &HeaderMap) -> Vec<Kept> {
        if self.keeps_nothing() {
            return Vec::new();
        }
        let mut kept = Vec::new();
        for name in headers.keys().filter(|&name| name != header::HOST) {
            match self.mode(name) {
                Mode::Drop => {}
                Mode::Redact => kept.push(Kept { name: name.clone(), value: None }),
                Mode::Keep => {
                    let values = headers.get_all(name).iter();
                    kept.extend(values.map(|value| Kept { name: name.clone(), value: Some(value.clone()) }));
                }
            }
        }
        kept
    }
}

/// The application protocol of a request, as Traefik's metrics tell them apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RequestKind {
    /// Anything else.
    #[default]
    Http,
    /// A WebSocket handshake.
    WebSocket,
    /// A subscription to server-sent events.
    Sse,
    /// gRPC-Web.
    GrpcWeb,
    /// gRPC.
    Grpc,
}

impl RequestKind {
    /// The kind of the request with these header fields. The order of the questions is Traefik's.
    pub fn of(headers: &HeaderMap) -> Self {
        let content_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        if lists(headers, &header::UPGRADE, "websocket") && lists(headers, &header::CONNECTION, "upgrade") {
            Self::WebSocket
        } else if lists(headers, &header::ACCEPT, "text/event-stream") {
            Self::Sse
        } else if content_type.starts_with(b"application/grpc-web") {
            Self::GrpcWeb
        } else if content_type.starts_with(b"application/grpc") {
            Self::Grpc
        } else {
            Self::Http
        }
    }

    /// The word for the `protocol` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::WebSocket => "websocket",
            Self::Sse => "sse",
            Self::GrpcWeb => "grpc-web",
            Self::Grpc => "grpc",
        }
    }

    /// Whether the status that counts is gRPC's, not HTTP's.
    pub(crate) fn is_grpc(self) -> bool {
        matches!(self, Self::Grpc | Self::GrpcWeb)
    }
}

/// Whether the comma-separated first line of `name` has `item` in it.
fn lists(headers: &HeaderMap, name: &HeaderName, item: &str) -> bool {
    headers.get(name).is_some_and(|line| {
        line.as_bytes().split(|&byte| byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(item.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for &(name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn kinds_are_told_apart_as_traefik_does() {
        for (fields, kind) in [
            (&[][..], RequestKind::Http),
            (&[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")], RequestKind::WebSocket),
            (&[("connection", "keep-alive"), ("upgrade", "websocket")], RequestKind::Http),
            (&[("accept", "text/html,  text/event-stream")], RequestKind::Sse),
            (&[("accept", "text/event-stream;q=1")], RequestKind::Http),
            (&[("content-type", "application/grpc-web+proto")], RequestKind::GrpcWeb),
            (&[("content-type", "application/grpc+proto")], RequestKind::Grpc),
        ] {
            assert_eq!(RequestKind::of(&headers(fields)), kind, "{fields:?}");
        }
    }

    #[test]
    fn only_what_is_asked_for_is_remembered() {
        let request = headers(&[
            ("host", "a.example"),
            ("x-forwarded-for", "1.2.3.4"),
            ("authorization", "Basic c2VjcmV0"),
            ("x-two", "a"),
            ("x-two", "b"),
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
        ]);
        let nothing = Head::of(&request, &Wants::default());
        assert_eq!((nothing.kind, nothing.forwarded_for, nothing.kept), (RequestKind::Http, None, Vec::new()));

        let rule = HeaderRule::new(Mode::Drop, [("Authorization", Mode::Redact), ("X-Two", Mode::Keep)]);
        let wants = Wants { forwarded_for: true, request: rule, ..Wants::default() }.with_kind();
        let head = Head::of(&request, &wants);
        assert_eq!(head.kind, RequestKind::WebSocket);
        assert_eq!(head.forwarded_for.expect("the line"), "1.2.3.4");
        let kept: Vec<_> = head.kept.iter().map(|field| (field.name.as_str(), field.value.as_ref())).collect();
        let value = HeaderValue::from_static;
        assert_eq!(kept, [("authorization", None), ("x-two", Some(&value("a"))), ("x-two", Some(&value("b")))]);
    }
}
