//! A network that fails on command.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// A TCP proxy before a server, in whose hands its connections are.
///
/// What it does to bytes is said with [`FaultProxy::set`] and holds for the connections that exist and for new ones,
/// from the next byte on. What it does to connections ([`FaultProxy::cut`], [`FaultProxy::refuse`]) happens before
/// the call returns.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<thread::JoinHandle<()>>,
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
    /// What the client says arrives, what the server answers is lost, and the connection stays open.
    LoseReplies,
    /// What the client says arrives; the connection is closed when the server answers. The client cannot know whether
    /// its command was executed. It was.
    CutOnReply,
}

impl FaultProxy {
    /// A proxy before the server at `upstream`, on a free loopback port.
    ///
    /// # Panics
    /// When no port can be bound.
    pub fn start(upstream: SocketAddr) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, crate::free_port()));
        let shared = Arc::new(Shared { upstream, state: Mutex::default(), changed: Condvar::new() });
        let mut proxy = Self { address, shared, accepting: None };
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
        for stream in state.streams.drain(..) {
            // It may have been closed by its peer.
            let _ = stream.shutdown(Shutdown::Both);
        }
        state.cuts += 1;
        drop(state);
        self.shared.changed.notify_all();
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

    /// Listens again after [`FaultProxy::refuse`], on the same port.
    ///
    /// # Panics
    /// When the port is taken.
    pub fn accept(&mut self) {
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
    streams: Vec<TcpStream>,
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
        let birth = {
            let mut state = self.state();
            state.accepted += 1;
            state.streams.extend([client.try_clone()?, server.try_clone()?]);
            state.cuts
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
            match (self.pass(birth), direction) {
                (None, _) | (Some(Fault::CutOnReply), Direction::ToClient) => return Ok(()),
                (Some(Fault::LoseReplies), Direction::ToClient) => continue,
                (Some(Fault::Delay(delay)), Direction::ToClient) => thread::sleep(delay),
                _ => {}
            }
            to.write_all(&buffer[..read])?;
        }
    }

    /// Waits while everything is stalled, and says what is to be done then; `None` if the connection was cut.
    fn pass(&self, birth: u64) -> Option<Fault> {
        let state = self.state();
        let state = self
            .changed
            .wait_while(state, |state| state.fault == Fault::Stall && state.cuts == birth)
            .expect("no thread panics while it holds the state");
        (state.cuts == birth).then_some(state.fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Redis;
    use crate::resp::Connection;

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
}
