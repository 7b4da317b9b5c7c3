//! Which server is responsible for which hash slot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::AbortHandle;
use tollgate_limiter::Monotonic;

use super::address::Address;
use super::chance;
use super::hash_slot::{SLOTS, hash_slot};
use super::health::{NodeRole, NodeSnapshot};
use super::line::ProbeKey;
use super::link::{Link, Setting};
use super::script::key_name;

/// Who is responsible for what.
#[derive(Clone, Default)]
pub(super) struct Map {
    nodes: Vec<Arc<Node>>,
    owners: Owners,
}

#[derive(Clone, Default)]
enum Owners {
    /// The first node is responsible for everything, if there is one.
    #[default]
    First,
    /// The index of the node that is responsible for each slot, or [`NOBODY`].
    Each(Box<[u16]>),
}

const NOBODY: u16 = u16::MAX;

/// A server with the task that keeps the link to it.
pub(super) struct Node {
    pub(super) link: Arc<Link>,
    keeper: AbortHandle,
    /// When it was last asked for a key of a slot that it is about to take over, or zero.
    visited: AtomicU64,
}

/// A part of a cluster: slots from the first to the last, and who is responsible for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) owner: Address,
}

/// How long a node is kept that is responsible for nothing, after it was last visited: it is about to be.
const VISIT: Duration = Duration::from_secs(10);

impl Map {
    /// The node responsible for `slot`.
    pub(super) fn node(&self, slot: u16) -> Option<&Arc<Node>> {
        match &self.owners {
            Owners::First => self.nodes.first(),
            Owners::Each(owners) => self.nodes.get(usize::from(*owners.get(usize::from(slot))?)),
        }
    }

    /// The node at `address`, whatever it is responsible for.
    pub(super) fn at(&self, address: &Address) -> Option<&Arc<Node>> {
        self.nodes.iter().find(|node| node.link.address() == address)
    }

    /// The nodes that are responsible for something.
    pub(super) fn owners(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.iter().zip(self.counts()).filter(|(_, slots)| *slots > 0).map(|(node, _)| node)
    }

    /// True if somebody is responsible for every slot.
    pub(super) fn is_whole(&self) -> bool {
        match &self.owners {
            Owners::First => !self.nodes.is_empty(),
            Owners::Each(owners) => !owners.contains(&NOBODY),
        }
    }

    /// The first slot that nobody is responsible for; the last if there is none.
    pub(super) fn first_unowned(&self) -> u16 {
        (0..SLOTS).find(|slot| self.node(*slot).is_none()).unwrap_or(SLOTS - 1)
    }

    /// For how many slots each node is responsible.
    fn counts(&self) -> Vec<u16> {
        let mut counts = vec![0; self.nodes.len()];
        match &self.owners {
            Owners::First => counts.iter_mut().take(1).for_each(|count| *count = SLOTS),
            Owners::Each(owners) => {
                for owner in owners {
                    if let Some(count) = counts.get_mut(usize::from(*owner)) {
                        *count += 1;
                    }
                }
            }
        }
        counts
    }

    pub(super) fn snapshot(&self, role: NodeRole) -> Vec<NodeSnapshot> {
        self.nodes.iter().zip(self.counts()).map(|(node, slots)| node.snapshot(role, slots)).collect()
    }
}

/// How it changes.
impl Map {
    /// The server at `address` is responsible for everything.
    pub(super) fn use_one(&mut self, address: Address, setting: &Arc<Setting>) {
        let node =
            self.at(&address).cloned().unwrap_or_else(|| Node::start(address, setting, chance::unique().to_be_bytes()));
        *self = Self { nodes: vec![node], owners: Owners::First };
    }

    /// The nodes of a cluster are responsible as `ranges` say, and nobody for the rest. Nodes that are known stay
    /// connected; those that are responsible for nothing any more go, unless they were visited lately.
    pub(super) fn take(&mut self, ranges: &[Range], setting: &Arc<Setting>) {
        let mut addresses: Vec<&Address> = Vec::new();
        let mut owners = vec![NOBODY; usize::from(SLOTS)];
        for Range { first, last, owner } in ranges {
            let known = addresses.iter().position(|address| *address == owner);
            let index = known.unwrap_or_else(|| {
                addresses.push(owner);
                addresses.len() - 1
            });
            if let (Some(slots), Ok(index)) =
                (owners.get_mut(usize::from(*first)..=usize::from(*last)), index.try_into())
            {
                slots.fill(index);
            }
        }
        let mut nodes = Vec::with_capacity(addresses.len());
        for (index, address) in addresses.into_iter().enumerate() {
            let owns = |key: &ProbeKey| usize::from(owners[usize::from(slot_of(key))]) == index;
            nodes.push(match self.at(address) {
                Some(node) => {
                    if !owns(&node.link.probe_key()) {
                        node.link.set_probe_key(key_where(owns));
                    }
                    node.clone()
                }
                None => Node::start(address.clone(), setting, key_where(owns)),
            });
        }
        let now = setting.clock.now();
        let visited = self.nodes.iter().filter(|node| node.was_visited(now));
        let visited = visited.filter(|node| nodes.iter().all(|kept| !Arc::ptr_eq(kept, node))).cloned();
        nodes.extend(visited.collect::<Vec<_>>());
        *self = Self { nodes, owners: Owners::Each(owners.into()) };
    }

    /// The node at `to` is responsible for `slot` now.
    pub(super) fn give(&mut self, slot: u16, to: Address, setting: &Arc<Setting>) -> Arc<Node> {
        let node = self.visit(slot, to, setting);
        let index = self.nodes.iter().position(|other| Arc::ptr_eq(other, &node));
        if let (Owners::Each(owners), Some(index)) = (&mut self.owners, index)
            && let (Some(owner), Ok(index)) = (owners.get_mut(usize::from(slot)), index.try_into())
        {
            *owner = index;
        }
        node
    }

    /// The node at `to`, which will be responsible for `slot`.
    pub(super) fn visit(&mut self, slot: u16, to: Address, setting: &Arc<Setting>) -> Arc<Node> {
        if let Some(node) = self.at(&to) {
            return node.clone();
        }
        let node = Node::start(to, setting, key_where(|key| slot_of(key) == slot));
        self.nodes.push(node.clone());
        node
    }
}

fn slot_of(key: &ProbeKey) -> u16 {
    hash_slot(&key_name(key))
}

/// A key of a slot that is as wanted. One slot alone takes some ten thousand attempts: a few milliseconds.
fn key_where(is_wanted: impl Fn(&ProbeKey) -> bool) -> ProbeKey {
    let mut key = chance::unique();
    // A map that makes no sense may leave a node responsible for nothing: its probe is refused then.
    for _ in 0..ATTEMPTS {
        if is_wanted(&key.to_be_bytes()) {
            break;
        }
        key = key.wrapping_add(1);
    }
    key.to_be_bytes()
}

/// One slot is missed after so many with a probability of e⁻²⁰.
const ATTEMPTS: usize = 20 * SLOTS as usize;

impl Node {
    /// A node whose link is kept by a task of the runtime this is called in.
    fn start(address: Address, setting: &Arc<Setting>, probe_key: ProbeKey) -> Arc<Self> {
        let link = Arc::new(Link::new(address, setting.clone(), probe_key));
        let keeper = tokio::spawn(link.clone().keep()).abort_handle();
        Arc::new(Self { link, keeper, visited: AtomicU64::new(0) })
    }

    /// It is asked for a key of a slot that it is about to take over.
    pub(super) fn on_visit(&self, now: Monotonic) {
        self.visited.store(now.0.max(1), Ordering::Relaxed);
    }

    fn was_visited(&self, now: Monotonic) -> bool {
        let visited = self.visited.load(Ordering::Relaxed);
        visited > 0 && now.since(Monotonic(visited)) < VISIT
    }

    fn snapshot(&self, role: NodeRole, slots: u16) -> NodeSnapshot {
        NodeSnapshot {
            address: self.link.address().to_string(),
            role,
            available: self.link.is_closed(),
            error: self.link.failure(),
            run_id: self.link.run_id(),
            slots,
            latency: self.link.latency().snapshot(),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}
