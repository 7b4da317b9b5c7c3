//! How keys are found in this process.

use std::hash::{BuildHasher as _, RandomState};

use siphasher::sip128::{Hasher128 as _, SipHasher13};
use tollgate_limiter::KeyBytes;

/// 128 bits that stand for one bucket within this process: long enough that they never collide, keyed with random
/// numbers so that nobody can make them collide, and cheap. They never leave the process.
pub(crate) type KeyHash = [u64; 2];

/// The random numbers of this process.
#[derive(Clone)]
pub(crate) struct ProcessKeys(u64, u64);

/// The hash of the keys of one limit: the same for every generation of a configuration, because buckets outlive it.
#[derive(Debug, Clone)]
pub(crate) struct LimitHasher(SipHasher13);

impl ProcessKeys {
    pub(crate) fn random() -> Self {
        // RandomState is seeded by the operating system; its hashers are the standard library's way to that seed.
        Self(RandomState::new().hash_one(1_u8), RandomState::new().hash_one(2_u8))
    }

    pub(crate) fn for_limit(&self, id: &str) -> LimitHasher {
        let hash = SipHasher13::new_with_keys(self.0, self.1).hash(id.as_bytes());
        LimitHasher(SipHasher13::new_with_keys(hash.h1, hash.h2))
    }
}

impl LimitHasher {
    pub(crate) fn hash(&self, key: &KeyBytes<'_>) -> KeyHash {
        use std::hash::Hasher as _;
        let mut hasher = self.0;
        hasher.write_u8(key.tag());
        hasher.write(key.as_bytes());
        let hash = hasher.finish128();
        [hash.h1, hash.h2]
    }
}
