//! Where something was written.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// A position in a configuration file, or the name of a flag or environment variable.
///
/// Lines and columns count from 1. Line 0 means that the source has no lines: then `file` is the
/// flag or the variable itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The file as the user named it, or the label of a flag or variable.
    pub file: Arc<str>,
    /// Line, from 1; 0 when the source has no lines.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Place {
    /// A place in a file.
    pub fn new(file: &Arc<str>, line: usize, column: usize) -> Self {
        Self {
            file: Arc::clone(file),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }

    /// A place without lines: a flag, a variable, a whole file.
    pub fn label(label: impl Into<Arc<str>>) -> Self {
        Self { file: label.into(), line: 0, column: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { f.write_str(&self.file) } else { write!(f, "{}:{}:{}", self.file, self.line, self.column) }
    }
}
