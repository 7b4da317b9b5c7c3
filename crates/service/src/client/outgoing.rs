//! A request on its way to a backend.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderValue, Method, Request, header};
use http_body::{Body as _, Frame};
use tokio::io::AsyncWrite;
use tokio::time::Sleep;
use tollgate_pipeline::{Body, BodyError};

use super::encoder::{self, Coding};
use super::head::Asked;
use crate::fields;

/// A request that is being sent: its head and, as the client sends it, its body.
pub(super) struct Outgoing {
    /// The head, and those parts of the body that are small. What is sent stays until there is more to say, so that a
    /// request without a body can be sent again.
    buffer: Vec<u8>,
    /// How much of `buffer` is sent.
    sent: usize,
    /// A part of the body that is too large to be copied, behind `buffer`, and what comes behind it.
    chunk: Bytes,
    chunk_end: &'static [u8],
    body: Body,
    coding: Coding,
    gate: Option<Gate>,
    /// Everything is in the buffers.
    whole: bool,
    /// How many bytes the socket has taken.
    taken: u64,
    repeatable: bool,
}

/// Why a request could not be sent.
#[derive(Debug)]
pub(super) enum OutgoingError {
    /// Its body could not be read: the client's affair.
    Body(BodyError),
    /// It could not be written.
    Io(io::Error),
}

/// Holds a body back until the backend asks for it, as the client does that sent `Expect: 100-continue`, or for this
/// long, because not every backend knows the expectation. Reading the body is what makes the entry point ask the client.
enum Gate {
    Closed(Duration),
    Waiting(Pin<Box<Sleep>>),
}

impl Outgoing {
    /// Nothing yet: what is to be sent will be written to `buffer`.
    pub(super) fn new(buffer: Vec<u8>) -> Self {
        Self {
            buffer,
            sent: 0,
            chunk: Bytes::new(),
            chunk_end: b"",
            body: Body::empty(),
            coding: Coding::Length(0),
            gate: None,
            whole: true,
            taken: 0,
            repeatable: false,
        }
    }

    /// Begins to send `request`, when the last was sent. Says what the answer's meaning depends on, and gives the map of
    /// fields back for further use.
    pub(super) fn begin(&mut self, request: Request<Body>, patience: Duration) -> (Asked, HeaderMap) {
        let coding = Coding::of(request.body());
        self.buffer.clear();
        let seen = encoder::head(&mut self.buffer, request.method(), request.uri(), request.headers(), coding);
        let (parts, body) = request.into_parts();
        let whole = body.is_empty();
        let expects = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
        let gated = !whole && seen.expect && parts.headers.get(header::EXPECT).is_some_and(expects);
        (self.sent, self.taken) = (0, 0);
        (self.body, self.coding, self.whole) = (body, coding, whole);
        self.gate = gated.then_some(Gate::Closed(patience));
        self.repeatable = whole && parts.method.is_safe();
        let asked = Asked {
            bodyless: parts.method == Method::HEAD,
            // With a body it could not be told apart from the new protocol's first bytes.
            upgrade: if seen.upgrade && whole { parts.headers.get(header::UPGRADE).cloned() } else { None },
        };
        (asked, parts.headers)
    }

    /// Sends as much as can be sent now; ready when that was everything.
    pub(super) fn poll_send(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), OutgoingError>> {
        loop {
            self.fill(cx).map_err(OutgoingError::Body)?;
            if self.waiting() == 0 {
                return if self.whole { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            ready!(self.poll_write(io, cx)).map_err(OutgoingError::Io)?;
        }
    }

    /// Whether everything was sent.
    pub(super) fn is_sent(&self) -> bool {
        self.whole && self.waiting() == 0
    }

    /// How many bytes the socket has taken.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// The backend asks for the body.
    pub(super) fn open(&mut self) {
        self.gate = None;
    }

    /// Whether the body is still held back.
    pub(super) fn is_held(&self) -> bool {
        self.gate.is_some()
    }

    /// Begins again, on another connection, if that does no harm: nothing of it was sent, or it has no body and its
    /// method is safe (RFC 9110 §9.2.2; Go's transport does the same).
    pub(super) fn rewind(&mut self) -> bool {
        let harmless = self.taken == 0 || self.repeatable;
        if harmless {
            self.sent = 0;
        }
        harmless
    }

    /// Lets go of what is more than a waiting connection should hold.
    pub(super) fn rest(&mut self) {
        if self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
    }

    /// Takes from the body what is there, as long as it fits.
    fn fill(&mut self, cx: &mut Context<'_>) -> Result<(), BodyError> {
        while !self.whole && self.chunk_end.is_empty() && self.chunk.is_empty() && self.buffer.len() - self.sent < ROOM
        {
            if self.gate.as_mut().is_some_and(|gate| gate.poll(cx).is_pending()) {
                return Ok(());
            }
            self.gate = None;
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else { return Ok(()) };
            match frame {
                Some(frame) => self.push(frame?)?,
                None => self.end(None)?,
            }
        }
        Ok(())
    }

    fn push(&mut self, frame: Frame<Bytes>) -> Result<(), BodyError> {
        match fields::clean_trailers(frame).into_data() {
            Ok(data) => self.push_data(data)?,
            Err(trailers) => return self.end(trailers.trailers_ref()),
        }
        if self.body.is_end_stream() { self.end(None) } else { Ok(()) }
    }

    fn push_data(&mut self, data: Bytes) -> Result<(), BodyError> {
        if data.is_empty() {
            return Ok(());
        }
        if self.sent == self.buffer.len() || self.sent >= ROOM {
            self.buffer.drain(..self.sent);
            self.sent = 0;
        }
        match &mut self.coding {
            Coding::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or("the body is longer than it said")?;
                self.chunk_end = b"";
            }
            Coding::Chunked => {
                encoder::chunk_size(&mut self.buffer, data.len());
                self.chunk_end = b"\r\n";
            }
        }
        if data.len() > COPIED {
            self.chunk = data;
        } else {
            self.buffer.extend_from_slice(&data);
            self.buffer.extend_from_slice(std::mem::take(&mut self.chunk_end));
        }
        Ok(())
    }

    fn end(&mut self, trailers: Option<&HeaderMap>) -> Result<(), BodyError> {
        match self.coding {
            Coding::Length(0) => {}
            Coding::Length(_) => return Err("the body is shorter than it said".into()),
            Coding::Chunked if self.chunk.is_empty() => encoder::last_chunk(&mut self.buffer, trailers),
            // Trailers come alone, when nothing waits in front of them any more.
            Coding::Chunked => self.chunk_end = b"\r\n0\r\n\r\n",
        }
        self.whole = true;
        self.body = Body::empty();
        Ok(())
    }

    fn waiting(&self) -> usize {
        self.buffer.len() - self.sent + self.chunk.len() + self.chunk_end.len()
    }

    fn poll_write(&mut self, io: &mut (impl AsyncWrite + Unpin), cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let io = Pin::new(io);
        let buffer = &self.buffer[self.sent..];
        let written = if self.chunk.is_empty() && self.chunk_end.is_empty() {
            ready!(io.poll_write(cx, buffer))?
        } else {
            let parts = [IoSlice::new(buffer), IoSlice::new(&self.chunk), IoSlice::new(self.chunk_end)];
            ready!(io.poll_write_vectored(cx, &parts))?
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.taken += written as u64;
        self.advance(written);
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, written: usize) {
        let of_buffer = written.min(self.buffer.len() - self.sent);
        self.sent += of_buffer;
        let of_chunk = (written - of_buffer).min(self.chunk.len());
        self.chunk.advance(of_chunk);
        self.chunk_end = &self.chunk_end[written - of_buffer - of_chunk..];
    }
}

impl Gate {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Self::Closed(patience) = self {
            *self = Self::Waiting(Box::pin(tokio::time::sleep(*patience)));
        }
        match self {
            Self::Waiting(sleep) => sleep.as_mut().poll(cx),
            Self::Closed(_) => Poll::Pending,
        }
    }
}

/// Up to this size a part of a body is copied behind what waits already, which is cheaper than to send it apart.
const COPIED: usize = 4 << 10;

/// No more is read of a body while this much of it is not sent.
const ROOM: usize = 16 << 10;

/// How much memory a waiting connection keeps for what it will send.
const KEPT: usize = 16 << 10;
