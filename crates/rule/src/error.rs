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
    pub(crate) fn new(span: Range<usize>, message: impl AsRef<str>) -> RuleError {
        RuleError { span, message: one_line(message.as_ref()), hint: None }
    }

    pub(crate) fn hint(self, hint: impl AsRef<str>) -> RuleError {
        RuleError { hint: Some(one_line(hint.as_ref())), ..self }
    }

    pub(crate) fn maybe_hint(self, hint: Option<String>) -> RuleError {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }
}

/// `text` fit for a log: rules are quoted in messages, and may hold line breaks
/// and be as long as their authors please.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(MAX_LINE));
    for c in text.chars() {
        if line.len() >= MAX_LINE {
            line.push('…');
            break;
        }
        if c.is_control() {
            line.extend(c.escape_debug());
        } else {
            line.push(c);
        }
    }
    line
}

/// Where a message is cut, in bytes.
const MAX_LINE: usize = 300;

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.message, self.span.start)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}
