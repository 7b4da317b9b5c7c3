//! A network that fails on command.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// A TCP proxy before a server, in whose hands its connections are.
///
/// What it does to bytes is said with [`FaultProxy::set`] and holds for the connections that exist and for new ones,
/// from the next byte on. What it does to connections ([`FaultProxy::cut`], [`FaultProxy::half_close`],
/// [`FaultProxy::refuse`], [`FaultProxy::ignore`]) happens before the call returns.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<thread::JoinHandle<()>>,
    ignoring: Option<Ignoring>,
}

/// What happens to bytes on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Nothing: they pass.
    #[default]
    None,
    /// What the server says arrives this much later.
    Delay(Duration),
    /// Nothing moves in either direction until the fault changes; nothing is lost.
    Stall,
    /// What the client says arrives. What the server answers waits until the fault changes; nothing is lost.
    StallReplies,
    /// What the client says arrives, what the server answers is lost, and the connection stays open.
    LoseReplies,
    /// What the client says arrives; the connection is closed when the server answers. The client cannot know whether
    /// its command was executed. It was.
    CutOnReply,
    /// Every byte that the server answers arrives as another one.
    Garble,
    /// Whatever the server answers, the client reads this instead.
    Say(&'static [u8]),
}

impl Fault {
    fn holds(self, direction: Direction) -> bool {
        match self {
            Self::Stall => true,
            Self::StallReplies => direction == Direction::ToClient,
            _ => false,
        }
    }
}

impl FaultProxy {
    /// A proxy before the server at `upstream`, on a free loopback port.
    ///
    /// # Panics
    /// When no port can be bound.
    pub fn start(upstream: SocketAddr) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, crate::free_port()));
        let shared = Arc::new(Shared { upstream, state: Mutex::default(), changed: Condvar::new() });
        let mut proxy = Self { address, shared, accepting: None, ignoring: None };
        proxy.accept();
        proxy
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as written in a configuration: `127.0.0.1:port`.
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// Does this to all bytes from now on.
    pub fn set(&self, fault: Fault) {
        self.shared.state().fault = fault;
        self.shared.changed.notify_all();
    }

    /// Cuts every connection. New ones are accepted.
    pub fn cut(&self) {
        let mut state = self.shared.state();
        for Connection { client, server, .. } in state.connections.drain(..) {
            // Either may have been closed by its peer.
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
        state.cuts += 1;
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Says no more on any connection, and says so: clients read the end, and may go on talking.
    pub fn half_close(&self) {
        for connection in &self.shared.state().connections {
            let _ = connection.client.shutdown(Shutdown::Write);
        }
    }

    /// Cuts every connection and stops listening, so that new ones are refused by the kernel.
    pub fn refuse(&mut self) {
        let Some(accepting) = self.accepting.take() else { return };
        self.shared.state().refusing = true;
        // Wakes the thread that waits in `accept`; it drops the listener before it ends.
        let _ = TcpStream::connect(self.address);
        accepting.join().expect("the accepting thread does not panic");
        self.cut();
    }

    /// Cuts every connection, and neither accepts nor refuses new ones: the kernel drops what they send, as a firewall
    /// does that says nothing.
    ///
    /// # Panics
    /// When the port is taken.
    pub fn ignore(&mut self) {
        self.refuse();
        self.ignoring = Some(Ignoring::on(self.address).expect("the port of the fault proxy is free"));
    }

    /// Listens again after [`FaultProxy::refuse`] or [`FaultProxy::ignore`], on the same port.
    ///
    /// # Panics
    /// When the port is taken.
    pub fn accept(&mut self) {
        self.ignoring = None;
        if self.accepting.is_some() {
            return;
        }
        self.shared.state().refusing = false;
        let listener = TcpListener::bind(self.address).expect("the port of the fault proxy is free");
        let shared = Arc::clone(&self.shared);
        self.accepting = Some(thread::spawn(move || shared.serve(&listener)));
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.state().accepted
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.set(Fault::None);
        self.refuse();
    }
}

// === impl Ignoring ===

/// A port whose queue of connections that nobody accepts is full.
#[derive(Debug)]
struct Ignoring {
    _listener: Socket,
    _queue: Vec<TcpStream>,
}

impl Ignoring {
    fn on(address: SocketAddr) -> io::Result<Self> {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        listener.set_reuse_address(true)?;
        listener.bind(&address.into())?;
        listener.listen(0)?;
        let next = || TcpStream::connect_timeout(&address, Duration::from_millis(50)).ok();
        Ok(Self { _listener: listener, _queue: std::iter::from_fn(next).collect() })
    }
}

// === impl Shared ===

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    state: Mutex<State>,
    /// Signalled when `fault` or `cuts` changes.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    fault: Fault,
    refusing: bool,
    accepted: usize,
    /// How often everything was cut. A connection of an earlier time is dead, whatever its threads hold.
    cuts: u64,
    connections: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    /// Tells it from the others: how many were accepted before it.
    number: usize,
    client: TcpStream,
    server: TcpStream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds the state")
    }

    fn serve(self: Arc<Self>, listener: &TcpListener) {
        while let Ok((client, _)) = listener.accept() {
            if self.state().refusing {
                return;
            }
            // A server that is down looks to the client as if we were.
            let _ = self.open(client);
        }
    }

    fn open(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(self.upstream)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (number, birth) = {
            let mut state = self.state();
            let connection =
                Connection { number: state.accepted, client: client.try_clone()?, server: server.try_clone()? };
            state.accepted += 1;
            state.connections.push(connection);
            (state.accepted - 1, state.cuts)
        };
        for (from, to, direction) in
            [(client.try_clone()?, server.try_clone()?, Direction::ToServer), (server, client, Direction::ToClient)]
        {
            let shared = Arc::clone(self);
            thread::spawn(move || {
                // Either end may go away at any time: then both do.
                let _ = shared.pump(&from, &to, direction, birth);
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
                shared.state().connections.retain(|connection| connection.number != number);
            });
        }
        Ok(())
    }

    fn pump(&self, mut from: &TcpStream, mut to: &TcpStream, direction: Direction, birth: u64) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = from.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            let Some(fault) = self.pass(direction, birth) else { return Ok(()) };
            let bytes = &mut buffer[..read];
            if direction == Direction::ToClient {
                match fault {
                    Fault::CutOnReply => return Ok(()),
                    Fault::LoseReplies => continue,
                    Fault::Delay(delay) => thread::sleep(delay),
                    // No byte stays what it was, and most are not even ASCII any more.
                    Fault::Garble => bytes.iter_mut().for_each(|byte| *byte ^= 0xA5),
                    Fault::Say(words) => {
                        to.write_all(words)?;
                        continue;
                    }
                    Fault::None | Fault::Stall | Fault::StallReplies => {}
                }
            }
            to.write_all(bytes)?;
        }
    }

    /// Waits while this direction is stalled, and says what is to be done then; `None` if the connection was cut.
    fn pass(&self, direction: Direction, birth: u64) -> Option<Fault> {
        let state = self.state();
        let state = self
            .changed
            .wait_while(state, |state| state.fault.holds(direction) && state.cuts == birth)
            .expect("no thread panics while it holds the state");
        (state.cuts == birth).then_some(state.fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Redis;
    use crate::resp::Connection;
    use crate::wait_until_blocking;

    fn store() -> (Redis, FaultProxy) {
        let redis = Redis::start();
        let proxy = FaultProxy::start(redis.address());
        (redis, proxy)
    }

    #[test]
    fn bytes_pass_until_something_is_said() {
        let (_redis, proxy) = store();
        let mut connection = Connection::open(proxy.address()).unwrap();
        assert_eq!(connection.command(&["PING"]).unwrap().text(), "PONG");
        assert_eq!(proxy.connections(), 1);
    }

    #[test]
    fn a_lost_reply_means_the_command_was_executed() {
        let (redis, proxy) = store();
        for fault in [Fault::LoseReplies, Fault::CutOnReply] {
            let mut connection = Connection::open(proxy.address()).unwrap();
            connection.set_patience(Duration::from_millis(100));
            proxy.set(fault);
            assert!(connection.command(&["INCR", "key"]).is_err());
            proxy.set(Fault::None);
        }
        assert_eq!(redis.command(&["GET", "key"]).integer(), 2);
    }

    #[test]
    fn a_stalled_command_arrives_when_the_stall_ends() {
        let (redis, proxy) = store();
        let mut connection = Connection::open(proxy.address()).unwrap();
        connection.set_patience(Duration::from_millis(20));
        proxy.set(Fault::Stall);
        assert!(connection.command(&["INCR", "key"]).is_err());
        assert_eq!(redis.command(&["EXISTS", "key"]).integer(), 0);
        connection.set_patience(Duration::from_secs(5));
        proxy.set(Fault::None);
        assert_eq!(connection.command(&["INCR", "key"]).unwrap().integer(), 1);
    }

    #[test]
    fn cut_connections_are_dead_and_new_ones_live() {
        let (_redis, proxy) = store();
        let mut connection = Connection::open(proxy.address()).unwrap();
        assert!(connection.command(&["PING"]).is_ok());
        proxy.cut();
        assert!(connection.command(&["PING"]).is_err());
        assert!(Connection::open(proxy.address()).unwrap().command(&["PING"]).is_ok());
    }

    #[test]
    fn refused_connections_never_open() {
        let (_redis, mut proxy) = store();
        proxy.refuse();
        let error = Connection::open(proxy.address()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        proxy.accept();
        assert!(Connection::open(proxy.address()).unwrap().command(&["PING"]).is_ok());
    }

    #[test]
    fn stalled_replies_are_late_and_their_commands_are_not() {
        let (redis, proxy) = store();
        let mut connection = Connection::open(proxy.address()).unwrap();
        connection.set_patience(Duration::from_millis(20));
        proxy.set(Fault::StallReplies);
        assert!(connection.command(&["INCR", "key"]).is_err());
        wait_until_blocking(|| redis.command(&["EXISTS", "key"]).integer() == 1, Duration::from_secs(5));
        connection.set_patience(Duration::from_secs(5));
        proxy.set(Fault::None);
        assert_eq!(connection.command(&["ECHO", "x"]).unwrap().integer(), 1);
    }

    #[test]
    fn replies_are_not_what_they_were() {
        let (_redis, proxy) = store();
        for (fault, expected) in [(Fault::Garble, None), (Fault::Say(b":7\r\n"), Some(7))] {
            let mut connection = Connection::open(proxy.address()).unwrap();
            proxy.set(fault);
            connection.set_patience(Duration::from_millis(100));
            assert_eq!(connection.command(&["INCR", "key"]).ok().map(|reply| reply.integer()), expected);
        }
    }

    #[test]
    fn half_closed_connections_have_an_end_and_new_ones_live() {
        let (_redis, proxy) = store();
        let mut connection = Connection::open(proxy.address()).unwrap();
        assert!(connection.command(&["PING"]).is_ok());
        proxy.half_close();
        assert_eq!(connection.command(&["PING"]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(Connection::open(proxy.address()).unwrap().command(&["PING"]).is_ok());
    }

    #[test]
    fn ignored_connections_are_neither_opened_nor_refused() {
        let (_redis, mut proxy) = store();
        proxy.ignore();
        let error = TcpStream::connect_timeout(&proxy.address(), Duration::from_millis(200)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        proxy.accept();
        assert!(Connection::open(proxy.address()).unwrap().command(&["PING"]).is_ok());
    }

    #[test]
    fn a_connection_that_ended_is_not_kept() {
        let (_redis, proxy) = store();
        for _ in 0..3 {
            assert!(Connection::open(proxy.address()).unwrap().command(&["PING"]).is_ok());
        }
        wait_until_blocking(|| proxy.shared.state().connections.is_empty(), Duration::from_secs(5));
    }
}
