//! A connection to a backend.

use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::TcpStream;

/// A connection with the memory that answers are read into.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) reader: Reader,
}

impl Connection {
    /// Connects to `address`, a host and a port.
    pub(super) async fn dial(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
        Ok(Self { stream, reader: Reader::default() })
    }

    /// Whether a request may be sent on it, as far as this thread has heard: it costs no system call unless something
    /// has happened.
    pub(super) fn is_alive(&self) -> bool {
        // Nobody has anything to say before the next request: neither bytes nor the end.
        matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Ready once the backend has closed it, or has said something that nobody asked for.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let readable = ready!(self.stream.poll_read_ready(cx));
            if readable.is_err() || !self.is_alive() {
                return Poll::Ready(());
            }
        }
    }
}

/// Reads bytes into memory that is used again once nobody holds what was read. The more arrives at once, the more room
/// a read is given.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) bytes: BytesMut,
    /// The room of a read is the least, doubled so often.
    doublings: u32,
    /// The most that was read at once since the last rest.
    most: usize,
}

impl Reader {
    /// Reads what is there; zero is the end of the connection.
    pub(super) fn poll_read(
        &mut self,
        io: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.spare() < self.room() / 2 {
            self.bytes.reserve(self.room());
        }
        let spare = self.spare();
        let read = ready!(pin!(io.read_buf(&mut self.bytes)).poll(cx))?;
        self.most = self.most.max(read);
        if read == spare && self.doublings < MOST_DOUBLINGS {
            self.doublings += 1;
        }
        Poll::Ready(Ok(read))
    }

    /// Lets go of what is more than a waiting connection should hold. What the last answer was like is remembered, for
    /// the next will be like it.
    pub(super) fn rest(&mut self) {
        if self.doublings > 0 {
            self.bytes = BytesMut::new();
            if self.most < self.room() / 4 {
                self.doublings -= 1;
            }
        }
        self.most = 0;
    }

    fn room(&self) -> usize {
        LEAST_READ << self.doublings
    }

    fn spare(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }
}

/// After how much silence the kernel asks whether the backend's machine is still there, as Traefik has it.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How much room a read is given at least, and how often that is doubled: up to 128 KiB.
const LEAST_READ: usize = 8 << 10;
const MOST_DOUBLINGS: u32 = 4;
