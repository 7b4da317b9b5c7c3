//! `window.lua` and the Rust step are twins: on a real server, for the same sequence of steps, both hand out and take
//! back the same permits and remember the same text.

use std::time::{Duration, UNIX_EPOCH};

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use tollgate_limiter::window::{self, Frame, GiveBack, Hint, SLICES, Taken, Unit, Usage, WindowQuota};
use tollgate_limiter::{Ask, Span, Timestamp};
use tollgate_testkit::redis::Redis;

use super::ErrorKind;
use super::script::{Script, key_name};
use super::tests::Random;
use super::window::{WindowAnswer, WindowAsk, WindowReplies, WindowStep, call, decode};

/// A server with the script, and a connection to it.
struct Server {
    redis: Redis,
    connection: MultiplexedConnection,
    script: Script,
}

impl Server {
    async fn start() -> Self {
        Self::on(Redis::start()).await
    }

    async fn on(redis: Redis) -> Self {
        let client = redis::Client::open(format!("redis://{}", redis.endpoint())).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let script = super::window::window();
        connection.req_packed_command(&script.load()).await.unwrap();
        Self { redis, connection, script }
    }

    async fn ask(&mut self, asks: &[WindowAsk]) -> WindowReplies {
        let value = self.connection.req_packed_command(&call(&self.script, asks)).await.unwrap();
        decode(value.clone(), asks).unwrap_or_else(|error| panic!("{error}: {value:?}"))
    }

    /// What the server answers to one step of a key that it can read.
    async fn step(&mut self, digest: [u8; 16], step: WindowStep) -> (Timestamp, WindowAnswer) {
        let mut replies = self.ask(&[WindowAsk { digest, step }]).await;
        let answer = replies.keys.remove(0).unwrap_or_else(|error| panic!("{error} of {step:?}"));
        (replies.now, answer)
    }
}

fn name(digest: [u8; 16]) -> String {
    String::from_utf8(key_name(&digest).to_vec()).unwrap()
}

fn digest(number: u32) -> [u8; 16] {
    let mut digest = [0; 16];
    digest[..4].copy_from_slice(&number.to_be_bytes());
    digest
}

/// The time of this machine, which is the server's too.
fn about_now() -> Timestamp {
    Timestamp::from_micros(u64::try_from(UNIX_EPOCH.elapsed().unwrap().as_micros()).unwrap())
}

fn take(quota: &WindowQuota, now: Timestamp, ask: Ask) -> WindowStep {
    WindowStep::Take { limit: quota.limit(), frame: quota.frame(now), ask, hint: Hint::default() }
}

fn quota(random: &mut Random) -> WindowQuota {
    let limit = random.magnitude(1 << 53);
    if random.below(2) == 0 {
        // Short ones, so that the time goes through many slices while the test runs.
        let length = Duration::from_micros(1_000_000 + random.below(2) * random.magnitude(366 * 86_400_000_000));
        return WindowQuota::sliding(limit, length.min(Duration::from_secs(366 * 86_400))).unwrap();
    }
    let unit = [Unit::Hour, Unit::Day, Unit::Week, Unit::Month][random.below(4) as usize];
    let zone = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"][random.below(4) as usize];
    WindowQuota::calendar(limit, unit, zone).unwrap()
}

fn ask(random: &mut Random, limit: u64) -> Ask {
    let want = random.magnitude(limit.saturating_mul(2));
    match random.below(6) {
        0 | 1 => Ask::all(want.min(limit)),
        2 => Ask { want: 0, need: 0 },
        3 => Ask { want, need: 1 + random.below(want.min(limit)) },
        _ => Ask::up_to(want),
    }
}

/// What somebody else has left: from slices past and present, of a clock that was ahead a little or far.
fn left_behind(random: &mut Random, quota: &WindowQuota, now: Timestamp) -> Usage {
    let slice = quota.slice(now);
    let shift = match random.below(8) {
        0..4 => 0,
        4 => 1 + random.below(90),
        5 => random.magnitude(1 << 40),
        // Behind.
        _ => 0_u64.wrapping_sub(random.below(75)),
    };
    let latest = slice.index.wrapping_add(shift);
    let mut text = format!("{latest}@{}", random.magnitude(quota.limit()));
    let mut age = 0;
    while matches!(quota.frame(now), Frame::Sliding { .. }) && random.below(8) > 0 {
        let gap = random.between(1, 12);
        age += gap;
        if age > SLICES {
            break;
        }
        let count = random.magnitude(quota.limit() / 16 + 1);
        text = format!("{text}{}{count}", char::from(b'@' + gap as u8));
    }
    if random.below(4) == 0 {
        text = format!("{text}~{}", random.magnitude(1_000));
    }
    text.parse().unwrap()
}

/// What was last told, or more than that, or anything.
fn hint(random: &mut Random, last: Option<&Taken>) -> Hint {
    let mut hint = last.map_or(Hint::default(), |last| last.hint);
    match random.below(8) {
        0..3 => hint.used = (hint.used + random.magnitude(1 << 20)).min(1 << 53),
        3 => hint.index = hint.index.wrapping_add(random.below(80)).wrapping_sub(70),
        4 => hint.returns = random.below(4),
        5 => hint = Hint::default(),
        _ => {}
    }
    hint.count = if random.below(2) == 0 { hint.used } else { hint.count.min(hint.used) };
    hint
}

/// What was tried, so that a test that tries nothing fails.
#[derive(Debug, Default)]
struct Tried {
    taken: u32,
    refused: u32,
    healed: u32,
    out_of_frame: u32,
    returned: u32,
    not_returned: u32,
}

/// One key, here and there.
struct Key {
    digest: [u8; 16],
    quota: WindowQuota,
    usage: Usage,
    context: String,
    last: Option<Taken>,
    gone_at: Option<Timestamp>,
}

impl Key {
    async fn take(&mut self, server: &mut Server, random: &mut Random, tried: &mut Tried) {
        let ask = ask(random, self.quota.limit());
        // Frames made too early or too late: the neighbour's window does, others do not.
        let off = match random.below(8) {
            0 => 86_400_000_000,
            1 => 60 * 86_400_000_000,
            _ => 0,
        };
        let frame = self.quota.frame(Timestamp::from_micros(about_now().micros() - off));
        let hint = hint(random, self.last.as_ref());
        let step = WindowStep::Take { limit: self.quota.limit(), frame, ask, hint };
        let (now, answer) = server.step(self.digest, step).await;
        let context = format!("{}: {step:?} of {} at {now:?}", self.context, self.usage);
        let Some(slice) = frame.slice(now) else {
            tried.out_of_frame += 1;
            assert_eq!(answer, WindowAnswer::Frame, "{context}");
            return;
        };
        let WindowAnswer::Taken(theirs) = answer else { panic!("{context}: {answer:?}") };
        let before = self.usage.clone();
        let mut forgotten = Usage::default();
        let ours = window::take(&self.quota, &mut self.usage, &slice, now, ask, hint);
        let from_nothing = window::take(&self.quota, &mut forgotten, &slice, now, ask, hint);
        // Once nothing of it counts its key may be gone. Before, it may not.
        if ours != theirs && theirs == from_nothing && self.gone_at.is_some_and(|gone_at| gone_at <= now) {
            self.usage = forgotten;
        } else {
            assert_eq!(theirs, ours, "{context}");
        }
        if self.usage != before {
            self.has_written(server, &context, now, self.usage.gone_at(&slice));
        }
        *if theirs.count > 0 { &mut tried.taken } else { &mut tried.refused } += 1;
        tried.healed += u32::from(theirs.healed);
        self.last = Some(theirs);
    }

    async fn give_back(&mut self, server: &mut Server, random: &mut Random, tried: &mut Tried) {
        let Some(last) = self.last else { return };
        let index = last.index - random.below(3).saturating_sub(1);
        let most = last.count.max(1) + random.below(2);
        let count = 1 + random.below(most);
        let returns = self.usage.returns() + random.below(4).saturating_sub(2);
        for _ in 0..random.between(1, 2) {
            let (now, answer) = server.step(self.digest, WindowStep::GiveBack { index, count, returns }).await;
            let context = format!("{}: {count} of {index} back to {} at {now:?}", self.context, self.usage);
            let ours = window::give_back(&mut self.usage, index, count, returns);
            if self.gone_at.is_some_and(|gone_at| gone_at <= now) && answer == WindowAnswer::GaveBack(GiveBack::Gone) {
                self.usage = Usage::default();
                return;
            }
            assert_eq!(answer, WindowAnswer::GaveBack(ours), "{context}");
            if ours == GiveBack::Done {
                tried.returned += 1;
                let gone_at = self.gone_at.unwrap_or(now);
                self.has_written(server, &context, now, gone_at);
            } else {
                tried.not_returned += 1;
            }
        }
    }

    /// The server loses the key.
    fn forget(&mut self, server: &Server) {
        server.redis.command(&["DEL", &name(self.digest)]);
        self.usage = Usage::default();
    }

    /// The server has the same text, for as long as something of it counts and no longer.
    fn has_written(&mut self, server: &Server, context: &str, now: Timestamp, gone_at: Timestamp) {
        self.gone_at = Some(gone_at);
        let value = server.redis.command(&["GET", &name(self.digest)]).text();
        let lives = server.redis.command(&["PTTL", &name(self.digest)]).integer();
        // Not a moment less. Some milliseconds more, because the server reads its clock again when it sets the expiry.
        let most = i64::try_from(gone_at.since(now).to_duration().as_millis()).unwrap() + 100;
        assert!(lives <= most, "{context}: lives {lives} ms instead of {most}");
        assert!(lives != -1, "{context}: lives for ever");
        let passed = i64::try_from(about_now().since(now).to_duration().as_millis()).unwrap() + 1;
        let least = most - 100 - passed;
        assert!(lives >= least || least <= 0, "{context}: lives {lives} ms instead of {least}");
        if lives > 0 {
            assert_eq!(value, self.usage.to_string(), "{context}");
        }
    }
}

#[tokio::test]
async fn the_script_and_the_step_are_twins() {
    for (redis, program) in super::tests::servers().await {
        are_twins(Server::on(redis).await, &program).await;
    }
}

async fn are_twins(mut server: Server, program: &str) {
    let seed = UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1;
    let mut random = Random(seed);
    let mut tried = Tried::default();
    for round in 0..400_u32 {
        let quota = quota(&mut random);
        let context = format!("{program}, seed {seed}, round {round}, {quota:?}");
        let digest = digest(round);
        let mut key = Key { digest, quota, usage: Usage::default(), context, last: None, gone_at: None };
        if random.below(2) == 0 {
            let now = about_now();
            key.usage = left_behind(&mut random, &key.quota, now);
            key.gone_at = Some(now + Span::from_micros(1_000_000_000_000));
            server.redis.command(&["SET", &name(digest), &key.usage.to_string(), "EX", "1000000"]);
        }
        for _ in 0..16 {
            match random.below(8) {
                0 => key.forget(&server),
                1 | 2 => key.give_back(&mut server, &mut random, &mut tried).await,
                _ => key.take(&mut server, &mut random, &mut tried).await,
            }
        }
    }
    let Tried { taken, refused, healed, out_of_frame, returned, not_returned } = tried;
    let happened = [taken, refused, healed, out_of_frame, returned, not_returned];
    assert!(happened.iter().all(|count| *count > 60), "seed {seed}: too little was tried: {tried:?}");
}

/// Several usages in one call are decided as if each had been asked for alone, whatever is asked of them, and one that
/// cannot be read does not take the others with it.
#[tokio::test]
async fn keys_of_one_call_do_not_disturb_each_other() {
    let mut server = Server::start().await;
    let day = WindowQuota::calendar(3, Unit::Month, "UTC").unwrap();
    let hour = WindowQuota::sliding(3, Duration::from_hours(24)).unwrap();
    let asks: Vec<_> = (0..16_u8)
        .map(|key| {
            let step = match key {
                3 => take(&day, Timestamp::from_micros(0), Ask::ONE),
                4 => WindowStep::GiveBack { index: 5, count: 1, returns: 0 },
                _ => take(if key % 2 == 0 { &day } else { &hour }, about_now(), Ask::up_to(u64::from(key) + 1)),
            };
            WindowAsk { digest: [key; 16], step }
        })
        .collect();
    server.redis.command(&["LPUSH", &name([5; 16]), "not ours"]);
    let foreign = ["nonsense", "5@9007199254740994", "100@1|1A1", "5@1 ", "", "5@", "5A1", "5@1@1", "5@1~"];
    for (key, value) in (6..).zip(foreign) {
        assert!(value.parse::<Usage>().is_err(), "{value:?}");
        server.redis.command(&["SET", &name([key; 16]), value]);
    }
    let replies = server.ask(&asks).await;
    for (key, reply) in replies.keys.iter().enumerate() {
        match (key, reply) {
            (3, reply) => assert_eq!(reply, &Ok(WindowAnswer::Frame)),
            (4, reply) => assert_eq!(reply, &Ok(WindowAnswer::GaveBack(GiveBack::Gone))),
            (5..=14, reply) => {
                assert_eq!(reply.as_ref().map_err(|error| error.kind), Err(ErrorKind::ForeignValue), "{key}");
            }
            (_, Ok(WindowAnswer::Taken(taken))) => assert_eq!(taken.count, (key as u64 + 1).min(3), "key {key}"),
            (_, reply) => panic!("key {key}: {reply:?}"),
        }
    }
}

/// Four instances, each with a connection of its own, ask for more than there is for three windows; returns among them,
/// half of them sent twice. No stretch of the server's time holds more than the limit.
#[tokio::test]
async fn instances_together_stay_within_the_limit() {
    let seed = UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1;
    let mut random = Random(seed);
    let mut server = Server::start().await;
    let quota = WindowQuota::sliding(50, Duration::from_secs(1)).unwrap();
    let client = redis::Client::open(format!("redis://{}", server.redis.endpoint())).unwrap();
    let mut connections = Vec::new();
    for _ in 0..4 {
        connections.push(client.get_multiplexed_async_connection().await.unwrap());
    }
    let (mut admitted, mut denied_until, start) = (Vec::new(), Timestamp::from_micros(0), about_now());
    while about_now().since(start).to_duration() < Duration::from_secs(3) {
        std::mem::swap(&mut server.connection, &mut connections[random.below(4) as usize]);
        let ask = Ask::up_to(1 + random.below(8));
        let (now, answer) = server.step([1; 16], take(&quota, about_now(), ask)).await;
        let WindowAnswer::Taken(taken) = answer else { panic!("{answer:?}") };
        assert!(taken.count == 0 || now >= denied_until, "seed {seed}: permits before {denied_until:?}");
        let mut spent = taken.count;
        if taken.count > 1 && random.below(3) == 0 {
            spent -= 1;
            let back = WindowStep::GiveBack { index: taken.index, count: 1, returns: taken.hint.returns };
            for _ in 0..random.between(1, 2) {
                server.step([1; 16], back).await;
            }
        } else if taken.remaining == 0 {
            denied_until = taken.next_free;
        }
        admitted.extend(std::iter::repeat_n(now.micros(), spent as usize));
    }
    for (index, first) in admitted.iter().enumerate() {
        let held = admitted[index..].partition_point(|moment| *moment < first + 1_000_000);
        assert!(held <= 50, "seed {seed}: {held} within a second from {first}");
    }
    assert!(admitted.len() > 100, "seed {seed}: three seconds let more than two limits pass: {}", admitted.len());
}

/// What a key costs in the server (`MEMORY USAGE`: the name, the value, their place in the table, and when it expires).
#[tokio::test]
async fn a_key_is_small() {
    let mut server = Server::start().await;
    let now = about_now();
    let hour = WindowQuota::sliding(1_000_000, Duration::from_hours(1)).unwrap();
    let slice = hour.slice(now).index;
    for (what, most, text) in [
        ("a month", 120, format!("{}@123456", 1_793_491_200)),
        ("a day with returns", 120, format!("{}@123456~12", 1_793_491_200)),
        ("an hour, one visit", 120, format!("{slice}@12")),
        ("an hour, 8 busy minutes", 140, format!("{slice}@12A7C3A3A4G1B22A3")),
        ("an hour, 30 busy minutes", 220, format!("{slice}@12{}", "B15".repeat(29))),
        ("an hour, all busy", 330, format!("{slice}@12{}", "A15".repeat(60))),
        ("an hour, all of it very busy", 500, format!("{slice}@12{}", "A15000".repeat(60))),
    ] {
        server.redis.command(&["SET", &name([1; 16]), &text, "EX", "3600"]);
        let step = WindowStep::Take {
            limit: 1 << 53,
            frame: hour.frame(now),
            ask: Ask { want: 0, need: 0 },
            hint: Hint::default(),
        };
        assert!(matches!(server.step([1; 16], step).await.1, WindowAnswer::Taken(_)), "{what} is a usage");
        let bytes = server.redis.command(&["MEMORY", "USAGE", &name([1; 16])]).integer();
        assert!(bytes <= most, "{what}: {bytes} bytes, of which {} are the value", text.len());
    }
}
