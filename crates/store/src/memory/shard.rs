//! One part of the memory store, under one lock.

use hashbrown::HashTable;
use hashbrown::hash_table::{Entry, OccupiedEntry, VacantEntry};
use tollgate_limiter::Timestamp;

use crate::hash::KeyHash;

/// What is remembered of one key: 32 bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    hash: KeyHash,
    next_micros: u64,
    next_fraction: u32,
    /// When it is full again and can be forgotten, in seconds of store time since [`Bucket::SECONDS_FROM`], rounded
    /// up. Being remembered a little longer changes nothing.
    full_at: u32,
}

impl Bucket {
    /// The memory store's time starts two centuries in; counted from there, 32 bits of seconds reach for 136 years.
    const SECONDS_FROM: u64 = 200 * 366 * 86_400;

    pub(super) fn new(hash: KeyHash, next: Timestamp, full_at: Timestamp) -> Self {
        Self { hash, next_micros: next.micros(), next_fraction: next.fraction(), full_at: seconds(full_at) + 1 }
    }

    pub(super) fn next(&self) -> Timestamp {
        Timestamp::from_parts(self.next_micros, self.next_fraction)
    }
}

fn seconds(moment: Timestamp) -> u32 {
    let seconds = (moment.micros() / 1_000_000).saturating_sub(Bucket::SECONDS_FROM);
    u32::try_from(seconds).unwrap_or(u32::MAX - 1).min(u32::MAX - 1)
}

/// A part of the store.
#[derive(Debug)]
pub(super) struct Shard {
    buckets: HashTable<Bucket>,
    capacity: usize,
    /// Nobody here is full before this second, as far as the last look told.
    none_full_before: u32,
}

/// Where a key's bucket is, or will be.
pub(super) enum Place<'a> {
    Taken(OccupiedEntry<'a, Bucket>),
    Free(VacantEntry<'a, Bucket>),
}

impl Place<'_> {
    pub(super) fn put(self, bucket: Bucket) {
        match self {
            Self::Taken(mut entry) => *entry.get_mut() = bucket,
            Self::Free(entry) => {
                entry.insert(bucket);
            }
        }
    }

    pub(super) fn bucket(&self) -> Option<&Bucket> {
        match self {
            Self::Taken(entry) => Some(entry.get()),
            Self::Free(_) => None,
        }
    }
}

impl Shard {
    pub(super) fn new(capacity: usize) -> Self {
        Self { buckets: HashTable::new(), capacity, none_full_before: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.buckets.len()
    }

    /// The place of a key; `None` if it is new and only buckets in debt are here.
    pub(super) fn place(&mut self, hash: KeyHash, now: Timestamp) -> Option<Place<'_>> {
        let full = self.buckets.len() >= self.capacity;
        if full && self.buckets.find(hash[0], |bucket| bucket.hash == hash).is_none() {
            self.make_room(now)?;
        }
        Some(self.any_place(hash))
    }

    /// The next free slot of a key, if it is here.
    pub(super) fn next(&self, hash: KeyHash) -> Option<Timestamp> {
        self.buckets.find(hash[0], |bucket| bucket.hash == hash).map(Bucket::next)
    }

    /// The place of a key, whether there is room or not.
    pub(super) fn any_place(&mut self, hash: KeyHash) -> Place<'_> {
        match self.buckets.entry(hash[0], |bucket| bucket.hash == hash, |bucket| bucket.hash[0]) {
            Entry::Occupied(entry) => Place::Taken(entry),
            Entry::Vacant(entry) => Place::Free(entry),
        }
    }

    /// Looks through the whole part at most once a second; in between, a part full of debt refuses at once.
    fn make_room(&mut self, now: Timestamp) -> Option<()> {
        if seconds(now) < self.none_full_before {
            return None;
        }
        self.forget_full(now);
        (self.buckets.len() < self.capacity).then_some(())
    }

    fn forget_full(&mut self, now: Timestamp) {
        let second = seconds(now);
        self.buckets.retain(|bucket| bucket.full_at > second);
        self.none_full_before = second + 1;
    }

    pub(super) fn sweep(&mut self, now: Timestamp) {
        self.forget_full(now);
        if self.buckets.len() * 4 < self.buckets.capacity() {
            self.buckets.shrink_to(self.buckets.len() * 2, |bucket| bucket.hash[0]);
        }
    }
}
