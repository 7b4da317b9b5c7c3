//! Which of the options that were written are known, and which are here.

use super::options::{self, Kind, OptionTree};
use super::values::parse_switch;
use crate::diagnostic::Diagnostic;
use crate::node::{Key, Node, Value};
use crate::place::Place;

/// The part of a tree that Tollgate has, and what is to be said about the rest: unknown options
/// are errors, options of Traefik's that are not yet here are warnings.
pub(crate) fn examine(root: &Node) -> (Node, Vec<Diagnostic>) {
    let mut examiner = Examiner { path: Vec::new(), diagnostics: Vec::new() };
    let known = match &root.value {
        Value::Null | Value::Map(_) => examiner.node(options::root(), root),
        Value::Scalar(..) | Value::List(_) => {
            examiner.error("wrong-type", &root.place, "expected a map of options", None);
            Node::new(Value::Null, root.place.clone())
        }
    };
    (known, examiner.diagnostics)
}

struct Examiner {
    path: Vec<String>,
    diagnostics: Vec<Diagnostic>,
}

impl Examiner {
    fn node(&mut self, option: &OptionTree, node: &Node) -> Node {
        let value = match &node.value {
            Value::Map(entries) if option.is_branch() => {
                let kept = self.entries(option, entries);
                let emptied = kept.is_empty() && !entries.is_empty();
                // What held only options that are not here is as if it had not been written,
                // unless its being there says something.
                if emptied && option.kind() != Some(Kind::Block) { Value::Null } else { Value::Map(kept) }
            }
            Value::List(items) if option.is_branch() => {
                Value::List(items.iter().map(|item| self.node(option, item)).collect())
            }
            Value::Scalar(text, _) => {
                self.scalar(option, text, &node.place);
                node.value.clone()
            }
            other => other.clone(),
        };
        Node::new(value, node.place.clone())
    }

    fn entries(&mut self, option: &OptionTree, entries: &[(Key, Node)]) -> Vec<(Key, Node)> {
        let mut kept = Vec::new();
        for (key, child) in entries {
            let Some(below) = option.child(&key.name) else {
                self.unknown(option, key);
                continue;
            };
            self.path.push(below.spelled(&key.name).to_owned());
            // Nothing is said twice about one part: the warning stands at its top.
            if option.is_here() && !below.is_here() && !child.is_null() {
                self.not_yet_here(&key.place);
            }
            let child = self.node(below, child);
            if below.is_here() {
                kept.push((key.clone(), child));
            }
            self.path.pop();
        }
        kept
    }

    /// A block that stands alone is switched on or off; Traefik takes every other word for off.
    fn scalar(&mut self, option: &OptionTree, text: &str, place: &Place) {
        if option.kind() == Some(Kind::Block) && !text.is_empty() && parse_switch(text).is_none() {
            // The text stays out of the message: it may be a URL with a password in it.
            self.error("wrong-type", place, "expected true, false or a block", None);
        }
    }

    fn unknown(&mut self, option: &OptionTree, key: &Key) {
        self.path.push(key.name.clone());
        let hint = option
            .nearest(&key.name)
            .map(|meant| format!("did you mean {meant:?}?"))
            .or_else(|| self.dynamic(&key.name));
        let message = format!("field not found, node: {}", key.name);
        self.error("unknown-option", &key.place, &message, hint);
        self.path.pop();
    }

    fn dynamic(&self, name: &str) -> Option<String> {
        let top = self.path.len() == 1;
        (top && matches!(name, "http" | "tcp" | "udp" | "tls")).then(|| {
            "that is dynamic configuration: put it into the file that providers.file.filename names".to_owned()
        })
    }

    fn not_yet_here(&mut self, place: &Place) {
        let message = "known to Traefik, not yet here: it has no effect";
        let path = self.path.join(".");
        let warning = Diagnostic::warning("not-yet-here", path, Some(place.clone()), message);
        self.diagnostics.push(warning);
    }

    fn error(&mut self, code: &'static str, place: &Place, message: &str, hint: Option<String>) {
        let path = self.path.join(".");
        let mut error = Diagnostic::error(code, path, Some(place.clone()), message);
        error.hint = hint;
        self.diagnostics.push(error);
    }
}
