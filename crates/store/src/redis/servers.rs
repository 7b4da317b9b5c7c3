//! All servers of one store, and which of them is responsible for a key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tollgate_limiter::Monotonic;

pub(super) use super::hash_slot::hash_slot;
pub(super) use super::line::{Called, MakeCmd};

use super::address::Address;
use super::beat::{self, Beat, InstanceId};
use super::chance::Jitter;
use super::cluster;
use super::error::{ErrorKind, StoreError};
use super::health::{Health, NodeRole, NodeSnapshot};
use super::line::Asking;
use super::link::{Refusal, Setting};
use super::map::{Map, Node};
use super::options::{RedisOptions, Topology};
use super::redirect::Redirect;
use super::script::Script;
use super::sentinel::{self, Sentinels};
use crate::clock::Clock;
use crate::stats::StoreStats;

/// All servers of one store.
///
/// [`Servers::run`] keeps the connections and follows the topology; [`Servers::call`] brings a call to the server that
/// is responsible for its key. A server that is away is missed by its own keys only.
pub(super) struct Servers {
    pub(super) setting: Arc<Setting>,
    map: ArcSwap<Map>,
    /// Held by whoever makes a new map out of the old.
    changing: Mutex<()>,
    /// True until it was first tried to learn who the servers are. Requests wait for that as for an answer.
    is_looking: AtomicBool,
    /// Wakes those who wait for that.
    looked: Notify,
    /// Why it is not known who the servers are.
    unknown: Mutex<Option<StoreError>>,
    /// Those who are asked who the primary is.
    pub(super) sentinels: Sentinels,
    /// When a key that is not ours was last spoken of.
    foreign_said: Mutex<Option<Monotonic>>,
}

/// A key that is not ours stays what it is, and is met by every request for it.
const FOREIGN_SAID_EVERY: Duration = Duration::from_secs(60);
/// More often a call is not sent on without a rest: nodes that send it in circles do not know themselves.
const REDIRECTS_MAX: usize = 5;
/// How long a call rests, each time, whose keys are on two nodes or that was sent in circles. A slot moves in
/// milliseconds, or in seconds if it is full.
const DIVIDED_RESTS: [Duration; 5] = [
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(40),
    Duration::from_millis(80),
];

impl Servers {
    /// The servers that `options` name. [`Servers::run`] will connect them; `scripts` are loaded on every connection,
    /// and the first of them is tried out.
    pub(super) fn new(
        options: RedisOptions,
        scripts: Vec<Script>,
        id: InstanceId,
        stats: Arc<StoreStats>,
        clock: Clock,
    ) -> Self {
        let beat = Beat::new(id);
        Self {
            setting: Arc::new(Setting { options, scripts, beat, stats, clock, trouble: Notify::new() }),
            map: ArcSwap::default(),
            changing: Mutex::new(()),
            is_looking: AtomicBool::new(true),
            looked: Notify::new(),
            unknown: Mutex::new(None),
            sentinels: Sentinels::default(),
            foreign_said: Mutex::new(None),
        }
    }

    /// Connects, follows the topology, and says that this instance is there. Runs until it is dropped, inside a runtime.
    pub(super) async fn run(self: Arc<Self>) {
        let follow = async {
            match &self.setting.options.topology {
                Topology::Standalone { endpoint } => self.use_server(Address::server(endpoint)),
                Topology::Sentinel { endpoints, .. } => sentinel::follow(&self, endpoints).await,
                Topology::Cluster { seeds } => cluster::follow(&self, seeds).await,
            }
        };
        tokio::join!(follow, self.beat());
    }

    async fn beat(&self) {
        let mut jitter = Jitter::new();
        // Without a cluster the first is said by whoever connects.
        if !self.is_cluster() {
            tokio::time::sleep(jitter.spread(beat::EVERY)).await;
        }
        while !self.setting.beat.has_left() {
            tokio::join!(self.say_so(), self.ping());
            tokio::time::sleep(jitter.spread(beat::EVERY)).await;
        }
    }

    /// Says that this instance is there. While the store is away the last number of instances stands.
    async fn say_so(&self) {
        let (beat, slot) = (&self.setting.beat, hash_slot(beat::KEY.as_bytes()));
        if !self.is_open(slot)
            && let Ok(called) = self.call(slot, beat.script(), beat.say()).await
            && let Err(error) = beat.on_answer(&called.value, called.received)
        {
            self.on_failure(slot, &error);
        }
    }

    /// Notices nodes of a cluster that are gone although nobody asks them: only one of them is told about instances.
    async fn ping(&self) {
        if self.is_cluster() {
            let map = self.map();
            futures_util::future::join_all(map.owners().map(|node| node.link.ping())).await;
        }
    }

    /// Says that this instance is not there any more, within the deadline. If it cannot be said, the others notice
    /// after a few seconds.
    pub(super) async fn leave(&self) {
        let (beat, slot) = (&self.setting.beat, hash_slot(beat::KEY.as_bytes()));
        let cmd = beat.leave();
        if !self.is_open(slot) {
            // A failure has been counted; there is nothing else to do about it.
            let _ = self.call(slot, beat.script(), cmd).await;
        }
    }

    /// True once after an operator has changed a bucket: what is remembered of refusals may not be so any more.
    pub(super) fn is_changed(&self) -> bool {
        self.setting.beat.is_changed()
    }

    /// Lets every instance know that a bucket was changed by an operator: within a beat.
    pub(super) async fn tell_change(&self) -> Result<(), StoreError> {
        let (beat, slot) = (&self.setting.beat, hash_slot(beat::KEY.as_bytes()));
        self.call(slot, beat.script(), Beat::tell_change()).await.map(drop)
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
    pub(super) fn is_cluster(&self) -> bool {
        self.setting.options.is_cluster()
    }

    /// One script call for keys of `slot`, within the deadline. A script that the server does not know has not run, so
    /// it is loaded and called again; a node that sends us on has not run it either; a call without an answer may have
    /// run, so it is not repeated. Failures are counted, and open the breaker of the server that is to blame.
    pub(super) async fn call(&self, slot: u16, script: &Script, cmd: redis::Cmd) -> Result<Called, StoreError> {
        self.call_run(slot, script, &|_| cmd.clone()).await
    }

    /// As [`Servers::call`], of a command that says which run of the server it goes to.
    pub(super) async fn call_run(&self, slot: u16, script: &Script, cmd: &MakeCmd<'_>) -> Result<Called, StoreError> {
        let deadline = self.setting.options.deadline;
        let mut asked = None;
        let answer = tokio::time::timeout(deadline, self.ask(slot, script, cmd, &mut asked)).await;
        let error = match answer {
            Ok(Ok(called)) => return Ok(called),
            Ok(Err(error)) => error,
            Err(_) => {
                let error = StoreError::timeout(deadline);
                if let Some(node) = asked {
                    node.link.on_timeout(&error);
                }
                error
            }
        };
        self.on_lost(&error);
        Err(error)
    }

    /// As [`Servers::call`], without a deadline; `asked` is whom the answer is awaited from.
    async fn ask(
        &self,
        slot: u16,
        script: &Script,
        cmd: &MakeCmd<'_>,
        asked: &mut Option<Arc<Node>>,
    ) -> Result<Called, StoreError> {
        let mut rests = DIVIDED_RESTS.iter();
        loop {
            if let Some(called) = self.follow(slot, script, cmd, asked).await? {
                return Ok(called);
            }
            let Some(rest) = rests.next() else {
                let detail = format!("slot {slot} is on its way from one node to another");
                return Err(StoreError::new(ErrorKind::HashSlot, detail));
            };
            // Nobody is to blame if that takes all the time there is.
            *asked = None;
            tokio::time::sleep(*rest).await;
        }
    }

    /// Goes where the nodes point. None if the keys of the call are on two of them, or they point in circles.
    async fn follow(
        &self,
        slot: u16,
        script: &Script,
        cmd: &MakeCmd<'_>,
        asked: &mut Option<Arc<Node>>,
    ) -> Result<Option<Called>, StoreError> {
        let mut asking = Asking::Owner;
        let mut node = self.node(slot).await?;
        for _ in 0..=REDIRECTS_MAX {
            (node, asking) = match asked.insert(node).link.call(script, cmd, asking).await {
                Ok(called) => return Ok(Some(called)),
                Err(Refusal::Failed(error)) => return Err(error),
                Err(Refusal::Redirected(Redirect::Moved { slot, to })) => (self.on_moved(slot, to), Asking::Owner),
                Err(Refusal::Redirected(Redirect::Ask { to })) => (self.on_ask(slot, to), Asking::Importer),
                Err(Refusal::Divided) => return Ok(None),
            };
        }
        Ok(None)
    }

    /// The server responsible for `slot`. Waits until it was first tried to learn who that is.
    async fn node(&self, slot: u16) -> Result<Arc<Node>, StoreError> {
        loop {
            // Asked for before looking, so that what happens in between is not missed.
            let looked = self.looked.notified();
            let is_looking = self.is_looking.load(Ordering::Acquire);
            match self.map.load().node(slot) {
                Some(node) => return Ok(node.clone()),
                None if is_looking => looked.await,
                None => return Err(self.failure(slot)),
            }
        }
    }

    /// Why nobody is responsible for `slot`.
    fn failure(&self, slot: u16) -> StoreError {
        match self.unknown.lock().clone() {
            Some(error) => error,
            None if self.is_looking.load(Ordering::Acquire) => StoreError::not_connected(),
            None => StoreError::new(ErrorKind::HashSlot, format!("nobody is responsible for slot {slot}")),
        }
    }

    /// An answer made no sense, or said for one key of `slot` that it failed: counts it, and opens the breaker if the
    /// server is to blame.
    pub(super) fn on_failure(&self, slot: u16, error: &StoreError) {
        if let Some(node) = self.map.load().node(slot) {
            node.link.on_failure(error);
        }
        self.on_lost(error);
    }

    fn on_lost(&self, error: &StoreError) {
        self.setting.stats.failed(error.kind);
        match error.kind {
            // The map may be an old one.
            ErrorKind::HashSlot => self.setting.trouble.notify_one(),
            ErrorKind::ForeignValue if self.is_time_to_say() => {
                let store = self.setting.options.name();
                tracing::error!(%store, %error, "a bucket cannot be read: its failure policy decides");
            }
            _ => {}
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
    pub(super) fn instances(&self) -> u32 {
        self.setting.beat.instances()
    }

    /// Whether the store can be used.
    pub(super) fn health(&self) -> Health {
        let map = self.map.load();
        let failures = || {
            map.owners().filter_map(|node| {
                let error = node.link.failure()?;
                Some(if self.is_cluster() { error.at(node.link.address()) } else { error })
            })
        };
        match StoreError::most_telling(failures()) {
            None if map.is_whole() => Health::Available,
            None if map.owners().next().is_some() => Health::Impaired(self.failure(map.first_unowned())),
            None => Health::Unavailable(self.failure(0)),
            Some(error) if failures().count() == map.owners().count() => Health::Unavailable(error),
            Some(error) => Health::Impaired(error),
        }
    }

    /// Every server.
    pub(super) fn nodes(&self) -> Vec<NodeSnapshot> {
        let role = match self.setting.options.topology {
            Topology::Standalone { .. } => NodeRole::Server,
            Topology::Cluster { .. } | Topology::Sentinel { .. } => NodeRole::Primary,
        };
        let mut nodes = self.map.load().snapshot(role);
        nodes.extend(self.sentinels.snapshot());
        nodes
    }
}

/// What those do who follow the topology.
impl Servers {
    pub(super) fn map(&self) -> Arc<Map> {
        self.map.load_full()
    }

    /// Makes a new map out of the old.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Map) -> T) -> T {
        let changing = self.changing.lock();
        let mut map = Map::clone(&self.map.load());
        let result = change(&mut map);
        self.map.store(Arc::new(map));
        drop(changing);
        result
    }

    /// Makes the server at `address` the one that is responsible for everything.
    pub(super) fn use_server(&self, address: Address) {
        self.change(|map| map.use_one(address, &self.setting));
        self.on_known();
    }

    /// It is known now who the servers are.
    pub(super) fn on_known(&self) {
        if self.unknown.lock().take().is_some() {
            let store = self.setting.options.name();
            tracing::warn!(%store, "it can be learned again who the servers are");
        }
        self.look_no_more();
    }

    /// It cannot be learned who the servers are. Those that were known stay.
    pub(super) fn on_unknown(&self, error: StoreError) {
        self.setting.stats.failed(error.kind);
        let mut unknown = self.unknown.lock();
        if unknown.as_ref().is_none_or(|before| before.kind != error.kind) {
            let store = self.setting.options.name();
            if self.map().owners().next().is_none() {
                tracing::error!(%store, %error, "the store cannot be used: failure policies are in force");
            } else {
                tracing::error!(%store, %error, "it cannot be learned whether the servers have changed");
            }
        }
        *unknown = Some(error);
        drop(unknown);
        self.look_no_more();
    }

    fn look_no_more(&self) {
        self.is_looking.store(false, Ordering::Release);
        self.looked.notify_waiters();
    }

    fn on_moved(&self, slot: u16, to: Address) -> Arc<Node> {
        // One slot that moved seldom moved alone.
        self.setting.trouble.notify_one();
        self.change(|map| map.give(slot, to, &self.setting))
    }

    fn on_ask(&self, slot: u16, to: Address) -> Arc<Node> {
        let node = match self.map.load().at(&to) {
            Some(node) => node.clone(),
            None => self.change(|map| map.visit(slot, to, &self.setting)),
        };
        node.on_visit(self.setting.clock.now());
        node
    }
}
