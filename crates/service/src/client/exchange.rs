//! One request and its answer, on one connection.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderMap, Request, StatusCode};
use tokio::time::Sleep;
use tollgate_pipeline::{Body, BodyError};

use super::Transport;
use super::answer::Flaw;
use super::connection::Connection;
use super::head::{Asked, Head};
use super::outgoing::{Outgoing, OutgoingError};
use super::pool::Reusable;

/// Sends a request and waits for the head of its answer, both in the future of whoever asked: no task stands in between.
/// Dropped, the connection is closed.
///
/// When the answer was read, it waits in the pool for the next request. It is large, and stays where it is.
pub(super) struct Exchange {
    pub(super) connection: Connection,
    pub(super) outgoing: Outgoing,
    asked: Asked,
    /// The map of the request's fields, which becomes that of the answer's.
    room: HeaderMap,
    /// How long the heads of interim answers were.
    interim: usize,
    /// How much of the head was looked at and found to be incomplete.
    looked_at: usize,
    /// The request can be written no further. What the backend has said before that may still be read.
    broken: Option<io::Error>,
    patience: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

/// Why no head arrived.
#[derive(Debug)]
pub(super) enum Failure {
    /// The body of the request broke off.
    RequestBody(BodyError),
    /// The connection did, before a byte of the answer.
    Silent(io::Error),
    /// The connection did, in the middle of the head.
    Broken(io::Error),
    /// It cannot be passed on.
    Invalid(Flaw),
    /// It took too long.
    TimedOut,
}

impl Exchange {
    /// The one to come on this connection.
    pub(super) fn on(connection: Connection, outgoing: Outgoing) -> Box<Self> {
        Box::new(Self {
            connection,
            outgoing,
            asked: Asked::default(),
            room: HeaderMap::new(),
            interim: 0,
            looked_at: 0,
            broken: None,
            patience: Duration::ZERO,
            deadline: None,
        })
    }

    /// Begins to send `request`, which happens when the head of its answer is waited for.
    pub(super) fn begin(&mut self, request: Request<Body>, transport: &Transport) {
        (self.asked, self.room) = self.outgoing.begin(request, transport.continue_timeout);
        // They are written, and hold memory that the client's next request could be read into.
        self.room.clear();
        (self.interim, self.looked_at) = (0, 0);
        (self.patience, self.deadline) = (transport.answer_timeout, None);
    }

    /// Lets go of what is more than a waiting connection should hold.
    pub(super) fn rest(&mut self) {
        self.connection.reader.rest();
        self.outgoing.rest();
        self.deadline = None;
    }

    /// Whether the rest of the request will never be sent: the backend takes no more, or has answered without asking
    /// for a body that waits to be asked for.
    pub(super) fn is_cut_short(&self) -> bool {
        self.broken.is_some() || self.outgoing.is_held()
    }

    /// Whether to begin again on another connection, after `failure` on a kept one: the backend may have closed it in
    /// the moment when the request was sent.
    pub(super) fn may_repeat(&mut self, failure: &Failure) -> bool {
        matches!(failure, Failure::Silent(_)) && self.outgoing.rewind()
    }

    /// Begins again on this one.
    pub(super) fn repeat_on(&mut self, connection: Connection) {
        self.connection = connection;
        self.broken = None;
        self.deadline = None;
    }

    /// Sends what can be sent and reads what is there.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, Failure>> {
        loop {
            self.send(cx)?;
            let Poll::Ready(head) = self.poll_read_head(cx) else { break };
            let head = head?;
            if head.status == StatusCode::SWITCHING_PROTOCOLS && !self.outgoing.is_sent() {
                // What is left of the request would be taken for the new protocol's first bytes.
                return Poll::Ready(Err(Failure::Invalid(Flaw::Upgrade)));
            }
            if !head.is_interim() {
                return Poll::Ready(Ok(head));
            }
            if head.status == StatusCode::CONTINUE {
                self.outgoing.open();
            }
            self.room = head.headers;
        }
        self.poll_deadline(cx).map(|()| Err(Failure::TimedOut))
    }

    fn send(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        if self.outgoing.is_sent() || self.broken.is_some() {
            return Ok(());
        }
        match self.outgoing.poll_send(&mut self.connection.stream, cx) {
            Poll::Ready(Err(OutgoingError::Body(error))) => Err(Failure::RequestBody(error)),
            Poll::Ready(Err(OutgoingError::Io(error))) => {
                self.broken = Some(error);
                Ok(())
            }
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    fn poll_read_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, Failure>> {
        loop {
            if let Some(head) = self.take_head()? {
                return Poll::Ready(Ok(head));
            }
            let Connection { stream, reader } = &mut self.connection;
            match ready!(reader.poll_read(stream, cx)) {
                Ok(0) => return Poll::Ready(Err(self.ended(io::ErrorKind::UnexpectedEof.into()))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(self.ended(error))),
            }
        }
    }

    /// The head, once it is complete. Only a line end among the new bytes can have completed it; looking at the others
    /// again each time would make a head that arrives byte by byte dear.
    fn take_head(&mut self) -> Result<Option<Head>, Failure> {
        let bytes = &mut self.connection.reader.bytes;
        let there = bytes.len();
        let new = &bytes[self.looked_at..];
        let may_be_complete = if self.looked_at == 0 { !new.is_empty() } else { memchr::memchr(b'\n', new).is_some() };
        let head = if may_be_complete {
            Head::take(bytes, &mut self.room, &self.asked).map_err(Failure::Invalid)?
        } else {
            None
        };
        let of_heads = if head.is_some() { there - bytes.len() } else { there };
        if self.interim + of_heads > MOST_HEAD {
            return Err(Failure::Invalid(Flaw::Malformed("a head that is too large")));
        }
        match head {
            Some(_) => (self.interim, self.looked_at) = (self.interim + of_heads, 0),
            None => self.looked_at = there,
        }
        Ok(head)
    }

    fn ended(&mut self, error: io::Error) -> Failure {
        let error = self.broken.take().unwrap_or(error);
        if self.interim == 0 && self.connection.reader.bytes.is_empty() {
            Failure::Silent(error)
        } else {
            Failure::Broken(error)
        }
    }

    /// The time runs from the moment when the request was sent: how long its body takes is the client's affair. Without
    /// a limit there is no timer.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.patience.is_zero() || !self.outgoing.is_sent() {
            return Poll::Pending;
        }
        let patience = self.patience;
        self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience))).as_mut().poll(cx)
    }
}

impl Reusable for Box<Exchange> {
    fn is_alive(&self) -> bool {
        self.connection.is_alive()
    }

    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.connection.poll_gone(cx)
    }
}

/// How large a head may be, together with those of interim answers before it.
const MOST_HEAD: usize = 400 << 10;
