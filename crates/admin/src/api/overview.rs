//! How many of each there are, and how they fare.

use serde_json::{Value, json};

use crate::state::{Facts, Rows, State};

pub(super) fn overview(facts: &Facts, state: &State) -> Value {
    let none = Rows::new();
    json!({
        "http": {
            "routers": section(&state.routers),
            "services": section(&state.services),
            "middlewares": section(&state.middlewares),
        },
        "tcp": { "routers": section(&none), "services": section(&none), "middlewares": section(&none) },
        "udp": { "routers": section(&none), "services": section(&none) },
        "certificates": section(&none),
        "features": { "tracing": "", "metrics": facts.metrics, "accessLog": facts.access_log },
        "providers": facts.providers,
    })
}

fn section(rows: &Rows) -> Value {
    let with =
        |status: &str| rows.values().filter(|row| row.get("status").is_some_and(|found| found == status)).count();
    json!({ "total": rows.len(), "warnings": with("warning"), "errors": with("disabled") })
}
