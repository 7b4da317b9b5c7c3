//! A limit as the API shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use tollgate_config::QualifiedName;
use tollgate_limiter::headers::go_duration;
use tollgate_limiter::window::{Window, WindowQuota};
use tollgate_limiter::{Criterion, Limit};
use tollgate_store::{
    BoundLimit, Health, LatencySnapshot, LimitSnapshot, NodeSnapshot, RedisStore, Store, StoreError, Stores,
};

use super::key::parameter_of;
use crate::state::{Facts, Row, State};

/// Makes the rows of limits, out of what is known of them in different places.
pub(super) struct Rows<'a> {
    state: &'a State,
    counts: BTreeMap<Arc<str>, LimitSnapshot>,
    /// The routers that requests pass a middleware by.
    users: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// Shared stores that were shown already: many limits are in one.
    stores: Vec<(Arc<RedisStore>, Shown)>,
}

/// A store as it is shown, and what is wrong with it.
#[derive(Clone)]
struct Shown {
    store: Value,
    trouble: Option<String>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(facts: &'a Facts, state: &'a State, stores: &Stores) -> Self {
        let counts = stores.limit_snapshots().into_iter().map(|counts| (counts.id.clone(), counts));
        Self { state, counts: counts.collect(), users: users(facts, state), stores: Vec::new() }
    }

    pub(super) fn row(&mut self, bound: &BoundLimit) -> Row {
        let limit = bound.limit();
        let (middleware, router) = self.parts(&limit.id);
        let written = self.state.middlewares.get(middleware);
        let of_written = |field: &str| written.and_then(|row| row.get(field)).cloned();
        let Shown { store, trouble } = self.store(bound.store());

        let mut row = Row::new();
        let mut put = |field: &str, value: Value| drop(row.insert(field.to_owned(), value));
        put("name", json!(limit.id));
        put("middleware", middleware.into());
        for field in ["provider", "type"] {
            if let Some(value) = of_written(field) {
                put(field, value);
            }
        }
        let mut errors = of_written("error").and_then(|errors| errors.as_array().cloned()).unwrap_or_default();
        let status = if trouble.is_some() { Some("warning".into()) } else { of_written("status") };
        put("status", status.unwrap_or_else(|| "enabled".into()));
        errors.extend(trouble.map(Value::from));
        if !errors.is_empty() {
            put("error", errors.into());
        }
        put("usedBy", json!(self.used_by(middleware, router)));
        put("scope", if router.is_some() { "router" } else { "middleware" }.into());
        if let Some(quota) = &limit.quota {
            put("limit", quota.limit().into());
            put("period", go_duration(quota.period()).into());
            put("burst", quota.burst().into());
        }
        put("quotas", limit.windows.iter().map(|(name, quota)| Value::Object(self::quota(name, quota))).collect());
        put("maxDelay", go_duration(limit.max_delay).into());
        put("criterion", criterion(limit, written));
        if let Store::Redis(_) = bound.store() {
            put("leases", limit.leases.into());
            put("failurePolicy", limit.failure_policy.as_str().into());
        }
        put("store", store);
        let counts = self.counts.get(&limit.id);
        put("decisions", decisions(counts));
        put("overflowed", counts.map_or(0, |counts| counts.overflowed).into());
        row
    }

    /// The middleware that a limit belongs to, and the router, if each has its own (`limit@file/router@file`). Both may
    /// have slashes in their names, so the configuration says which part is which.
    fn parts<'n>(&self, id: &'n str) -> (&'n str, Option<&'n str>) {
        if self.state.middlewares.contains_key(id) {
            return (id, None);
        }
        let mut splits = id.match_indices('/').map(|(at, _)| (&id[..at], &id[at + 1..]));
        let known = splits
            .find(|(middleware, router)| {
                self.state.middlewares.contains_key(*middleware) && self.state.routers.contains_key(*router)
            })
            .map(|(middleware, router)| (middleware, Some(router)));
        // It may be older than the configuration that is shown.
        known.unwrap_or((id, None))
    }

    fn used_by(&self, middleware: &str, router: Option<&str>) -> Vec<&str> {
        let users = self.users.get(middleware).into_iter().flatten().copied();
        users.filter(|user| router.is_none_or(|router| router == *user)).collect()
    }

    fn store(&mut self, store: &Store) -> Shown {
        let Store::Redis(store) = store else {
            let store = json!({"name": "memory", "kind": "memory", "state": "available", "available": true});
            return Shown { store, trouble: None };
        };
        if let Some((_, shown)) = self.stores.iter().find(|(known, _)| Arc::ptr_eq(known, store)) {
            return shown.clone();
        }
        let shown = shared(store);
        self.stores.push((store.clone(), shown.clone()));
        shown
    }
}

/// Who requests pass each middleware by: directly, in a chain, or because an entry point has it.
fn users<'a>(facts: &'a Facts, state: &'a State) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let enabled = state.routers.iter().filter(|(_, row)| row.get("status").is_none_or(|status| status != "disabled"));
    for (router, row) in enabled {
        let entry_points = texts(row.get("using")).filter_map(|name| facts.entry_points.get(name));
        let of_entry_points =
            entry_points.flat_map(|row| texts(row.get("http").and_then(|http| http.get("middlewares"))));
        let of_entry_points = of_entry_points.map(|name| QualifiedName::resolve(name, router.provider()));
        let own = texts(row.get("middlewares")).map(|name| QualifiedName::resolve(name, router.provider()));
        let mut left: Vec<QualifiedName> = of_entry_points.chain(own).collect();
        while let Some(name) = left.pop() {
            let Some((name, row)) = state.middlewares.get_key_value(&name) else { continue };
            if users.entry(name.as_str()).or_default().insert(router.as_str()) {
                let members = texts(row.get("chain").and_then(|chain| chain.get("middlewares")));
                left.extend(members.map(|member| QualifiedName::resolve(member, name.provider())));
            }
        }
    }
    users
}

fn texts(list: Option<&Value>) -> impl Iterator<Item = &str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The parameter that names a key of it, and what was written.
fn criterion(limit: &Limit, written: Option<&Row>) -> Value {
    let options = written.and_then(|row| {
        let plugin = row.get("plugin").and_then(Value::as_object).and_then(|plugins| plugins.values().next());
        row.get("rateLimit").or(plugin)
    });
    let source = options.and_then(|options| options.get("sourceCriterion")).and_then(Value::as_object);
    let mut shown = source.cloned().unwrap_or_default();
    // What is shown of the configuration may be older or newer than the limit.
    if let Criterion::Header(name) = &limit.criterion {
        shown.entry("requestHeaderName").or_insert_with(|| (**name).into());
    }
    shown.insert("key".into(), parameter_of(&limit.criterion).into());
    shown.into()
}

/// A quota over a longer window, in the words of the configuration.
pub(super) fn quota(name: &str, quota: &WindowQuota) -> Row {
    let mut row = Row::new();
    row.insert("name".into(), name.into());
    row.insert("limit".into(), quota.limit().into());
    match quota.window() {
        Window::Calendar(calendar) => {
            row.insert("window".into(), calendar.unit().as_str().into());
            row.insert("timeZone".into(), calendar.time_zone().into());
        }
        Window::Sliding(sliding) => {
            row.insert("window".into(), go_duration(sliding.length()).into());
            row.insert("sliding".into(), true.into());
        }
    }
    row
}

/// By verdict and by who decided, without those that never happened.
fn decisions(counts: Option<&LimitSnapshot>) -> Value {
    let mut shown: BTreeMap<&str, BTreeMap<&str, u64>> =
        ["allow", "delay", "deny"].into_iter().map(|verdict| (verdict, BTreeMap::new())).collect();
    for &(verdict, source, count) in counts.into_iter().flat_map(|counts| &counts.decisions) {
        if count > 0 {
            shown.entry(verdict).or_default().insert(source, count);
        }
    }
    json!(shown)
}

fn shared(store: &RedisStore) -> Shown {
    let snapshot = store.snapshot();
    let (state, wrong) = match store.health() {
        Health::Available => ("available", None),
        Health::Impaired(error) => ("impaired", Some(error)),
        Health::Unavailable(error) => ("unavailable", Some(error)),
    };
    let mut shown = json!({
        "name": snapshot.name,
        "kind": "redis",
        "state": state,
        "available": wrong.is_none(),
        "instances": snapshot.instances,
        "keysKnown": snapshot.keys_known,
        "slotsHeld": snapshot.slots_held,
        "latency": latency(&snapshot.latency),
        "servers": store.nodes().iter().map(server).collect::<Vec<_>>(),
    });
    let trouble = wrong.map(|wrong| {
        shown["error"] = error(&wrong).into();
        format!("the store {} is {state}: {wrong}", snapshot.name)
    });
    Shown { store: shown, trouble }
}

fn server(node: &NodeSnapshot) -> Value {
    let mut shown = json!({"address": node.address, "role": node.role.as_str(), "available": node.available});
    if let Some(run) = &node.run_id {
        shown["runId"] = json!(run);
    }
    if node.latency.count > 0 {
        shown["latency"] = latency(&node.latency);
    }
    if let Some(wrong) = &node.error {
        shown["error"] = error(wrong).into();
    }
    shown
}

/// How long answered calls took, in seconds, since the start. Half and 99 of 100 of them took at most so long, as far as
/// the histogram can tell: `null` if longer than its last bound.
fn latency(latency: &LatencySnapshot) -> Value {
    let at_most = |share: f64| {
        let wanted = (latency.count as f64 * share).ceil() as u64;
        latency.buckets.iter().find(|(_, count)| *count >= wanted).map(|(bound, _)| *bound)
    };
    let mean = (latency.count > 0).then(|| latency.sum / latency.count as f64);
    json!({"calls": latency.count, "mean": mean, "p50": mean.and(at_most(0.5)), "p99": mean.and(at_most(0.99))})
}

/// What is wrong with a store, and what an operator can do.
pub(super) fn error(error: &StoreError) -> Row {
    let mut row = Row::new();
    row.insert("kind".into(), error.kind.as_str().into());
    row.insert("message".into(), format!("{}: {}", error.kind, error.detail).into());
    if !error.kind.hint().is_empty() {
        row.insert("hint".into(), error.kind.hint().into());
    }
    row
}

/// What the store is called.
pub(super) fn store_name(store: &Store) -> String {
    match store {
        Store::Memory(_) => "memory".into(),
        Store::Redis(store) => store.snapshot().name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_in_words() {
        let none = latency(&LatencySnapshot { buckets: vec![(0.1, 0)], count: 0, sum: 0.0 });
        assert_eq!(none, json!({"calls": 0, "mean": null, "p50": null, "p99": null}));
        let some = latency(&LatencySnapshot { buckets: vec![(0.1, 50), (0.2, 98)], count: 100, sum: 25.0 });
        assert_eq!(some, json!({"calls": 100, "mean": 0.25, "p50": 0.1, "p99": null}));
    }
}
