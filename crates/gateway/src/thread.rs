//! The threads that serve: each with a runtime of its own, and a listener of its own for every entry point.
//!
//! A connection stays on its thread, and so do its requests and its connections to backends. Threads share the
//! `Runtime` snapshot and what the snapshot refers to, nothing else.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use futures_util::future::join_all;
use tokio::runtime;
use tokio::sync::{oneshot, watch};

use crate::census::Capacity;
use crate::entry_point::{Acceptor, EntryPoint};

/// One of the threads.
pub(crate) struct Thread {
    handle: thread::JoinHandle<()>,
    /// Told when the thread serves nobody any more.
    ended: oneshot::Receiver<()>,
}

impl Thread {
    /// Starts a thread that accepts on `listeners`.
    pub(crate) fn start(
        number: usize,
        listeners: Vec<(Arc<EntryPoint>, TcpListener)>,
        capacity: &Arc<Capacity>,
        ending: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let acceptors = {
            let _entered = runtime.enter();
            listeners
                .into_iter()
                .map(|(entry_point, listener)| Acceptor::new(entry_point, Arc::clone(capacity), listener))
                .collect::<io::Result<Vec<_>>>()?
        };
        let (tell_ended, ended) = oneshot::channel();
        let handle = thread::Builder::new().name(format!("serve-{number}")).spawn(move || {
            runtime.block_on(join_all(acceptors.into_iter().map(|acceptor| acceptor.run(ending.clone()))));
            // Cuts what the grace was too short for.
            drop(runtime);
            // Nobody has to be listening.
            let _ = tell_ended.send(());
        })?;
        Ok(Self { handle, ended })
    }

    /// Waits for the end of the thread.
    pub(crate) async fn ended(self) {
        // An error means that the thread has ended too, by a panic.
        let _ = self.ended.await;
        // The last it did was to say that it ends.
        if self.handle.join().is_err() {
            tracing::error!("a thread of the gateway panicked");
        }
    }
}
