//! What a rate limit means.
//!
//! A [`Limit`] lets at most `burst` requests through at once and `limit` per `period` in the long run, for every
//! *key*: the part of a request that its [`Criterion`] looks at. The promise it keeps, whoever asks and from
//! wherever, is
//!
//! > for every key and every s ≤ t on the store's clock, at most `burst + floor(rate · (t − s))` requests are
//! > admitted in `[s, t]`.
//!
//! The method is a *schedule of slots*: see [`schedule`]. One bucket is one number, the time of its next free slot,
//! and the whole arithmetic of it is [`schedule::grant`].
//!
//! ```
//! use std::time::Duration;
//! use tollgate_limiter::{Ask, Quota, Span, Timestamp, schedule};
//!
//! // 100 per minute, at most 20 at once.
//! let quota = Quota::new(100, Duration::from_secs(60), 20)?;
//! let now = Timestamp::from_micros(1_700_000_000_000_000);
//! let grant = schedule::grant(&quota, None, now, Span::ZERO, Ask::up_to(25));
//! assert_eq!(grant.count, 20);
//!
//! // 600 ms later one more slot has come up.
//! let later = now + Span::from_micros(600_000);
//! let grant = schedule::grant(&quota, grant.next, later, Span::ZERO, Ask::up_to(5));
//! assert_eq!(grant.count, 1);
//! # Ok::<(), tollgate_limiter::QuotaError>(())
//! ```
//!
//! This crate reads no clock, no socket and no random number. Time comes in as [`Timestamp`] (the store's) and
//! [`Monotonic`] (this instance's); the stores themselves are in `tollgate-store`.

pub mod address;
mod attributes;
mod criterion;
mod denial;
pub mod headers;
mod horizon;
mod key;
mod lease;
mod limit;
mod quota;
pub mod schedule;
pub mod shared;
mod store_time;
mod time;
pub mod turnstile;
mod verdict;
pub mod window;

pub use address::{AddressSet, AddressSetError};
pub use attributes::Attributes;
pub use criterion::{Criterion, Source};
pub use denial::Denial;
pub use key::{KeyBytes, ShortKey};
pub use lease::{Lease, Run, Slot, Spent};
pub use limit::{FailurePolicy, Limit};
pub use quota::{Quota, QuotaError};
pub use schedule::{Ask, Grant};
pub use store_time::{DRIFT_PPM, Monotonic, Reading, StoreTime};
pub use time::{Span, Timestamp};
pub use turnstile::Terms;
pub use verdict::{Decision, DecisionSource, Verdict};
