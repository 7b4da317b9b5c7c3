//! What a backend answers, and whether it can be passed on.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tollgate_pipeline::Body;

use super::outgoing::Gate;
use super::{Lease, Received};
use crate::fields;

/// What makes an answer impossible to pass on.
///
/// The engine rejects what it cannot parse and then decides for one reading of what can be read in two ways. We pass on
/// only what can be read in one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Not HTTP/1.
    #[error("malformed: {0}")]
    Malformed(String),
    /// Its length is stated twice, by number and as chunks.
    #[error("both Content-Length and Transfer-Encoding")]
    LengthAndEncoding,
    /// Its length is stated more than once, or not as a number.
    #[error("more than one Content-Length, or not a number")]
    Length,
    /// It is encoded in a way that does not say where it ends, or that we do not know.
    #[error("a Transfer-Encoding other than chunked")]
    Encoding,
    /// It changes the protocol, and nobody asked, or to another than was asked for.
    #[error("an unasked change of protocol")]
    Upgrade,
}

/// Whether the answer can be read in only one way. `asked` is the protocol that the request asked to change to.
pub(super) fn check(response: &Received, asked: Option<&HeaderValue>) -> Result<(), Flaw> {
    let headers = response.headers();
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return check_upgrade(headers, asked);
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let length = lengths.next();
    if lengths.next().is_some() || length.is_some_and(|length| !is_number(length)) {
        return Err(Flaw::Length);
    }
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(()),
        (Some(_), None) if length.is_some() => Err(Flaw::LengthAndEncoding),
        (Some(encoding), None) if encoding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Flaw::Encoding),
    }
}

fn check_upgrade(headers: &HeaderMap, asked: Option<&HeaderValue>) -> Result<(), Flaw> {
    let mut answered = headers.get_all(header::UPGRADE).iter();
    match (answered.next(), answered.next(), asked) {
        (Some(answered), None, Some(asked)) if answered.as_bytes().eq_ignore_ascii_case(asked.as_bytes()) => Ok(()),
        _ => Err(Flaw::Upgrade),
    }
}

fn is_number(value: &HeaderValue) -> bool {
    !value.is_empty() && value.as_bytes().iter().all(u8::is_ascii_digit)
}

/// The answer as the rest of the program sees it. Its connection comes back when its body was read to the end.
pub(super) fn receive(response: Received, lease: Lease, gate: Option<Gate>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let upgrade = head.extensions.remove::<OnUpgrade>();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    if let Some(upgrade) = upgrade.filter(|_| head.status == StatusCode::SWITCHING_PROTOCOLS) {
        response.extensions_mut().insert(Upgrade(upgrade));
        return response;
    }
    let mut body = Arriving { body, lease: Some(lease), gate };
    body.on_progress();
    *response.body_mut() = Body::stream(body);
    response
}

/// The body of an answer.
struct Arriving {
    body: Incoming,
    /// Until the end. Dropped before it, the connection is closed, for what is left of the answer is still in it.
    lease: Option<Lease>,
    gate: Option<Gate>,
}

impl Arriving {
    /// The reader need not ask again once it knows that this was the end, so the end is looked for after every frame.
    fn on_progress(&mut self) {
        if self.body.is_end_stream() {
            self.on_end();
        }
    }

    fn on_end(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            // Nothing comes behind trailers, and nobody asks.
            Some(Ok(frame)) if frame.is_trailers() => self.on_end(),
            Some(Ok(_)) => self.on_progress(),
            Some(Err(_)) => self.lease = None,
            None => self.on_end(),
        }
        Poll::Ready(frame.map(|frame| frame.map(fields::clean_trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if let Some(gate) = &self.gate {
            gate.shut();
        }
    }
}

/// The backend's end of a connection that stops being HTTP: in the extensions of a `101`.
///
/// Whoever owns the client's connection takes it out, sends the `101`, and joins the two ends.
#[derive(Clone)]
pub struct Upgrade(OnUpgrade);

impl Upgrade {
    /// Takes it out of a `101`.
    pub fn take(response: &mut Response<Body>) -> Option<Self> {
        response.extensions_mut().remove()
    }

    /// The backend's end as a stream of bytes, beginning with those that came right behind the head of its answer.
    pub async fn tunnel(self) -> io::Result<Tunnel> {
        self.0.await.map(|upgraded| Tunnel(TokioIo::new(upgraded))).map_err(io::Error::other)
    }

    /// Carries bytes between the backend and `client` until both have said all they had to say or one is gone.
    /// Returns how many went to the client and how many came from it. Dropping the future cuts both.
    pub async fn join(self, mut client: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<(u64, u64)> {
        tokio::io::copy_bidirectional(&mut self.tunnel().await?, &mut client).await
    }
}

/// A stream of bytes to and from a backend.
pub struct Tunnel(TokioIo<hyper::upgrade::Upgraded>);

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
