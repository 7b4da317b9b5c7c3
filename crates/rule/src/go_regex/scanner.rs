//! Go's grammar, read from left to right.

use std::fmt::Write;

use super::{Error, class, escape};

/// `pattern` in the syntax of the `regex` crate.
pub(super) fn translate(pattern: &str) -> Result<String, Error> {
    let mut scanner = Scanner {
        pattern,
        at: 0,
        out: String::with_capacity(pattern.len() + 16),
        groups: vec![Group::default()],
        atom: None,
        repeated: false,
    };
    while scanner.at < pattern.len() {
        scanner.step()?;
    }
    match scanner.groups.len() {
        1 => Ok(scanner.out),
        _ => Err(Error::new(pattern.len(), "`(` is not closed")),
    }
}

/// Writes `c` so that it stands for itself, inside classes and outside.
pub(super) fn push_literal(c: char, out: &mut String) {
    if c.is_ascii() && !c.is_ascii_alphanumeric() {
        // To a string, which takes all that is written.
        let _ = write!(out, "\\x{{{:X}}}", u32::from(c));
    } else {
        out.push(c);
    }
}

/// Go's bound on a repetition, and on the product of nested ones.
const MAX_REPEAT: u32 = 1000;

struct Scanner<'a> {
    pattern: &'a str,
    at: usize,
    out: String,
    /// The groups around the current place, the whole pattern first.
    groups: Vec<Group>,
    /// What a repetition would apply to, by how often it repeats inside; none at
    /// the start of an alternative.
    atom: Option<u32>,
    /// The last thing read was a repetition.
    repeated: bool,
}

#[derive(Default)]
struct Group {
    /// The largest product of nested repetitions inside.
    repeats: u32,
}

impl Scanner<'_> {
    fn step(&mut self) -> Result<(), Error> {
        let rest = &self.pattern[self.at..];
        let Some(first) = rest.chars().next() else {
            return Ok(());
        };
        match first {
            '(' if rest.starts_with("(?") => self.extended_group(rest)?,
            '(' => self.open("(", 1),
            ')' => self.close()?,
            '|' => self.no_atom("|", 1),
            '*' | '+' | '?' => self.repeat(1, 1)?,
            '{' => self.brace(rest)?,
            '[' => {
                let length = class::translate(rest, self.at, &mut self.out)?;
                self.atom(length);
            }
            '^' => self.written("^", 1),
            '$' => self.written("$", 1),
            '.' => self.written(".", 1),
            '\\' => self.backslash(rest)?,
            c => self.literal(c, c.len_utf8()),
        }
        Ok(())
    }

    fn literal(&mut self, c: char, length: usize) {
        push_literal(c, &mut self.out);
        self.atom(length);
    }

    fn written(&mut self, text: &str, length: usize) {
        self.out.push_str(text);
        self.atom(length);
    }

    /// Something repeatable was read.
    fn atom(&mut self, length: usize) {
        self.set_atom(1);
        self.at += length;
    }

    fn set_atom(&mut self, repeats: u32) {
        self.atom = Some(repeats);
        self.repeated = false;
        if let Some(group) = self.groups.last_mut() {
            group.repeats = group.repeats.max(repeats);
        }
    }

    /// Something was read after which a repetition has nothing to repeat.
    fn no_atom(&mut self, text: &str, length: usize) {
        self.out.push_str(text);
        self.at += length;
        self.atom = None;
        self.repeated = false;
    }

    // === groups ===

    fn open(&mut self, text: &str, length: usize) {
        self.groups.push(Group::default());
        self.no_atom(text, length);
    }

    fn close(&mut self) -> Result<(), Error> {
        match self.groups.pop() {
            Some(group) if !self.groups.is_empty() => {
                self.out.push(')');
                self.at += 1;
                self.set_atom(group.repeats.max(1));
                Ok(())
            }
            _ => Err(Error::new(self.at, "`)` closes nothing")),
        }
    }

    /// What starts with `(?`: a named group, or flags.
    fn extended_group(&mut self, rest: &str) -> Result<(), Error> {
        for (start, what) in
            [("(?=", "look-ahead"), ("(?!", "look-ahead"), ("(?<=", "look-behind"), ("(?<!", "look-behind")]
        {
            if rest.starts_with(start) {
                return Err(Error::new(self.at, format!("{what} is not supported")));
            }
        }
        match rest.strip_prefix("(?P<").or_else(|| rest.strip_prefix("(?<")) {
            Some(named) => self.named_group(rest, named),
            None => self.flags(rest),
        }
    }

    fn named_group(&mut self, rest: &str, named: &str) -> Result<(), Error> {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name = named.split('>').next().unwrap_or_default();
        if name.is_empty() || name.len() == named.len() || !name.chars().all(word) {
            return Err(Error::new(self.at, "the group's name is not valid"));
        }
        let length = rest.len() - named.len() + name.len() + 1;
        // Go lets a name start with a digit, the crate does not; the number stays.
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            self.open("(", length);
        } else {
            self.open(&format!("(?P<{name}>"), length);
        }
        Ok(())
    }

    /// `(?i)`, `(?i-s:`: flags of Go's set only.
    fn flags(&mut self, rest: &str) -> Result<(), Error> {
        let body = &rest[2..];
        let end = body.find([':', ')']).unwrap_or(body.len());
        let flags = &body[..end];
        let (on, off) = flags.split_once('-').unwrap_or((flags, "i"));
        let known = |flags: &str| flags.chars().all(|flag| "imsU".contains(flag));
        if end == body.len() || off.is_empty() || !known(on) || !known(off) {
            return Err(Error::new(self.at, "unknown flags after `(?`"));
        }
        let flags = distinct(on, off, flags.contains('-'));
        let length = end + 3;
        if body[end..].starts_with(':') {
            self.open(&format!("(?{flags}:"), length);
        } else {
            // In Go a repetition reaches over the flags to what came before; the crate
            // would take the flags for the operand, so nothing may follow.
            let text = if flags.is_empty() { String::new() } else { format!("(?{flags})") };
            self.no_atom(&text, length);
        }
        Ok(())
    }

    // === repetitions ===

    /// A counted repetition, or a brace that is only a brace.
    fn brace(&mut self, rest: &str) -> Result<(), Error> {
        let Some(Counted { least, most, length }) = Counted::read(rest) else {
            self.literal('{', 1);
            return Ok(());
        };
        let largest = most.unwrap_or(least);
        if least > MAX_REPEAT || largest > MAX_REPEAT || least > largest {
            return Err(self.repeat_size());
        }
        self.repeat(length, largest.max(1))
    }

    /// A repetition operator of `length` bytes that repeats `times`, as far as the
    /// bound is concerned.
    fn repeat(&mut self, length: usize, times: u32) -> Result<(), Error> {
        let Some(inside) = self.atom else {
            return Err(Error::new(self.at, "nothing to repeat"));
        };
        if self.repeated {
            return Err(Error::new(self.at, "a repetition of a repetition"));
        }
        let repeats = inside * times;
        if repeats > MAX_REPEAT {
            return Err(self.repeat_size());
        }
        self.out.push_str(&self.pattern[self.at..self.at + length]);
        self.at += length;
        if self.pattern[self.at..].starts_with('?') {
            self.out.push('?');
            self.at += 1;
        }
        self.set_atom(repeats);
        self.repeated = true;
        Ok(())
    }

    fn repeat_size(&self) -> Error {
        Error::new(self.at, format!("more than {MAX_REPEAT} repetitions"))
    }

    // === escapes ===

    fn backslash(&mut self, rest: &str) -> Result<(), Error> {
        match rest[1..].chars().next() {
            Some('A') => self.written(r"\A", 2),
            Some('z') => self.written(r"\z", 2),
            Some('b') => self.written(r"(?-u:\b)", 2),
            Some('B') => self.written(r"(?-u:\B)", 2),
            Some('Q') => self.quoted(rest),
            Some(c) if escape::perl_class(c).is_some() => {
                self.written(escape::perl_class(c).unwrap_or_default(), 2);
            }
            _ => {
                if let Some((class, length)) = escape::unicode_class(rest, self.at)? {
                    self.written(&class, length);
                } else {
                    let (c, length) = escape::character(rest, self.at)?;
                    self.literal(c, length);
                }
            }
        }
        Ok(())
    }

    /// `\Q…\E`: all between stands for itself; without `\E`, all to the end.
    fn quoted(&mut self, rest: &str) {
        let body = &rest[2..];
        let (text, length) = match body.find(r"\E") {
            Some(end) => (&body[..end], end + 4),
            None => (body, rest.len()),
        };
        for c in text.chars() {
            self.literal(c, 0);
        }
        self.at += length;
        self.repeated = false;
    }
}

/// `{2}`, `{2,}` or `{2,5}`.
struct Counted {
    least: u32,
    most: Option<u32>,
    length: usize,
}

impl Counted {
    fn read(rest: &str) -> Option<Counted> {
        let (body, after) = rest[1..].split_at(rest[1..].find(|c: char| c != ',' && !c.is_ascii_digit())?);
        if !after.starts_with('}') {
            return None;
        }
        let (least, most) = match body.split_once(',') {
            None => (count(body)?, Some(count(body)?)),
            Some((least, "")) => (count(least)?, None),
            Some((least, most)) => (count(least)?, Some(count(most)?)),
        };
        Some(Counted { least, most, length: body.len() + 2 })
    }
}

/// Go takes no leading zeros. What does not fit is too big anyway.
fn count(digits: &str) -> Option<u32> {
    let number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    (number && !leading_zero).then(|| digits.parse().unwrap_or(u32::MAX))
}

/// The flags with every one at most once and the last word on each, because the
/// crate refuses repeated flags and Go does not.
fn distinct(on: &str, off: &str, has_off: bool) -> String {
    let off = if has_off { off } else { "" };
    let mut flags = String::new();
    flags.extend("imsU".chars().filter(|flag| on.contains(*flag) && !off.contains(*flag)));
    if has_off {
        flags.push('-');
        flags.extend("imsU".chars().filter(|flag| off.contains(*flag)));
    }
    flags
}
