//! A real Redis Cluster.

use std::time::Duration;

use crate::redis::Program;
use crate::resp::Reply;
use crate::{Redis, wait_until_blocking};

/// Hash slots of a cluster.
const SLOTS: u16 = 16_384;
/// As short as is safe on a loaded machine: how long a node may be silent until the others hold it to be gone.
const NODE_TIMEOUT_MS: u32 = 1_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// Three primaries, each with a third of the slots, and replicas if they are wanted. All are killed when it is dropped.
///
/// Every method panics when a node does not do as it is told.
#[derive(Debug)]
pub struct RedisCluster {
    primaries: Vec<Redis>,
    replicas: Vec<Redis>,
}

impl RedisCluster {
    /// Three primaries.
    pub fn start() -> Self {
        Self::with_config(0, &[])
    }

    /// Three primaries with so many replicas each, and with these lines in the configuration of every node.
    pub fn with_config(replicas: usize, lines: &[&str]) -> Self {
        Self::of(Program::Redis, replicas, lines)
    }

    /// The same, of this program.
    pub fn of(program: Program, replicas: usize, lines: &[&str]) -> Self {
        let timeout = format!("cluster-node-timeout {NODE_TIMEOUT_MS}");
        let own = ["cluster-enabled yes", &timeout, "cluster-replica-validity-factor 0", "repl-diskless-sync-delay 0"];
        let lines = [&own, lines].concat();
        let node = || Redis::of(program, &lines);
        let cluster =
            Self { primaries: (0..3).map(|_| node()).collect(), replicas: (0..3 * replicas).map(|_| node()).collect() };
        cluster.form();
        cluster
    }

    fn form(&self) {
        for (index, primary) in self.primaries.iter().enumerate() {
            let (first, last) = self.range(index);
            // Redis 6 knows no ADDSLOTSRANGE.
            let slots: Vec<_> = (first..=last).map(|slot| slot.to_string()).collect();
            let mut command = vec!["CLUSTER", "ADDSLOTS"];
            command.extend(slots.iter().map(String::as_str));
            ok(primary, &command);
            ok(primary, &["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
        }
        for node in self.nodes().skip(1) {
            ok(node, &["CLUSTER", "MEET", "127.0.0.1", &self.primaries[0].port().to_string()]);
        }
        let count = self.nodes().count().to_string();
        let all_know_all = || self.nodes().all(|node| info(node, "cluster_known_nodes").as_deref() == Some(&count));
        wait_until_blocking(all_know_all, PATIENCE);
        for (index, replica) in self.replicas.iter().enumerate() {
            ok(replica, &["CLUSTER", "REPLICATE", &id(&self.primaries[index % 3])]);
        }
        let is_up = || {
            self.nodes().all(|node| info(node, "cluster_state").as_deref() == Some("ok"))
                && self
                    .replicas
                    .iter()
                    .all(|replica| replica.command(&["INFO", "replication"]).text().contains("master_link_status:up"))
        };
        wait_until_blocking(is_up, PATIENCE);
    }

    /// The slots that a primary has at first.
    pub fn range(&self, primary: usize) -> (u16, u16) {
        let count = self.primaries.len() as u16;
        let first = |index: u16| u32::from(SLOTS) * u32::from(index) / u32::from(count);
        (first(primary as u16) as u16, first(primary as u16 + 1) as u16 - 1)
    }

    /// The primary at first of `slot`.
    pub fn primary_of(&self, slot: u16) -> usize {
        (0..self.primaries.len()).find(|index| self.range(*index).1 >= slot).expect("every slot has a primary")
    }

    /// One of the three that are primaries at first.
    pub fn primary(&self, index: usize) -> &Redis {
        &self.primaries[index]
    }

    /// As [`RedisCluster::primary`], to be killed or restarted.
    pub fn primary_mut(&mut self, index: usize) -> &mut Redis {
        &mut self.primaries[index]
    }

    /// The replica of one of them.
    pub fn replica_of(&self, primary: usize) -> &Redis {
        &self.replicas[primary]
    }

    /// All nodes, as written in a configuration.
    pub fn endpoints(&self) -> Vec<String> {
        self.nodes().map(Redis::endpoint).collect()
    }

    /// Begins to move `slot`: keys that its owner has not are to be asked for at the importer.
    pub fn begin_move(&self, slot: u16, from: usize, to: usize) {
        let slot = slot.to_string();
        let (from, to) = (&self.primaries[from], &self.primaries[to]);
        ok(to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id(from)]);
        ok(from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id(to)]);
    }

    /// Moves the keys of `slot` that are there now. Returns how many they were.
    pub fn move_keys(&self, slot: u16, from: usize, to: usize) -> usize {
        let port = self.primaries[to].port().to_string();
        let Reply::Array(keys) = self.primaries[from].command(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), "1000"])
        else {
            panic!("keys of slot {slot}")
        };
        for key in &keys {
            let moved = self.primaries[from].command(&["MIGRATE", "127.0.0.1", &port, &key.text(), "0", "5000"]);
            assert!(["OK", "NOKEY"].contains(&&*moved.text()), "{moved:?}");
        }
        keys.len()
    }

    /// Ends the move of `slot`: the importer owns it, and those two know.
    pub fn end_move(&self, slot: u16, from: usize, to: usize) {
        let (slot, owner) = (slot.to_string(), id(&self.primaries[to]));
        for node in [to, from] {
            ok(&self.primaries[node], &["CLUSTER", "SETSLOT", &slot, "NODE", &owner]);
        }
    }

    fn nodes(&self) -> impl Iterator<Item = &Redis> {
        self.primaries.iter().chain(&self.replicas)
    }
}

fn ok(node: &Redis, command: &[&str]) {
    let reply = node.command(command);
    assert_eq!(reply, Reply::Simple("OK".into()), "{:?}", &command[..command.len().min(5)]);
}

fn id(node: &Redis) -> String {
    node.command(&["CLUSTER", "MYID"]).text()
}

/// A line of `CLUSTER INFO`.
fn info(node: &Redis, name: &str) -> Option<String> {
    let info = node.command(&["CLUSTER", "INFO"]).text();
    info.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_serves_every_slot_and_moves_one() {
        for program in Program::ALL {
            serves_and_moves(&RedisCluster::of(program, 0, &[]));
        }
    }

    fn serves_and_moves(cluster: &RedisCluster) {
        assert_eq!(info(cluster.primary(2), "cluster_slots_ok").as_deref(), Some("16384"));
        // `CLUSTER KEYSLOT foo`.
        let slot = 12_182;
        assert_eq!(cluster.primary_of(slot), 2);
        assert_eq!(cluster.primary(2).command(&["SET", "foo", "1"]).text(), "OK");
        cluster.begin_move(slot, 2, 0);
        assert_eq!(cluster.move_keys(slot, 2, 0), 1);
        assert!(cluster.primary(2).command(&["GET", "foo"]).text().starts_with("ASK 12182"));
        cluster.end_move(slot, 2, 0);
        assert_eq!(cluster.primary(0).command(&["GET", "foo"]).text(), "1");
    }
}
