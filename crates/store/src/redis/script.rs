//! The script that runs inside the server, and how it is called.

use std::sync::OnceLock;

use tollgate_limiter::shared::{FENCE, LeaseAsk, farthest_ahead};
use tollgate_limiter::{Ask, Quota, Run, Span, Timestamp};

use super::hash_slot::{SLOTS, hash_slot};

/// A script by its text and the SHA-1 that servers know it by.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    text: &'static str,
    sha: String,
}

/// The script that hands out slots. See `grant.lua`.
pub(crate) fn grant() -> Script {
    Script::new(include_str!("grant.lua"))
}

/// The script that takes slots back. See `give_back.lua`.
pub(crate) fn give_back() -> Script {
    Script::new(include_str!("give_back.lua"))
}

/// The script by which an operator gives a bucket slots. See `amend.lua`.
pub(crate) fn amend() -> Script {
    Script::new(include_str!("amend.lua"))
}

/// The script by which instances say that they are there. See `beat.lua`.
pub(crate) fn beat() -> Script {
    Script::new(include_str!("beat.lua"))
}

/// What is asked of one bucket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyAsk {
    pub(crate) digest: [u8; 16],
    pub(crate) quota: Quota,
    pub(crate) max_delay: Span,
    pub(crate) ask: Ask,
    pub(crate) lease: LeaseAsk,
    pub(crate) hint: Option<Timestamp>,
}

impl KeyAsk {
    /// Asks for those who wait, and for nothing else.
    pub(crate) fn plain(digest: [u8; 16], quota: Quota, max_delay: Span, ask: Ask) -> Self {
        Self { digest, quota, max_delay, ask, lease: LeaseAsk::default(), hint: None }
    }
}

/// The key whose value says since when this run of the server hands out slots.
pub(crate) struct Fence<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) run_id: &'a str,
}

/// The fence for the buckets of a hash slot: one for each in a cluster, where the keys of a call are of one slot, else one
/// for all.
pub(crate) fn fence_key(slot: u16, is_cluster: bool) -> Vec<u8> {
    // Some number whose digits, as a hash tag, fall into each slot.
    static TAGS: OnceLock<Vec<u32>> = OnceLock::new();
    if !is_cluster {
        return b"tollgate:fence".to_vec();
    }
    let tags = TAGS.get_or_init(|| {
        let mut tags = vec![u32::MAX; usize::from(SLOTS)];
        let mut missing = tags.len();
        for number in 0.. {
            let tag = &mut tags[usize::from(hash_slot(number.to_string().as_bytes()))];
            if *tag == u32::MAX {
                *tag = number;
                missing -= 1;
            }
            if missing == 0 {
                break;
            }
        }
        tags
    });
    format!("tollgate:fence:{{{}}}", tags[usize::from(slot % SLOTS)]).into_bytes()
}

impl Script {
    pub(super) fn new(text: &'static str) -> Self {
        Self { text, sha: redis::Script::new(text).get_hash().to_owned() }
    }

    /// The command that makes the server know the script.
    pub(crate) fn load(&self) -> redis::Cmd {
        let mut cmd = redis::cmd("SCRIPT");
        cmd.arg("LOAD").arg(self.text);
        cmd
    }

    /// The command that runs the script on these keys; the script's arguments are to follow.
    pub(super) fn on_keys<'a>(&self, digests: impl ExactSizeIterator<Item = &'a [u8; 16]>) -> redis::Cmd {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&self.sha).arg(digests.len());
        for digest in digests {
            cmd.arg(&key_name(digest)[..]);
        }
        cmd
    }

    /// The command that calls the script with these keys. Its arguments are to be added.
    pub(crate) fn call_for(&self, keys: &[&str]) -> redis::Cmd {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&self.sha).arg(keys.len()).arg(keys);
        cmd
    }

    /// The command that asks for slots of several buckets.
    pub(crate) fn call(&self, asks: &[KeyAsk], fence: Option<&Fence<'_>>) -> redis::Cmd {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&self.sha).arg(asks.len() + usize::from(fence.is_some()));
        for ask in asks {
            cmd.arg(&key_name(&ask.digest)[..]);
        }
        if let Some(fence) = fence {
            cmd.arg(fence.key);
        }
        cmd.arg(asks.len());
        for KeyAsk { quota, max_delay, ask, lease, hint, .. } in asks {
            let ahead = farthest_ahead(quota, *max_delay);
            for span in [quota.interval(), quota.life(), ahead] {
                cmd.arg(span.micros()).arg(span.fraction());
            }
            cmd.arg(max_delay.micros()).arg(ask.want).arg(ask.need);
            cmd.arg(lease.most).arg(lease.life.micros()).arg(lease.ahead.micros());
            let hint = hint.unwrap_or(Timestamp::from_micros(0));
            cmd.arg(hint.micros()).arg(hint.fraction());
        }
        if let Some(fence) = fence {
            cmd.arg(fence.run_id).arg(FENCE.micros());
        }
        cmd
    }

    /// The command that gives a bucket so many slots, or all that it holds.
    pub(crate) fn amend(&self, digest: &[u8; 16], quota: &Quota, max_delay: Span, slots: Option<u64>) -> redis::Cmd {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&self.sha).arg(1).arg(&key_name(digest)[..]);
        for span in [quota.interval(), quota.life(), farthest_ahead(quota, max_delay)] {
            cmd.arg(span.micros()).arg(span.fraction());
        }
        // More than a bucket holds is as good as all.
        cmd.arg(slots.map_or(-1, |slots| slots.min(quota.burst()).cast_signed()));
        cmd
    }

    /// The command that gives slots of several buckets back.
    pub(crate) fn return_runs(&self, runs: &[([u8; 16], Run)]) -> redis::Cmd {
        let mut cmd = self.on_keys(runs.iter().map(|(digest, _)| digest));
        for (_, run) in runs {
            for moment in [run.first, run.end()] {
                cmd.arg(moment.micros()).arg(moment.fraction());
            }
            cmd.arg(run.life.micros() + 1);
        }
        cmd
    }
}

/// The key of a bucket in the server: `tollgate:` and 128 bits in URL-safe base64 (RFC 4648 §5), without padding. It
/// has the same length whatever the client sent, and no character that means something to a server or a shell.
pub(crate) fn key_name(digest: &[u8; 16]) -> [u8; PREFIX.len() + 22] {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut name = [0; PREFIX.len() + 22];
    name[..PREFIX.len()].copy_from_slice(PREFIX);
    let mut bits = u128::from_be_bytes(*digest);
    for place in name[PREFIX.len()..].iter_mut().rev() {
        *place = ALPHABET[(bits & 63) as usize];
        bits >>= 6;
    }
    name
}

const PREFIX: &[u8] = b"tollgate:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hash_slot_has_a_fence() {
        for slot in [0, 1, 8_191, 16_383] {
            assert_eq!(hash_slot(&fence_key(slot, true)), slot);
        }
        assert_eq!(fence_key(7, false), b"tollgate:fence");
    }

    #[test]
    fn a_key_is_short_plain_and_its_own() {
        let name = |digest| String::from_utf8(key_name(&digest).to_vec()).unwrap();
        assert_eq!(name([0; 16]), "tollgate:AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(name([255; 16]), "tollgate:D_____________________");
        let mut one = [0; 16];
        one[15] = 1;
        assert_eq!(name(one), "tollgate:AAAAAAAAAAAAAAAAAAAAAB");
    }
}
