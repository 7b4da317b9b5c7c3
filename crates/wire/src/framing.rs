//! Which bytes of a connection may pass.

mod body;
mod head;
mod line;

use crate::{Limits, Violation};
use body::{Chunked, Part};
use head::{Body, Head, Step};
use line::{Found, LineBuffer};

/// What follows `PRI * HTTP/2.0\r\n` in the preface of HTTP/2 (RFC 9113 §3.4).
const PREFACE_REST: &[u8] = b"\r\nSM\r\n\r\n";

/// Which bytes of a connection may pass: a reader of HTTP/1 framing without clock and socket.
///
/// Bytes are put in with [`advance`](Self::advance) as they arrive. However they are cut, the same
/// lines pass; of the line that is refused those bytes have passed that arrived before its end did.
/// Only a line that is not complete yet is kept, and [`Limits`] bound it.
///
/// ```
/// use tollgate_wire::{Framing, Limits, State, Violation};
///
/// let mut framing = Framing::new(Limits::default());
/// let good = framing.advance(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
/// assert_eq!((good.pass, good.violation), (32, None));
/// assert_eq!(framing.state(), State::Idle);
///
/// let bad = framing.advance(b"GET / HTTP/1.1\nHost: a.test\n\n");
/// assert_eq!((bad.pass, bad.violation), (0, Some(Violation::BareLineFeed)));
/// ```
#[derive(Clone, Debug)]
pub struct Framing {
    limits: Limits,
    phase: Phase,
    line: LineBuffer,
    heads: u64,
}

/// How many of the bytes put in may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Advance {
    /// So many bytes, from the first, may pass: all of them, or those before the line that is refused.
    pub pass: usize,
    /// Why the rest may not. In a head it comes before the end of the head has passed.
    pub violation: Option<Violation>,
}

/// Where in the stream of messages the reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Between messages.
    Idle,
    /// In a head.
    Head,
    /// In a body, trailers included.
    Body,
    /// The bytes are no longer HTTP/1: HTTP/2, or what an upgrade made of them.
    Passthrough,
    /// After a violation.
    Closed,
}

#[derive(Clone, Debug)]
enum Phase {
    Head(Head),
    /// Bytes left of a body of known length, never 0.
    Length(u64),
    Chunked(Chunked),
    /// What is missing of the preface, never empty.
    Preface(&'static [u8]),
    Passthrough,
    Closed {
        violation: Violation,
        within: State,
    },
}

impl Framing {
    /// A reader at the start of a connection.
    pub fn new(limits: Limits) -> Self {
        Self { limits, phase: Phase::Head(Head::first()), line: LineBuffer::default(), heads: 0 }
    }

    /// Reads on. After a violation nothing passes any more, and the same violation is returned.
    pub fn advance(&mut self, bytes: &[u8]) -> Advance {
        let mut pass = 0;
        while pass < bytes.len() {
            match self.step(&bytes[pass..]) {
                Ok(taken) => pass += taken,
                Err(violation) => {
                    self.close(violation);
                    return Advance { pass, violation: Some(violation) };
                }
            }
        }
        Advance { pass, violation: None }
    }

    /// Where in the stream of messages the reader stands.
    pub fn state(&self) -> State {
        match &self.phase {
            Phase::Head(head) if head.is_untouched() && self.line.len() == 0 => State::Idle,
            Phase::Head(_) | Phase::Preface(_) => State::Head,
            Phase::Length(_) | Phase::Chunked(_) => State::Body,
            Phase::Passthrough => State::Passthrough,
            Phase::Closed { .. } => State::Closed,
        }
    }

    /// How many heads have passed completely.
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// Whether the violation was in a body, whose head had passed.
    pub fn is_body_refused(&self) -> bool {
        matches!(self.phase, Phase::Closed { within: State::Body, .. })
    }

    /// From here on everything passes: the connection was upgraded.
    ///
    /// A body that has begun is read to its end first, and this must be called again then; a
    /// closed connection stays closed.
    pub fn upgraded(&mut self) {
        if matches!(self.phase, Phase::Head(_)) {
            self.phase = Phase::Passthrough;
            self.line = LineBuffer::default();
        }
    }

    /// How many bytes of a line have passed whose end has not arrived.
    pub(crate) fn kept(&self) -> usize {
        self.line.len()
    }

    /// From here on nothing passes.
    pub(crate) fn close(&mut self, violation: Violation) {
        let within = match self.phase {
            Phase::Closed { within, .. } => within,
            _ => self.state(),
        };
        self.phase = Phase::Closed { violation, within };
        self.line = LineBuffer::default();
    }

    /// Reads one line or one run of bytes from `bytes`, which are not empty. Returns how many were taken, at least one.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        match &mut self.phase {
            Phase::Head(head) => match self.line.find(bytes, head.room(&self.limits)) {
                Found::Partial => Ok(bytes.len()),
                Found::TooLong => Err(Violation::HeadTooLarge),
                Found::Line { line, taken } => {
                    let step = head.on_line(line, &self.limits);
                    self.line.clear();
                    self.on_head(step?);
                    Ok(taken)
                }
            },
            Phase::Length(left) => {
                let taken = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= taken as u64;
                if *left == 0 {
                    self.next_message();
                }
                Ok(taken)
            }
            Phase::Chunked(chunked) => {
                let (taken, part) = chunked.step(bytes, &mut self.line)?;
                if part == Part::End {
                    self.next_message();
                }
                Ok(taken)
            }
            Phase::Preface(rest) => {
                let (&expected, after) = rest.split_first().expect("a finished preface is passed through");
                if bytes.first() != Some(&expected) {
                    return Err(Violation::Preface);
                }
                self.phase = if after.is_empty() { Phase::Passthrough } else { Phase::Preface(after) };
                Ok(1)
            }
            Phase::Passthrough => Ok(bytes.len()),
            Phase::Closed { violation, .. } => Err(*violation),
        }
    }

    fn on_head(&mut self, step: Step) {
        match step {
            Step::More => {}
            Step::Preface => self.phase = Phase::Preface(PREFACE_REST),
            Step::End(body) => {
                self.heads += 1;
                match body {
                    Body::None => self.next_message(),
                    Body::Length(length) => self.phase = Phase::Length(length.get()),
                    Body::Chunked => self.phase = Phase::Chunked(Chunked::new(&self.limits)),
                }
            }
        }
    }

    fn next_message(&mut self) {
        self.phase = Phase::Head(Head::next());
    }
}
