//! Configuration files, and the flags and variables that may stand for one.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use tollgate_config::checked::{MiddlewareKind, Router};
use tollgate_config::{
    CheckedConfig, Context, Diagnostic, DynamicConfig, EntryPointFacts, Format, StaticConfig, compile,
    load_dynamic_text,
};

/// Text is dynamic configuration or refused with a reason that lies inside it; what is accepted can be shown,
/// compiled, and compiled again to the same.
pub fn dynamic_config(data: &[u8]) {
    let Some(text) = harmless(data) else { return };
    for format in [Format::Yaml, Format::Toml] {
        match load_dynamic_text(text, format, "f") {
            Ok((config, warnings)) => {
                assert_inside(text, &warnings);
                assert!(serde_json::to_string(&config).is_ok(), "what was written can be shown");
                assert_compiles(text, config);
            }
            Err(reasons) => assert_refused(text, &reasons),
        }
    }
}

/// Text is static configuration or refused with a reason, as a file, as flags and as variables.
pub fn static_config(data: &[u8]) {
    let Some(text) = harmless(data) else { return };
    for format in [Format::Yaml, Format::Toml] {
        match StaticConfig::load_text(text, format, "f") {
            Ok((config, warnings)) => {
                assert_inside(text, &warnings);
                assert_sound(&config);
            }
            Err(reasons) => assert_refused(text, &reasons),
        }
    }
    let flags: Vec<String> = text.lines().map(str::to_owned).collect();
    let variables = text.lines().filter_map(|line| line.split_once('='));
    let variables: Vec<_> = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    for (flags, variables) in [(&flags[..], vec![]), (&[], variables)] {
        match StaticConfig::load(flags, variables, |_| Err(io::ErrorKind::NotFound.into())) {
            Ok((config, _)) => assert_sound(&config),
            Err(reasons) => assert!(reasons.iter().any(Diagnostic::is_error), "refused without a reason"),
        }
    }
}

/// Text that names no device: compiling reads the key files it is told to, and some devices never end.
fn harmless(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok().filter(|text| !text.contains("/dev") && !text.contains("/proc"))
}

fn assert_compiles(text: &str, config: DynamicConfig) {
    let merged =
        DynamicConfig::merge(&BTreeMap::from([("docker".to_owned(), config.clone()), ("file".to_owned(), config)]));
    let context = context();
    let compiled = compile(&merged, &context);
    assert_inside(text, &compiled.diagnostics);
    for router in &compiled.config.routers {
        assert_complete(router, &compiled.config);
    }
    let again = compile(&merged, &context);
    assert_eq!(compiled.diagnostics, again.diagnostics, "compiling twice tells different things");
    assert_eq!(
        format!("{:?}", compiled.config),
        format!("{:?}", again.config),
        "compiling twice gives different things"
    );
}

/// What is promised about a router that is enabled.
fn assert_complete(router: &Router, compiled: &CheckedConfig) {
    assert!(!router.entry_points.is_empty(), "{} listens nowhere", router.name);
    assert_eq!(compiled.services.get(&router.service.name), Some(&router.service), "{} has no service", router.name);
    for entry_point in &router.entry_points {
        for middleware in &router.middlewares[entry_point] {
            assert!(!matches!(middleware.kind, MiddlewareKind::Chain(_)), "{} is a chain", middleware.name);
            assert_eq!(compiled.middlewares.get(&middleware.name), Some(middleware), "{} is disabled", middleware.name);
        }
    }
}

fn context() -> Context {
    let entry_point = |name: &str| EntryPointFacts { name: name.to_owned(), ..EntryPointFacts::default() };
    Context {
        entry_points: vec![entry_point("web"), EntryPointFacts { internal: true, ..entry_point("traefik") }],
        internal_services: BTreeSet::new(),
        providers: BTreeSet::from(["docker".to_owned(), "file".to_owned()]),
    }
}

fn assert_sound(config: &StaticConfig) {
    for name in config.default_entry_points() {
        assert!(config.entry_points.contains_key(name), "{name:?} is a default and does not exist");
    }
    assert!(serde_json::to_string(config).is_ok(), "what was written can be shown");
}

fn assert_refused(text: &str, reasons: &[Diagnostic]) {
    assert!(reasons.iter().any(Diagnostic::is_error), "refused without a reason");
    assert_inside(text, reasons);
}

/// Whoever is told a place can go there.
fn assert_inside(text: &str, diagnostics: &[Diagnostic]) {
    // YAML breaks lines at either.
    let lines = text.split(['\n', '\r']).count();
    for diagnostic in diagnostics {
        assert!(!diagnostic.to_string().is_empty());
        let Some(place) = &diagnostic.place else { continue };
        // An error about an early end is after the last line.
        assert!(place.line as usize <= lines + 1, "{place} is beyond the {lines} lines");
    }
}
