//! Everything that can be wrong with a real server, under steady traffic: whatever it is, every answer comes in time, is
//! what the failure policy says, and no limit is exceeded.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/instance.rs"]
mod instance;

use std::cell::{Cell, RefCell};
use std::fs;
use std::time::Duration;

use fleet::{Fleet, Ordeal};
use instance::{bucket_name, key_name, options};
use tollgate_store::{ErrorKind, Health, RedisOptions, Topology};
use tollgate_testkit::resp::Connection;
use tollgate_testkit::{Fault, FaultProxy, Redis, wait_until};

fn at(endpoint: String) -> RedisOptions {
    options(Topology::Standalone { endpoint })
}

/// A command that the server has to obey.
fn obeys(control: &RefCell<Connection>, command: &[&str]) {
    assert_eq!(control.borrow_mut().command(command).unwrap().text(), "OK", "{command:?}");
}

fn number(control: &RefCell<Connection>, section: &str, name: &str) -> u64 {
    let text = control.borrow_mut().command(&["INFO", section]).unwrap().text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().parse().unwrap()
}

/// With nothing on disk a server comes back empty, and those who remember tell it. What was lent is spent meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_killed_and_started_again() {
    for lines in [&[][..], &["appendonly yes", "appendfsync always"]] {
        let server = Redis::with_config(lines);
        let fleet = Fleet::start(at(server.endpoint())).await;
        let server = RefCell::new(server);
        let record = fleet
            .flow(async |ordeal| {
                for _ in 0..2 {
                    let (kill, restart) = (|| server.borrow_mut().kill(), || server.borrow_mut().restart());
                    ordeal.outage(&[ErrorKind::Unreachable], kill, restart).await;
                }
            })
            .await;
        record.judge();
        assert!(record.spent_meanwhile() > 0, "what was lent is lost");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_stands_still() {
    let server = Redis::start();
    let control = RefCell::new(server.connect());
    let fleet = Fleet::start(at(server.endpoint())).await;
    let record = fleet
        .flow(async |ordeal| {
            ordeal.outage(&[ErrorKind::Timeout], || server.pause(), || server.resume()).await;
            for what in ["WRITE", "ALL"] {
                let pause = || obeys(&control, &["CLIENT", "PAUSE", "3000", what]);
                // Whoever writes is answered when the pause is over.
                ordeal.outage(&[ErrorKind::Timeout], pause, || obeys(&control, &["SET", "elsewhere", "1"])).await;
            }
        })
        .await;
    record.judge();
    assert!(record.spent_meanwhile() > 0, "what was lent is lost");
}

/// Neither is noticed by anybody: scripts are loaded again, and buckets are known to those who asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_forgets() {
    let server = Redis::start();
    let control = RefCell::new(server.connect());
    let fleet = Fleet::start(at(server.endpoint())).await;
    let record = fleet
        .flow(async |ordeal| {
            ordeal.nuisance(4, || obeys(&control, &["SCRIPT", "FLUSH"])).await;
            assert_eq!(fleet.sum(|instance| instance.redis.snapshot().hints_healed), 0);
            ordeal.nuisance(6, || obeys(&control, &["FLUSHALL"])).await;
        })
        .await;
    record.judge();
    assert_eq!((record.by_policy(), fleet.failures()), (0, 0));
    assert!(fleet.sum(|instance| instance.redis.snapshot().hints_healed) > 0);
}

/// A cache's policy throws buckets out. Those who remember put them back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_evicts_buckets() {
    let server = Redis::start();
    let control = RefCell::new(server.connect());
    let fleet = Fleet::start(at(server.endpoint())).await;
    let (used, rest) = (number(&control, "memory", "used_memory"), 500_000);
    obeys(&control, &["CONFIG", "SET", "maxmemory", &(used + rest).to_string()]);
    // Hardly better than chance: which key is the oldest is seldom asked.
    obeys(&control, &["CONFIG", "SET", "maxmemory-samples", "1"]);
    obeys(&control, &["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let churn =
        "for i = 1, 500 do redis.call('SET', ARGV[1] .. i, string.rep('x', 2000)) end return redis.status_reply('OK')";
    let round = Cell::new(0);
    let record = fleet
        .flow(async |ordeal| {
            let more = || {
                round.set(round.get() + 1);
                obeys(&control, &["EVAL", churn, "0", &round.get().to_string()]);
            };
            ordeal.nuisance(8, more).await;
        })
        .await;
    assert!(number(&control, "stats", "evicted_keys") > 1_000);
    assert!(fleet.sum(|instance| instance.redis.snapshot().hints_healed) > 0, "no bucket was evicted");
    record.judge();
    assert_eq!(record.by_policy(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_does_not_write() {
    let server = Redis::with_config(&["enable-protected-configs yes"]);
    let control = RefCell::new(server.connect());
    let fleet = Fleet::start(at(server.endpoint())).await;
    let set = |name: &str, value: &str| obeys(&control, &["CONFIG", "SET", name, value]);
    let leads = || obeys(&control, &["REPLICAOF", "NO", "ONE"]);
    let follows = || obeys(&control, &["REPLICAOF", "127.0.0.1", "1"]);
    let record = fleet
        .flow(async |ordeal| {
            ordeal.outage(&[ErrorKind::ReadOnly], follows, leads).await;

            set("replica-serve-stale-data", "no");
            ordeal.outage(&[ErrorKind::NotReady], follows, leads).await;

            let wants = || set("min-replicas-to-write", "1");
            ordeal.outage(&[ErrorKind::NotReady], wants, || set("min-replicas-to-write", "0")).await;

            ordeal.outage(&[ErrorKind::OutOfMemory], || set("maxmemory", "1"), || set("maxmemory", "0")).await;

            // Nobody can write there, not even root.
            set("dir", "/proc");
            let directory = server.directory().display().to_string();
            let fails_to_save = || {
                set("save", "3600 1");
                control.borrow_mut().command(&["BGSAVE"]).unwrap();
            };
            let can_save = || {
                set("dir", &directory);
                obeys(&control, &["SAVE"]);
            };
            ordeal.outage(&[ErrorKind::OutOfMemory], fails_to_save, can_save).await;
        })
        .await;
    record.judge();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_busy_or_loading() {
    let lines = ["busy-reply-threshold 50", "key-load-delay 100", "loading-process-events-interval-bytes 1024"];
    let server = Redis::with_config(&lines);
    let control = RefCell::new(server.connect());
    let fill = "for i = 1, 20000 do redis.call('SET', 'elsewhere' .. i, i) end return redis.status_reply('OK')";
    obeys(&control, &["EVAL", fill, "0"]);
    obeys(&control, &["SAVE"]);
    let fleet = Fleet::start(at(server.endpoint())).await;
    let mut looping = server.connect();
    looping.set_patience(Duration::from_millis(1));
    let (server, loading) = (RefCell::new(Some(server)), RefCell::new(None));
    let record = fleet
        .flow(async |ordeal| {
            let is_busy = || drop(looping.command(&["EVAL", "while true do end", "0"]));
            ordeal.outage(&[ErrorKind::NotReady], is_busy, || obeys(&control, &["SCRIPT", "KILL"])).await;

            let starts = || {
                let mut server = server.take().unwrap();
                *loading.borrow_mut() = Some(std::thread::spawn(move || {
                    server.restart();
                    server
                }));
            };
            let has_loaded = || *server.borrow_mut() = loading.take().map(|loading| loading.join().unwrap());
            ordeal.outage(&[ErrorKind::NotReady], starts, has_loaded).await;
        })
        .await;
    record.judge();
}

/// Rights and passwords that are taken away from a running gateway. It asks again now and then, and does not knock the
/// door down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_does_not_let_us_in() {
    let server = Redis::with_config(&["requirepass control"]);
    let control = RefCell::new(server.connect_with("control"));
    let user = |rights: &[&str]| obeys(&control, &[&["ACL", "SETUSER", "gateway"], rights].concat());
    let all = ["on", ">secret", "allkeys", "+@all"];
    user(&all);
    let options = RedisOptions { username: "gateway".into(), password: "secret".into(), ..at(server.endpoint()) };
    let fleet = Fleet::start(options).await;
    let hang_up = || {
        control.borrow_mut().command(&["CLIENT", "KILL", "TYPE", "normal"]).unwrap();
    };
    let connects = || number(&control, "stats", "total_connections_received");
    let record = fleet
        .flow(async |ordeal| {
            ordeal.outage(&[ErrorKind::Permission], || user(&["-evalsha"]), || user(&["+evalsha"])).await;
            ordeal.outage(&[ErrorKind::Permission], || user(&["-set"]), || user(&["+set"])).await;
            ordeal.outage(&[ErrorKind::Permission], || user(&["resetkeys", "~other:*"]), || user(&["allkeys"])).await;

            let dismiss = || drop(control.borrow_mut().command(&["ACL", "DELUSER", "gateway"]).unwrap());
            ordeal.outage(&[ErrorKind::Credentials], dismiss, || user(&all)).await;

            let seconds = 3;
            ordeal.lasts = Duration::from_secs(seconds);
            let before = Cell::new(0);
            let change_the_lock = || {
                before.set(connects());
                user(&["resetpass", ">another"]);
                hang_up();
            };
            let change_it_back = || {
                let connections = connects() - before.get();
                // Two a second, and the first, which is made before it is known that it is in vain.
                assert!(connections <= (2 * seconds + 2) * fleet.len() as u64, "{connections} in {seconds} s");
                user(&[">secret"]);
            };
            ordeal.outage(&[ErrorKind::Credentials], change_the_lock, change_it_back).await;
        })
        .await;
    record.judge();
}

/// Those who were connected before a password was asked for are let be; whoever comes anew is not let in. And of those
/// who find no room some are let in later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_takes_no_new_connections() {
    let server = Redis::start();
    let control = RefCell::new(server.connect());
    let set = |name: &str, value: &str| obeys(&control, &["CONFIG", "SET", name, value]);
    let fleet = Fleet::start(at(server.endpoint())).await;
    let hang_up = || {
        control.borrow_mut().command(&["CLIENT", "KILL", "TYPE", "normal"]).unwrap();
    };
    let record = fleet
        .flow(async |ordeal| {
            set("requirepass", "secret");
            ordeal.nuisance(1, || ()).await;
            assert!(fleet.instances().all(|instance| instance.redis.health() == Health::Available));
            ordeal.outage(&[ErrorKind::Credentials], hang_up, || set("requirepass", "")).await;

            set("maxclients", "1");
            // Who is told so and who only sees that the connection is closed is a matter of chance.
            let kinds = [ErrorKind::Refused, ErrorKind::Unreachable];
            ordeal.outage(&kinds, hang_up, || set("maxclients", "100")).await;
        })
        .await;
    record.judge();
}

/// It is that key's trouble alone, until somebody removes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_program_writes_to_a_bucket() {
    let server = Redis::start();
    let control = RefCell::new(server.connect());
    let fleet = Fleet::start(at(server.endpoint())).await;
    let spoil = "redis.call('DEL', KEYS[1]) redis.call('LPUSH', KEYS[1], 'x') return redis.status_reply('OK')";
    let mut record = fleet
        .flow(async |ordeal| {
            let name = bucket_name(&key_name(1));
            for database in ["0", "1", "2"] {
                obeys(&control, &["SELECT", database]);
                obeys(&control, &["EVAL", spoil, "1", &name]);
            }
            ordeal.nuisance(2, || ()).await;
            assert!(fleet.instances().all(|instance| instance.redis.health() == Health::Available));
            assert!(fleet.instances().all(|instance| instance.errors(ErrorKind::ForeignValue) > 0));
            obeys(&control, &["FLUSHALL"]);
            ordeal.nuisance(2, || ()).await;
        })
        .await;
    record.spoiled = Some(1);
    record.judge();
    assert!(record.by_policy() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_network_is_silent() {
    let server = Redis::start();
    let proxy = FaultProxy::start(server.address());
    let fleet = Fleet::start(at(proxy.endpoint())).await;
    let proxy = RefCell::new(proxy);
    let set = |fault| proxy.borrow().set(fault);
    let accept = || proxy.borrow_mut().accept();
    let record = fleet
        .flow(async |ordeal| {
            for fault in
                [Fault::Stall, Fault::StallReplies, Fault::LoseReplies, Fault::Delay(Duration::from_millis(600))]
            {
                ordeal.outage(&[ErrorKind::Timeout], || set(fault), || set(Fault::None)).await;
            }
            ordeal.outage(&[ErrorKind::Timeout], || proxy.borrow_mut().ignore(), accept).await;
        })
        .await;
    record.judge();
    assert!(record.spent_meanwhile() > 0, "what was lent is lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_network_hangs_up() {
    let server = Redis::start();
    let proxy = FaultProxy::start(server.address());
    let fleet = Fleet::start(at(proxy.endpoint())).await;
    let proxy = RefCell::new(proxy);
    let set = |fault| proxy.borrow().set(fault);
    let record = fleet
        .flow(async |ordeal| {
            ordeal.outage(&[ErrorKind::Unreachable], || set(Fault::CutOnReply), || set(Fault::None)).await;
            let (refuse, accept) = (|| proxy.borrow_mut().refuse(), || proxy.borrow_mut().accept());
            ordeal.outage(&[ErrorKind::Unreachable], refuse, accept).await;
            for (what, fault) in [("cut", FaultProxy::cut as fn(&_)), ("half-closed", FaultProxy::half_close)] {
                let all = proxy.borrow().connections() + fleet.len();
                ordeal.hiccup(what, || fault(&proxy.borrow()), || proxy.borrow().connections() >= all).await;
            }
        })
        .await;
    record.judge();
}

/// A round trip that is long and within the deadline changes nothing but the time that is waited.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_network_is_slow() {
    let server = Redis::start();
    let proxy = FaultProxy::start(server.address());
    let fleet = Fleet::start(at(proxy.endpoint())).await;
    let record = fleet
        .flow(async |ordeal| {
            // Replies wait behind each other, and requests for the call before theirs: up to four times that.
            for millis in [5, 10, 25] {
                ordeal.nuisance(2, || proxy.set(Fault::Delay(Duration::from_millis(millis)))).await;
            }
        })
        .await;
    record.judge();
    assert_eq!((record.by_policy(), fleet.failures()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answers_are_nonsense() {
    let server = Redis::start();
    let proxy = FaultProxy::start(server.address());
    let fleet = Fleet::start(at(proxy.endpoint())).await;
    let record = fleet
        .flow(async |ordeal| {
            for (words, kind) in [
                (&b":1\r\n"[..], ErrorKind::Protocol),
                // More slots than anybody asked for.
                (
                    b"*2\r\n:1700000000000000\r\n*7\r\n:9999\r\n:1\r\n:0\r\n:0\r\n:2\r\n:0\r\n:0\r\n",
                    ErrorKind::Protocol,
                ),
                (b"-ERR what\r\n", ErrorKind::Refused),
                // The beginning of half a gigabyte, and something that nobody asked for.
                (b"$536870912\r\n", ErrorKind::Timeout),
                (b">2\r\n$7\r\nmessage\r\n:1\r\n", ErrorKind::Timeout),
            ] {
                ordeal.outage(&[kind], || proxy.set(Fault::Say(words)), || proxy.set(Fault::None)).await;
            }
            ordeal.outage(&[ErrorKind::Protocol], || proxy.set(Fault::Garble), || proxy.set(Fault::None)).await;
        })
        .await;
    record.judge();
}

/// Tasks of this runtime, and sockets of this process to a port.
fn belongings(port: u16) -> (usize, usize) {
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let own: Vec<_> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()?.to_str().map(str::to_owned))
        .collect();
    let to_port = format!(":{port:04X}");
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
    let is_ours = |line: &&str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields[2].ends_with(&to_port) && own.contains(&format!("socket:[{}]", fields[9]))
    };
    (tasks, table.lines().skip(1).filter(is_ours).count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_again_and_again_leaves_nothing_behind() {
    let server = Redis::start();
    let proxy = FaultProxy::start(server.address());
    let fleet = Fleet::start(at(proxy.endpoint())).await;
    let port = proxy.address().port();
    let before = belongings(port);
    assert_eq!(before.1, fleet.len(), "each has one connection");
    let record = fleet
        .flow(async |ordeal: &mut Ordeal<'_>| {
            ordeal.lasts = Duration::from_millis(200);
            for cycle in 0..10 {
                let (fault, kind) = match cycle % 5 {
                    0 => (Fault::Stall, ErrorKind::Timeout),
                    _ => (Fault::CutOnReply, ErrorKind::Unreachable),
                };
                ordeal.outage(&[kind], || proxy.set(fault), || proxy.set(Fault::None)).await;
            }
        })
        .await;
    record.judge();
    wait_until(|| belongings(port) == before, Duration::from_secs(10)).await;
}
