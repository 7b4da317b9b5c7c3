//! Which protocol a connection speaks, told by its first bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// What a client that knows that we speak HTTP/2 begins with (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The two protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    Http1,
    Http2,
}

/// Reads just enough of `stream` to know which protocol it speaks. `None` if it ended before it said anything.
///
/// No time limit: the stream has its own.
pub(super) async fn read<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<Option<(Spoken, Rewound<S>)>> {
    let mut first = [0; PREFACE.len()];
    let mut length = 0;
    loop {
        let read = stream.read(&mut first[length..]).await?;
        length += read;
        let spoken = match (first[..length] == PREFACE[..length], length) {
            (_, 0) => return Ok(None),
            (true, 24) => Spoken::Http2,
            // Ended amid the preface; whoever reads on will see that.
            (true, _) if read > 0 => continue,
            _ => Spoken::Http1,
        };
        return Ok(Some((spoken, Rewound { first, start: 0, end: length as u8, stream })));
    }
}

/// A stream whose first bytes come once more.
#[derive(Debug)]
pub(super) struct Rewound<S> {
    first: [u8; PREFACE.len()],
    start: u8,
    end: u8,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.start == this.end {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        }
        let left = &this.first[usize::from(this.start)..usize::from(this.end)];
        let now = left.len().min(buf.remaining());
        buf.put_slice(&left[..now]);
        this.start += now as u8;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn the_first_bytes_tell_and_are_not_lost() {
        for (sent, spoken) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], Spoken::Http1),
            (b"G", Spoken::Http1),
            (b"PUT / HTTP/1.1\r\n\r\n", Spoken::Http1),
            (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", Spoken::Http1),
            (b"PRI * HTTP", Spoken::Http1),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore", Spoken::Http2),
        ] {
            for piece in [1, 3, sent.len()] {
                let (mut client, server) = duplex(64);
                let client = async move {
                    for piece in sent.chunks(piece) {
                        client.write_all(piece).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                };
                let server = async {
                    let (told, mut rewound) = read(server).await.unwrap().unwrap();
                    let mut all = Vec::new();
                    rewound.read_to_end(&mut all).await.unwrap();
                    (told, all)
                };
                let ((), (told, all)) = tokio::join!(client, server);
                assert_eq!((told, &all[..]), (spoken, sent), "{:?} by {piece}", sent.escape_ascii());
            }
        }
    }

    #[tokio::test]
    async fn silence_is_no_protocol() {
        let (client, server) = duplex(64);
        drop(client);
        assert!(read(server).await.unwrap().is_none());
    }
}
