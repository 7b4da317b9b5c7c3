//! What a backend answers, and whether it can be passed on.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use http::{Response, StatusCode};
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tollgate_pipeline::Body;

use super::Client;
use super::connection::{Connection, Reader};
use super::decoder::{Decoder, Part};
use super::exchange::Exchange;
use super::head::Head;
use super::sending::Sending;
use crate::fields;

/// What makes an answer impossible to pass on.
///
/// We pass on only what can be read in one way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Not HTTP/1, or more than anybody should say.
    #[error("malformed: {0}")]
    Malformed(&'static str),
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

/// The answer that begins with `head`, as the rest of the program sees it. Its connection goes back to `client` when its
/// body was read to the end, which is now if all of it is here.
pub(super) fn receive(client: &Client, mut exchange: Box<Exchange>, head: Head) -> Response<Body> {
    let Head { status, headers, body: decoder, persistent } = head;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if status == StatusCode::SWITCHING_PROTOCOLS {
        let Connection { stream, reader } = exchange.connection;
        let tunnel = Tunnel { stream, early: reader.bytes };
        response.extensions_mut().insert(Upgrade(Arc::new(Mutex::new(Some(tunnel)))));
        return response;
    }
    let keeper = Some(client).filter(|_| persistent && !exchange.is_cut_short());
    let here = &mut exchange.connection.reader.bytes;
    *response.body_mut() = match decoder {
        Decoder::Length(length) if length <= here.len() as u64 => {
            let body = here.split_to(length as usize).freeze();
            Line::of(exchange).end(keeper);
            Body::full(body)
        }
        decoder => Body::stream(Arriving { decoder, line: Some(Line::of(exchange)), keeper: keeper.cloned() }),
    };
    response
}

/// The body of an answer.
struct Arriving {
    decoder: Decoder,
    /// Until the end. Dropped before it, the connection is closed, for what is left of the answer is still in it.
    line: Option<Line>,
    /// Who takes the connection for further requests.
    keeper: Option<Client>,
}

/// Where an answer comes from.
enum Line {
    /// From a connection on which nothing more is sent.
    Whole(Box<Exchange>),
    /// From one half of a connection; on the other the request is still being sent.
    Half(OwnedReadHalf, Reader, Sending),
}

impl Line {
    fn of(exchange: Box<Exchange>) -> Self {
        if exchange.outgoing.is_sent() || exchange.is_cut_short() {
            return Self::Whole(exchange);
        }
        let Exchange { connection: Connection { stream, reader }, outgoing, .. } = *exchange;
        let (reading, writing) = stream.into_split();
        Self::Half(reading, reader, Sending::spawn(outgoing, writing))
    }

    /// The bytes that were read and not yet taken.
    fn bytes(&mut self) -> &mut BytesMut {
        match self {
            Self::Whole(exchange) => &mut exchange.connection.reader.bytes,
            Self::Half(_, reader, _) => &mut reader.bytes,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match self {
            Self::Whole(exchange) => exchange.connection.reader.poll_read(&mut exchange.connection.stream, cx),
            Self::Half(half, reader, _) => reader.poll_read(half, cx),
        }
    }

    /// The answer was read to its end. A connection on which there is more has lost its order.
    fn end(mut self, keeper: Option<&Client>) {
        let keeper = keeper.filter(|_| self.bytes().is_empty());
        match (self, keeper) {
            (Self::Whole(exchange), Some(keeper)) => keeper.keep(exchange),
            (Self::Whole(_), None) => {}
            (Self::Half(half, reader, sending), keeper) => sending.outlive(half, reader, keeper.cloned()),
        }
    }
}

impl Arriving {
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Part>> {
        let broken_off = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let line = self.line.as_mut().ok_or_else(broken_off)?;
        loop {
            let part = self.decoder.next(line.bytes());
            if let Some(part) = part.map_err(|flaw| io::Error::new(io::ErrorKind::InvalidData, flaw))? {
                return Poll::Ready(Ok(part));
            }
            if ready!(line.poll_read(cx))? == 0 {
                self.decoder.on_connection_end().ok_or_else(broken_off)?;
            }
        }
    }

    fn on_end(&mut self) {
        if let Some(line) = self.line.take() {
            line.end(self.keeper.as_ref());
        }
    }
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.line.is_none() && self.decoder.is_at_end() {
            return Poll::Ready(None);
        }
        let part = ready!(self.poll_part(cx));
        // The reader need not ask again once it knows that this was the end, so the end is looked for after every part.
        match &part {
            Ok(_) if self.decoder.is_at_end() => self.on_end(),
            Ok(_) => {}
            Err(_) => self.line = None,
        }
        Poll::Ready(match part {
            Ok(Part::Data(data)) => Some(Ok(Frame::data(data))),
            Ok(Part::Trailers(trailers)) => Some(Ok(fields::clean_trailers(Frame::trailers(trailers)))),
            Ok(Part::End) => None,
            Err(error) => Some(Err(error)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.decoder.is_at_end()
    }

    fn size_hint(&self) -> SizeHint {
        self.decoder.left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// The backend's end of a connection that stops being HTTP: in the extensions of a `101`.
///
/// Whoever owns the client's connection takes it out, sends the `101`, and joins the two ends.
#[derive(Clone)]
pub struct Upgrade(Arc<Mutex<Option<Tunnel>>>);

impl Upgrade {
    /// Takes it out of a `101`.
    pub fn take(response: &mut Response<Body>) -> Option<Self> {
        response.extensions_mut().remove()
    }

    /// The backend's end as a stream of bytes, beginning with those that came right behind the head of its answer.
    ///
    /// # Errors
    /// When a clone of this has taken it.
    pub fn tunnel(self) -> io::Result<Tunnel> {
        self.0.lock().take().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Carries bytes between the backend and `client` until both have said all they had to say or one is gone.
    /// Returns how many went to the client and how many came from it. Dropping the future cuts both.
    pub async fn join(self, mut client: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<(u64, u64)> {
        let mut tunnel = self.tunnel()?;
        tokio::io::copy_bidirectional(&mut tunnel, &mut client).await
    }
}

/// A stream of bytes to and from a backend.
pub struct Tunnel {
    stream: TcpStream,
    /// What was read together with the head.
    early: BytesMut,
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let length = self.early.len().min(buffer.remaining());
        buffer.put_slice(&self.early[..length]);
        self.early.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
