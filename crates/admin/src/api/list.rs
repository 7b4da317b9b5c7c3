//! Lists: filtered, sorted, a page at a time.

use std::cmp::Ordering;

use http::StatusCode;
use serde_json::Value;
use tollgate_pipeline::Response;
use tollgate_rule::canonical;

use super::with_next_page;
use crate::answer::{failure, json};
use crate::state::Row;

/// The page of `rows` that the query asks for.
pub(super) fn answer<'a>(rows: impl Iterator<Item = &'a Row>, query: &str) -> Response {
    let query = Query::parse(query);
    let mut rows: Vec<&Row> = rows.filter(|row| query.admits(row)).collect();
    query.sort(&mut rows);
    match query.page(rows.len()) {
        Ok(page) => with_next_page(json(&rows[page.start..page.end].to_vec()), page.next),
        Err(message) => failure(StatusCode::BAD_REQUEST, &message),
    }
}

/// What is asked of a list. The first of several values of a parameter counts; an empty one asks for nothing.
#[derive(Default)]
struct Query {
    search: String,
    status: String,
    service: String,
    middleware: String,
    sort_by: String,
    descending: bool,
    page: String,
    per_page: String,
}

/// Part of a list.
struct Page {
    start: usize,
    end: usize,
    /// The number of the page behind it; 1 after the last.
    next: usize,
}

impl Query {
    fn parse(text: &str) -> Self {
        let mut query = Self::default();
        let mut direction = String::new();
        for (name, value) in canonical::query(text) {
            let field = match &*name {
                "search" => &mut query.search,
                "status" => &mut query.status,
                "serviceName" => &mut query.service,
                "middlewareName" => &mut query.middleware,
                "sortBy" => &mut query.sort_by,
                "direction" => &mut direction,
                "page" => &mut query.page,
                "per_page" => &mut query.per_page,
                _ => continue,
            };
            if field.is_empty() {
                *field = value.into_owned();
            }
        }
        query.descending = !matches!(&*direction, "" | "asc");
        query
    }

    fn admits(&self, row: &Row) -> bool {
        self.has_status(row) && self.found_in(row) && self.has_service(row) && self.has_middleware(row)
    }

    fn has_status(&self, row: &Row) -> bool {
        self.status.is_empty() || text(row, "status").eq_ignore_ascii_case(&self.status)
    }

    fn found_in(&self, row: &Row) -> bool {
        let wanted = self.search.to_lowercase();
        ["name", "rule"].iter().any(|field| text(row, field).to_lowercase().contains(&wanted))
    }

    /// A service that is written without its provider is found by the name before the `@`.
    fn has_service(&self, row: &Row) -> bool {
        let service = text(row, "service");
        self.service.is_empty()
            || service == self.service
            || (!service.contains('@') && self.service.split('@').next() == Some(service))
    }

    fn has_middleware(&self, row: &Row) -> bool {
        let names = row.get("middlewares").and_then(Value::as_array);
        self.middleware.is_empty() || names.is_some_and(|names| names.iter().any(|name| *name == *self.middleware))
    }

    /// By what the query says, then by name. Rows come sorted by name.
    fn sort(&self, rows: &mut [&Row]) {
        rows.sort_by(|a, b| {
            let order = match self.sort_by.as_str() {
                "priority" => number(a, "priority").cmp(&number(b, "priority")),
                "entryPoints" => length(a.get("entryPoints")).cmp(&length(b.get("entryPoints"))),
                "servers" => servers(a).cmp(&servers(b)),
                "provider" | "status" | "rule" | "service" | "type" => {
                    text(a, &self.sort_by).cmp(text(b, &self.sort_by))
                }
                _ => Ordering::Equal,
            };
            let order = order.then_with(|| text(a, "name").cmp(text(b, "name")));
            if self.descending { order.reverse() } else { order }
        });
    }

    fn page(&self, count: usize) -> Result<Page, String> {
        let per_page = positive("per_page", &self.per_page, 100)?;
        let page = positive("page", &self.page, 1)?;
        let start = (page - 1).saturating_mul(per_page);
        if start != 0 && start >= count {
            return Err(format!("invalid request: page: {page}, per_page: {per_page}"));
        }
        let end = start.saturating_add(per_page).min(count);
        Ok(Page { start, end, next: if end < count { page + 1 } else { 1 } })
    }
}

/// A number above 0; the message of one that is not is Traefik's, which shows 0 for what is no number.
fn positive(name: &str, text: &str, default: usize) -> Result<usize, String> {
    if text.is_empty() {
        return Ok(default);
    }
    let number: i64 = text.parse().unwrap_or(0);
    let positive = usize::try_from(number).ok().filter(|&number| number > 0);
    positive.ok_or_else(|| format!("invalid request: {name}: {number}"))
}

fn text<'a>(row: &'a Row, field: &str) -> &'a str {
    row.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn number(row: &Row, field: &str) -> i64 {
    row.get(field).and_then(Value::as_i64).unwrap_or_default()
}

fn length(list: Option<&Value>) -> usize {
    list.and_then(Value::as_array).map_or(0, Vec::len)
}

fn servers(row: &Row) -> usize {
    length(row.get("loadBalancer").and_then(|balancer| balancer.get("servers")))
}
