//! The servers that instances share, and what they spend.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tollgate_testkit::{Redis, free_port, wait_until_blocking};

/// What a peer's instances share.
pub(crate) enum Server {
    Redis(Redis),
    Throttlecrab(ThrottlecrabServer),
    /// Each instance is for itself.
    Nobody,
}

/// What a server has done.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Scripts that were called: all that any of the peers asks Redis for.
    pub(crate) calls: f64,
    /// Time in scripts, by the server's own clock.
    pub(crate) script_micros: f64,
    /// User and system time of the process.
    pub(crate) cpu_seconds: f64,
}

impl Server {
    pub(crate) fn redis() -> Self {
        Self::Redis(Redis::start())
    }

    /// What it has done so far.
    pub(crate) fn usage(&self) -> Usage {
        match self {
            Self::Redis(redis) => usage_of_redis(redis),
            Self::Throttlecrab(server) => Usage { cpu_seconds: server.cpu_seconds(), ..Usage::default() },
            Self::Nobody => Usage::default(),
        }
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Redis(redis) => redis.port(),
            Self::Throttlecrab(server) => server.port,
            Self::Nobody => 0,
        }
    }
}

impl Usage {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            calls: self.calls - before.calls,
            script_micros: self.script_micros - before.script_micros,
            cpu_seconds: self.cpu_seconds - before.cpu_seconds,
        }
    }
}

fn usage_of_redis(redis: &Redis) -> Usage {
    let text = redis.command(&["INFO", "all"]).text();
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_default().to_owned()
    };
    let scripts = ["cmdstat_evalsha", "cmdstat_eval"].map(field);
    let of_scripts = |name: &str| {
        let of_one = |stats: &String| stats.split(',').find_map(|part| part.strip_prefix(name)?.parse::<f64>().ok());
        scripts.iter().filter_map(of_one).sum()
    };
    let cpu = ["used_cpu_user", "used_cpu_sys"].map(|name| field(name).parse::<f64>().unwrap_or(0.0));
    Usage { calls: of_scripts("calls="), script_micros: of_scripts("usec="), cpu_seconds: cpu.iter().sum() }
}

/// throttlecrab's own server, speaking Redis's protocol. Killed when dropped.
pub(crate) struct ThrottlecrabServer {
    child: Child,
    port: u16,
}

impl ThrottlecrabServer {
    /// Where `cargo install` put it, as the README of this directory says, or in the path.
    pub(crate) fn program() -> Option<PathBuf> {
        let installed = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/peers/bin/throttlecrab-server"));
        let candidates = [std::env::var_os("THROTTLECRAB_SERVER").map(PathBuf::from), Some(installed)];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let in_path = std::env::split_paths(&path).map(|directory| directory.join("throttlecrab-server"));
        candidates.into_iter().flatten().chain(in_path).find(|program| program.is_file())
    }

    pub(crate) fn start() -> Self {
        let program = Self::program().expect("the program is there: peers without it are left out");
        let port = free_port();
        let child = Command::new(program)
            .args(["--redis", "--redis-host", "127.0.0.1", "--redis-port", &port.to_string()])
            .args(["--log-level", "error"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("throttlecrab-server can be started");
        let address = (std::net::Ipv4Addr::LOCALHOST, port);
        let patience = Duration::from_secs(10);
        wait_until_blocking(|| std::net::TcpStream::connect(address).is_ok(), patience);
        Self { child, port }
    }

    /// From `/proc`, in ticks of ten milliseconds.
    fn cpu_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        // user and system time: the 14th and 15th of all fields, two of which stand before the last bracket
        let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
        (ticks(11) + ticks(12)) / 100.0
    }
}

impl Drop for ThrottlecrabServer {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
