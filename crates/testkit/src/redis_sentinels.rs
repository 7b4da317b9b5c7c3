//! A primary, its replica, and sentinels that watch them.

use std::time::Duration;

use crate::redis::Program;
use crate::resp::Reply;
use crate::{Redis, wait_until_blocking};

const PATIENCE: Duration = Duration::from_secs(30);
/// How long a server may be silent until a sentinel holds it to be gone.
const DOWN_AFTER_MS: u32 = 500;

/// Two servers and three sentinels. All are killed when it is dropped.
///
/// Every method panics when a server does not do as it is told.
#[derive(Debug)]
pub struct RedisSentinels {
    servers: Vec<Redis>,
    sentinels: Vec<Redis>,
}

impl RedisSentinels {
    /// What the sentinels call the servers.
    pub const MASTER_SET: &str = "main";

    /// Without passwords.
    pub fn start() -> Self {
        Self::with_config(&[])
    }

    /// With these lines in the configuration of the sentinels.
    pub fn with_config(lines: &[&str]) -> Self {
        Self::of(Program::Redis, lines)
    }

    /// The same, of this program.
    pub fn of(program: Program, lines: &[&str]) -> Self {
        let primary = Redis::of(program, &["repl-diskless-sync-delay 0"]);
        let replica =
            Redis::of(program, &["repl-diskless-sync-delay 0", &format!("replicaof 127.0.0.1 {}", primary.port())]);
        let name = Self::MASTER_SET;
        let own = [
            format!("sentinel monitor {name} 127.0.0.1 {} 2", primary.port()),
            format!("sentinel down-after-milliseconds {name} {DOWN_AFTER_MS}"),
            format!("sentinel failover-timeout {name} 3000"),
        ];
        let lines: Vec<_> = own.iter().map(String::as_str).chain(lines.iter().copied()).collect();
        let sentinels = (0..3).map(|_| Redis::sentinel(program, &lines)).collect();
        let all = Self { servers: vec![primary, replica], sentinels };
        wait_until_blocking(|| all.is_formed(), PATIENCE);
        all
    }

    /// True if everybody knows everybody, and the replica is up to date.
    fn is_formed(&self) -> bool {
        self.servers[1].command(&["INFO", "replication"]).text().contains("master_link_status:up")
            && self.sentinels.iter().all(|sentinel| {
                let (others, replicas) =
                    (Self::field(sentinel, "num-other-sentinels"), Self::field(sentinel, "num-slaves"));
                // It asks for a password, and the test has it.
                others.is_none() || (others.as_deref(), replicas.as_deref()) == (Some("2"), Some("1"))
            })
    }

    /// A field of what a sentinel says about the master set; none if it does not say.
    fn field(sentinel: &Redis, name: &str) -> Option<String> {
        let Reply::Array(fields) = sentinel.command(&["SENTINEL", "MASTER", Self::MASTER_SET]) else { return None };
        fields.chunks(2).find(|pair| pair[0].text() == name).map(|pair| pair[1].text())
    }

    /// One of the two servers. The first is the primary at first.
    pub fn server(&self, index: usize) -> &Redis {
        &self.servers[index]
    }

    /// As [`RedisSentinels::server`], to be killed or restarted.
    pub fn server_mut(&mut self, index: usize) -> &mut Redis {
        &mut self.servers[index]
    }

    /// One of the three sentinels.
    pub fn sentinel(&self, index: usize) -> &Redis {
        &self.sentinels[index]
    }

    /// As [`RedisSentinels::sentinel`], to be killed or restarted.
    pub fn sentinel_mut(&mut self, index: usize) -> &mut Redis {
        &mut self.sentinels[index]
    }

    /// The sentinels, as written in a configuration.
    pub fn endpoints(&self) -> Vec<String> {
        self.sentinels.iter().map(Redis::endpoint).collect()
    }

    /// The port of the primary that a sentinel names.
    pub fn primary_port(&self, sentinel: usize) -> u16 {
        let reply = self.sentinels[sentinel].command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self::MASTER_SET]);
        let Reply::Array(address) = reply else { panic!("{reply:?}") };
        address[1].text().parse().expect("a port")
    }

    /// Makes the sentinels promote the replica although the primary is well.
    pub fn fail_over(&self) {
        let reply = self.sentinels[0].command(&["SENTINEL", "FAILOVER", Self::MASTER_SET]);
        assert_eq!(reply, Reply::Simple("OK".into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_takes_the_place_of_a_dead_primary() {
        for program in Program::ALL {
            takes_the_place(RedisSentinels::of(program, &[]));
        }
    }

    fn takes_the_place(mut all: RedisSentinels) {
        assert_eq!(all.primary_port(0), all.server(0).port());
        all.server_mut(0).kill();
        wait_until_blocking(|| all.primary_port(0) == all.server(1).port(), PATIENCE);
        wait_until_blocking(|| all.server(1).command(&["SET", "key", "1"]).text() == "OK", PATIENCE);
    }
}
