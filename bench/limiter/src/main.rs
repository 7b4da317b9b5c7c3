//! Measures Tollgate's shared limiter, beside others that are made for the same, and prints a section of
//! `docs/benchmarks.md`.
//!
//!     cargo run --release > limiter.md
//!     cargo run --release -- --rounds 1 --seconds 1 --only calls --only here
//!
//! Everything runs in this process and in servers that it starts, on this machine. Whoever is compared takes turns in
//! every round, so that what else the machine does hits all of them; figures are medians over the rounds, but for what
//! was admitted over a limit, which is the worst of them.

mod excess;
mod load;
mod noise;
mod options;
mod outcome;
mod peer;
mod section;
mod server;
mod table;

use std::process::{Command, ExitCode};

use options::{Options, USAGE};
use section::{calls, first_touch, here, side_by_side, throughput};
use server::ThrottlecrabServer;

/// A part of the report: its name, what has to be said about it, and its tables.
type Section = (&'static str, &'static str, fn(&Options) -> String);

const SECTIONS: [Section; 7] = [
    ("calls", CALLS, calls::hot),
    ("edges", "", calls::edges),
    ("cold", COLD, calls::cold),
    ("first-touch", FIRST_TOUCH, first_touch::section),
    ("here", HERE, here::section),
    ("side-by-side", SIDE_BY_SIDE, side_by_side::section),
    ("throughput", THROUGHPUT, throughput::section),
];

fn main() -> ExitCode {
    let options = Options::read(std::env::args().skip(1));
    let known = |name: &String| SECTIONS.iter().any(|(known, ..)| known == name);
    let Some(options) = options.filter(|options| options.only.iter().all(known)) else {
        let names = SECTIONS.map(|(name, ..)| name).join(", ");
        eprintln!("{USAGE}\nsections: {names}");
        return ExitCode::FAILURE;
    };
    print!("{}", preamble(&options));
    for (name, text, run) in SECTIONS {
        if options.wants(name) {
            print!("{}{text}\nThis alone: `cargo run --release -- --only {name}`.\n", run(&options));
        }
    }
    println!("\nNoise after: {}.", noise::report());
    ExitCode::SUCCESS
}

fn preamble(options: &Options) -> String {
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&output).trim().to_owned()
    };
    let redis = said("redis-server", &["--version"]);
    let redis = redis.split_whitespace().find_map(|word| word.strip_prefix("v=")).unwrap_or("?").to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let absent = if ThrottlecrabServer::program().is_some() { "" } else { " (its server is not there)" };
    format!(
        "## The limiter

Measured {} by `cargo run --release` in `bench/limiter`: {} rounds of {} s, seed {}; Linux {}, {cores} cores.

- Tollgate {} ({}), Limitador 0.14.0, throttlecrab 0.4.40{absent}, Redis {redis}; release code without link-time optimisation
- instances, whoever asks them and the store share the machine: compare what stands in one table
- noise before: {}
- medians over the rounds; \"over the limit\" is the worst of them
",
        said("date", &["+%F"]),
        options.rounds,
        options.length.as_secs_f64(),
        options.seed,
        said("uname", &["-r"]),
        env!("CARGO_PKG_VERSION"),
        said("git", &["rev-parse", "--short", "HEAD"]),
        noise::report(),
    )
}

const CALLS: &str = "
Calls are all scripts that the server was asked for, those included by which instances tell that they are there and give
slots back. Ideal is one bucket (or one counter of windows) that everybody reaches in no time. Over the limit: the most by
which any window of time holds more admissions than burst + rate × time, judged from outside as in the tests.
";

const COLD: &str = "
The time in the script is the server's own count, the other is user and system time of its process.
";

const FIRST_TOUCH: &str = "
In turn, on idle connections. The store's tasks have a thread for themselves, as in the gateway: a first request wakes that
thread, the server, that thread again and the thread that asked; a `PING` the server and the thread that asked. To wake a
core that sleeps takes long here; on the right each has work to do when nobody else has any (`chrt --idle`).
";

const HERE: &str = "
One thread, 16 keys (one for what is shared), each decision timed by itself; what reading the clock costs is taken off.
";

const SIDE_BY_SIDE: &str = "
What each is for, and how it is set up:

- Tollgate: a gateway's limit, a token bucket shared exactly. All defaults; requests are not held back (`maxDelay: 0`).
- Traefik's steps in Redis: the algorithm of its script with the client used here, not Traefik itself. It tells the script
  the time of the instance that asks; clocks that differ are therefore worth requests.
- Limitador: a service for Envoy and Kuadrant, counting fixed windows. One limit per second and client; it has no burst, so
  it is held against windows of a second, and against a burst of a whole window: at the end of one it lets twice its limit
  through in a moment, by design.
  `redis` reads and then counts in two calls. `redis_cached` decides from a cache that it flushes once per second (its
  default), for speed and against accuracy, as its documentation says.
- throttlecrab: an exact GCRA in one process, asked over Redis's protocol. It is the store itself; nothing outlives it. It
  answers one request of a connection after the other, with Nagle's algorithm on: few connections are cheap and slow, many
  are fast and cost more; both are shown.
- In memory: each instance is for itself; what is shared by four is then admitted four times.

Whoever cannot keep up makes fewer requests per second than the load has.
";

const THROUGHPUT: &str = "
Four instances, 16 clients each that ask again when they were told. Limitador's `redis_cached` is left out where every key is
new: when more than 10,000 counters (its default) wait to be flushed, 0.14.0 waits for room while it holds a lock that the
flush needs, and nothing is answered any more.
";
