//! Why a rule cannot be used.

use std::fmt;
use std::ops::Range;

/// Why the text of a rule is not a rule: what, where, and how to put it right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RuleError {
    /// The bytes of the rule's text that are at fault.
    pub span: Range<usize>,
    /// What is wrong, in one line.
    pub message: String,
    /// What the author probably meant, in one line.
    pub hint: Option<String>,
}

impl RuleError {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> RuleError {
        RuleError { span, message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> RuleError {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn maybe_hint(mut self, hint: Option<String>) -> RuleError {
        self.hint = hint;
        self
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.message, self.span.start)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}
