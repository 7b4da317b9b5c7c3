//! Many files, one configuration.

use std::path::Path;

use tollgate_config::decode::Decoder;
use tollgate_config::load::load_dynamic_node;
use tollgate_config::node::{Key, Value};
use tollgate_config::{Diagnostic, DynamicConfig, Format, Node, Place, load_dynamic_text};

use super::Loaded;
use super::snapshot::{Snapshot, Text};

/// The configuration of a single file.
pub(super) fn load_one(snapshot: &Snapshot) -> Loaded {
    let Some((path, text)) = snapshot.files.first_key_value() else {
        return Ok(Default::default());
    };
    let (text, format) = readable(path, text)?;
    load_dynamic_text(text, format, &path.display().to_string())
}

/// The configuration of all files of a directory together, in the order of their names.
///
/// Every file is judged by itself first, and one that is refused refuses all. Then objects are
/// collected by name: of two with one name the first counts, as in Traefik, and the second is
/// reported.
pub(super) fn load_all(snapshot: &Snapshot) -> Loaded {
    let mut merged = Merged { root: Vec::new(), clashes: Vec::new() };
    let mut diagnostics = Vec::new();
    for (path, text) in &snapshot.files {
        match load_file(path, text) {
            Ok((node, mut warnings)) => {
                diagnostics.append(&mut warnings);
                merged.add(node);
            }
            Err(mut errors) => diagnostics.append(&mut errors),
        }
    }
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(diagnostics);
    }
    let whole = Node::new(Value::Map(merged.root), Place::label("directory"));
    // What is to be said about the parts was said when they were read.
    let config = DynamicConfig::decode(&whole, &mut Decoder::default());
    diagnostics.append(&mut merged.clashes);
    Ok((config, diagnostics))
}

fn load_file(path: &Path, text: &Text) -> Result<(Node, Vec<Diagnostic>), Vec<Diagnostic>> {
    let (text, format) = readable(path, text)?;
    let node = load_dynamic_node(text, format, &path.display().to_string())?;
    let mut decoder = Decoder::default();
    DynamicConfig::decode(&node, &mut decoder);
    let diagnostics = decoder.into_diagnostics();
    if diagnostics.iter().any(Diagnostic::is_error) { Err(diagnostics) } else { Ok((node, diagnostics)) }
}

fn readable<'a>(path: &Path, text: &'a Text) -> Result<(&'a str, Format), Vec<Diagnostic>> {
    let text = text.text(path)?;
    let format = Format::of(path).ok_or_else(|| {
        let place = Some(Place::label(path.display().to_string()));
        let message = "unsupported file extension";
        vec![Diagnostic::error("unsupported-extension", "", place, message).hint("use .yml, .yaml or .toml")]
    })?;
    Ok((text, format))
}

/// Trees laid over one another.
struct Merged {
    root: Vec<(Key, Node)>,
    clashes: Vec<Diagnostic>,
}

impl Merged {
    fn add(&mut self, node: Node) {
        let Value::Map(sections) = node.value else { return };
        for (key, section) in sections {
            match (position(&self.root, &key), section.value) {
                (_, Value::Null) => {}
                (None, value) => self.root.push((key, Node::new(value, section.place))),
                (Some(index), Value::Map(kinds)) => self.add_section(index, kinds),
                // Not a section, so a key that nobody knows and that was warned about.
                (Some(_), _) => {}
            }
        }
    }

    /// Adds `routers`, `services` and so on to those that a section has.
    fn add_section(&mut self, index: usize, kinds: Vec<(Key, Node)>) {
        let (section, node) = &mut self.root[index];
        let Value::Map(have) = &mut node.value else { return };
        for (key, kind) in kinds {
            let Some(at) = position(have, &key) else {
                have.push((key, kind));
                continue;
            };
            match (&mut have[at].1.value, kind.value) {
                (Value::Map(objects), Value::Map(more)) => {
                    let path = format!("{}.{}", section.name, key.name);
                    add_objects(objects, more, &path, &mut self.clashes);
                }
                (Value::List(items), Value::List(more)) => items.extend(more),
                (have @ Value::Null, value) => *have = value,
                _ => {}
            }
        }
    }
}

fn add_objects(have: &mut Vec<(Key, Node)>, more: Vec<(Key, Node)>, path: &str, clashes: &mut Vec<Diagnostic>) {
    for (key, object) in more {
        // Objects have names of their own, where case counts.
        match have.iter().find(|(other, _)| other.name == key.name) {
            None => have.push((key, object)),
            Some((first, _)) => {
                let path = format!("{path}.{}", key.name);
                let message = format!("already configured in {}: this one is skipped", first.place);
                clashes.push(Diagnostic::error("configured-twice", path, Some(key.place), message));
            }
        }
    }
}

fn position(entries: &[(Key, Node)], key: &Key) -> Option<usize> {
    entries.iter().position(|(other, _)| other.name.eq_ignore_ascii_case(&key.name))
}
