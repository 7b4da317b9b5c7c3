//! A backend that does as it is told, down to the byte.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::message::{Message, Otherwise};

/// An HTTP/1 server on a free loopback port that records what it receives, byte by byte and as requests.
///
/// A script plays its part on each connection, on a thread of its own. When the script returns, the connection is
/// closed. A request that is not strictly HTTP/1.1 fails the test as soon as it looks at [`Upstream::requests`].
pub struct Upstream {
    address: SocketAddr,
    record: Arc<Record>,
    accepting: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Record(Mutex<Recorded>);

#[derive(Default)]
struct Recorded {
    stopped: bool,
    requests: Vec<Message>,
    raw: Vec<Vec<u8>>,
    streams: Vec<TcpStream>,
    open: usize,
    faults: Vec<String>,
}

impl Record {
    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.0.lock().expect("no script panics while it holds the record")
    }
}

impl Upstream {
    /// A server whose connections are played by `script`.
    ///
    /// # Panics
    /// When no port can be bound.
    pub fn start(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let record = Arc::<Record>::default();
        let (script, recorder) = (Arc::new(script), Arc::clone(&record));
        let accepting = thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let Some(mut peer) = Peer::new(stream, &recorder) else { return };
                let script = Arc::clone(&script);
                thread::spawn(move || script(&mut peer));
            }
        });
        Self { address, record, accepting: Some(accepting) }
    }

    /// A server that reads each request to its end and gives this answer, and keeps its connections open.
    pub fn answering(answer: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::start(move |peer| {
            while peer.request().is_some() {
                peer.send(answer.as_ref());
            }
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as written in a configuration: `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests received so far, of all connections.
    ///
    /// # Panics
    /// When one of them was malformed.
    pub fn requests(&self) -> Vec<Message> {
        let record = self.record.lock();
        assert!(record.faults.is_empty(), "malformed requests arrived: {:?}", record.faults);
        record.requests.clone()
    }

    /// The only request received so far.
    ///
    /// # Panics
    /// When there was none, or more than one.
    pub fn request(&self) -> Message {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:#?}");
        requests.remove(0)
    }

    /// What was received, byte by byte, for each connection in the order they were made.
    pub fn raw(&self) -> Vec<Vec<u8>> {
        self.record.lock().raw.clone()
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.record.lock().raw.len()
    }

    /// How many connections are open: their script has not returned.
    pub fn open_connections(&self) -> usize {
        self.record.lock().open
    }

    /// Closes every connection.
    pub fn close(&self) {
        for stream in self.record.lock().streams.drain(..) {
            // It may have been closed by its peer.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.record.lock().stopped = true;
        // Wakes the thread that waits in `accept`.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        self.close();
    }
}

/// The other end of one connection, as its script sees it. What cannot be written is lost: the other side is gone.
pub struct Peer {
    stream: TcpStream,
    record: Arc<Record>,
    connection: usize,
    buffer: Vec<u8>,
}

impl Peer {
    fn new(stream: TcpStream, record: &Arc<Record>) -> Option<Self> {
        let mut recorded = record.lock();
        if recorded.stopped {
            return None;
        }
        stream.set_nodelay(true).expect("a connected socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a connected socket");
        recorded.streams.push(stream.try_clone().expect("a connected socket"));
        recorded.raw.push(Vec::new());
        recorded.open += 1;
        let connection = recorded.raw.len() - 1;
        Some(Self { stream, record: Arc::clone(record), connection, buffer: Vec::new() })
    }

    /// Which connection this is: 0 for the first.
    pub fn connection(&self) -> usize {
        self.connection
    }

    /// Reads one request to its end. `None` when the other side closed the connection or sent nonsense.
    pub fn request(&mut self) -> Option<Message> {
        self.read_message(|bytes| Message::parse(bytes, Otherwise::Nothing, false))
    }

    /// Reads the head of a request, and leaves its body for [`Peer::body`].
    pub fn head(&mut self) -> Option<Message> {
        self.read_message(Message::parse_head)
    }

    /// Reads `length` bytes; fewer if the other side closed the connection.
    pub fn body(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length && self.read() {}
        self.buffer.drain(..length.min(self.buffer.len())).collect()
    }

    /// Reads until the other side closes the connection.
    pub fn wait_closed(&mut self) {
        while self.read() {}
    }

    /// Sends these bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    fn read_message(&mut self, parse: impl Fn(&[u8]) -> Result<Option<(Message, usize)>, String>) -> Option<Message> {
        loop {
            match parse(&self.buffer) {
                Ok(Some((message, length))) => {
                    self.buffer.drain(..length);
                    self.record.lock().requests.push(message.clone());
                    return Some(message);
                }
                Ok(None) if self.read() => {}
                Ok(None) => return None,
                Err(fault) => {
                    self.record.lock().faults.push(fault);
                    return None;
                }
            }
        }
    }

    fn read(&mut self) -> bool {
        let mut bytes = [0; 16 * 1024];
        let read = loop {
            match self.stream.read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.unwrap_or(0),
            }
        };
        self.record.lock().raw[self.connection].extend_from_slice(&bytes[..read]);
        self.buffer.extend_from_slice(&bytes[..read]);
        read > 0
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
        self.record.lock().open -= 1;
    }
}

/// Something that one thread waits for and another brings about.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens it, for good.
    ///
    /// # Panics
    /// Never: nothing panics while it is held.
    pub fn open(&self) {
        *self.0.0.lock().expect("nothing panics while it is held") = true;
        self.0.1.notify_all();
    }

    /// Waits, blocking the thread, until it is open.
    ///
    /// # Panics
    /// When that takes longer than ten seconds.
    pub fn wait(&self) {
        let open = self.0.0.lock().expect("nothing panics while it is held");
        let waited = self.0.1.wait_timeout_while(open, PATIENCE, |open| !*open);
        let timed_out = waited.expect("nothing panics while it is held").1.timed_out();
        assert!(!timed_out, "the gate was not opened within {PATIENCE:?}");
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
