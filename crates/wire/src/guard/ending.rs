//! How a connection ends that still has something to say, to a client that still has something to send.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::patience::Timer;
use crate::Violation;

/// How long a client may go on sending after our last byte, as long as Go's `net/http`.
const LINGER: Duration = Duration::from_millis(500);

/// How much a client may go on sending after our last byte.
const LINGER_BYTES: usize = 4 << 20;

/// The end of a connection: last words, then silence, then listening for a while.
///
/// The listening is for the client's sake: a socket closed with bytes unread is reset, and a reset
/// takes from the client what it has not read yet, our answer included.
#[derive(Debug)]
pub(super) struct Ending {
    words: Vec<u8>,
    spoken: usize,
    stage: Stage,
    due: Instant,
    timer: Timer,
    heard: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Speak,
    Flush,
    Shutdown,
    Listen,
    Over,
}

impl Ending {
    /// Ends a connection with an answer to `violation`.
    pub(super) fn refusing(violation: Violation) -> Self {
        Self::new(answer(violation), Stage::Speak)
    }

    /// Ends a connection on which everything is said and which is shut down for writing.
    pub(super) fn listening() -> Self {
        Self::new(Vec::new(), Stage::Listen)
    }

    fn new(words: Vec<u8>, stage: Stage) -> Self {
        Self { words, spoken: 0, stage, due: Instant::now() + LINGER, timer: Timer::default(), heard: 0 }
    }

    /// Ends the connection. The wait is bounded; that the client is gone is no error.
    pub(super) fn poll<S>(&mut self, cx: &mut Context<'_>, stream: &mut S) -> Poll<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        while self.stage != Stage::Over {
            match self.poll_stage(cx, Pin::new(stream)) {
                Poll::Ready(Ok(next)) => self.stage = next,
                Poll::Ready(Err(_)) => self.stage = Stage::Over,
                Poll::Pending => {
                    ready!(self.timer.poll(cx, self.due));
                    self.stage = Stage::Over;
                }
            }
        }
        Poll::Ready(())
    }

    /// How many bytes of the answer were sent.
    pub(super) fn spoken(&self) -> usize {
        self.spoken
    }

    fn poll_stage<S>(&mut self, cx: &mut Context<'_>, stream: Pin<&mut S>) -> Poll<io::Result<Stage>>
    where
        S: AsyncRead + AsyncWrite,
    {
        Poll::Ready(Ok(match self.stage {
            Stage::Speak => match ready!(stream.poll_write(cx, &self.words[self.spoken..]))? {
                0 => Stage::Over,
                written => {
                    self.spoken += written;
                    if self.spoken < self.words.len() { Stage::Speak } else { Stage::Flush }
                }
            },
            Stage::Flush => {
                ready!(stream.poll_flush(cx))?;
                Stage::Shutdown
            }
            Stage::Shutdown => {
                ready!(stream.poll_shutdown(cx))?;
                Stage::Listen
            }
            Stage::Listen => {
                let mut space = [0; 4096];
                let mut buf = ReadBuf::new(&mut space);
                ready!(stream.poll_read(cx, &mut buf))?;
                self.heard += buf.filled().len();
                if buf.filled().is_empty() || self.heard > LINGER_BYTES { Stage::Over } else { Stage::Listen }
            }
            Stage::Over => Stage::Over,
        }))
    }
}

/// The whole answer to `violation`, in the words of Go's `net/http`.
fn answer(violation: Violation) -> Vec<u8> {
    let status = violation.status();
    let phrase = match status {
        408 => "Request Timeout",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        505 => "HTTP Version Not Supported",
        _ => "Bad Request",
    };
    let length = "400 ".len() + phrase.len();
    format!(
        "HTTP/1.1 {status} {phrase}\r\n\
         content-type: text/plain; charset=utf-8\r\n\
         content-length: {length}\r\n\
         connection: close\r\n\
         \r\n\
         {status} {phrase}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_its_own_phrase_and_length() {
        for violation in Violation::ALL {
            let text = String::from_utf8(answer(*violation)).expect("text");
            let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
            assert!(head.contains(&format!("content-length: {}", body.len())), "{text}");
            assert_eq!(body == "400 Bad Request", violation.status() == 400, "{text}");
        }
    }
}
