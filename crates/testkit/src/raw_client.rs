//! A client that sends bytes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::message::{Message, Otherwise};

/// A TCP connection to an HTTP/1 server. It sends what it is told and reads one strictly parsed answer at a time;
/// nothing may take longer than its patience (five seconds unless told).
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    buffer: Vec<u8>,
    patience: Duration,
}

impl RawClient {
    /// Connects to `address`.
    ///
    /// # Panics
    /// When that fails.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server accepts connections");
        stream.set_nodelay(true).expect("a connected socket");
        Self { stream, buffer: Vec::new(), patience: Duration::from_secs(5) }
    }

    /// Sets how long an answer may take.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The address of our end.
    ///
    /// # Panics
    /// When the socket has none.
    pub fn local(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// Sends these bytes. What the server no longer takes is lost.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Reads the next answer. A `1xx` is one of its own.
    ///
    /// # Panics
    /// When none arrives in time, or it is malformed.
    pub async fn answer(&mut self) -> Message {
        self.read_answer(false).await
    }

    /// Reads the next answer, which is one to `HEAD`.
    ///
    /// # Panics
    /// When none arrives in time, or it is malformed.
    pub async fn answer_to_head(&mut self) -> Message {
        self.read_answer(true).await
    }

    /// Sends a request and reads its answer.
    ///
    /// # Panics
    /// When none arrives in time, or it is malformed.
    pub async fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Message {
        self.send(bytes).await;
        self.answer().await
    }

    /// Reads `length` bytes, whatever they are.
    ///
    /// # Panics
    /// When they do not arrive in time.
    pub async fn bytes(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(self.read().await, "the connection was closed after {:?}", self.shown());
        }
        self.buffer.drain(..length).collect()
    }

    /// Waits until the server closes the connection, and returns what it sent before.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn closed(&mut self) -> Vec<u8> {
        while self.read().await {}
        std::mem::take(&mut self.buffer)
    }

    async fn read_answer(&mut self, to_head: bool) -> Message {
        let mut ended = false;
        loop {
            match self.parse(to_head, ended) {
                Ok(Some((message, length))) => {
                    self.buffer.drain(..length);
                    return message;
                }
                Ok(None) if !ended => ended = !self.read().await,
                Ok(None) => panic!("the connection was closed after {:?}", self.shown()),
                Err(fault) => panic!("{fault} in {:?}", self.shown()),
            }
        }
    }

    fn parse(&self, to_head: bool, ended: bool) -> Result<Option<(Message, usize)>, String> {
        let Some((head, _)) = Message::parse_head(&self.buffer)? else { return Ok(None) };
        let bodiless = to_head || matches!(head.status(), 100..=199 | 204 | 304);
        let otherwise = if bodiless { Otherwise::NeverABody } else { Otherwise::Close };
        Message::parse(&self.buffer, otherwise, ended)
    }

    async fn read(&mut self) -> bool {
        let read = tokio::time::timeout(self.patience, self.stream.read_buf(&mut self.buffer)).await;
        let read = read.unwrap_or_else(|_| panic!("nothing within {:?} after {:?}", self.patience, self.shown()));
        // A reset is an end too.
        read.is_ok_and(|read| read > 0)
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }
}

/// Asks for `path` on a connection of its own.
///
/// # Panics
/// When there is no answer in time.
pub async fn http_get(address: SocketAddr, path: &str) -> Message {
    let mut client = RawClient::connect(address).await;
    client.ask(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")).await
}
