//! Text to tokens, by the rules of the Go scanner.
//!
//! Go ends a statement at a line break that follows an identifier, a literal or
//! a closing parenthesis. Rules are read by Go's expression parser, so a line
//! may break after `&&` but not before it; the lexer reports such a break as
//! [`Kind::Newline`].

use std::ops::Range;

use crate::error::RuleError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ident,
    /// A string literal, quotes included.
    Str,
    Open,
    Close,
    Comma,
    And,
    Or,
    Not,
    /// A line break that ends the expression.
    Newline,
    /// Anything Go might know and rules do not: numbers, other operators.
    Other,
    End,
}

#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Range<usize>,
}

pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// The last token may end an expression, so a line break counts.
    break_counts: bool,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Lexer<'a> {
        Lexer { text, at: 0, break_counts: false }
    }

    pub(crate) fn next(&mut self) -> Result<Token, RuleError> {
        if let Some(newline) = self.skip_space()? {
            self.break_counts = false;
            return Ok(newline);
        }
        let start = self.at;
        let kind = self.kind()?;
        self.break_counts = matches!(kind, Kind::Ident | Kind::Str | Kind::Close | Kind::Other);
        Ok(Token { kind, span: start..self.at })
    }

    /// Passes blanks and comments. A line break on the way is a token if it counts.
    fn skip_space(&mut self) -> Result<Option<Token>, RuleError> {
        loop {
            let rest = &self.text[self.at..];
            let skipped = match rest.as_bytes() {
                [b' ' | b'\t' | b'\r' | b'\n', ..] => 1,
                [b'/', b'/', ..] => rest.find('\n').map_or(rest.len(), |end| end + 1),
                [b'/', b'*', ..] => rest[2..]
                    .find("*/")
                    .map(|end| end + 4)
                    .ok_or_else(|| RuleError::new(self.at..self.text.len(), "comment not closed"))?,
                _ => return Ok(None),
            };
            let start = self.at;
            self.at += skipped;
            if self.break_counts && rest[..skipped].contains('\n') {
                return Ok(Some(Token { kind: Kind::Newline, span: start..self.at }));
            }
        }
    }

    fn kind(&mut self) -> Result<Kind, RuleError> {
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else {
            return Ok(Kind::End);
        };
        let (kind, len) = match first {
            '(' => (Kind::Open, 1),
            ')' => (Kind::Close, 1),
            ',' => (Kind::Comma, 1),
            '&' if rest.starts_with("&&") => (Kind::And, 2),
            '|' if rest.starts_with("||") => (Kind::Or, 2),
            '!' if !rest.starts_with("!=") => (Kind::Not, 1),
            '`' => (Kind::Str, self.raw_string(rest)?),
            '"' => (Kind::Str, self.quoted_string(rest)?),
            '\'' => return Err(self.single_quote(rest)),
            c if is_word(c) && !c.is_ascii_digit() => (Kind::Ident, word_len(rest)),
            c if is_word(c) => (Kind::Other, word_len(rest)),
            c => (Kind::Other, c.len_utf8()),
        };
        self.at += len;
        Ok(kind)
    }

    fn raw_string(&self, rest: &str) -> Result<usize, RuleError> {
        match rest[1..].find('`') {
            Some(end) => Ok(end + 2),
            None => Err(self.not_closed('`')),
        }
    }

    fn quoted_string(&self, rest: &str) -> Result<usize, RuleError> {
        let bytes = rest.as_bytes();
        let mut i = 1;
        loop {
            match bytes.get(i) {
                Some(b'"') => return Ok(i + 1),
                Some(b'\\') if !matches!(bytes.get(i + 1), None | Some(b'\n')) => i += 2,
                None | Some(b'\n' | b'\\') => return Err(self.not_closed('"')),
                Some(_) => i += 1,
            }
        }
    }

    fn not_closed(&self, quote: char) -> RuleError {
        RuleError::new(self.at..self.text.len(), "string not closed").hint(format!("add the closing {quote}"))
    }

    fn single_quote(&self, rest: &str) -> RuleError {
        let body = &rest[1..];
        let end = body.find('\'').unwrap_or(body.len());
        let span = self.at..(self.at + end + 2).min(self.text.len());
        RuleError::new(span, "single quotes do not make a string").hint(format!("write `{}`", &body[..end]))
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn word_len(rest: &str) -> usize {
    rest.find(|c| !is_word(c)).unwrap_or(rest.len())
}
