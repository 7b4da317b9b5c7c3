//! What Traefik 3.7 does with a limit in Redis: one script per request, told the time of whoever asks. The script is
//! written after what Traefik's does, step by step; nobody is held back here, which is a maximal delay of zero.

use std::time::{Duration, UNIX_EPOCH};

use redis::Script;
use redis::aio::MultiplexedConnection;

use super::address;
use crate::load::Terms;

pub(crate) struct Instance {
    connection: MultiplexedConnection,
    script: Script,
    terms: Terms,
    ahead: Duration,
}

impl Instance {
    /// An instance whose clock is so far ahead.
    pub(super) async fn start(port: u16, terms: Terms, ahead_ms: u64) -> Self {
        let script = Script::new(include_str!("token_bucket.lua"));
        Self { connection: connect(port).await, script, terms, ahead: Duration::from_millis(ahead_ms) }
    }

    pub(super) async fn decide(&self, key: u32) -> bool {
        let now = UNIX_EPOCH.elapsed().expect("a clock after 1970") + self.ahead;
        let mut call = self.script.key(format!("rate:bench@file:{}", address(key)));
        call.arg(self.terms.per_second as f64 / 1e6).arg(self.terms.burst).arg(TTL_SECONDS);
        call.arg(now.as_micros() as u64).arg(0);
        let answer: Vec<String> = call.invoke_async(&mut self.connection.clone()).await.expect("Redis answers");
        answer.get(1).is_some_and(|wait| wait.parse() == Ok(0.0))
    }
}

/// For every rate from one per second on.
const TTL_SECONDS: u64 = 2;

/// One connection, which many requests share.
pub(super) async fn connect(port: u16) -> MultiplexedConnection {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).expect("an address");
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(5)));
    client.get_multiplexed_async_connection_with_config(&config).await.expect("the server accepts connections")
}
