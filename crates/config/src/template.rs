//! The useful part of Go's `text/template` with the functions of sprig.
//!
//! Traefik runs dynamic files through a template before it reads them. This is the part that
//! files use: text, comments, trim markers, variables, `if`, `with`, `range`, pipelines and the
//! functions in [`functions::NAMES`]. Anything else is an error that says what and where; nothing
//! is guessed. What a template may produce and how long it may run is bounded.

mod eval;
mod functions;
mod lexer;
mod output;
mod parser;
mod value;

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::place::Place;
use crate::suggest;

pub(crate) use output::Rendered;

/// What is wrong with a template, and on which line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateError {
    line: usize,
    message: String,
    hint: Option<String>,
}

impl TemplateError {
    fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn unknown_function(line: usize, name: &str) -> Self {
        let error = Self::new(line, format!("function {name:?} not defined"));
        match suggest::closest(name, functions::NAMES) {
            Some(meant) => error.hint(format!("did you mean {meant:?}?")),
            None => error.hint(format!("these functions are here: {}", functions::NAMES.join(", "))),
        }
    }

    /// As a reason to refuse the file.
    pub(crate) fn into_diagnostic(self, file: &Arc<str>) -> Diagnostic {
        let place = Place::new(file, self.line, 1);
        let mut diagnostic = Diagnostic::error("template", "", Some(place), format!("template: {}", self.message));
        diagnostic.hint = self.hint;
        diagnostic
    }
}

/// Whether the text is a template at all.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("{{")
}

/// Renders a template. `env` tells the value of an environment variable.
pub(crate) fn render(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Rendered, TemplateError> {
    let pieces = lexer::split(text)?;
    let nodes = parser::parse(&pieces)?;
    eval::run(&nodes, env)
}

#[cfg(test)]
mod tests;
