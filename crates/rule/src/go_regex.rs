//! Regular expressions with the meaning they have in Go.
//!
//! Rules and middlewares were written for Go's RE2. The `regex` crate is close to
//! it but not equal: its `\d \w \s \b` know Unicode, it gives `&&`, `--`, `~~` and
//! `[` inside classes a meaning, it has no `\Q…\E`, it stacks repetitions.
//! [`compile`] reads a pattern by Go's grammar (`regexp/syntax`, Perl flags) and
//! writes it in the crate's, so that a pattern either means the same or is refused.
//!
//! Capture groups keep their numbers and names.

mod class;
mod escape;
mod scanner;

use std::fmt;

use regex::{Regex, RegexBuilder};

use crate::error::one_line;

/// Compiles `pattern`, which is searched for anywhere in the text, as in Go.
///
/// Refused besides what Go refuses: patterns whose program would need more than
/// a few megabytes or that nest more than 250 deep, a repetition right after bare
/// flags as in `a(?i)*`, and `\x{D800}` to `\x{DFFF}`, which text cannot hold.
pub fn compile(pattern: &str) -> Result<Regex, Error> {
    let translated = scanner::translate(pattern)?;
    RegexBuilder::new(&translated)
        .size_limit(PROGRAM_BYTES)
        .dfa_size_limit(CACHE_BYTES)
        .build()
        .map_err(|error| Error::from_regex(&error))
}

/// Why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    message: String,
    /// The byte of the pattern at which it became clear, if known.
    at: Option<usize>,
}

impl Error {
    fn new(at: usize, message: impl AsRef<str>) -> Error {
        Error { message: one_line(message.as_ref()), at: Some(at) }
    }

    /// The crate's own message shows the translated pattern over several lines;
    /// its last line says what is wrong.
    fn from_regex(error: &regex::Error) -> Error {
        let message = match error {
            regex::Error::CompiledTooBig(_) => "the expression is too big".to_owned(),
            other => {
                let text = other.to_string();
                let last = text.lines().last().unwrap_or_default();
                last.strip_prefix("error: ").unwrap_or(last).to_owned()
            }
        };
        Error { message, at: None }
    }

    /// The byte of the pattern at which it went wrong, if known.
    pub fn at(&self) -> Option<usize> {
        self.at
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.at {
            Some(at) => write!(f, " (byte {at} of the expression)"),
            None => Ok(()),
        }
    }
}

/// What one compiled program may take. Patterns come with the configuration, which
/// others than the operator may write, such as owners of containers.
const PROGRAM_BYTES: usize = 4 << 20;

/// What the lazy DFA of one pattern may cache, per thread that searches.
const CACHE_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests;
