//! A template as pieces of text and actions, and an action as tokens.

use super::TemplateError;

/// Text to copy, or an action to run.
#[derive(Debug, PartialEq)]
pub(super) struct Piece<'a> {
    pub(super) line: usize,
    pub(super) part: Part<'a>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Part<'a> {
    Text(&'a str),
    Action(Vec<Token>),
}

/// A word of an action.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name: a keyword or a function.
    Name(String),
    /// `$x`; `$` alone has an empty name.
    Variable(String),
    Text(String),
    Integer(i64),
    /// `.`
    Dot,
    Pipe,
    Open,
    Close,
    Comma,
    /// `:=`
    Declare,
    /// `=`
    Assign,
}

/// Cuts a template into pieces. Comments are left out and trim markers obeyed.
pub(super) fn split(text: &str) -> Result<Vec<Piece<'_>>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(at) = rest.find("{{") {
        let (before, action) = (&rest[..at], &rest[at + 2..]);
        let action_line = line + newlines(before);
        let trims_before = action.starts_with("- ") || action.starts_with("-\n");
        let before = if trims_before { before.trim_end() } else { before };
        push_text(&mut pieces, before, line);
        let action = if trims_before { &action[1..] } else { action };
        let length = action_length(action, action_line)?;
        let (inside, after) = (&action[..length], &action[length + 2..]);
        let trims_after = inside.ends_with(" -") || inside.ends_with("\n-");
        let inside = if trims_after { &inside[..inside.len() - 1] } else { inside };
        let trimmed = if trims_after { after.trim_start() } else { after };
        line = action_line + newlines(inside) + newlines(&after[..after.len() - trimmed.len()]);
        rest = trimmed;
        if !is_comment(inside) {
            pieces.push(Piece { line: action_line, part: Part::Action(tokens(inside, action_line)?) });
        }
    }
    push_text(&mut pieces, rest, line);
    Ok(pieces)
}

fn push_text<'a>(pieces: &mut Vec<Piece<'a>>, text: &'a str, line: usize) {
    if !text.is_empty() {
        pieces.push(Piece { line, part: Part::Text(text) });
    }
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n').count()
}

fn is_comment(inside: &str) -> bool {
    let inside = inside.trim();
    inside.starts_with("/*") && inside.ends_with("*/")
}

/// Where the `}}` is that ends an action: not one within a string or a comment.
fn action_length(action: &str, line: usize) -> Result<usize, TemplateError> {
    let unclosed = || TemplateError::new(line, "unclosed action").hint("an action ends with }}");
    if action.trim_start().starts_with("/*") {
        let end = action.find("*/").ok_or_else(|| TemplateError::new(line, "unclosed comment"))?;
        return action[end..].find("}}").map(|at| end + at).ok_or_else(unclosed);
    }
    let bytes = action.as_bytes();
    let mut quote = None;
    let mut at = 0;
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Ok(at),
            (None, open @ (b'"' | b'`')) => quote = Some(open),
            (Some(b'"'), b'\\') => at += 1,
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
        at += 1;
    }
    Err(unclosed())
}

/// The words of an action.
fn tokens(inside: &str, line: usize) -> Result<Vec<Token>, TemplateError> {
    let mut tokens = Vec::new();
    let mut rest = inside.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '|' => (Token::Pipe, 1),
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            ',' => (Token::Comma, 1),
            '=' => (Token::Assign, 1),
            ':' if rest.starts_with(":=") => (Token::Declare, 2),
            '"' => quoted(rest, line)?,
            '`' => raw(rest, line)?,
            '$' => {
                let name = word(&rest[1..]);
                (Token::Variable(name.to_owned()), 1 + name.len())
            }
            '.' if word(&rest[1..]).is_empty() => (Token::Dot, 1),
            '-' | '+' | '0'..='9' => integer(rest, line)?,
            _ if !word(rest).is_empty() => (Token::Name(word(rest).to_owned()), word(rest).len()),
            other => return Err(TemplateError::new(line, format!("unexpected {other:?} in an action"))),
        };
        rest = &rest[length..];
        if matches!(token, Token::Variable(_)) && rest.starts_with('.') {
            return Err(TemplateError::new(line, "fields of variables are not here"));
        }
        rest = rest.trim_start();
        tokens.push(token);
    }
    Ok(tokens)
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

fn integer(text: &str, line: usize) -> Result<(Token, usize), TemplateError> {
    let end = text[1..].find(|c: char| !c.is_alphanumeric() && c != '.' && c != '_').map_or(text.len(), |at| at + 1);
    match text[..end].parse() {
        Ok(number) => Ok((Token::Integer(number), end)),
        Err(_) => Err(TemplateError::new(line, format!("{:?} is not a whole number", &text[..end]))),
    }
}

fn raw(text: &str, line: usize) -> Result<(Token, usize), TemplateError> {
    match text[1..].find('`') {
        Some(end) => Ok((Token::Text(text[1..=end].to_owned()), end + 2)),
        None => Err(TemplateError::new(line, "unterminated raw string")),
    }
}

/// A string with Go's escapes.
fn quoted(text: &str, line: usize) -> Result<(Token, usize), TemplateError> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((Token::Text(value), at + 1)),
            '\n' => break,
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, 'r')) => value.push('\r'),
                Some((_, same @ ('"' | '\\'))) => value.push(same),
                Some((_, other)) => {
                    return Err(TemplateError::new(line, format!("the escape \\{other} is not here")));
                }
                None => break,
            },
            c => value.push(c),
        }
    }
    Err(TemplateError::new(line, "unterminated quoted string"))
}
