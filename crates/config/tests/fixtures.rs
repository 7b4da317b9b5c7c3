//! `tests/fixtures`: files, and what is said about them.
//!
//! `valid` files load; expected is what compiling makes of them. `invalid` files are refused;
//! expected is every reason. Run with `BLESS=1` to write what is said now.

mod support;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use tollgate_config::checked::{Router, ServiceKind};
use tollgate_config::{Compiled, Diagnostic, Format, compile, load_dynamic_text};

#[test]
fn valid_files_mean_what_is_expected() {
    let seen = each("valid", |label, format, text| {
        let (config, warnings) =
            load_dynamic_text(text, format, label).map_err(|said| format!("{label} was refused:\n{}", lines(&said)))?;
        let compiled = compile(&support::merged(config), &support::context());
        Ok(lines(&warnings) + &lines(&compiled.diagnostics) + &meaning(&compiled))
    });
    assert!(seen >= 7, "{seen} files");
}

#[test]
fn invalid_files_are_refused_with_every_reason() {
    let seen = each("invalid", |label, format, text| match load_dynamic_text(text, format, label) {
        Ok(_) => Err(format!("{label} was accepted")),
        Err(said) => Ok(lines(&said)),
    });
    assert!(seen >= 6, "{seen} files");
}

fn each(kind: &str, said: impl Fn(&str, Format, &str) -> Result<String, String>) -> usize {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(kind);
    let entries = std::fs::read_dir(directory).expect("the fixtures are there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a fixture can be listed").path()).collect();
    files.sort();
    let mut seen = 0;
    let mut wrong = String::new();
    for file in files {
        let Some(format) = Format::of(&file) else { continue };
        seen += 1;
        let label = file.file_name().and_then(|name| name.to_str()).expect("a fixture has a name");
        let expected_file = file.with_file_name(format!("{label}.expected"));
        let text = std::fs::read_to_string(&file).expect("a fixture can be read");
        let said = said(label, format, &text).unwrap_or_else(|wrong| panic!("{wrong}"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected_file, &said).expect("a fixture can be written");
        }
        let expected = std::fs::read_to_string(&expected_file).unwrap_or_default();
        if said != expected {
            let _ = write!(wrong, "=== {label}\n--- expected\n{expected}--- said\n{said}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    seen
}

fn lines(said: &[Diagnostic]) -> String {
    said.iter().fold(String::new(), |text, one| text + &one.to_string() + "\n")
}

fn meaning(compiled: &Compiled) -> String {
    let mut text = String::new();
    for (name, status) in &compiled.status.routers {
        let router = compiled.config.routers.iter().find(|router| router.name == *name);
        let _ = writeln!(text, "router {name}: {:?} {}", status.status, router.map_or(String::new(), describe));
    }
    for (name, status) in &compiled.status.middlewares {
        let _ = writeln!(text, "middleware {name}: {:?}", status.status);
    }
    for (name, status) in &compiled.status.services {
        let _ = writeln!(text, "service {name}: {:?}", status.status);
        let Some(service) = compiled.config.services.get(name) else { continue };
        let ServiceKind::LoadBalancer(balancer) = &service.kind else { continue };
        let _ = writeln!(text, "  pass host {}, flush {:?}", balancer.pass_host_header, balancer.flush_interval);
        for server in &balancer.servers {
            let _ = writeln!(
                text,
                "  {} = {} as {} path {:?} weight {}",
                server.url, server.authority, server.host_header, server.path, server.weight
            );
        }
    }
    text
}

fn describe(router: &Router) -> String {
    let on: Vec<_> = router
        .entry_points
        .iter()
        .map(|entry_point| {
            let passes: Vec<_> = router.middlewares[entry_point].iter().map(|one| one.name.as_str()).collect();
            format!("{entry_point}[{}]", passes.join(" "))
        })
        .collect();
    let quiet = if router.access_log && router.metrics { "" } else { " quiet" };
    format!("priority {} on {} to {}{quiet}", router.priority, on.join(" "), router.service.name)
}
