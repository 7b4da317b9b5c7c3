//! A running program and what can be done to it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tollgate_testkit::{Message, RawClient, free_port, wait_until_blocking};

/// Where the built program is.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_tollgate");

/// How a program is started.
pub(crate) struct Setup {
    directory: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// A running program. Killed when it is dropped.
pub(crate) struct Instance {
    child: Child,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) web: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Setup {
    /// A program with this dynamic file.
    pub(crate) fn new(dynamic: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("routes.yml"), dynamic).unwrap();
        Self { directory, environment: Vec::new() }
    }

    /// The program's wall clock is off by so many seconds.
    pub(crate) fn with_clock_off_by(mut self, seconds: i64) -> Self {
        let library = fs::read_dir("/usr/lib")
            .unwrap()
            .flatten()
            .map(|entry| entry.path().join("faketime/libfaketime.so.1"))
            .find(|library| library.is_file())
            .expect("install libfaketime (apt-get install libfaketime)");
        self.environment.push(("LD_PRELOAD".into(), library.display().to_string()));
        self.environment.push(("FAKETIME".into(), format!("{seconds:+}s")));
        self.environment.push(("FAKETIME_DONT_FAKE_MONOTONIC".into(), "1".into()));
        self
    }

    /// Starts it and waits until it serves.
    pub(crate) fn start(self) -> Instance {
        let [web, admin] = [free_port(), free_port()].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let path = self.directory.path().display();
        let written = format!(
            "entryPoints:
  web: {{address: \"{web}\"}}
  traefik: {{address: \"{admin}\"}}
providers: {{providersThrottleDuration: 10ms, file: {{filename: \"{path}/routes.yml\"}}}}
api: {{insecure: true}}
ping: {{}}
metrics: {{prometheus: {{addRoutersLabels: true}}}}
log: {{level: DEBUG, filePath: \"{path}/log\"}}
accessLog: {{format: json, filePath: \"{path}/access\"}}
"
        );
        fs::write(self.directory.path().join("traefik.yml"), written).unwrap();
        let child = Command::new(PROGRAM)
            .arg("run")
            .arg(format!("--configFile={path}/traefik.yml"))
            .envs(self.environment)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut instance = Instance { child, directory: self.directory, web, admin };
        instance.wait_until_it_serves();
        instance
    }
}

impl Instance {
    fn wait_until_it_serves(&mut self) {
        let until = Instant::now() + Duration::from_secs(30);
        // One entry point listens after the other.
        while [self.admin, self.web].iter().any(|address| std::net::TcpStream::connect(address).is_err()) {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended with {status}: {}", self.log());
            }
            assert!(Instant::now() < until, "it does not listen: {}", self.log());
            std::thread::yield_now();
        }
    }

    /// Asks for a path of a host.
    pub(crate) async fn get(&self, host: &str, path: &str) -> Message {
        get(self.web, host, path).await
    }

    /// Asks the entry point for people.
    pub(crate) async fn admin(&self, path: &str) -> Message {
        get(self.admin, "localhost", path).await
    }

    /// Writes the dynamic file anew, as an editor does, and waits until it is in force.
    pub(crate) async fn reload(&self, dynamic: &str) {
        let before = self.generation().await;
        self.write("routes.yml", dynamic);
        while self.generation().await == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Replaces a file at once, by renaming.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        let new = path.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }

    /// The number of the configuration in force.
    pub(crate) async fn generation(&self) -> u64 {
        let metrics = self.admin("/metrics").await.text();
        value(&metrics, "tollgate_config_generation") as u64
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What the application log has so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(&mut self, within: Duration) -> ExitStatus {
        let mut status = None;
        wait_until_blocking(
            || {
                status = self.child.try_wait().unwrap();
                status.is_some()
            },
            within,
        );
        status.expect("it has ended")
    }

    /// The lines of the access log, once there are so many.
    pub(crate) fn access_log(&self, lines: usize) -> Vec<serde_json::Value> {
        let read = || fs::read_to_string(self.path("access")).unwrap_or_default();
        wait_until_blocking(|| read().lines().count() >= lines, Duration::from_secs(10));
        read().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn open_files(&self) -> usize {
        fs::read_dir(Path::new("/proc").join(self.pid().to_string()).join("fd")).unwrap().count()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request on a connection of its own.
pub(crate) async fn get(address: SocketAddr, host: &str, path: &str) -> Message {
    let mut client = RawClient::connect(address).await;
    client.ask(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
}

/// The sum of all samples of a metric whose line begins with `prefix`.
pub(crate) fn value(metrics: &str, prefix: &str) -> f64 {
    let lines = metrics.lines().filter(|line| line.starts_with(prefix));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}
