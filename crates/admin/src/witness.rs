//! Who sees what happens, and says it where it is looked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use tollgate_config::QualifiedName;
use tollgate_config::diagnostic::Severity;
use tollgate_config::status::Status;
use tollgate_gateway::{Observed, Observer, Reloaded};
use tollgate_store::{LatencySnapshot, NodeSnapshot, StoreSnapshot, Stores};
use tollgate_telemetry::metrics::{Durations, LimitFacts, LimiterFacts, Names, Reload, ServerFacts, StoreFacts};
use tollgate_telemetry::{AccessLog, Finished, Metrics, Wants};
use tollgate_wire::Violation;

use crate::state::{State, StateHandle};

/// Observes the gateway: counts and logs its requests, and shows each configuration that comes into force.
pub struct Witness {
    metrics: Option<Arc<Metrics>>,
    access_log: Option<Arc<AccessLog>>,
    wants: Wants,
    state: StateHandle,
    entry_points: Vec<String>,
}

impl Witness {
    /// A witness that tells whichever of these there are, and shows configurations through `state`.
    pub fn new(
        metrics: Option<Arc<Metrics>>,
        access_log: Option<Arc<AccessLog>>,
        state: StateHandle,
        entry_points: Vec<String>,
    ) -> Self {
        let mut wants = access_log.as_ref().map(|log| log.wants()).unwrap_or_default();
        if let Some(metrics) = &metrics {
            wants = wants.with_kind();
            // Entry points do not wait for a configuration, and neither do their counters.
            let entry_points: Vec<&str> = entry_points.iter().map(String::as_str).collect();
            metrics.configure(&Names { entry_points: &entry_points, ..Names::default() });
        }
        Self { metrics, access_log, wants, state, entry_points }
    }

    /// A configuration came into force: it is counted by its names from now on, and the API shows it.
    pub fn reloaded(&self, reloaded: &Reloaded) {
        self.state.publish(State::new(reloaded.generation, &reloaded.config, &reloaded.status));
        if let Some(metrics) = &self.metrics {
            self.configure(metrics, reloaded);
            let count = |severity| reloaded.diagnostics.iter().filter(|found| found.severity == severity).count();
            metrics.reloaded(&Reload {
                generation: reloaded.generation,
                at: reloaded.at,
                errors: count(Severity::Error),
                warnings: count(Severity::Warning),
            });
        }
    }

    fn configure(&self, metrics: &Metrics, reloaded: &Reloaded) {
        let (config, status) = (&reloaded.config, &reloaded.status);
        let enabled = |name: &QualifiedName| status.routers.get(name).is_none_or(|of| of.status != Status::Disabled);
        let routers: Vec<(&str, QualifiedName)> = config
            .routers
            .iter()
            .filter(|(name, _)| enabled(name))
            .map(|(name, router)| (name.as_str(), QualifiedName::resolve(&router.service, name.provider())))
            .collect();
        let mut services: Vec<&str> = routers.iter().map(|(_, service)| service.as_str()).collect();
        services.sort_unstable();
        services.dedup();
        metrics.configure(&Names {
            entry_points: &self.entry_points.iter().map(String::as_str).collect::<Vec<_>>(),
            routers: &routers.iter().map(|(router, service)| (*router, service.as_str())).collect::<Vec<_>>(),
            services: &services,
        });
    }
}

impl Observer for Witness {
    fn wants(&self) -> &Wants {
        &self.wants
    }

    fn connection_opened(&self, entry_point: &Arc<str>) {
        if let Some(metrics) = &self.metrics {
            metrics.connection_opened(entry_point);
        }
    }

    fn connection_closed(&self, entry_point: &Arc<str>) {
        if let Some(metrics) = &self.metrics {
            metrics.connection_closed(entry_point);
        }
    }

    fn connection_shed(&self, entry_point: &Arc<str>) {
        if let Some(metrics) = &self.metrics {
            metrics.connection_shed(entry_point);
        }
    }

    fn violation(&self, _: &Arc<str>, violation: Violation) {
        if let Some(metrics) = &self.metrics {
            metrics.violation(violation.text());
        }
    }

    fn panicked(&self, _: &Arc<str>) {
        if let Some(metrics) = &self.metrics {
            metrics.panicked();
        }
    }

    fn finished(&self, finished: &Finished<'_>, observed: Observed) {
        if let Some(metrics) = self.metrics.as_ref().filter(|_| observed.metrics) {
            metrics.observe(finished);
        }
        if let Some(access_log) = self.access_log.as_ref().filter(|_| observed.access_log) {
            access_log.write(finished);
        }
    }
}

/// What the limiter has counted so far. Stores that bear the same name are counted together: their labels would be
/// the same.
pub fn limiter_facts(stores: &Stores) -> LimiterFacts {
    let limits = stores.limit_snapshots().into_iter().map(|limit| LimitFacts {
        limit: limit.id.to_string(),
        decisions: limit.decisions,
        overflowed: limit.overflowed,
    });
    let memory = stores.store_snapshots().into_iter().take(1).map(|memory| store_facts(memory, Vec::new()));
    let shared = stores.shared();
    let shared = shared.iter().map(|store| store_facts(store.snapshot(), store.nodes()));
    let mut by_name: BTreeMap<String, StoreFacts> = BTreeMap::new();
    for facts in memory.chain(shared) {
        match by_name.get_mut(&facts.store) {
            Some(same) => add(same, facts),
            None => drop(by_name.insert(facts.store.clone(), facts)),
        }
    }
    LimiterFacts { limits: limits.collect(), stores: by_name.into_values().collect() }
}

fn store_facts(snapshot: StoreSnapshot, nodes: Vec<NodeSnapshot>) -> StoreFacts {
    StoreFacts {
        store: snapshot.name,
        buckets: snapshot.buckets,
        keys_known: snapshot.keys_known,
        keys_forgotten: snapshot.forgotten,
        leases: snapshot.leases,
        slots_held: snapshot.slots_held,
        leases_granted: snapshot.leases_granted,
        slots_lent: snapshot.slots_lent,
        slots_returned: snapshot.slots_returned,
        slots_died: snapshot.slots_died,
        hints_healed: snapshot.hints_healed,
        instances: snapshot.instances,
        calls: snapshot.calls,
        keys: snapshot.keys,
        coalesced: snapshot.coalesced,
        errors: snapshot.errors,
        durations: durations(snapshot.latency),
        available: snapshot.available,
        servers: nodes.into_iter().map(server_facts).collect(),
    }
}

fn server_facts(node: NodeSnapshot) -> ServerFacts {
    ServerFacts {
        server: node.address,
        role: node.role.as_str(),
        available: node.available,
        durations: durations(node.latency),
    }
}

fn durations(latency: LatencySnapshot) -> Durations {
    Durations { buckets: latency.buckets, count: latency.count, sum: latency.sum }
}

/// Adds one store's counts to another's. Both have the same kinds of errors.
fn add(to: &mut StoreFacts, from: StoreFacts) {
    to.buckets += from.buckets;
    to.keys_known += from.keys_known;
    to.keys_forgotten += from.keys_forgotten;
    to.leases += from.leases;
    to.slots_held += from.slots_held;
    to.leases_granted += from.leases_granted;
    to.slots_lent += from.slots_lent;
    to.slots_returned += from.slots_returned;
    to.slots_died += from.slots_died;
    to.hints_healed += from.hints_healed;
    // The same servers, so the same instances.
    to.instances = to.instances.max(from.instances);
    to.calls += from.calls;
    to.keys += from.keys;
    to.coalesced += from.coalesced;
    for ((_, to), (_, from)) in to.errors.iter_mut().zip(&from.errors) {
        *to += from;
    }
    add_durations(&mut to.durations, from.durations);
    to.available &= from.available;
    for server in from.servers {
        match to.servers.iter_mut().find(|same| (&same.server, same.role) == (&server.server, server.role)) {
            Some(same) => {
                same.available &= server.available;
                add_durations(&mut same.durations, server.durations);
            }
            None => to.servers.push(server),
        }
    }
}

/// All histograms of stores have the same bounds; one of what was never asked may have none.
fn add_durations(to: &mut Durations, from: Durations) {
    if to.buckets.is_empty() {
        to.buckets = from.buckets;
    } else {
        for ((_, to), (_, from)) in to.buckets.iter_mut().zip(&from.buckets) {
            *to += from;
        }
    }
    to.count += from.count;
    to.sum += from.sum;
}

#[cfg(test)]
mod tests;
