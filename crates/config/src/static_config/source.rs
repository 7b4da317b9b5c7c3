//! Which of the sources counts.

use std::io;
use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostic;
use crate::load::env::{self, Variables};
use crate::load::flags::{self, Flags};
use crate::load::{Format, load_node};
use crate::node::{Node, Value};
use crate::place::Place;

type Read<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// The options of the first source that has any: a file, flags, the environment. What the others
/// would have said is a warning, since they are not looked at.
pub(crate) fn choose(
    args: &[String],
    env: &[(String, String)],
    read: Read<'_>,
) -> Result<(Node, Vec<Diagnostic>), Vec<Diagnostic>> {
    let Flags { config_file, options: flags, mut diagnostics } = flags::parse(args);
    let Variables { options: variables, diagnostics: mut about_variables } = env::parse(env);
    diagnostics.append(&mut about_variables);
    let file = match config_file {
        Some(name) => Some(named(&name, read)),
        None => search(env, read),
    };
    match file {
        Some(Ok((name, file))) => {
            diagnostics.extend(ignored(&flags, &format!("the file {name} counts alone")));
            diagnostics.extend(ignored(&variables, &format!("the file {name} counts alone")));
            Ok((file, diagnostics))
        }
        Some(Err(mut errors)) => {
            diagnostics.append(&mut errors);
            Err(diagnostics)
        }
        None if !flags.is_null() => {
            diagnostics.extend(ignored(&variables, "the flags count alone"));
            Ok((flags, diagnostics))
        }
        None => Ok((variables, diagnostics)),
    }
}

type FromFile = Result<(String, Node), Vec<Diagnostic>>;

/// The file that was asked for.
fn named(name: &str, read: Read<'_>) -> FromFile {
    match read(Path::new(name)) {
        Ok(text) => parse(name, &text),
        Err(error) => Err(unreadable(name, &error)),
    }
}

/// The first file that exists in the usual places.
fn search(env: &[(String, String)], read: Read<'_>) -> Option<FromFile> {
    for path in places(env) {
        let name = path.display().to_string();
        match read(&path) {
            Ok(text) => return Some(parse(&name, &text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // `/etc/traefik` may be a file, or closed to us: then there is nothing of ours in it.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {}
            Err(error) => return Some(Err(unreadable(&name, &error))),
        }
    }
    None
}

/// The usual places, Tollgate's own name first, then in Traefik's order.
fn places(env: &[(String, String)]) -> impl Iterator<Item = PathBuf> {
    let variable = |wanted: &str| {
        let found = env.iter().find(|(name, value)| name == wanted && !value.is_empty());
        found.map(|(_, value)| PathBuf::from(value))
    };
    let config_home = variable("XDG_CONFIG_HOME");
    let home = variable("HOME").map(|home| home.join(".config"));
    NAMES.iter().flat_map(move |name| {
        let etc = Some(Path::new("/etc").join(name));
        [etc, config_home.clone(), home.clone(), Some(PathBuf::from("."))]
            .into_iter()
            .flatten()
            .flat_map(move |folder| EXTENSIONS.map(|extension| folder.join(format!("{name}.{extension}"))))
    })
}

fn parse(name: &str, text: &str) -> FromFile {
    let Some(format) = Format::of(Path::new(name)) else {
        let message = "unsupported file extension";
        let place = Some(Place::label(name));
        let error = Diagnostic::error("unsupported-extension", "", place, message);
        return Err(vec![error.hint("use .yml, .yaml or .toml")]);
    };
    load_node(text, format, name).map(|node| (name.to_owned(), node))
}

fn unreadable(name: &str, error: &io::Error) -> Vec<Diagnostic> {
    let message = format!("cannot be read: {error}");
    let place = Some(Place::label(name));
    vec![Diagnostic::error("unreadable", "", place, message)]
}

/// A warning for a source that has options and does not count.
fn ignored(options: &Node, because: &str) -> Option<Diagnostic> {
    let Value::Map(entries) = &options.value else {
        return None;
    };
    let first = entries.first().map(|(key, _)| key.place.clone());
    let message = format!("all {} are ignored: {because}", options.place.file);
    Some(
        Diagnostic::warning("source-ignored", "", first, message)
            .hint("use one of: a file, flags, environment variables"),
    )
}

const NAMES: [&str; 2] = ["tollgate", "traefik"];
const EXTENSIONS: [&str; 3] = ["toml", "yaml", "yml"];
