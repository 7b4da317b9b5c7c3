//! A connection on which only unambiguous requests arrive, and in time.

mod ending;
mod patience;
mod state;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{Advance, Framing, Limits, State, Violation};
use ending::Ending;
use patience::Patience;
pub use patience::Timeouts;
pub use state::{Answering, GuardState};

/// What hyper is given in the middle of a head so that it answers 400 and closes.
///
/// A NUL may stand nowhere in a head. The empty line is there because hyper looks at a head again
/// only when it seems complete.
const POISON: &[u8] = b"\0\r\n\r\n";

/// A connection on which only unambiguous requests arrive, and in time.
///
/// Stands between a socket (or TLS stream) and hyper, which reads and writes through it. What
/// [`Framing`] refuses ends the connection:
///
/// - **In a head**, when everything asked before is answered and sent, the guard writes the answer
///   itself, with the status of the [`Violation`], and hyper sees the end of the connection. When
///   an answer is still outstanding, writing would overtake it; then hyper is given bytes
///   it must refuse, and answers 400 itself when the turn comes.
/// - **In a body** reading fails with an error that wraps the [`Violation`], so that whoever reads
///   the body learns that it did not end; the answer is theirs.
///
/// A client too slow for the [`Timeouts`] is treated alike (408), except that one who has not begun
/// a request is left without a word.
///
/// When the connection is shut down while the client is still sending, [`poll_shutdown`] goes on
/// reading for half a second, so that the last answer is not lost to a reset.
///
/// The gateway has to say which requests it answers:
///
/// ```
/// # use tollgate_wire::{Guard, Limits, Timeouts};
/// # async fn serve(socket: tokio::net::TcpStream) -> hyper::Result<()> {
/// let guard = Guard::new(socket, Limits::default(), Timeouts::default());
/// let state = guard.state().clone();
/// let service = hyper::service::service_fn(move |_request| {
///     let answering = state.answering();
///     // A real body carries `answering` along, and drops it at its own end.
///     let body = http_body_util::Full::new(bytes::Bytes::from("hello"))
///         .map_frame(move |frame| (&answering, frame).1);
///     async { Ok::<_, std::convert::Infallible>(http::Response::new(body)) }
/// });
/// # use http_body_util::BodyExt;
/// let io = hyper_util::rt::TokioIo::new(guard);
/// hyper::server::conn::http1::Builder::new().serve_connection(io, service).await
/// # }
/// ```
///
/// [`poll_shutdown`]: AsyncWrite::poll_shutdown
#[derive(Debug)]
pub struct Guard<S> {
    stream: S,
    framing: Framing,
    patience: Patience,
    state: Arc<GuardState>,
    reading: Reading,
    writing: Writing,
    /// How many answers had been completed when all that was written had been sent.
    sent: u64,
    /// Whether something was written since.
    unsent: bool,
}

/// What a read does.
#[derive(Debug)]
enum Reading {
    /// Passes on what the client sends.
    Open,
    /// Decides how to refuse the rest of a head.
    Refused(Violation),
    /// Gives what is left of the poison, and then the end.
    Poison(&'static [u8]),
    /// Answers and closes, and then gives the end.
    Ending(Ending),
    /// Fails: a body cannot be read to its end.
    Failed(Violation),
    /// Gives the end: the client's, or that of our patience.
    Ended,
}

/// How far the stream is shut down for writing.
#[derive(Debug)]
enum Writing {
    Open,
    /// It is, but the client still sends.
    Listening(Ending),
    Shut,
}

impl<S> Guard<S> {
    /// Guards `stream`, of which nothing was read yet. Needs a tokio runtime with time.
    pub fn new(stream: S, limits: Limits, timeouts: Timeouts) -> Self {
        Self {
            stream,
            framing: Framing::new(limits),
            patience: Patience::new(timeouts),
            state: Arc::default(),
            reading: Reading::Open,
            writing: Writing::Open,
            sent: 0,
            unsent: false,
        }
    }

    /// What the gateway and this guard tell each other.
    pub fn state(&self) -> &Arc<GuardState> {
        &self.state
    }

    /// How to end a connection on which `violation` was found in a head.
    fn refuse_head(&self, violation: Violation) -> Reading {
        // hyper drops the body of an answer only after it has taken all of it, so what was sent
        // after the last body was dropped is everything hyper has to say.
        if self.state.is_answered() && self.sent == self.state.answered() {
            Reading::Ending(Ending::refusing(violation))
        } else {
            Reading::Poison(POISON)
        }
    }

    fn on_violation(&mut self, violation: Violation) {
        self.state.on_violation(violation);
        self.reading =
            if self.framing.is_body_refused() { Reading::Failed(violation) } else { Reading::Refused(violation) };
    }

    fn on_exhausted(&mut self) {
        let violation = match self.framing.state() {
            State::Head => Violation::HeadTimeout,
            State::Body => Violation::BodyTimeout,
            State::Idle | State::Passthrough | State::Closed => {
                self.reading = Reading::Ended;
                return;
            }
        };
        self.framing.close(violation);
        self.on_violation(violation);
    }

    fn on_written(&mut self, bytes: usize) {
        self.state.on_written(bytes);
        self.unsent = true;
    }

    fn on_flushed(&mut self) {
        self.sent = self.state.answered();
        if self.unsent {
            self.unsent = false;
            self.patience.on_flushed();
        }
    }

    /// Whether the client may be sending what nobody will read.
    fn is_client_sending(&self) -> bool {
        match self.reading {
            Reading::Open => matches!(self.framing.state(), State::Head | State::Body),
            Reading::Ended => false,
            _ => true,
        }
    }
}

impl<S: AsyncRead + Unpin> Guard<S> {
    /// Reads from the client and returns how many bytes were passed on. After 0 the next step is another.
    fn poll_open(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        if self.state.is_upgraded() {
            self.framing.upgraded();
        }
        let start = buf.filled().len();
        if Pin::new(&mut self.stream).poll_read(cx, buf)?.is_pending() {
            ready!(self.patience.poll_exhausted(cx, &self.framing, self.state.is_answered()));
            self.on_exhausted();
            return Poll::Ready(Ok(0));
        }
        let bytes = &buf.filled()[start..];
        if bytes.is_empty() {
            self.reading = Reading::Ended;
            return Poll::Ready(Ok(0));
        }
        self.state.on_read(bytes.len());
        let Advance { pass, violation } = self.framing.advance(bytes);
        self.state.on_framing(&self.framing);
        if let Some(violation) = violation {
            buf.set_filled(start + pass);
            self.on_violation(violation);
        }
        Poll::Ready(Ok(pass))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guard<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            match &mut this.reading {
                Reading::Open => {
                    if ready!(this.poll_open(cx, buf))? > 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                // Only here, when hyper asks for more, is it known which answers have been sent.
                Reading::Refused(violation) => {
                    let violation = *violation;
                    this.reading = this.refuse_head(violation);
                }
                Reading::Poison(left) => {
                    let (now, later) = left.split_at(left.len().min(buf.remaining()));
                    buf.put_slice(now);
                    *left = later;
                    return Poll::Ready(Ok(()));
                }
                Reading::Ending(ending) => {
                    ready!(ending.poll(cx, &mut this.stream));
                    this.state.on_written(ending.spoken());
                    this.reading = Reading::Ended;
                    this.writing = Writing::Shut;
                }
                Reading::Failed(violation) => return Poll::Ready(Err(violation.into_io())),
                Reading::Ended => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, buf))?;
        this.on_written(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write_vectored(cx, bufs))?;
        this.on_written(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_flush(cx))?;
        this.on_flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match &mut this.writing {
                Writing::Open => {
                    ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                    this.writing =
                        if this.is_client_sending() { Writing::Listening(Ending::listening()) } else { Writing::Shut };
                }
                Writing::Listening(ending) => {
                    ready!(ending.poll(cx, &mut this.stream));
                    this.writing = Writing::Shut;
                }
                Writing::Shut => return Poll::Ready(Ok(())),
            }
        }
    }
}
