//! `tollgate check`: what is wrong with configuration files, by the same code that `run` uses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use tollgate_config::load::load_node;
use tollgate_config::static_config::File;
use tollgate_config::{
    Context, Diagnostic, DynamicConfig, EntryPointFacts, Format, MergedConfig, StaticConfig, compile,
};
use tollgate_provider::FileProvider;

use crate::args::{CheckOptions, ReportFormat};
use crate::{internal, report};

/// Checks the files and says what is wrong. Fails if there are errors.
pub(crate) fn check(options: &CheckOptions) -> ExitCode {
    let mut found = Findings::default();
    for file in &options.files {
        found.file(Path::new(file));
    }
    let diagnostics = found.finish();
    let failed = diagnostics.iter().any(Diagnostic::is_error);
    let text = match options.format {
        ReportFormat::Text => as_text(&diagnostics),
        ReportFormat::Json => as_json(&diagnostics),
    };
    let said = report::say(&text);
    if failed { ExitCode::FAILURE } else { said }
}

fn as_text(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    let warnings = diagnostics.len() - errors;
    let mut lines: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
    lines.push(match (errors, warnings) {
        (0, 0) => "nothing is wrong".to_owned(),
        _ => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
    });
    lines.join("\n") + "\n"
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn as_json(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    let document = serde_json::json!({
        "errors": errors,
        "warnings": diagnostics.len() - errors,
        "diagnostics": diagnostics,
    });
    format!("{document:#}\n")
}

/// What the files say and what is wrong with them.
#[derive(Default)]
struct Findings {
    diagnostics: Vec<Diagnostic>,
    static_config: Option<StaticConfig>,
    dynamic: Vec<DynamicConfig>,
    /// Whether a dynamic file was refused.
    refused: bool,
}

impl Findings {
    fn file(&mut self, path: &Path) {
        if path.is_dir() {
            return self.provider(&File { directory: path.display().to_string(), ..File::default() });
        }
        match std::fs::read_to_string(path) {
            Ok(text) => self.text(path, &text),
            Err(error) => self.unreadable(path, &error),
        }
    }

    fn text(&mut self, path: &Path, text: &str) {
        let label = path.display().to_string();
        let format = Format::of(path).unwrap_or(Format::Yaml);
        let is_static = load_node(text, format, &label).is_ok_and(|node| StaticConfig::claims(&node));
        if !is_static {
            return self.provider(&File { filename: label, ..File::default() });
        }
        match StaticConfig::load_text(text, format, &label) {
            Ok((config, warnings)) => {
                self.diagnostics.extend(warnings);
                if let Some(file) = &config.providers.file {
                    self.provider(file);
                }
                self.static_config = Some(config);
            }
            Err(problems) => self.diagnostics.extend(problems),
        }
    }

    /// Reads dynamic configuration as the file provider does.
    fn provider(&mut self, file: &File) {
        let file = File { watch: false, ..file.clone() };
        match FileProvider::new(&file).start() {
            Ok((message, _)) => {
                self.diagnostics.extend(message.diagnostics);
                self.dynamic.extend(message.config);
            }
            Err(problems) => {
                self.refused = true;
                self.diagnostics.extend(problems);
            }
        }
    }

    fn unreadable(&mut self, path: &Path, error: &std::io::Error) {
        let path = path.display().to_string();
        let hint = if error.kind() == std::io::ErrorKind::NotFound { Some("check the path".to_owned()) } else { None };
        self.diagnostics.push(Diagnostic {
            severity: tollgate_config::Severity::Error,
            code: "unreadable",
            path,
            place: None,
            message: format!("cannot be read: {error}"),
            hint,
            subject: None,
        });
    }

    /// Compiles what was read. Not if a file was refused: what another names might be in it.
    fn finish(mut self) -> Vec<Diagnostic> {
        if !self.refused {
            for config in std::mem::take(&mut self.dynamic) {
                let merged = self.merge(config);
                let found = compile(&merged, &self.context(&merged)).diagnostics;
                self.diagnostics.extend(found);
            }
        }
        self.diagnostics
    }

    fn merge(&self, config: DynamicConfig) -> MergedConfig {
        let mut providers = BTreeMap::from([("file".to_owned(), config)]);
        if let Some(config) = &self.static_config {
            providers.insert(internal::PROVIDER.to_owned(), internal::routers(config));
        }
        DynamicConfig::merge(&providers)
    }

    /// Without a static file nobody knows the entry points: those that routers name are taken to be there, and to
    /// believe whom they must.
    fn context(&self, merged: &MergedConfig) -> Context {
        if let Some(config) = &self.static_config {
            return Context::of(config);
        }
        let mut names: BTreeSet<&str> =
            merged.routers.values().flat_map(|router| router.entry_points.iter().map(String::as_str)).collect();
        names.insert("web");
        let entry_points = names.into_iter().map(|name| EntryPointFacts {
            name: name.to_owned(),
            trusts_forwarded: true,
            ..EntryPointFacts::default()
        });
        Context { entry_points: entry_points.collect(), ..Context::default() }
    }
}
