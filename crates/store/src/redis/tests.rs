//! The script and the Rust step are twins: on a real server, for the same sequence of asks, both hand out the same
//! slots.

use std::time::{Duration, UNIX_EPOCH};

use redis::aio::ConnectionLike as _;
use tollgate_limiter::{Ask, Quota, Span, Timestamp, schedule};
use tollgate_testkit::redis::Redis;

use super::options::{Address, RedisOptions};
use super::reply;
use super::script::{KeyAsk, grant, key_name};

/// xorshift64, so that a failure can be repeated from the seed that its message names.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// Evenly spread over the orders of magnitude up to `bound`.
    fn magnitude(&mut self, bound: u64) -> u64 {
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
    if random.below(3) == 0 { Ask::all(want.min(quota.burst())) } else { Ask::up_to(want) }
}

#[tokio::test]
async fn the_script_and_the_step_are_twins() {
    let seed = UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1;
    let mut random = Random(seed);
    let server = Redis::start();
    let options = RedisOptions {
        endpoint: server.endpoint(),
        username: String::new(),
        password: String::new(),
        database: 0,
        connect_timeout: Duration::from_secs(5),
        deadline: Duration::from_secs(5),
        tls: None,
    };
    let mut connection =
        options.client(&Address::parse(&server.endpoint())).unwrap().get_multiplexed_async_connection().await.unwrap();
    let script = grant();
    connection.req_packed_command(&script.load()).await.unwrap();

    for round in 0..400_u32 {
        let mut digest = [0; 16];
        digest[..4].copy_from_slice(&round.to_be_bytes());
        let mut quota = quota(&mut random);
        let max_delay = Span::from_micros(random.below(2) * random.magnitude(500_000));
        let name = String::from_utf8(key_name(&digest).to_vec()).unwrap();
        let (mut next, mut full_at) = (None, None);
        if random.below(4) == 0 {
            // A bucket that somebody else left: far in debt, or from a clock that has stepped back since.
            let now = UNIX_EPOCH.elapsed().unwrap().as_micros() as u64;
            let left = Timestamp::from_parts(now - 1_000_000 + random.magnitude(1 << 40), random.below(1 << 24) as u32);
            let value = format!("{}:{}", left.micros(), left.fraction());
            server.command(&["SET", &name, &value]);
            next = Some(left);
        }
        for step in 0..12 {
            if random.below(8) == 0 {
                quota = self::quota(&mut random);
            }
            let ask = ask(&mut random, &quota);
            let call = script.call(&[KeyAsk { digest, quota, max_delay, ask }]);
            let value = connection.req_packed_command(&call).await.unwrap();
            let replies = reply::decode(value.clone(), &[ask.want]).unwrap();
            assert!(
                replies.keys[0].is_ok(),
                "seed {seed}, round {round}, step {step}: {quota:?}, {max_delay:?}, {ask:?}, next {next:?}: {value:?}"
            );
            let theirs = replies.keys[0].clone().unwrap();
            // Once a bucket is full under the quota that wrote it, its key may be gone: a full bucket, whatever quota
            // comes next. Before, it may not.
            let may_be_gone = full_at.is_some_and(|full_at| full_at <= replies.now);
            let remembered = schedule::grant(&quota, next, replies.now, max_delay, ask);
            let forgotten = schedule::grant(&quota, None, replies.now, max_delay, ask);
            let same = |ours: &schedule::Grant| (theirs.count, theirs.first) == (ours.count, ours.first);
            let ours = if may_be_gone && same(&forgotten) { forgotten } else { remembered };
            assert!(
                same(&ours),
                "seed {seed}, round {round}, step {step}: {theirs:?} is not {ours:?} for {quota:?}, {max_delay:?}, \
                 {ask:?}, next {next:?}, now {:?}",
                replies.now
            );
            let written = ours.next != next;
            next = ours.next;
            if written {
                let full_in = schedule::reset_after(&quota, next, replies.now);
                full_at = Some(replies.now + Span::from(full_in));
                let pttl = server.command(&["PTTL", &name]).integer();
                let most = i64::try_from(full_in.as_millis()).unwrap() + 1;
                assert!(pttl <= most, "seed {seed}: lives {pttl} ms, full in {full_in:?}");
                assert!(pttl != -1, "seed {seed}: lives for ever");
            }
        }
    }
}

/// Several buckets in one call are decided as if each had been asked for alone, and one that cannot be read does not
/// take the others with it.
#[tokio::test]
async fn keys_of_one_call_do_not_disturb_each_other() {
    let server = Redis::start();
    let client = redis::Client::open(format!("redis://{}", server.endpoint())).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let script = grant();
    connection.req_packed_command(&script.load()).await.unwrap();

    let quota = Quota::new(1, Duration::from_secs(3_600), 3).unwrap();
    let asks: Vec<_> = (0..16_u8)
        .map(|key| KeyAsk { digest: [key; 16], quota, max_delay: Span::ZERO, ask: Ask::up_to(u64::from(key) + 1) })
        .collect();
    server.command(&["LPUSH", std::str::from_utf8(&key_name(&[5; 16])).unwrap(), "not ours"]);
    server.command(&["SET", std::str::from_utf8(&key_name(&[6; 16])).unwrap(), "nonsense"]);
    let wants: Vec<_> = asks.iter().map(|ask| ask.ask.want).collect();
    let value = connection.req_packed_command(&script.call(&asks)).await.unwrap();
    let replies = reply::decode(value, &wants).unwrap();
    for (key, reply) in replies.keys.iter().enumerate() {
        match key {
            5 | 6 => assert_eq!(reply.as_ref().unwrap_err().kind, super::ErrorKind::ForeignValue, "{reply:?}"),
            _ => assert_eq!(reply.as_ref().unwrap().count, (key as u64 + 1).min(3), "key {key}"),
        }
    }
}
