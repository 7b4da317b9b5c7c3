//! A Redis client of thirty lines, so that a test can look at the store without trusting the client under test.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One connection to a Redis or Valkey server. It blocks.
#[derive(Debug)]
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Connects to `address`. No answer may take longer than five seconds.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sets how long a reply may take from now on.
    ///
    /// # Panics
    /// When `patience` is zero.
    pub fn set_patience(&self, patience: Duration) {
        self.0.get_ref().set_read_timeout(Some(patience)).expect("a patience above zero");
    }

    /// Sends one command and reads its reply.
    pub fn command<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<Reply> {
        let mut out = format!("*{}\r\n", arguments.len()).into_bytes();
        for argument in arguments.iter().map(AsRef::as_ref) {
            out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
            out.extend_from_slice(argument);
            out.extend_from_slice(b"\r\n");
        }
        self.0.get_mut().write_all(&out)?;
        self.read()
    }

    fn read(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| unexpected(line))?;
        let number = || rest.parse::<i64>().map_err(|_| unexpected(line));
        match kind {
            "+" => Ok(Reply::Simple(rest.to_owned())),
            "-" => Ok(Reply::Error(rest.to_owned())),
            ":" => number().map(Reply::Integer),
            "$" => match usize::try_from(number()?) {
                Ok(length) => self.read_bulk(length),
                Err(_) => Ok(Reply::Nil),
            },
            "*" => match number()? {
                -1 => Ok(Reply::Nil),
                count => (0..count).map(|_| self.read()).collect::<io::Result<_>>().map(Reply::Array),
            },
            _ => Err(unexpected(line)),
        }
    }

    fn read_bulk(&mut self, length: usize) -> io::Result<Reply> {
        let mut bytes = vec![0; length + 2];
        self.0.read_exact(&mut bytes)?;
        bytes.truncate(length);
        Ok(Reply::Bulk(bytes))
    }
}

/// What the server answered (RESP2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// `+OK`
    Simple(String),
    /// `-ERR …`
    Error(String),
    /// `:1`
    Integer(i64),
    /// `$3 …`
    Bulk(Vec<u8>),
    /// `$-1` or `*-1`
    Nil,
    /// `*2 …`
    Array(Vec<Reply>),
}

impl Reply {
    /// The reply as text: simple, error, bulk or integer.
    ///
    /// # Panics
    /// When it is nil or an array.
    pub fn text(&self) -> String {
        match self {
            Self::Simple(text) | Self::Error(text) => text.clone(),
            Self::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Integer(number) => number.to_string(),
            Self::Nil | Self::Array(_) => panic!("no text: {self:?}"),
        }
    }

    /// The element at `index` of an array, as text.
    ///
    /// # Panics
    /// When it is no array, or has no such element.
    pub fn text_at(&self, index: usize) -> String {
        match self {
            Self::Array(items) => items.get(index).unwrap_or_else(|| panic!("too short: {self:?}")).text(),
            _ => panic!("not an array: {self:?}"),
        }
    }

    /// The reply as an integer, also when it came as text.
    ///
    /// # Panics
    /// When it is none.
    pub fn integer(&self) -> i64 {
        self.text().parse().unwrap_or_else(|_| panic!("not an integer: {self:?}"))
    }
}

fn unexpected(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not a reply: {line:?}"))
}

const PATIENCE: Duration = Duration::from_secs(5);
