//! Options given as flags, in Traefik's spelling: `--entryPoints.web.address=:8000`.
//!
//! Names match in any case; one dash or two; `--name=value` or `--name value`; a switch or a block
//! needs no value. A list takes commas, or `name[0]=…` for single places; `[…]` also quotes a name
//! with dots in it. A scalar given twice has its last value. A list given twice is joined; Traefik
//! does that too, except below `entryPoints.<name>` where it keeps the last, so a warning says it.

use crate::diagnostic::Diagnostic;
use crate::node::Node;
use crate::place::Place;
use crate::static_config::draft::{Draft, Placed, Step};
use crate::static_config::options::{self, OptionTree};
use crate::static_config::values::parse_switch;

/// What the flags say.
#[derive(Debug)]
pub(crate) struct Flags {
    /// The value of `--configFile`, by any of its spellings.
    pub(crate) config_file: Option<String>,
    /// All other flags; null when there are none.
    pub(crate) options: Node,
    /// Flags that could not be read, and warnings.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Reads the arguments after the command word.
pub(crate) fn parse(args: &[String]) -> Flags {
    let mut reader =
        Reader { args, draft: Draft::new(Place::label("flags")), config_file: None, diagnostics: Vec::new() };
    while reader.one_flag() {}
    Flags { config_file: reader.config_file, options: reader.draft.finish(), diagnostics: reader.diagnostics }
}

struct Reader<'a> {
    args: &'a [String],
    draft: Draft,
    config_file: Option<String>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    /// Takes one flag with its value; false when there is none left.
    fn one_flag(&mut self) -> bool {
        let Some(arg) = self.next() else {
            return false;
        };
        let name = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-'));
        match name {
            Some(name) if name.starts_with(|c: char| c.is_alphanumeric()) => self.flag(name),
            // The value stays out of the message: it may be a secret.
            Some(_) => {
                let name = arg.split('=').next().unwrap_or_default();
                self.refuse("bad-flag", name, "bad flag syntax".to_owned());
            }
            None => self.refuse("unexpected-argument", arg, "unexpected argument: options start with --".to_owned()),
        }
        true
    }

    fn flag(&mut self, flag: &'a str) {
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (flag, None),
        };
        if CONFIG_FILE.iter().any(|spelling| spelling.eq_ignore_ascii_case(name)) {
            if let Some(file) = value.or_else(|| self.value_of(name, Wants::Value)) {
                self.config_file = Some(file.to_owned());
            }
            return;
        }
        let path = steps(name);
        let wants = Wants::of(find(&path));
        if let Some(value) = value.or_else(|| self.value_of(name, wants)) {
            self.put(name, &path, value);
        }
    }

    fn put(&mut self, name: &str, path: &[Step<'_>], value: &str) {
        let place = Place::label(format!("--{name}"));
        let (code, message) = match self.draft.put(path, value, &place) {
            Placed::New => return,
            Placed::Replaced => ("repeated-option", "given more than once: the last one counts"),
            Placed::Joined => {
                ("repeated-option", "given more than once: the lists are joined, where Traefik may keep the last only")
            }
            Placed::TooFar => return self.refuse("bad-flag", &format!("--{name}"), "no list is so long".to_owned()),
        };
        self.diagnostics.push(Diagnostic::warning(code, name, Some(place), message));
    }

    /// The value of a flag without `=`: the next argument, or implied.
    fn value_of(&mut self, name: &str, wants: Wants) -> Option<&'a str> {
        let next = self.args.first().map(String::as_str);
        let takes_next = next.is_some_and(|text| match wants {
            Wants::Nothing => parse_switch(text).is_some(),
            Wants::Value | Wants::Perhaps => !is_flag(text),
        });
        if takes_next {
            return self.next();
        }
        if wants == Wants::Value {
            self.refuse("flag-without-value", &format!("--{name}"), "flag needs an argument".to_owned());
            return None;
        }
        Some("true")
    }

    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.args.split_first()?;
        self.args = rest;
        Some(first)
    }

    fn refuse(&mut self, code: &'static str, given: &str, message: String) {
        let place = Some(Place::label(given));
        self.diagnostics.push(Diagnostic::error(code, "", place, message));
    }
}

/// Whether a flag has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// Without one it means `true`.
    Nothing,
    /// It means nothing without one.
    Value,
    /// No option has this name, which is told when all of them are looked at.
    Perhaps,
}

impl Wants {
    fn of(option: Option<&OptionTree>) -> Self {
        match option {
            None => Self::Perhaps,
            // A step that only leads to options has no value either.
            Some(option) if option.is_switch() || option.kind().is_none() => Self::Nothing,
            Some(_) => Self::Value,
        }
    }
}

/// `-1` is a value, `-x` and `--x` are flags.
fn is_flag(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next() == Some('-') && !chars.next().is_some_and(|c| c.is_ascii_digit())
}

/// `a.b[0].c[x.y]` in steps; what stands in brackets is one step, dots and all.
fn steps(name: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        if let Some((inside, after)) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
            steps.push(Step { text: inside, may_be_index: true });
            rest = after.strip_prefix('.').unwrap_or(after);
            continue;
        }
        // A bracket that is never closed belongs to the name.
        let end = rest.char_indices().skip(1).find(|&(_, c)| c == '.' || c == '[').map_or(rest.len(), |(at, _)| at);
        let (text, after) = rest.split_at(end);
        steps.push(Step { text, may_be_index: false });
        rest = after.strip_prefix('.').unwrap_or(after);
    }
    steps
}

fn find(path: &[Step<'_>]) -> Option<&'static OptionTree> {
    path.iter().try_fold(options::root(), |at, step| {
        let is_index = step.may_be_index && at.takes_index();
        if is_index { Some(at) } else { at.child(step.text) }
    })
}

const CONFIG_FILE: [&str; 2] = ["configFile", "config-file"];
