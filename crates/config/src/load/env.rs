//! Options given as environment variables: `TRAEFIK_ENTRYPOINTS_WEB_ADDRESS`, or the same with
//! `TOLLGATE_` in front.
//!
//! Underscores separate steps, so a name with an underscore in it cannot be written this way, and
//! names are lower case: Traefik's rules. Where both prefixes give one option, `TOLLGATE_` counts.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::node::Node;
use crate::place::Place;
use crate::static_config::draft::{Draft, Placed, Step};
use crate::static_config::options;

/// What the environment says.
#[derive(Debug)]
pub(crate) struct Variables {
    /// All options; null when there are none.
    pub(crate) options: Node,
    /// Variables that look like options and are none.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Reads the variables that are options of ours.
pub(crate) fn parse(env: &[(String, String)]) -> Variables {
    let mut draft = Draft::new(Place::label("environment variables"));
    let mut diagnostics = Vec::new();
    for (path, (name, value)) in ours(env) {
        let place = Place::label(name);
        let steps: Vec<_> = path.split('_').map(step).collect();
        let first = steps.first().map_or("", |step| step.text);
        if options::root().child(first).is_none() {
            diagnostics.extend(unknown(first, place));
        } else if draft.put(&steps, value, &place) == Placed::TooFar {
            let message = "no list is so long";
            diagnostics.push(Diagnostic::error("bad-variable", "", Some(place), message));
        }
    }
    Variables { options: draft.finish(), diagnostics }
}

/// The path in lower case of each variable with one of our prefixes, in order.
fn ours(env: &[(String, String)]) -> BTreeMap<String, (&str, &str)> {
    let mut found = BTreeMap::new();
    // The later prefix replaces what the earlier one said.
    for prefix in PREFIXES {
        for (name, value) in env {
            if let Some(path) = name.strip_prefix(prefix) {
                found.insert(path.to_ascii_lowercase(), (name.as_str(), value.as_str()));
            }
        }
    }
    found
}

fn step(text: &str) -> Step<'_> {
    Step { text, may_be_index: true }
}

/// A variable that begins with no option. Traefik ignores it, and so must we: a container may be
/// given variables for other readers. It is worth a word, except where Kubernetes wrote it.
fn unknown(first: &str, place: Place) -> Option<Diagnostic> {
    // For a Kubernetes Service named `traefik`: TRAEFIK_SERVICE_HOST, TRAEFIK_PORT_80_TCP, …
    if matches!(first, "service" | "port") {
        return None;
    }
    let message = "no option has this name: ignored, as in Traefik";
    let warning = Diagnostic::warning("unknown-variable", "", Some(place), message);
    Some(match options::root().nearest(first) {
        Some(name) => warning.hint(format!("did you mean {}?", name.to_ascii_uppercase())),
        None => warning,
    })
}

const PREFIXES: [&str; 2] = ["TRAEFIK_", "TOLLGATE_"];
