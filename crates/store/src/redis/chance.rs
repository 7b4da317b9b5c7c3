//! What is left to chance.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// 128 bits that are nobody else's, as far as chance goes.
pub(super) fn unique() -> u128 {
    // RandomState is seeded by the operating system; its hashers are the standard library's way to that seed.
    let half = || u128::from(RandomState::new().hash_one(0_u8));
    half() << 64 | half()
}

/// Keeps instances that lost the same store from coming back all at the same moment.
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new() -> Self {
        Self(RandomState::new().hash_one(0_u8) | 1)
    }

    /// Between three quarters and five quarters of `rest`.
    pub(super) fn spread(&mut self, rest: Duration) -> Duration {
        // xorshift64 (Marsaglia 2003): evenness is all that is wanted.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        rest * 3 / 4 + rest / 2 * u32::try_from(self.0 % 1_024).unwrap_or(0) / 1_024
    }
}
