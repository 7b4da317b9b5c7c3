//! The scripts and the Rust steps are twins: on a real server, for the same sequence of asks, both hand out, lend and
//! take back the same slots.

use std::time::{Duration, UNIX_EPOCH};

use redis::aio::ConnectionLike as _;
use tollgate_limiter::shared::{self, Bucket, FENCE, LeaseAsk, Step, Stepped};
use tollgate_limiter::{Ask, Quota, Run, Span, Timestamp};
use tollgate_testkit::{Program, Redis};

use super::reply::{self, Most};
use super::script::{self, Fence, KeyAsk, Script, key_name};

/// xorshift64, so that a failure can be repeated from the seed that its message names.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// Evenly spread over the orders of magnitude up to `bound`.
    pub(super) fn magnitude(&mut self, bound: u64) -> u64 {
        let bits = self.below(u64::from(bound.ilog2()) + 1);
        (1 + self.below(1 << (bits + 1))).min(bound)
    }
}

fn quota(random: &mut Random) -> Quota {
    loop {
        let period = Duration::from_nanos(random.magnitude(86_400_000_000_000));
        if let Ok(quota) = Quota::new(random.magnitude(10_000_000_000), period, random.magnitude(1 << 29)) {
            return quota;
        }
    }
}

/// More than the burst at once is refused before anybody is asked.
fn ask(random: &mut Random, quota: &Quota) -> Ask {
    let want = random.magnitude(2_000);
    match random.below(6) {
        0 | 1 => Ask::all(want.min(quota.burst())),
        2 => Ask { want: 0, need: 0 },
        _ => Ask::up_to(want),
    }
}

fn lease_ask(random: &mut Random, quota: &Quota) -> LeaseAsk {
    if random.below(3) == 0 {
        return LeaseAsk::default();
    }
    let life = quota.life().micros().min(1 << 40) / random.between(1, 20);
    LeaseAsk {
        most: random.magnitude(1_000),
        life: Span::from_micros(life * random.below(2)),
        ahead: Span::from_micros(random.below(2) * random.magnitude(500_000)),
    }
}

/// Around what the bucket remembers, or wild.
fn hint(random: &mut Random, quota: &Quota, bucket: Option<Bucket>, now: Timestamp) -> Option<Timestamp> {
    let around = bucket.map_or(now, |bucket| bucket.next);
    let jump = Span::from_micros(random.magnitude(quota.life().micros().clamp(2, 1 << 40)));
    match random.below(6) {
        0 | 1 => Some(around),
        2 => Some(around + jump),
        3 => Some(around - jump),
        4 => Some(Timestamp::from_parts(now.micros() + random.magnitude(1 << 45), random.below(1 << 24) as u32)),
        _ => None,
    }
}

fn text(bucket: &Bucket) -> String {
    let void = bucket.void.map_or(String::new(), |void| format!("/{}", void.micros()));
    match bucket.next.fraction() {
        0 => format!("{}{void}", bucket.next.micros()),
        fraction => format!("{}:{fraction}{void}", bucket.next.micros()),
    }
}

/// What one server is asked, and what it should answer.
struct Twins {
    random: Random,
    server: Redis,
    connection: redis::aio::MultiplexedConnection,
    grant: Script,
    give_back: Script,
    written: u32,
    lent: u32,
    healed: u32,
    returned: u32,
}

impl Twins {
    async fn on(server: Redis, seed: u64) -> Self {
        let client = redis::Client::open(format!("redis://{}", server.endpoint())).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let (grant, give_back) = (script::grant(), script::give_back());
        for script in [&grant, &give_back] {
            connection.req_packed_command(&script.load()).await.unwrap();
        }
        Self { random: Random(seed), server, connection, grant, give_back, written: 0, lent: 0, healed: 0, returned: 0 }
    }

    /// A dozen steps of one bucket; `what` says which, for whoever has to find out what went wrong.
    async fn play(&mut self, digest: [u8; 16], what: &str) {
        let random = &mut self.random;
        let mut quota = quota(random);
        let max_delay = Span::from_micros(random.below(2) * random.magnitude(500_000));
        let name = String::from_utf8(key_name(&digest).to_vec()).unwrap();
        // One of its own, of the same hash slot.
        let fence_key = format!("tollgate:fence:{what}:{{{name}}}");
        let is_strict = random.below(4) == 0;
        let (mut bucket, mut full_at) = (None, None);
        let mut fence = None;
        let mut run = 0;
        if random.below(4) == 0 {
            // A bucket that somebody else left: far in debt, or from a clock that has stepped back since.
            let now = UNIX_EPOCH.elapsed().unwrap().as_micros() as u64;
            let next = Timestamp::from_parts(now - 1_000_000 + random.magnitude(1 << 40), random.below(1 << 24) as u32);
            let left = Bucket { next, void: (random.below(2) == 0).then(|| next.to_micros_up()) };
            self.server.command(&["SET", &name, &text(&left)]);
            bucket = Some(left);
        }
        for step in 0..12 {
            let random = &mut self.random;
            if random.below(8) == 0 {
                quota = self::quota(random);
            }
            if random.below(8) == 0 {
                run += 1;
            }
            let now = Timestamp::from_micros(UNIX_EPOCH.elapsed().unwrap().as_micros() as u64);
            let key_ask = KeyAsk {
                digest,
                quota,
                max_delay,
                ask: ask(random, &quota),
                lease: lease_ask(random, &quota),
                hint: hint(random, &quota, bucket, now),
            };
            let asked = [Most { want: key_ask.ask.want, lease: key_ask.lease.most }];
            let (fence_name, run_id) = (fence_key.clone(), format!("run{run}"));
            let call_fence = is_strict.then(|| Fence { key: fence_name.as_bytes(), run_id: &run_id });
            let call = self.grant.call(&[key_ask], call_fence.as_ref());
            let value = self.connection.req_packed_command(&call).await.unwrap();
            let replies = reply::decode(value.clone(), &asked).unwrap();
            let context = format!("{what}, step {step}: {key_ask:?}, {bucket:?}, {fence:?}: {value:?}");
            let theirs = *replies.keys[0].as_ref().unwrap_or_else(|error| panic!("{error}: {context}"));
            if is_strict && fence.is_none_or(|(of, _)| of != run) {
                fence = Some((run, replies.now + FENCE));
            }
            let question = Step {
                ask: key_ask.ask,
                max_delay,
                lease: key_ask.lease,
                hint: key_ask.hint,
                fence: fence.map(|(_, fence)| fence),
            };
            let same = |ours: &Stepped| {
                let theirs = (theirs.count, theirs.first, theirs.lent, theirs.next, theirs.healed);
                theirs == (ours.count, ours.first, ours.lease, ours.next, ours.healed)
            };
            // Once a bucket is full under the quota that wrote it, its key may be gone: a full bucket, whatever quota
            // comes next. Before, it may not.
            let may_be_gone = full_at.is_some_and(|full_at| full_at <= replies.now);
            let remembered = shared::step(&quota, bucket, replies.now, &question);
            let forgotten = shared::step(&quota, None, replies.now, &question);
            let ours = if may_be_gone && !same(&remembered) { forgotten } else { remembered };
            assert!(same(&ours), "{context}: not {remembered:?}, at {:?}", replies.now);
            let written = if same(&remembered) { ours.bucket != bucket } else { ours.bucket.is_some() };
            bucket = ours.bucket;
            if let (true, Some(bucket)) = (written, bucket) {
                self.written += 1;
                self.lent += u32::from(ours.lease > 0);
                self.healed += u32::from(ours.healed);
                let value = self.server.command(&["GET", &name]);
                let full = bucket.full_at(&quota);
                full_at = Some(full);
                let pttl = self.server.command(&["PTTL", &name]).integer();
                if full > replies.now + Span::from_micros(1_000_000) {
                    assert_eq!(value.text(), text(&bucket), "{context}");
                }
                let most = full.since(replies.now).to_duration().as_millis() + 2;
                assert!(pttl <= i64::try_from(most).unwrap(), "{context}: lives {pttl} ms instead of {most}");
                assert!(pttl != -1, "{context}: lives for ever");
            }
            if let Some(held) = bucket.filter(|_| ours.lease > 0) {
                bucket = self.give_back(digest, &quota, held, &ours, replies.now).await;
                full_at = bucket.map(|bucket| bucket.full_at(&quota));
            }
        }
    }

    /// Gives a part of a lease back, now and then twice.
    async fn give_back(
        &mut self,
        digest: [u8; 16],
        quota: &Quota,
        bucket: Bucket,
        stepped: &Stepped,
        now: Timestamp,
    ) -> Option<Bucket> {
        let count = self.random.between(1, stepped.lease);
        let interval = quota.interval();
        let end = if self.random.below(4) == 0 { stepped.next + interval } else { stepped.next };
        let run = Run { first: end - interval.times(count), step: interval, life: quota.life(), count };
        let mut bucket = bucket;
        for _ in 0..self.random.between(1, 2) {
            let value =
                self.connection.req_packed_command(&self.give_back.return_runs(&[(digest, run)])).await.unwrap();
            let ours = shared::give_back(bucket, run.first, run.end());
            let full = bucket.full_at(quota) <= now + Span::from_micros(1_000_000);
            let theirs = value == redis::Value::Array(vec![redis::Value::Int(1)]);
            assert!(theirs == ours.is_some() || (full && !theirs), "{run:?} to {bucket:?}: {value:?}, not {ours:?}");
            if theirs {
                bucket = ours?;
                self.returned += 1;
            }
        }
        Some(bucket)
    }
}

/// Redis and Valkey, alone and as the only node of a cluster.
pub(super) async fn servers() -> Vec<(Redis, String)> {
    let mut servers = Vec::new();
    for program in Program::ALL {
        servers.push((Redis::of(program, &[]), format!("{program:?}")));
        let node = Redis::of(program, &["cluster-enabled yes"]);
        node.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
        let is_whole = || node.command(&["CLUSTER", "INFO"]).text().contains("cluster_state:ok");
        tollgate_testkit::wait_until(is_whole, Duration::from_secs(10)).await;
        servers.push((node, format!("{program:?} cluster")));
    }
    servers
}

#[tokio::test]
async fn the_scripts_and_the_steps_are_twins() {
    for (server, program) in servers().await {
        let seed = UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1;
        let mut twins = Twins::on(server, seed).await;
        for round in 0..600_u32 {
            let mut digest = [0; 16];
            digest[..4].copy_from_slice(&round.to_be_bytes());
            twins.play(digest, &format!("{program}, seed {seed}, round {round}")).await;
        }
        let Twins { written, lent, healed, returned, .. } = twins;
        let happened = [written, lent, healed, returned];
        assert!(happened.iter().all(|count| *count > 100), "seed {seed}: too little was tried: {happened:?}");
    }
}

/// Several buckets in one call are decided as if each had been asked for alone, and one that cannot be read does not
/// take the others with it.
#[tokio::test]
async fn keys_of_one_call_do_not_disturb_each_other() {
    let server = Redis::start();
    let client = redis::Client::open(format!("redis://{}", server.endpoint())).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let script = script::grant();
    connection.req_packed_command(&script.load()).await.unwrap();

    let quota = Quota::new(1, Duration::from_secs(3_600), 3).unwrap();
    let asks: Vec<_> =
        (0..16_u8).map(|key| KeyAsk::plain([key; 16], quota, Span::ZERO, Ask::up_to(u64::from(key) + 1))).collect();
    server.command(&["LPUSH", std::str::from_utf8(&key_name(&[5; 16])).unwrap(), "not ours"]);
    server.command(&["SET", std::str::from_utf8(&key_name(&[6; 16])).unwrap(), "nonsense"]);
    let wants: Vec<_> = asks.iter().map(|ask| Most { want: ask.ask.want, lease: 0 }).collect();
    let value = connection.req_packed_command(&script.call(&asks, None)).await.unwrap();
    let replies = reply::decode(value, &wants).unwrap();
    for (key, reply) in replies.keys.iter().enumerate() {
        match key {
            5 | 6 => assert_eq!(reply.as_ref().unwrap_err().kind, super::ErrorKind::ForeignValue, "{reply:?}"),
            _ => assert_eq!(reply.as_ref().unwrap().count, (key as u64 + 1).min(3), "key {key}"),
        }
    }
}
