//! The whole: listens, serves, and ends in order.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use futures_util::future::join_all;
use tokio::sync::watch;

use crate::census::Capacity;
use crate::entry_point::{EntryPoint, bind};
use crate::forwarded::{Forwarded, hostname};
use crate::observer::Observer;
use crate::options::GatewayOptions;
use crate::runtime::RuntimeHandle;
use crate::thread::Thread;

/// A running gateway. Dropping it cuts every connection; [`shutdown`](Self::shutdown) does not.
pub struct Gateway {
    addresses: Vec<(Arc<str>, SocketAddr)>,
    threads: Vec<Thread>,
    ending: watch::Sender<bool>,
    lifecycle: Lifecycle,
    capacity: Arc<Capacity>,
}

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("entry point {entry_point}: cannot listen on {address}")]
    Listen {
        /// The entry point.
        entry_point: Arc<str>,
        /// Its address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start a thread")]
    Thread(#[from] io::Error),
}

/// Whether the end has begun. Known to `/ping` before it is known to anybody else.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle(Arc<AtomicBool>);

impl Lifecycle {
    /// The end begins.
    pub fn end(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether new requests should go elsewhere.
    pub fn is_ending(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Gateway {
    /// Listens on all entry points, and then serves what `runtime` holds at the moment of each request.
    ///
    /// `observer` is told what happens; without one nothing is remembered for it either.
    pub fn start(
        options: GatewayOptions,
        runtime: &RuntimeHandle,
        lifecycle: Lifecycle,
        observer: Option<&Arc<dyn Observer>>,
    ) -> Result<Self, StartError> {
        let threads = options.threads.or_else(|| available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let capacity = options.max_connections.map_or_else(Capacity::of_process, Capacity::new);
        let hostname = hostname();
        let mut addresses = Vec::with_capacity(options.entry_points.len());
        let mut by_thread: Vec<Vec<_>> = (0..threads).map(|_| Vec::new()).collect();
        for (number, options) in options.entry_points.into_iter().enumerate() {
            let (address, listeners) = bind(options.address, options.reuse_port, threads).map_err(|source| {
                StartError::Listen { entry_point: Arc::clone(&options.name), address: options.address, source }
            })?;
            addresses.push((Arc::clone(&options.name), address));
            let entry_point = Arc::new(EntryPoint {
                number,
                forwarded: Forwarded::new(options.forwarded.clone(), &hostname),
                options,
                runtime: runtime.clone(),
                observer: observer.cloned(),
            });
            for (thread, listener) in by_thread.iter_mut().zip(listeners) {
                thread.push((Arc::clone(&entry_point), listener));
            }
        }
        let (ending, on_ending) = watch::channel(false);
        let threads = by_thread
            .into_iter()
            .enumerate()
            .map(|(number, listeners)| Thread::start(number, listeners, &capacity, on_ending.clone()))
            .collect::<io::Result<_>>()?;
        Ok(Self { addresses, threads, ending, lifecycle, capacity })
    }

    /// The entry points and the addresses they listen on, in the order of the options.
    pub fn local_addrs(&self) -> &[(Arc<str>, SocketAddr)] {
        &self.addresses
    }

    /// How many connections are open.
    pub fn open_connections(&self) -> usize {
        self.capacity.open()
    }

    /// Ends in order. [`Lifecycle`] says so first; each entry point takes requests for its grace and then no more;
    /// answers in flight finish, kept-alive connections are told to close, and what is left after the second grace is
    /// cut. Returns when nothing is served any more.
    pub async fn shutdown(mut self) {
        self.lifecycle.end();
        // Nobody listens if all threads have died, and then there is nothing to end.
        let _ = self.ending.send(true);
        join_all(std::mem::take(&mut self.threads).into_iter().map(Thread::ended)).await;
    }
}
