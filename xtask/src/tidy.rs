//! The house rules that a compiler does not check. Every message says what to do.

use std::fs;
use std::path::{Path, PathBuf};

/// Who may know whom: a crate may depend on the crates listed behind it, and on no other of ours.
/// `ARCHITECTURE.md` draws it.
const LAYERS: &[(&str, &[&str])] = &[
    ("limiter", &[]),
    ("rule", &[]),
    ("wire", &[]),
    ("store", &["limiter"]),
    ("sim", &["limiter"]),
    ("config", &["rule", "limiter"]),
    ("pipeline", &["rule", "limiter"]),
    ("telemetry", &["pipeline"]),
    ("provider", &["config"]),
    ("middleware", &["pipeline", "limiter", "rule", "store", "config"]),
    ("service", &["pipeline", "config"]),
    (
        "gateway",
        &["limiter", "rule", "wire", "store", "config", "pipeline", "telemetry", "provider", "middleware", "service"],
    ),
    ("admin", &["limiter", "rule", "wire", "store", "config", "pipeline", "telemetry", "gateway"]),
    (
        "tollgate",
        &[
            "limiter",
            "rule",
            "wire",
            "store",
            "config",
            "pipeline",
            "telemetry",
            "provider",
            "middleware",
            "service",
            "gateway",
            "admin",
        ],
    ),
    ("testkit", &[]),
];

/// Words that only some places may know: (the word, where it may stand, why).
const CONFINED: &[(&str, &[&str], &str)] = &[
    (
        "hyper::",
        &[
            "crates/gateway/src/connection",
            "crates/service/src/echo",
            "crates/wire/tests",
            "crates/wire/src/guard",
            "crates/wire/src/lib.rs",
            "crates/gateway/tests",
            "crates/service/tests",
            "crates/tollgate/tests",
        ],
        "only the client's end of a request knows the HTTP engine, so that it can be replaced",
    ),
    ("redis::cmd", &["crates/store/src/redis"], "only store::redis knows that protocol"),
    (
        "SystemTime::now",
        &[
            "crates/gateway/src",
            "crates/telemetry/src",
            "crates/middleware/src/testing.rs",
            "crates/admin/src",
            "crates/tollgate",
            "crates/store/src/clock",
            "crates/config/src",
        ],
        "no wall clock enters a decision, but for the calendar of windows in memory",
    ),
];

/// Checks the rules.
pub(crate) fn check() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    let mut broken = Vec::new();
    for (name, allowed) in LAYERS {
        check_layer(root, name, allowed, &mut broken);
    }
    check_crates_are_listed(root, &mut broken);
    for directory in ["crates", "xtask", "fuzz/targets"] {
        for file in rust_files(&root.join(directory)) {
            check_file(root, &file, &mut broken);
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n")) }
}

fn check_layer(root: &Path, name: &str, allowed: &[&str], broken: &mut Vec<String>) {
    let manifest = root.join("crates").join(name).join("Cargo.toml");
    let Ok(text) = fs::read_to_string(&manifest) else {
        broken.push(format!("{}: cannot be read; remove it from LAYERS in xtask/src/tidy.rs", manifest.display()));
        return;
    };
    let dependencies = text.split("\n[").find(|section| section.starts_with("dependencies]")).unwrap_or_default();
    for line in dependencies.lines() {
        let Some(other) = line.strip_prefix("tollgate-").and_then(|rest| rest.split(['.', ' ', '=']).next()) else {
            continue;
        };
        if !allowed.contains(&other) {
            broken.push(format!(
                "crates/{name} depends on crates/{other}, which is not below it; move the code, or argue for the \
                 dependency in LAYERS in xtask/src/tidy.rs and in ARCHITECTURE.md"
            ));
        }
    }
}

fn check_crates_are_listed(root: &Path, broken: &mut Vec<String>) {
    for entry in fs::read_dir(root.join("crates")).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !LAYERS.iter().any(|(listed, _)| *listed == name) {
            broken.push(format!("crates/{name} has no layer; add it to LAYERS in xtask/src/tidy.rs"));
        }
    }
}

fn check_file(root: &Path, file: &Path, broken: &mut Vec<String>) {
    let name = file.strip_prefix(root).unwrap_or(file).display().to_string();
    if file.ends_with("mod.rs") {
        broken.push(format!("{name}: modules are `name.rs` beside `name/`; move it"));
    }
    let Ok(text) = fs::read_to_string(file) else {
        broken.push(format!("{name}: not UTF-8"));
        return;
    };
    let in_tests =
        name.contains("/tests") || name.contains("testkit") || name.contains("/testing") || name.starts_with("xtask");
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (word, places, why) in CONFINED {
            if !in_tests && code.contains(word) && !places.iter().any(|place| name.starts_with(place)) {
                broken.push(format!("{name}:{}: `{word}` may not stand here: {why}", number + 1));
            }
        }
        if line.contains("TODO") && !line.contains("TODO: drop when") && !name.starts_with("xtask") {
            broken.push(format!(
                "{name}:{}: a TODO names the condition under which it goes: `TODO: drop when …`",
                number + 1
            ));
        }
    }
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_house_rules_hold() {
        super::check().unwrap();
    }
}
