//! The limits in force, and what becomes of one key.
//!
//! ```text
//! GET  /api/limits                       all, filtered and paged as every list
//! GET  /api/limits/{name}                one
//! GET  /api/limits/{name}/key?address=…  how the bucket of a key stands (or host=…, header=…): it costs nothing
//! POST /api/limits/{name}/key/reset?…    makes it full
//! POST /api/limits/{name}/key/grant?…    puts `requests` into it
//! ```
//!
//! Counts are those of this instance, buckets those of all that share the store. Quotas over longer windows are shown and
//! never changed: what was used of a day stays used.

mod key;
mod row;

use http::request::Parts;
use http::{Method, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tollgate_limiter::{KeyBytes, Limit};
use tollgate_pipeline::{Exchange, Response};
use tollgate_store::{BoundLimit, KeyState, StoreError};

use super::{Api, guard, list, missing};
use crate::answer::{self, READS, failure, failure_with, method_not_allowed, reads};
use crate::state::Row;
use key::Asked;
use row::Rows;

/// What is asked about.
pub(super) enum Subject {
    /// All limits.
    All,
    /// The limit of this name.
    One(String),
    /// The bucket of a key of it.
    Key(String, Act),
}

/// What to do with a bucket.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Peek,
    Reset,
    Grant,
}

impl Subject {
    /// The subject of a path below `/api/`, if limits are its subject.
    ///
    /// Names may have slashes (a limit with `scope: router` is `limit@file/router@file`) and be written with them as
    /// they are or encoded. What follows a name cannot be taken for a part of it: names end in `@` and a provider.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let Some(rest) = path.strip_prefix("limits/") else {
            return (path == "limits").then_some(Self::All);
        };
        let acts = [("/key", Act::Peek), ("/key/reset", Act::Reset), ("/key/grant", Act::Grant)];
        let act = acts.into_iter().find_map(|(suffix, act)| Some((rest.strip_suffix(suffix)?, act)));
        let name = |name: &str| percent_decode_str(name).decode_utf8_lossy().into_owned();
        Some(match act {
            Some((limit, act)) => Self::Key(name(limit), act),
            None => Self::One(name(rest)),
        })
    }

    fn changes(&self) -> bool {
        matches!(self, Self::Key(_, Act::Reset | Act::Grant))
    }
}

impl Api {
    pub(super) async fn limits(&self, subject: &Subject, request: &Parts, exchange: &mut Exchange) -> Response {
        let query = request.uri.query().unwrap_or_default();
        if let Subject::Key(..) = subject {
            hide_query(exchange);
        }
        if subject.changes() {
            if request.method != Method::POST {
                return method_not_allowed("POST");
            }
            if let Some(objection) = guard::objection(&request.headers, exchange) {
                return failure(StatusCode::FORBIDDEN, objection);
            }
        } else if !reads(&request.method) {
            return method_not_allowed(READS);
        }
        match subject {
            Subject::All => self.all_limits(query),
            Subject::One(name) => self.one_limit(name),
            Subject::Key(name, act) => self.bucket(name, *act, query, exchange).await,
        }
    }

    fn all_limits(&self, query: &str) -> Response {
        let state = self.state.current();
        let mut rows = Rows::new(&self.facts, &state, &self.resources.stores);
        let limits = self.resources.stores.limits();
        let rows: Vec<_> = limits.iter().map(|limit| rows.row(limit)).collect();
        list::answer(rows.iter(), query)
    }

    fn one_limit(&self, name: &str) -> Response {
        let state = self.state.current();
        match self.resources.stores.limit(name) {
            Some(limit) => answer::json(&Rows::new(&self.facts, &state, &self.resources.stores).row(&limit)),
            None => missing("limit", name),
        }
    }

    /// Does something with the bucket of the key that `query` names, and tells how it stands then.
    async fn bucket(&self, name: &str, act: Act, query: &str, exchange: &mut Exchange) -> Response {
        let Some(limit) = self.resources.stores.limit(name) else {
            return missing("limit", name);
        };
        if act != Act::Peek && limit.limit().quota.is_none() {
            return failure(
                StatusCode::BAD_REQUEST,
                "invalid request: this limit has quotas only, which stay as they are",
            );
        }
        let criterion = &limit.limit().criterion;
        let asked = match Asked::parse(criterion, query, act == Act::Grant) {
            Ok(asked) => asked,
            Err(message) => return failure(StatusCode::BAD_REQUEST, &format!("invalid request: {message}")),
        };
        let key = KeyBytes::from(criterion.source(&asked.named));
        match change(&limit, act, &key, asked.requests, exchange).await {
            Ok(states) => state_of(limit.limit(), &key, &states),
            Err(error) => away(&limit, &error),
        }
    }
}

/// Whoever changes something is in the log, with the key as people see it: never a credential.
async fn change(
    limit: &BoundLimit,
    act: Act,
    key: &KeyBytes<'_>,
    requests: u64,
    exchange: &Exchange,
) -> Result<Vec<KeyState>, StoreError> {
    let (name, client) = (&limit.limit().id, exchange.peer);
    match act {
        Act::Peek => {}
        Act::Reset => {
            limit.reset(key).await?;
            tracing::info!(limit = %name, key = %key.short(), %client, "bucket reset by the API");
        }
        Act::Grant => {
            limit.grant(key, requests).await?;
            tracing::info!(limit = %name, key = %key.short(), requests, %client, "requests granted by the API");
        }
    }
    limit.peek(key).await
}

/// How the bucket stands, if there is one, and every quota.
fn state_of(limit: &Limit, key: &KeyBytes<'_>, states: &[KeyState]) -> Response {
    let mut shown = Row::new();
    shown.insert("limit".into(), (*limit.id).into());
    shown.insert("key".into(), key.short().text().into());
    let mut quotas = Vec::new();
    for state in states {
        match state.window.and_then(|window| limit.windows.get(window)) {
            None => put_numbers(&mut shown, state),
            Some((name, quota)) => {
                let mut of_quota = row::quota(name, quota);
                put_numbers(&mut of_quota, state);
                quotas.push(Value::Object(of_quota));
            }
        }
    }
    shown.insert("quotas".into(), quotas.into());
    answer::json(&shown)
}

fn put_numbers(row: &mut Row, state: &KeyState) {
    row.insert("remaining".into(), state.remaining.into());
    row.insert("retryAfter".into(), state.retry_after.as_secs_f64().into());
    row.insert("resetAfter".into(), state.reset_after.as_secs_f64().into());
    row.insert("heldHere".into(), state.held_here.into());
}

/// Nothing is known of the bucket while its store is away, and nothing was done to it; or, where no answer came in
/// time, it may have been.
fn away(limit: &BoundLimit, error: &StoreError) -> Response {
    let mut fields = row::error(error);
    let message = format!("the store {} cannot tell: {}: {}", row::store_name(limit.store()), error.kind, error.detail);
    fields.insert("message".into(), message.into());
    failure_with(StatusCode::SERVICE_UNAVAILABLE, &fields.into())
}

/// A key may be a credential: what an access log says of this request is without it.
fn hide_query(exchange: &mut Exchange) {
    if exchange.target.query().is_some() {
        exchange.target = format!("{}?xxxx", exchange.target.path()).parse().unwrap_or_else(|_| Uri::default());
    }
}

#[cfg(test)]
mod tests;
