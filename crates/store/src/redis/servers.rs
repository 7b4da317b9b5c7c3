//! All servers of one store, and which of them is responsible for a key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tollgate_limiter::Monotonic;

pub(super) use super::hash_slot::hash_slot;
pub(super) use super::link::Called;

use super::error::{ErrorKind, StoreError};
use super::link::{Link, Setting};
use super::options::{Address, RedisOptions};
use super::script::Script;
use crate::clock::Clock;
use crate::stats::{LatencySnapshot, StoreStats};

/// Whether a store can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Available,
    /// It does not, and failure policies are in force until a probe finds it well.
    Unavailable(StoreError),
}

/// One server of a store at one moment.
#[derive(Debug, Clone)]
pub struct NodeSnapshot {
    /// `host:port`.
    pub address: String,
    /// Whether it may be asked.
    pub available: bool,
    /// Why not.
    pub error: Option<StoreError>,
    /// Which run of the server it is, if that is known.
    pub run_id: Option<Arc<str>>,
    /// How long calls to it took that were answered.
    pub latency: LatencySnapshot,
}

/// All servers of one store.
///
/// [`Servers::run`] keeps the connections and follows the topology; [`Servers::call`] brings a call to the server that
/// is responsible for its key. A server that is away is missed by its own keys only.
pub(super) struct Servers {
    setting: Arc<Setting>,
    map: ArcSwap<Map>,
    /// True until it was first tried to learn who the servers are. Requests wait for that as for an answer.
    is_looking: AtomicBool,
    /// Wakes those who wait for that.
    looked: Notify,
    /// When a key that is not ours was last spoken of.
    foreign_said: Mutex<Option<Monotonic>>,
}

/// Who is responsible for what.
#[derive(Default)]
struct Map {
    nodes: Vec<Node>,
}

/// A server with the task that keeps the link to it.
struct Node {
    link: Arc<Link>,
    keeper: AbortHandle,
}

/// A key that is not ours stays what it is, and is met by every request for it.
const FOREIGN_SAID_EVERY: Duration = Duration::from_secs(60);

impl Servers {
    /// The servers that `options` name. [`Servers::run`] will connect them; `scripts` are loaded on every connection,
    /// and the first of them is tried out.
    pub(super) fn new(options: RedisOptions, scripts: Vec<Script>, stats: Arc<StoreStats>, clock: Clock) -> Self {
        Self {
            setting: Arc::new(Setting { options, scripts, stats, clock, trouble: Notify::new() }),
            map: ArcSwap::default(),
            is_looking: AtomicBool::new(true),
            looked: Notify::new(),
            foreign_said: Mutex::new(None),
        }
    }

    /// Connects, and follows the topology. Runs until it is dropped, inside a runtime.
    pub(super) async fn run(self: Arc<Self>) {
        let address = Address::parse(&self.setting.options.endpoint);
        self.map.store(Arc::new(Map { nodes: vec![Node::start(address, &self.setting)] }));
        self.is_looking.store(false, Ordering::Release);
        self.looked.notify_waiters();
        std::future::pending::<()>().await;
    }

    pub(super) fn options(&self) -> &RedisOptions {
        &self.setting.options
    }

    /// True if it is known that the server responsible for `slot` may not be asked: do not wait for it. Without a
    /// cluster one server is responsible for every slot.
    pub(super) fn is_open(&self, slot: u16) -> bool {
        match self.map.load().node(slot) {
            Some(node) => node.link.is_open(),
            None => !self.is_looking.load(Ordering::Acquire),
        }
    }

    /// True if the keys of one call must all be of one hash slot.
    #[allow(clippy::unused_self, reason = "there are clusters to come")]
    pub(super) fn is_cluster(&self) -> bool {
        false
    }

    /// One script call for keys of `slot`, within the deadline. A script that the server does not know has not run, so
    /// it is loaded and called again; a call without an answer may have run, so it is not. Failures are counted, and
    /// open the breaker of the server that is to blame.
    pub(super) async fn call(&self, slot: u16, script: &Script, cmd: redis::Cmd) -> Result<Called, StoreError> {
        let deadline = self.setting.options.deadline;
        let mut asked = None;
        let answer = tokio::time::timeout(deadline, self.ask(slot, script, &cmd, &mut asked)).await;
        let error = match answer {
            Ok(Ok(called)) => return Ok(called),
            Ok(Err(error)) => error,
            Err(_) => {
                let error = StoreError::timeout(deadline);
                if let Some(link) = asked {
                    link.on_timeout(&error);
                }
                error
            }
        };
        self.setting.stats.failed(error.kind);
        Err(error)
    }

    /// As [`Servers::call`], without a deadline; `asked` is whom the answer is awaited from.
    async fn ask(
        &self,
        slot: u16,
        script: &Script,
        cmd: &redis::Cmd,
        asked: &mut Option<Arc<Link>>,
    ) -> Result<Called, StoreError> {
        let link = asked.insert(self.link(slot).await?);
        link.call(script, cmd).await
    }

    /// The link to the server responsible for `slot`. Waits until it was first tried to learn who that is.
    async fn link(&self, slot: u16) -> Result<Arc<Link>, StoreError> {
        loop {
            // Asked for before looking, so that what happens in between is not missed.
            let looked = self.looked.notified();
            let is_looking = self.is_looking.load(Ordering::Acquire);
            match self.map.load().node(slot) {
                Some(node) => return Ok(node.link.clone()),
                None if is_looking => looked.await,
                None => return Err(StoreError::not_connected()),
            }
        }
    }

    /// An answer made no sense, or said for one key of `slot` that it failed: counts it, and opens the breaker if the
    /// server is to blame.
    pub(super) fn on_failure(&self, slot: u16, error: &StoreError) {
        self.setting.stats.failed(error.kind);
        if let Some(node) = self.map.load().node(slot) {
            node.link.on_failure(error);
        }
        if error.kind == ErrorKind::ForeignValue && self.is_time_to_say() {
            let store = self.setting.options.name();
            tracing::error!(%store, %error, "a bucket cannot be read: its failure policy decides");
        }
    }

    fn is_time_to_say(&self) -> bool {
        let now = self.setting.clock.now();
        let mut said = self.foreign_said.lock();
        let is_time = said.is_none_or(|said| now.since(said) >= FOREIGN_SAID_EVERY);
        if is_time {
            *said = Some(now);
        }
        is_time
    }

    /// Instances last seen sharing this store, this one included.
    #[allow(clippy::unused_self, reason = "they are not counted yet")]
    #[expect(dead_code, reason = "shares are not kept yet")]
    pub(super) fn instances(&self) -> u32 {
        1
    }

    /// Whether the store can be used.
    pub(super) fn health(&self) -> Health {
        let map = self.map.load();
        if map.nodes.is_empty() {
            return Health::Unavailable(StoreError::not_connected());
        }
        map.nodes.iter().find_map(|node| node.link.failure()).map_or(Health::Available, Health::Unavailable)
    }

    /// Every server.
    pub(super) fn nodes(&self) -> Vec<NodeSnapshot> {
        self.map.load().nodes.iter().map(Node::snapshot).collect()
    }
}

impl Map {
    fn node(&self, _slot: u16) -> Option<&Node> {
        self.nodes.first()
    }
}

impl Node {
    /// A node whose link is kept by a task of the runtime this is called in.
    fn start(address: Address, setting: &Arc<Setting>) -> Self {
        let link = Arc::new(Link::new(address, setting.clone()));
        let keeper = tokio::spawn(link.clone().keep()).abort_handle();
        Self { link, keeper }
    }

    fn snapshot(&self) -> NodeSnapshot {
        NodeSnapshot {
            address: self.link.address().to_string(),
            available: self.link.is_closed(),
            error: self.link.failure(),
            run_id: self.link.run_id(),
            latency: self.link.latency().snapshot(),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}
