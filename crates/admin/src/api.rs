//! Traefik's API: paths, fields, filters and pages are those of 3.7; what is about TCP, UDP and certificates is empty.
//! And ours, below `limits`: the limits in force, and the bucket of one key.
//!
//! It differs in three ways: no secret is shown, `HEAD` is answered as `GET` is, and browsers are told to share
//! nothing with other sites.

mod guard;
mod limits;
mod list;
mod overview;

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tollgate_gateway::Resources;
use tollgate_pipeline::{BoxFuture, Exchange, Handler, Request, Response, respond};

use crate::answer::{READS, failure, guarded, json, method_not_allowed, page, reads};
use crate::state::{Facts, Row, Rows, State, StateHandle};

/// Answers what is asked below `/api/`.
pub struct Api {
    base: String,
    facts: Facts,
    state: StateHandle,
    resources: Arc<Resources>,
}

impl Api {
    /// The API of the instance with these facts, the state of the moment and the limits in `resources`, below `base`
    /// (Traefik's `basePath`; `/` is none).
    pub fn new(facts: Facts, state: StateHandle, resources: Arc<Resources>, base: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), facts, state, resources }
    }

    /// What is below `/api/` in a path.
    fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.strip_prefix(&self.base)?.strip_prefix("/api/")
    }

    fn answer(&self, path: &str, query: &str) -> Response {
        let state = self.state.current();
        let Some(path) = self.below(path) else {
            return respond::not_found();
        };
        let parts: Vec<&str> = path.split('/').collect();
        match parts[..] {
            ["version"] => self.version(),
            ["overview"] => json(&overview::overview(&self.facts, &state)),
            ["rawdata"] => json(&raw_data(&state)),
            ["entrypoints"] => list::answer(self.facts.entry_points.values(), query),
            ["entrypoints", name] => one("entry point", name, |name| self.facts.entry_points.get(name)),
            ["http", "routers"] => list::answer(state.routers.values(), query),
            ["http", "services"] => list::answer(state.services.values(), query),
            ["http", "middlewares"] => list::answer(state.middlewares.values(), query),
            ["http", "routers", name] => one("router", name, |name| state.routers.get(name)),
            ["http", "services", name] => one("service", name, |name| state.services.get(name)),
            ["http", "middlewares", name] => one("middleware", name, |name| state.middlewares.get(name)),
            ["tcp", "routers" | "services" | "middlewares"] | ["udp", "routers" | "services"] | ["certificates"] => {
                list::answer([].into_iter(), query)
            }
            ["tcp" | "udp", "routers", name] => one("router", name, |_| None),
            ["tcp" | "udp", "services", name] => one("service", name, |_| None),
            ["tcp", "middlewares", name] => one("middleware", name, |_| None),
            _ => respond::not_found(),
        }
    }

    fn version(&self) -> Response {
        let version = json!({ "Version": self.facts.version, "Codename": "tollgate", "startDate": self.facts.started });
        page(format!("{version}\n"), "application/json; charset=UTF-8")
    }

    async fn respond(&self, request: &Parts, exchange: &mut Exchange) -> Response {
        let (path, query) = (request.uri.path(), request.uri.query().unwrap_or_default());
        match self.below(path).and_then(limits::Subject::parse) {
            Some(subject) => self.limits(&subject, request, exchange).await,
            None if reads(&request.method) => self.answer(path, query),
            None => method_not_allowed(READS),
        }
    }
}

impl Handler for Api {
    fn handle<'a>(&'a self, request: Request, exchange: &'a mut Exchange) -> BoxFuture<'a, Response> {
        Box::pin(async move {
            let (request, _body) = request.into_parts();
            let response = self.respond(&request, exchange).await;
            guarded(response, "default-src 'none'; frame-ancestors 'none'")
        })
    }
}

/// One object, by the name in the path.
fn one<'a>(kind: &str, name: &str, find: impl FnOnce(&str) -> Option<&'a Row>) -> Response {
    let name = percent_decode_str(name).decode_utf8_lossy();
    match find(&name) {
        Some(row) => json(row),
        None => missing(kind, &name),
    }
}

fn missing(kind: &str, name: &str) -> Response {
    failure(StatusCode::NOT_FOUND, &format!("{kind} not found: {name}"))
}

/// Everything, by name; a section without objects is left out. The name is the key here, so what follows from it is
/// not repeated.
fn raw_data(state: &State) -> Value {
    let sections = [("routers", &state.routers), ("middlewares", &state.middlewares), ("services", &state.services)];
    let sections = sections.into_iter().filter(|(_, rows)| !rows.is_empty());
    sections.map(|(section, rows)| (section.to_owned(), raw_section(rows))).collect::<Row>().into()
}

fn raw_section(rows: &Rows) -> Value {
    let raw = |row: &Row| {
        let derived = ["name", "provider", "type", "priorityStr"];
        row.iter()
            .filter(|(field, _)| !derived.contains(&field.as_str()))
            .map(|(f, v)| (f.clone(), v.clone()))
            .collect()
    };
    rows.iter().map(|(name, row)| (name.as_str().to_owned(), Value::Object(raw(row)))).collect::<Row>().into()
}

/// The header that names the next page.
fn with_next_page(mut response: Response, page: usize) -> Response {
    response.headers_mut().insert("x-next-page", HeaderValue::from(page));
    response
}

#[cfg(test)]
mod tests;
