//! Traefik's API: paths, fields, filters and pages are those of 3.7; what is about TCP, UDP and certificates is empty.
//!
//! It differs in three ways: no secret is shown, `HEAD` is answered as `GET` is, and browsers are told to share
//! nothing with other sites.

mod list;
mod overview;

use http::{HeaderValue, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tollgate_pipeline::{BoxFuture, Exchange, Handler, Request, Response, respond};

use crate::answer::{failure, guarded, json, method_not_allowed, page, reads, ready};
use crate::state::{Facts, Row, Rows, State, StateHandle};

/// Answers what is asked below `/api/`.
pub struct Api {
    base: String,
    facts: Facts,
    state: StateHandle,
}

impl Api {
    /// The API of the instance with these facts and the state of the moment, below `base` (Traefik's `basePath`; `/`
    /// is none).
    pub fn new(facts: Facts, state: StateHandle, base: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), facts, state }
    }

    fn answer(&self, path: &str, query: &str) -> Response {
        let state = self.state.current();
        let Some(path) = path.strip_prefix(&self.base).and_then(|path| path.strip_prefix("/api/")) else {
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
}

impl Handler for Api {
    fn handle<'a>(&'a self, request: Request, _: &'a mut Exchange) -> BoxFuture<'a, Response> {
        let response = if reads(request.method()) {
            self.answer(request.uri().path(), request.uri().query().unwrap_or_default())
        } else {
            method_not_allowed()
        };
        ready(guarded(response, "default-src 'none'; frame-ancestors 'none'"))
    }
}

/// One object, by the name in the path.
fn one<'a>(kind: &str, name: &str, find: impl FnOnce(&str) -> Option<&'a Row>) -> Response {
    let name = percent_decode_str(name).decode_utf8_lossy();
    match find(&name) {
        Some(row) => json(row),
        None => failure(StatusCode::NOT_FOUND, &format!("{kind} not found: {name}")),
    }
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
