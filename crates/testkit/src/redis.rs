//! A real Redis or Valkey server.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::resp::{Connection, Reply};
use crate::{free_port, wait_until_blocking};

/// A store of its own for one test: a server on a free loopback port, in a directory that goes with it.
///
/// It keeps nothing on disk unless its configuration says so, and is killed when dropped. Every `Redis` method panics
/// when the server does not do as it is told.
#[derive(Debug)]
pub struct Redis {
    child: Option<Child>,
    directory: TempDir,
    port: u16,
    program: Program,
    kind: Kind,
}

/// Which server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// What is in the path: Redis, or Valkey if there is no Redis.
    Redis,
    /// Valkey: in the path, or where `cargo xtask install` puts it.
    Valkey,
}

impl Program {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Redis, Self::Valkey];

    /// Where it may be.
    fn candidates(self) -> Vec<PathBuf> {
        let installed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/valkey/valkey-server");
        match self {
            Self::Redis => vec!["redis-server".into(), "valkey-server".into()],
            Self::Valkey => vec!["valkey-server".into(), installed.into()],
        }
    }
}

/// What the program is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Server,
    Sentinel,
}

impl Redis {
    /// Starts a server with nothing special about it.
    ///
    /// # Panics
    /// When the program is not there, or does not answer within ten seconds.
    pub fn start() -> Self {
        Self::with_config(&[])
    }

    /// Starts a server with these lines at the end of its configuration, for example `requirepass secret`,
    /// `cluster-enabled yes`, `replicaof 127.0.0.1 6379` or `appendonly yes`.
    ///
    /// # Panics
    /// As [`Redis::start`].
    pub fn with_config(lines: &[&str]) -> Self {
        Self::of(Program::Redis, lines)
    }

    /// Starts a server of this program, with these lines at the end of its configuration.
    ///
    /// # Panics
    /// As [`Redis::start`].
    pub fn of(program: Program, lines: &[&str]) -> Self {
        Self::launched(program, Kind::Server, lines)
    }

    /// Starts a sentinel with these lines in its configuration, for example `sentinel monitor main 127.0.0.1 6379 2`.
    ///
    /// # Panics
    /// As [`Redis::start`].
    pub fn sentinel(program: Program, lines: &[&str]) -> Self {
        Self::launched(program, Kind::Sentinel, lines)
    }

    fn launched(program: Program, kind: Kind, lines: &[&str]) -> Self {
        // A port can be taken between being found free and being bound: then there is another.
        let started = (0..5).find_map(|_| Self::try_start(program, kind, lines).ok());
        started.unwrap_or_else(|| {
            Self::try_start(program, kind, lines).unwrap_or_else(|log| panic!("the store did not start: {log}"))
        })
    }

    fn try_start(program: Program, kind: Kind, lines: &[&str]) -> Result<Self, String> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let port = free_port();
        let config = format!(
            "port {port}\nbind 127.0.0.1\ndir {dir}\nlogfile {dir}/log\n{own}{lines}\n",
            dir = directory.path().display(),
            own = if kind == Kind::Server { "save \"\"\nappendonly no\n" } else { "" },
            lines = lines.join("\n"),
        );
        fs::write(directory.path().join("conf"), config).expect("a writable temporary directory");
        let mut redis = Self { child: None, directory, port, program, kind };
        redis.launch()?;
        Ok(redis)
    }

    /// The port it listens on; the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Where it listens, as written in a configuration: `127.0.0.1:port`.
    pub fn endpoint(&self) -> String {
        self.address().to_string()
    }

    /// The directory of its configuration, log and data.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A connection to it, past any client under test.
    ///
    /// # Panics
    /// When it does not accept one.
    pub fn connect(&self) -> Connection {
        Connection::open(self.address()).expect("the store accepts connections")
    }

    /// As [`Redis::connect`], logged in.
    ///
    /// # Panics
    /// When it does not accept the password.
    pub fn connect_with(&self, password: &str) -> Connection {
        let mut connection = self.connect();
        let reply = connection.command(&["AUTH", password]).expect("the store replies");
        assert_eq!(reply.text(), "OK");
        connection
    }

    /// Sends one command on a connection of its own.
    ///
    /// # Panics
    /// When there is no reply.
    pub fn command<A: AsRef<[u8]>>(&self, arguments: &[A]) -> Reply {
        self.connect().command(arguments).expect("the store replies")
    }

    /// False after [`Redis::kill`].
    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Kills the server with `SIGKILL`: connections are reset, and everything not on disk is forgotten.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts the server again after [`Redis::kill`], on the same port and with the same configuration.
    ///
    /// # Panics
    /// When it does not answer within ten seconds.
    pub fn restart(&mut self) {
        self.kill();
        self.launch().unwrap_or_else(|log| panic!("the store did not start again: {log}"));
    }

    /// What it has logged since it was started.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Stops the process where it stands (`SIGSTOP`). Connections stay open, and the kernel still accepts new ones, but
    /// nothing is answered until [`Redis::resume`].
    pub fn pause(&self) {
        self.signal("STOP");
        wait_until_blocking(|| self.is_paused(), STARTUP);
    }

    /// Lets a paused process go on (`SIGCONT`).
    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// The signal returns before the process has stopped; the kernel tells when it has (state `T`).
    fn is_paused(&self) -> bool {
        let pid = self.child.as_ref().map_or(0, Child::id);
        fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") T "))
    }

    fn signal(&self, name: &str) {
        let pid = self.child.as_ref().expect("the store runs").id().to_string();
        let status = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &pid]).status();
        assert!(status.is_ok_and(|status| status.success()), "SIG{name} cannot be sent to process {pid}");
    }

    /// Starts the process, and waits until it says that it is ready and answers.
    fn launch(&mut self) -> Result<(), String> {
        // The log is what tells our server from one of somebody else on the same port.
        let _ = fs::remove_file(self.log_path());
        self.child = Some(spawn(&self.directory.path().join("conf"), self.program, self.kind));
        let word = if self.kind == Kind::Server { "Ready to accept connections" } else { "Sentinel ID is" };
        let mut ready = false;
        wait_until_blocking(
            || {
                ready = self.log().contains(word) && self.answers();
                ready || self.has_exited()
            },
            STARTUP,
        );
        if ready { Ok(()) } else { Err(self.log()) }
    }

    fn has_exited(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().is_ok_and(|status| status.is_some()))
    }

    /// True if it answers `PING`, be it with a demand for a password.
    fn answers(&self) -> bool {
        let reply = Connection::open(self.address()).and_then(|mut connection| connection.command(&["PING"]));
        reply.is_ok_and(|reply| reply.text() == "PONG" || reply.text().starts_with("NOAUTH"))
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(config: &Path, program: Program, kind: Kind) -> Child {
    for candidate in program.candidates() {
        let mut command = Command::new(&candidate);
        command.arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if kind == Kind::Sentinel {
            command.arg("--sentinel");
        }
        match command.spawn() {
            Ok(child) => return child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => panic!("{} cannot be started: {error}", candidate.display()),
        }
    }
    panic!("no {program:?} is there: cargo xtask install brings it");
}

const STARTUP: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_answers_and_forgets_when_killed() {
        for program in Program::ALL {
            answers_and_forgets(Redis::of(program, &[]));
        }
    }

    fn answers_and_forgets(mut redis: Redis) {
        assert_eq!(redis.command(&["SET", "key", "1"]).text(), "OK");
        assert_eq!(redis.command(&["INCR", "key"]).integer(), 2);
        let port = redis.port();
        redis.kill();
        assert!(Connection::open(redis.address()).is_err());
        redis.restart();
        assert_eq!(redis.port(), port);
        assert_eq!(redis.command(&["GET", "key"]), Reply::Nil);
    }

    #[test]
    fn a_paused_store_is_silent_until_it_is_resumed() {
        let redis = Redis::start();
        let mut connection = redis.connect();
        redis.pause();
        connection.set_patience(Duration::from_millis(20));
        assert!(connection.command(&["PING"]).is_err());
        connection.set_patience(Duration::from_secs(5));
        redis.resume();
        assert_eq!(connection.command(&["ECHO", "x"]).unwrap().text(), "PONG");
    }

    #[test]
    fn a_password_is_demanded_when_configured() {
        let redis = Redis::with_config(&["requirepass secret"]);
        assert!(redis.command(&["PING"]).text().starts_with("NOAUTH"));
        assert_eq!(redis.connect().command(&["AUTH", "secret"]).unwrap().text(), "OK");
    }
}
