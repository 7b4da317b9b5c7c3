//! Who is responsible for what in a cluster, as its nodes say.
//!
//! One node is asked for the whole map: at the start, when a node sends a call on to another, when one does not answer,
//! now and then. What a node says when it sends a call on is believed for that slot at once.

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use redis::Value;

use super::address::Address;
use super::chance::Jitter;
use super::error::{ErrorKind, StoreError};
use super::greeting::{Greeting, field, text};
use super::hash_slot::SLOTS;
use super::line::{connect, query};
use super::link::Setting;
use super::map::{Map, Range};
use super::servers::Servers;

/// How often the map is asked for while something is wrong with it, before jitter; never more often.
const REST: Duration = Duration::from_millis(500);
/// How often it is asked for when all is well, before jitter.
const QUIET: Duration = Duration::from_secs(15);

/// Follows the map of the cluster of which `seeds` are nodes. Runs until it is dropped.
pub(super) async fn follow(servers: &Servers, seeds: &[String]) {
    let seeds: Vec<_> = seeds.iter().map(|seed| Address::server(seed)).collect();
    let mut jitter = Jitter::new();
    for turn in 0.. {
        match learn(servers, &seeds, turn).await {
            Ok(ranges) => {
                servers.change(|map| map.take(&ranges, &servers.setting));
                servers.on_known();
            }
            Err(error) => servers.on_unknown(error),
        }
        tokio::time::sleep(jitter.spread(REST)).await;
        if is_well(&servers.map()) {
            // Whatever was reported meanwhile ends this at once.
            let _ = tokio::time::timeout(jitter.spread(QUIET), servers.setting.trouble.notified()).await;
        }
    }
}

fn is_well(map: &Map) -> bool {
    map.is_whole() && map.owners().all(|node| !node.link.is_open())
}

/// Asks a node that answers, another each time; if there is none, all seeds.
async fn learn(servers: &Servers, seeds: &[Address], turn: usize) -> Result<Vec<Range>, StoreError> {
    let map = servers.map();
    let mut nodes: Vec<_> = map.owners().filter(|node| node.link.is_closed()).collect();
    if !nodes.is_empty() {
        let first = turn % nodes.len();
        nodes.rotate_left(first);
    }
    for node in nodes {
        if let Ok(answer) = node.link.query(&question()).await
            && let Ok(ranges) = read(&answer, node.link.address())
        {
            return Ok(ranges);
        }
    }
    let mut answers: FuturesUnordered<_> = seeds.iter().map(|seed| ask_seed(&servers.setting, seed)).collect();
    let mut errors = Vec::new();
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(ranges) => return Ok(ranges),
            Err(error) => errors.push(error),
        }
    }
    Err(StoreError::most_telling(errors).unwrap_or_else(StoreError::not_connected))
}

/// Asks a seed over a connection of its own.
async fn ask_seed(setting: &Setting, seed: &Address) -> Result<Vec<Range>, StoreError> {
    let options = &setting.options;
    let answer = async {
        let mut connection = connect(&options.client(seed)?, options.connect_timeout, || ()).await?;
        let greeting = query(&mut connection, &Greeting::ask(), options.deadline).await?;
        Greeting::read(&greeting).check(&options.topology)?;
        let answer = query(&mut connection, &question(), options.deadline).await.map_err(explained)?;
        read(&answer, seed)
    };
    answer.await.map_err(|error| error.at(seed))
}

fn question() -> redis::Cmd {
    let mut cmd = redis::cmd("CLUSTER");
    cmd.arg("SLOTS");
    cmd
}

/// `ERR This instance has cluster support disabled`.
fn explained(error: StoreError) -> StoreError {
    if error.detail.contains("cluster support disabled") {
        return StoreError::new(ErrorKind::Topology, "it is not part of a cluster: name it alone, without cluster");
    }
    error
}

/// Reads the answer of the node at `from` to `CLUSTER SLOTS`: ranges, each with its primary and its replicas.
fn read(answer: &Value, from: &Address) -> Result<Vec<Range>, StoreError> {
    let nonsense = || StoreError::new(ErrorKind::Protocol, "the answer to CLUSTER SLOTS makes no sense");
    let Value::Array(ranges) = answer else { return Err(nonsense()) };
    ranges.iter().map(|range| read_range(range, from).ok_or_else(nonsense)).collect()
}

fn read_range(range: &Value, from: &Address) -> Option<Range> {
    let Value::Array(range) = range else { return None };
    let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = &range[..] else { return None };
    let slot = |number: i64| u16::try_from(number).ok().filter(|slot| *slot < SLOTS);
    let (first, last) = (slot(*first)?, slot(*last)?);
    let [host, Value::Int(port), rest @ ..] = &primary[..] else { return None };
    let host = match text(host) {
        // A name is announced and not known yet; the address may be.
        Some(host) if host == "?" => rest.get(1).and_then(|more| field(more, "ip")).unwrap_or(host),
        Some(host) => host,
        None => String::new(),
    };
    let owner = from.beside(&host, u16::try_from(*port).ok()?);
    (first <= last).then_some(Range { first, last, owner })
}

#[cfg(test)]
mod tests;
