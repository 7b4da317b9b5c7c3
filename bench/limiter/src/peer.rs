//! Who decides: Tollgate, and others that are made for the same.

pub(crate) mod limitador;
pub(crate) mod throttlecrab;
pub(crate) mod tollgate;
mod traefik;

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::load::{Keys, Load, Terms};
use crate::outcome::{Contract, Outcome};
use crate::server::{Server, ThrottlecrabServer};

/// A limiter, as its documentation says to set it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Tollgate with a Redis server.
    Tollgate,
    /// What Traefik does with a Redis server; every other instance's clock is so far ahead.
    Traefik { ahead_ms: u64 },
    /// Limitador with a Redis server.
    LimitadorRedis,
    /// Limitador with a Redis server and what it has cached of it.
    LimitadorCached,
    /// Limitador in memory: each instance is for itself.
    LimitadorMemory,
    /// throttlecrab's server, and so many connections from each instance.
    ThrottlecrabServer { connections: usize },
    /// throttlecrab's library: each instance is for itself.
    ThrottlecrabMemory,
}

/// One instance of a peer.
pub(crate) enum Instance {
    Tollgate(tollgate::Instance),
    Traefik(traefik::Instance),
    Limitador(limitador::Instance),
    Throttlecrab(throttlecrab::Instance),
}

/// What instances of Tollgate count themselves.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Decisions.
    pub(crate) decisions: f64,
    /// Those among them that nobody was asked for.
    pub(crate) here: f64,
    /// Calls for decisions.
    pub(crate) calls: f64,
    /// Keys in them.
    pub(crate) keys: f64,
}

impl Peer {
    /// Those that share a limit, and can be run here.
    pub(crate) fn sharing() -> Vec<Self> {
        let mut peers =
            vec![Self::Tollgate, Self::Traefik { ahead_ms: 0 }, Self::LimitadorRedis, Self::LimitadorCached];
        if ThrottlecrabServer::program().is_some() {
            peers.extend([1, 16].map(|connections| Self::ThrottlecrabServer { connections }));
        }
        peers
    }

    /// All that can be run here.
    pub(crate) fn all() -> Vec<Self> {
        let mut peers = Self::sharing();
        peers.insert(2, Self::Traefik { ahead_ms: 10 });
        peers.extend([Self::LimitadorMemory, Self::ThrottlecrabMemory]);
        peers
    }

    pub(crate) fn name(self) -> String {
        match self {
            Self::Tollgate => "Tollgate".into(),
            Self::Traefik { ahead_ms: 0 } => "Traefik's steps in Redis".into(),
            Self::Traefik { ahead_ms } => format!("the same, every other clock {ahead_ms} ms ahead"),
            Self::LimitadorRedis => "Limitador, `redis`".into(),
            Self::LimitadorCached => "Limitador, `redis_cached`".into(),
            Self::LimitadorMemory => "Limitador, in memory".into(),
            Self::ThrottlecrabServer { connections: 1 } => "throttlecrab's server".into(),
            Self::ThrottlecrabServer { connections } => format!("the same, {connections} connections"),
            Self::ThrottlecrabMemory => "throttlecrab, in memory".into(),
        }
    }

    /// What it is to be judged by.
    fn contract(self, terms: Terms) -> Contract {
        match self {
            Self::LimitadorRedis | Self::LimitadorCached | Self::LimitadorMemory => {
                Contract::Windows { per_second: terms.per_second }
            }
            _ => Contract::Bucket(terms),
        }
    }

    /// Runs so many instances under `load`. All is new for it: a runtime, a server, buckets.
    pub(crate) fn run(self, instances: usize, terms: Terms, load: &Load) -> Outcome {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let outcome = runtime.block_on(async {
            let server = self.server();
            let instances = self.start(&server, instances, terms).await;
            let before = (server.usage(), counts(&instances));
            let requests = load.ask(&instances).await;
            let mut usage = server.usage().since(before.0);
            if let Self::ThrottlecrabServer { .. } = self {
                // It does not count, and nobody asks it for anything else.
                usage.calls = requests.len() as f64;
            }
            let counts = counts(&instances).since(before.1);
            match load.keys {
                Keys::One => Outcome::of_one_key(self.contract(terms), &requests, usage, counts),
                Keys::Fresh => Outcome::of_many_keys(&requests, usage, counts),
            }
        });
        // Some of what peers leave behind never ends by itself.
        runtime.shutdown_background();
        outcome
    }

    fn server(self) -> Server {
        match self {
            Self::Tollgate | Self::Traefik { .. } | Self::LimitadorRedis | Self::LimitadorCached => Server::redis(),
            Self::ThrottlecrabServer { .. } => Server::Throttlecrab(ThrottlecrabServer::start()),
            Self::LimitadorMemory | Self::ThrottlecrabMemory => Server::Nobody,
        }
    }

    async fn start(self, server: &Server, count: usize, terms: Terms) -> Vec<Arc<Instance>> {
        let port = server.port();
        let mut instances = Vec::with_capacity(count);
        for number in 0..count {
            instances.push(Arc::new(match self {
                Self::Tollgate => Instance::Tollgate(tollgate::Instance::start(port, terms)),
                Self::Traefik { ahead_ms } => {
                    let ahead_ms = if number % 2 == 0 { 0 } else { ahead_ms };
                    Instance::Traefik(traefik::Instance::start(port, terms, ahead_ms).await)
                }
                Self::LimitadorRedis => Instance::Limitador(limitador::Instance::redis(port, terms).await),
                Self::LimitadorCached => Instance::Limitador(limitador::Instance::cached(port, terms).await),
                Self::LimitadorMemory => Instance::Limitador(limitador::Instance::memory(terms)),
                Self::ThrottlecrabServer { connections } => {
                    Instance::Throttlecrab(throttlecrab::Instance::server(port, terms, connections).await)
                }
                Self::ThrottlecrabMemory => Instance::Throttlecrab(throttlecrab::Instance::memory(terms)),
            }));
        }
        for instance in &instances {
            if let Instance::Tollgate(instance) = &**instance {
                instance.sees(count).await;
            }
        }
        instances
    }
}

impl Instance {
    /// Whether a request for this key may pass.
    pub(crate) async fn decide(&self, key: u32) -> bool {
        match self {
            Self::Tollgate(instance) => instance.decide(key).await,
            Self::Traefik(instance) => instance.decide(key).await,
            Self::Limitador(instance) => instance.decide(key).await,
            Self::Throttlecrab(instance) => instance.decide(key).await,
        }
    }
}

fn counts(instances: &[Arc<Instance>]) -> Counts {
    let of_one = |instance: &Arc<Instance>| match &**instance {
        Instance::Tollgate(instance) => instance.counts(),
        _ => Counts::default(),
    };
    instances.iter().map(of_one).fold(Counts::default(), |sum, one| Counts {
        decisions: sum.decisions + one.decisions,
        here: sum.here + one.here,
        calls: sum.calls + one.calls,
        keys: sum.keys + one.keys,
    })
}

impl Counts {
    fn since(self, before: Self) -> Self {
        Self {
            decisions: self.decisions - before.decisions,
            here: self.here - before.here,
            calls: self.calls - before.calls,
            keys: self.keys - before.keys,
        }
    }
}

/// A client's address, which all peers tell clients apart by.
fn address(key: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0000 + key)
}
