//! Too many connections for the files that a process may open (R133). The gateway runs in a process of its own with a
//! low limit, which is this test binary once more.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "gateway/harness.rs"]
#[allow(dead_code, reason = "each test binary needs a part of it")]
mod harness;

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use tollgate_gateway::{EntryPointOptions, GatewayOptions};
use tollgate_testkit::{Upstream, wait_until_blocking};

use harness::{PATIENCE, everything_to, start_options};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
/// How many files the gateway may open, and how many clients come at once.
const FILES: usize = 128;
const CLIENTS: usize = 400;

/// What the other process is told by its environment: the backend, and how many connections it takes.
const BACKEND: &str = "TOLLGATE_TEST_BACKEND";
const CAPACITY: &str = "TOLLGATE_TEST_CAPACITY";

/// A gateway in a process that may open few files. It ends when its standard input does.
struct Limited {
    process: Child,
    _alive: ChildStdin,
    address: SocketAddr,
}

impl Limited {
    fn start(upstream: &Upstream, capacity: Option<usize>) -> Self {
        let mut process = Command::new("sh")
            .args(["-c", &format!("ulimit -n {FILES}; exec \"$0\" --exact gateway_process --ignored --nocapture")])
            .arg(std::env::current_exe().unwrap())
            .env(BACKEND, upstream.url())
            .env(CAPACITY, capacity.map(|capacity| capacity.to_string()).unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address =
            lines.map(Result::unwrap).find_map(|line| line.rsplit_once("listens on ")?.1.parse().ok()).unwrap();
        let alive = process.stdin.take().unwrap();
        Self { process, _alive: alive, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Ticks of a hundredth of a second that the process has used.
    fn cpu(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether a request on `stream` is answered.
fn is_served(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 12];
    stream.write_all(ASK).is_ok() && stream.read_exact(&mut answer).is_ok() && {
        assert_eq!(&answer, b"HTTP/1.1 200");
        let mut rest = Vec::new();
        while !rest.ends_with(b"ok") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            rest.extend(byte);
        }
        true
    }
}

/// Whether the other end has closed `stream`.
fn is_turned_away(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    stream.read(&mut [0]).map_or_else(|error| error.kind() != io::ErrorKind::WouldBlock, |read| read == 0)
}

#[test]
fn who_is_there_is_served_while_too_many_come() {
    let upstream = Upstream::answering(OK);
    let gateway = Limited::start(&upstream, None);
    let mut kept = gateway.connect();
    assert!(is_served(&mut kept));
    let mut crowd: Vec<_> = (0..CLIENTS).map(|_| gateway.connect()).collect();
    assert!(is_served(&mut kept));
    let served = crowd.iter_mut().filter_map(|client| is_served(client).then_some(())).count();
    // Half of what is left of the files for clients, half for backends.
    assert!((1..FILES / 2).contains(&served), "{served} are served");
    assert!(is_served(&mut kept));
    drop(crowd);
    recovers(&gateway);
}

#[test]
fn without_a_file_to_accept_with_nobody_spins_and_nobody_waits() {
    let upstream = Upstream::answering(OK);
    let gateway = Limited::start(&upstream, Some(100_000));
    let crowd: Vec<_> = (0..CLIENTS).map(|_| gateway.connect()).collect();
    // Whoever came too late is told so.
    wait_until_blocking(|| crowd.iter().filter(|client| is_turned_away(client)).count() >= CLIENTS - FILES, PATIENCE);
    let (began, before) = (Instant::now(), gateway.cpu());
    std::thread::sleep(Duration::from_millis(500));
    let used = Duration::from_millis(10 * (gateway.cpu() - before));
    assert!(used < began.elapsed() / 5, "{used:?} of {:?}", began.elapsed());
    drop(crowd);
    recovers(&gateway);
}

/// Somebody who comes now is served within a second.
fn recovers(gateway: &Limited) {
    let deadline = Instant::now() + Duration::from_secs(1);
    while !is_served(&mut gateway.connect()) {
        assert!(Instant::now() < deadline, "nobody is served");
    }
}

/// Not a test: what the tests above run in a process of its own.
#[test]
#[ignore = "started by the other tests"]
fn gateway_process() {
    let backend = std::env::var(BACKEND).unwrap();
    let options = GatewayOptions {
        entry_points: vec![EntryPointOptions::new("web", SocketAddr::from(([127, 0, 0, 1], 0)))],
        threads: NonZeroUsize::new(2),
        max_connections: std::env::var(CAPACITY).unwrap().parse().ok(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let running = start_options(&everything_to(&backend, ""), options);
    // Flushed by the line end; the test waits for it.
    let mut output = io::stdout();
    writeln!(output, "listens on {}", running.address()).unwrap();
    let _ = io::stdin().read(&mut [0]);
}
