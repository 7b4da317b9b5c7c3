//! Where connections come in: an address, and who accepts on it.

mod listen;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::census::{Capacity, Connections};
use crate::connection;
use crate::forwarded::Forwarded;
use crate::observer::Observer;
use crate::options::EntryPointOptions;
use crate::runtime::RuntimeHandle;

pub(crate) use listen::bind;

/// How long nobody is accepted after the system had nothing left to accept with.
const BREATH: Duration = Duration::from_millis(10);

/// How long nothing is said about it after it was said.
const COMPLAINT: Duration = Duration::from_secs(1);

/// How many connections are shed between two breaths.
const SHED_AT_ONCE: usize = 64;

/// An entry point, as its connections see it.
pub(crate) struct EntryPoint {
    /// Its place among the gateway's, and in every `Runtime`.
    pub(crate) number: usize,
    pub(crate) options: EntryPointOptions,
    pub(crate) forwarded: Forwarded,
    pub(crate) runtime: RuntimeHandle,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

/// Accepts connections on one thread.
pub(crate) struct Acceptor {
    entry_point: Arc<EntryPoint>,
    capacity: Arc<Capacity>,
    listener: TcpListener,
    connections: Arc<Connections>,
    /// When it may be said again that nothing can be accepted.
    next_complaint: Instant,
}

impl Acceptor {
    /// To be called on a runtime, which is the one that connections are served on.
    pub(crate) fn new(
        entry_point: Arc<EntryPoint>,
        capacity: Arc<Capacity>,
        listener: std::net::TcpListener,
    ) -> io::Result<Self> {
        Ok(Self {
            entry_point,
            capacity,
            listener: TcpListener::from_std(listener)?,
            connections: Arc::default(),
            next_complaint: Instant::now(),
        })
    }

    /// Accepts until the end is announced and the grace for new requests is over, and then waits for those that are
    /// there. Returns when none is left, or the grace for them is over too: what then still runs is to be cut.
    ///
    /// Returns at once when whoever would announce the end is gone.
    pub(crate) async fn run(mut self, mut ending: watch::Receiver<bool>) {
        let life_cycle = self.entry_point.options.life_cycle;
        let announced = tokio::select! {
            announced = ending.wait_for(|&ending| ending) => announced.is_ok(),
            () = self.accept_for_ever() => false,
        };
        if !announced {
            return;
        }
        let _ = timeout(life_cycle.accept_grace, self.accept_for_ever()).await;
        self.accept_backlog();
        let Self { listener, connections, .. } = self;
        drop(listener);
        connections.drain();
        let _ = timeout(life_cycle.grace, connections.emptied()).await;
    }

    async fn accept_for_ever(&mut self) {
        loop {
            match self.accept().await {
                Ok((stream, peer)) if self.capacity.reserve.is_kept() => self.admit(stream, peer),
                // The last descriptor is for turning away those who come next.
                Ok((stream, _)) => {
                    self.shed(stream);
                    self.capacity.reserve.give_up(|| ());
                }
                Err(error) => self.on_error(&error).await,
            }
        }
    }

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.capacity.reserve.accept(|| self.listener.poll_accept(cx))).await
    }

    /// Takes in whoever was told by the system that he is connected: closing the socket would cut him off.
    fn accept_backlog(&self) {
        while let Some(Ok((stream, peer))) = self.accept().now_or_never() {
            self.admit(stream, peer);
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let Some(place) = self.capacity.take() else {
            self.shed(stream);
            return;
        };
        // A connection that is gone already has no address, and a client that does not like his segments sent at once
        // is served all the same.
        let Ok(local) = stream.local_addr() else { return };
        let _ = stream.set_nodelay(true);
        let seat = self.connections.enter();
        let opened = Opened::new(&self.entry_point);
        let served = connection::serve(stream, peer, local, Arc::clone(&self.entry_point), seat);
        // Owned by its seat: the acceptor waits for it, and what outlasts the wait ends with the thread's runtime.
        tokio::spawn(async move {
            let _held = (place, opened);
            served.await;
        });
    }

    fn shed(&self, stream: TcpStream) {
        drop(stream);
        if let Some(observer) = &self.entry_point.observer {
            observer.connection_shed(&self.entry_point.options.name);
        }
    }

    /// An error of one connection concerns nobody else. Any other is waited out, so that it does not keep the thread
    /// busy; and clients that cannot be served are told so instead of being left waiting.
    async fn on_error(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
            return;
        }
        if Instant::now() >= self.next_complaint {
            self.next_complaint = Instant::now() + COMPLAINT;
            tracing::warn!(entry_point = %self.entry_point.options.name, %error, "cannot accept");
        }
        self.capacity.reserve.give_up(|| {
            for _ in 0..SHED_AT_ONCE {
                let Some(Ok((stream, _))) = self.listener.accept().now_or_never() else { break };
                self.shed(stream);
            }
        });
        sleep(BREATH).await;
    }
}

/// Tells the observer that a connection came, and that it went.
struct Opened {
    entry_point: Arc<EntryPoint>,
}

impl Opened {
    fn new(entry_point: &Arc<EntryPoint>) -> Self {
        if let Some(observer) = &entry_point.observer {
            observer.connection_opened(&entry_point.options.name);
        }
        Self { entry_point: Arc::clone(entry_point) }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(observer) = &self.entry_point.observer {
            observer.connection_closed(&self.entry_point.options.name);
        }
    }
}
