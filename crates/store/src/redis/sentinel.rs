//! Who the primary is, as sentinels say.
//!
//! Every sentinel that is known is asked about once a second, and more often while the primary does not answer. The one
//! that knows of the latest failover is believed: a sentinel that has not heard of it, or that was cut off together with
//! an old primary, goes on naming that under an older number. When no sentinel answers, the primary last named stays.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tollgate_limiter::Monotonic;

use super::address::Address;
use super::chance::Jitter;
use super::error::{ErrorKind, StoreError};
use super::greeting::{Greeting, field, text};
use super::health::{NodeRole, NodeSnapshot};
use super::line::{self, query};
use super::link::Setting;
use super::options::Topology;
use super::servers::Servers;
use crate::stats::LatencySnapshot;

/// The sentinels of a store.
#[derive(Default)]
pub(super) struct Sentinels {
    voices: Mutex<Vec<Voice>>,
    choice: Mutex<Option<Choice>>,
    /// Asks them all at once.
    urgent: Notify,
}

/// The primary in use.
struct Choice {
    primary: Address,
    /// The failover that made it the primary.
    epoch: u64,
    /// When a sentinel last named it.
    confirmed: Monotonic,
}

/// One of them.
struct Voice {
    address: Address,
    /// Named in the options; others are forgotten when nobody mentions them any more.
    is_listed: bool,
    said: Option<Result<Word, StoreError>>,
    watcher: AbortHandle,
}

/// What a sentinel says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    primary: Address,
    /// Rises with every failover.
    epoch: u64,
    others: Vec<Address>,
}

/// How often a sentinel is asked, before jitter.
const POLL: Duration = Duration::from_secs(1);
/// How often while the primary does not answer.
const URGENT_POLL: Duration = Duration::from_millis(250);
/// After how long a primary that no sentinel names is given up for one of an older number: sentinels that were set up
/// anew begin to count anew. They tell each other of a failover every two seconds.
const UNCONFIRMED_MAX: Duration = Duration::from_secs(10);
/// More than anybody has. Whoever answers for a sentinel cannot make us ask the whole network.
const SENTINELS_MAX: usize = 16;

/// Follows the primary that the sentinels at `endpoints` name. Runs until it is dropped.
pub(super) async fn follow(servers: &Arc<Servers>, endpoints: &[String]) {
    let (tell, mut told) = mpsc::unbounded_channel();
    // Ends the watchers when it is dropped.
    let mut watchers = JoinSet::new();
    let mut watch = |address: Address| watchers.spawn(watch(servers.clone(), address, tell.clone()));
    for endpoint in endpoints {
        servers.sentinels.add(Address::sentinel(endpoint), true, &mut watch);
    }
    loop {
        tokio::select! {
            Some((address, said)) = told.recv() => {
                servers.sentinels.hear(&address, said, &mut watch);
                decide(servers);
            }
            () = servers.setting.trouble.notified() => servers.sentinels.urgent.notify_waiters(),
        }
    }
}

/// Goes where the sentinels point.
fn decide(servers: &Servers) {
    match servers.sentinels.verdict(servers.setting.clock.now()) {
        Some(Ok(primary)) => {
            let map = servers.map();
            let current = map.node(0).map(|node| node.link.address());
            if current == Some(&primary) {
                return servers.on_known();
            }
            if let Some(current) = current {
                let store = servers.options().name();
                tracing::warn!(%store, from = %current, to = %primary, "the sentinels name another primary");
            }
            servers.use_server(primary);
        }
        Some(Err(error)) => servers.on_unknown(error),
        None => {}
    }
}

/// Asks one sentinel on and on.
async fn watch(servers: Arc<Servers>, address: Address, tell: mpsc::UnboundedSender<(Address, Said)>) {
    let mut jitter = Jitter::new();
    let mut connection = None;
    loop {
        let said = ask(&servers.setting, &address, &mut connection).await;
        if said.is_err() {
            connection = None;
        }
        if tell.send((address.clone(), said)).is_err() {
            return;
        }
        let is_well = servers.map().node(0).is_some_and(|node| node.link.is_closed());
        let rest = jitter.spread(if is_well { POLL } else { URGENT_POLL });
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = servers.sentinels.urgent.notified() => {}
        }
    }
}

type Said = Result<Word, StoreError>;

/// Asks a sentinel who the primary is, over `connection` or a new one.
async fn ask(setting: &Setting, address: &Address, connection: &mut Option<MultiplexedConnection>) -> Said {
    let Topology::Sentinel { master_set, .. } = &setting.options.topology else {
        unreachable!("only such a store has sentinels");
    };
    let patience = setting.options.connect_timeout;
    let said = async {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(connect(setting, address).await?),
        };
        let mut answers = Vec::with_capacity(3);
        for question in ["GET-MASTER-ADDR-BY-NAME", "MASTER", "SENTINELS"] {
            let mut cmd = redis::cmd("SENTINEL");
            cmd.arg(question).arg(master_set);
            answers.push(query(connection, &cmd, patience).await?);
            if matches!(answers[0], redis::Value::Nil) {
                let detail = format!("it knows no master set {master_set:?}");
                return Err(StoreError::new(ErrorKind::Sentinel, detail));
            }
        }
        Word::read(&answers, address)
    };
    said.await.map_err(|error: StoreError| {
        let what =
            if error.kind == ErrorKind::Sentinel { error.detail } else { format!("{}: {}", error.kind, error.detail) };
        StoreError::new(ErrorKind::Sentinel, what).at(format!("sentinel {address}"))
    })
}

async fn connect(setting: &Setting, address: &Address) -> Result<MultiplexedConnection, StoreError> {
    let patience = setting.options.connect_timeout;
    let client = setting.options.sentinel_client(address)?;
    let mut connection = line::connect(&client, patience, || ()).await?;
    let greeting = query(&mut connection, &Greeting::ask(), patience).await?;
    if Greeting::read(&greeting).is_sentinel() {
        Ok(connection)
    } else {
        Err(StoreError::new(ErrorKind::Sentinel, "it is a server and no sentinel: name it without sentinel"))
    }
}

// === impl Sentinels ===

impl Sentinels {
    fn add(&self, address: Address, is_listed: bool, watch: &mut impl FnMut(Address) -> AbortHandle) {
        let mut voices = self.voices.lock();
        if voices.len() < SENTINELS_MAX && voices.iter().all(|voice| voice.address != address) {
            let watcher = watch(address.clone());
            voices.push(Voice { address, is_listed, said: None, watcher });
        }
    }

    /// A sentinel has answered, or has not.
    fn hear(&self, address: &Address, said: Said, watch: &mut impl FnMut(Address) -> AbortHandle) {
        let others = said.as_ref().map(|word| word.others.clone()).unwrap_or_default();
        if let Some(voice) = self.voices.lock().iter_mut().find(|voice| voice.address == *address) {
            voice.said = Some(said);
        }
        self.forget();
        for other in others {
            self.add(other, false, watch);
        }
    }

    /// Forgets those that are not listed and that nobody mentions any more.
    fn forget(&self) {
        let mut voices = self.voices.lock();
        let mentioned: Vec<Address> =
            voices.iter().filter_map(Voice::word).flat_map(|word| word.others.clone()).collect();
        // As long as nobody answers, nobody is forgotten.
        if !mentioned.is_empty() {
            voices.retain(|voice| {
                let stays = voice.is_listed || voice.word().is_some() || mentioned.contains(&voice.address);
                if !stays {
                    voice.watcher.abort();
                }
                stays
            });
        }
    }

    /// The primary to use, or why nobody names any. None while that is not known.
    fn verdict(&self, now: Monotonic) -> Option<Result<Address, StoreError>> {
        let voices = self.voices.lock();
        let mut choice = self.choice.lock();
        let words = || voices.iter().filter_map(Voice::word);
        if let Some(choice) = &mut *choice
            && words().any(|word| word.primary == choice.primary)
        {
            choice.confirmed = now;
        }
        let Some(latest) = words().max_by_key(|word| word.epoch) else {
            let listed = voices.iter().filter(|voice| voice.is_listed);
            let errors: Option<Vec<_>> = listed.map(|voice| voice.said.as_ref()?.as_ref().err().cloned()).collect();
            return StoreError::most_telling(errors?).map(Err);
        };
        let stands = choice
            .as_ref()
            .filter(|choice| latest.epoch <= choice.epoch && now.since(choice.confirmed) < UNCONFIRMED_MAX);
        if stands.is_none() {
            let Word { primary, epoch, .. } = latest.clone();
            *choice = Some(Choice { primary, epoch, confirmed: now });
        }
        choice.as_ref().map(|choice| Ok(choice.primary.clone()))
    }

    pub(super) fn snapshot(&self) -> Vec<NodeSnapshot> {
        self.voices.lock().iter().map(Voice::snapshot).collect()
    }
}

impl Voice {
    fn word(&self) -> Option<&Word> {
        self.said.as_ref()?.as_ref().ok()
    }

    fn snapshot(&self) -> NodeSnapshot {
        NodeSnapshot {
            address: self.address.to_string(),
            role: NodeRole::Sentinel,
            available: self.word().is_some(),
            error: self.said.as_ref().and_then(|said| said.as_ref().err()).cloned(),
            run_id: None,
            slots: 0,
            latency: LatencySnapshot::default(),
        }
    }
}

impl Word {
    /// Reads the answers of the sentinel at `from` to `GET-MASTER-ADDR-BY-NAME`, `MASTER` and `SENTINELS`.
    fn read(answers: &[redis::Value], from: &Address) -> Said {
        let nonsense = || StoreError::new(ErrorKind::Sentinel, "its answer makes no sense");
        let [redis::Value::Array(primary), master, others] = answers else { return Err(nonsense()) };
        let [host, port] = &primary[..] else { return Err(nonsense()) };
        let port = text(port).and_then(|port| port.parse().ok());
        let (Some(host), Some(port)) = (text(host), port) else { return Err(nonsense()) };
        let epoch = field(master, "config-epoch").and_then(|epoch| epoch.parse().ok()).ok_or_else(nonsense)?;
        let others = match others {
            redis::Value::Array(others) => others.iter().filter_map(|other| address_of(other, from)).collect(),
            _ => Vec::new(),
        };
        Ok(Self { primary: from.beside(&host, port), epoch, others })
    }
}

fn address_of(sentinel: &redis::Value, from: &Address) -> Option<Address> {
    Some(from.beside(&field(sentinel, "ip")?, field(sentinel, "port")?.parse().ok()?))
}

#[cfg(test)]
mod tests;
