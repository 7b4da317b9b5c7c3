//! From text to a [`Node`]: YAML, TOML and JSON.

pub(crate) mod env;
pub(crate) mod flags;
pub mod toml;
pub mod yaml;

use std::path::Path;
use std::sync::Arc;

use crate::decode::Decoder;
use crate::diagnostic::Diagnostic;
use crate::dynamic::DynamicConfig;
use crate::node::Node;
use crate::place::Place;
use crate::template;

/// The spelling of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// YAML 1.2 with the scalars of Go's `yaml.v3`.
    Yaml,
    /// TOML 1.0.
    Toml,
    /// JSON, which is YAML.
    Json,
}

impl Format {
    /// The format a file name stands for: `.toml`, `.yml`, `.yaml`, `.json`.
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match extension.as_str() {
            "yml" | "yaml" => Self::Yaml,
            "toml" => Self::Toml,
            "json" => Self::Json,
            _ => return None,
        })
    }
}

/// Reads text into a tree; the label names the file in places. Empty text is null.
///
/// # Errors
/// All syntax errors that could be found; the file means nothing then.
pub fn load_node(text: &str, format: Format, label: &str) -> Result<Node, Vec<Diagnostic>> {
    let file: Arc<str> = label.into();
    match format {
        Format::Yaml | Format::Json => yaml::load(text, &file),
        Format::Toml => toml::load(text, &file),
    }
}

/// Reads text of dynamic configuration into a tree: as [`load_node`], after running it through
/// Go's `text/template` as Traefik does, when it has any `{{`. Lines are those of the template.
///
/// # Errors
/// All syntax errors that could be found, or what is wrong with the template.
pub fn load_dynamic_node(text: &str, format: Format, label: &str) -> Result<Node, Vec<Diagnostic>> {
    if !template::is_template(text) {
        return load_node(text, format, label);
    }
    let file: Arc<str> = label.into();
    let rendered =
        template::render(text, &|name| std::env::var(name).ok()).map_err(|error| vec![error.into_diagnostic(&file)])?;
    let to_source = |place: &mut Place| place.line = rendered.source_line(place.line);
    match load_node(&rendered.text, format, label) {
        Ok(mut node) => {
            node.each_place(&to_source);
            Ok(node)
        }
        Err(mut said) => {
            said.iter_mut().filter_map(|one| one.place.as_mut()).for_each(to_source);
            Err(said)
        }
    }
}

/// Reads a file of dynamic configuration. See [`load_dynamic_text`].
pub fn load_dynamic_file(path: &Path) -> Result<(DynamicConfig, Vec<Diagnostic>), Vec<Diagnostic>> {
    let label = path.display().to_string();
    let refused =
        |code, message: String| vec![Diagnostic::error(code, "", Some(Place::label(label.as_str())), message)];
    let format = Format::of(path).ok_or_else(|| {
        let message = "unsupported file extension; use .yml, .yaml, .toml or .json";
        refused("unsupported-extension", message.to_owned())
    })?;
    let text = std::fs::read_to_string(path)
        .map_err(|error| refused("unreadable", format!("cannot read the file: {error}")))?;
    load_dynamic_text(&text, format, &label)
}

/// Reads dynamic configuration from text. The label names the text in places.
///
/// Gives what was written and the warnings about it.
///
/// # Errors
/// The file is refused as a whole, as Traefik refuses it: a syntax error, an unknown field, a
/// value of the wrong type, an empty section. All mistakes are told, and the warnings with them.
pub fn load_dynamic_text(
    text: &str,
    format: Format,
    label: &str,
) -> Result<(DynamicConfig, Vec<Diagnostic>), Vec<Diagnostic>> {
    let node = load_dynamic_node(text, format, label)?;
    let mut decoder = Decoder::default();
    let config = DynamicConfig::decode(&node, &mut decoder);
    let diagnostics = decoder.into_diagnostics();
    if diagnostics.iter().any(Diagnostic::is_error) { Err(diagnostics) } else { Ok((config, diagnostics)) }
}
