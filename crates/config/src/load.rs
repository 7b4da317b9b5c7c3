//! From text to a [`Node`]: YAML, TOML and JSON.

pub mod toml;
pub mod yaml;

use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::node::Node;

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
