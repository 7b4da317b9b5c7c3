//! Saying things on the terminal. The log is for what happens while serving; this is for what is said before.

use std::io::{self, Write as _};
use std::process::ExitCode;

use tollgate_config::Diagnostic;

/// Says something, as asked.
pub(crate) fn say(text: &str) -> ExitCode {
    // Whoever has closed the pipe has heard enough.
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Says why not, and fails.
pub(crate) fn complain(text: &str) -> ExitCode {
    let _ = writeln!(io::stderr().lock(), "{text}");
    ExitCode::FAILURE
}

/// Says what is wrong with a configuration that cannot be used, and fails.
pub(crate) fn refuse(diagnostics: &[Diagnostic]) -> ExitCode {
    let lines: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
    complain(&lines.join("\n"))
}

/// Says in the log what is wrong or will surprise, errors first.
pub(crate) fn log(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.is_error()) {
        tracing::error!("{diagnostic}");
    }
    for diagnostic in diagnostics.iter().filter(|diagnostic| !diagnostic.is_error()) {
        tracing::warn!("{diagnostic}");
    }
}
