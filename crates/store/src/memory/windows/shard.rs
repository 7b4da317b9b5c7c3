//! One part of the usages, under one lock.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;
use tollgate_limiter::Timestamp;
use tollgate_limiter::window::{Slice, Taken, Usage};

use crate::hash::KeyHash;

/// What is remembered of one key.
#[derive(Debug)]
struct Entry {
    hash: KeyHash,
    usage: Usage,
    /// When nothing of it counts any more, in microseconds.
    gone_at: u64,
}

/// A part of the store.
#[derive(Debug)]
pub(super) struct Shard {
    entries: HashTable<Entry>,
    /// Bytes of the usages beyond their entries.
    heap: usize,
    capacity: usize,
    /// The second in which the whole part was last looked through.
    looked: Option<u64>,
}

impl Shard {
    pub(super) fn new(capacity: usize) -> Self {
        Self { entries: HashTable::new(), heap: 0, capacity, looked: None }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.entries.len() * size_of::<Entry>() + self.heap
    }

    /// Takes a step of a key's usage; `None` if it is new and there is no room for it.
    pub(super) fn step_if_room(
        &mut self,
        hash: KeyHash,
        now: Timestamp,
        slice: &Slice,
        step: impl FnOnce(&mut Usage) -> Taken,
    ) -> Option<Taken> {
        let has_place = !self.is_full() || self.find(hash).is_some() || self.make_room(now);
        has_place.then(|| self.step(hash, slice, step))
    }

    /// Takes a step of a key's usage, whether there is room or not.
    pub(super) fn step(&mut self, hash: KeyHash, slice: &Slice, step: impl FnOnce(&mut Usage) -> Taken) -> Taken {
        let full = self.is_full();
        match self.entries.entry(hash[0], |entry| entry.hash == hash, |entry| entry.hash[0]) {
            Place::Occupied(mut place) => {
                let entry = place.get_mut();
                let (slices, bytes) = (entry.usage.len(), entry.usage.heap_bytes());
                let taken = step(&mut entry.usage);
                if full {
                    entry.usage.fold(slices);
                }
                entry.gone_at = entry.usage.gone_at(slice).micros();
                self.heap = self.heap - bytes + entry.usage.heap_bytes();
                taken
            }
            Place::Vacant(place) => {
                let mut usage = Usage::default();
                let taken = step(&mut usage);
                if !usage.is_empty() {
                    let gone_at = usage.gone_at(slice).micros();
                    place.insert(Entry { hash, usage, gone_at });
                }
                taken
            }
        }
    }

    fn is_full(&self) -> bool {
        self.bytes() >= self.capacity
    }

    /// The usage of a key.
    pub(super) fn find(&mut self, hash: KeyHash) -> Option<&mut Usage> {
        self.entries.find_mut(hash[0], |entry| entry.hash == hash).map(|entry| &mut entry.usage)
    }

    /// Looks through the whole part at most once a second; in between, a part in which all counts refuses at once.
    fn make_room(&mut self, now: Timestamp) -> bool {
        if self.looked != Some(now.micros() / 1_000_000) {
            self.forget_gone(now);
        }
        self.bytes() < self.capacity
    }

    fn forget_gone(&mut self, now: Timestamp) {
        let Self { entries, heap, .. } = self;
        entries.retain(|entry| {
            let counts = entry.gone_at > now.micros();
            if !counts {
                *heap -= entry.usage.heap_bytes();
            }
            counts
        });
        self.looked = Some(now.micros() / 1_000_000);
    }

    pub(super) fn sweep(&mut self, now: Timestamp) {
        self.forget_gone(now);
        if self.entries.len() * 4 < self.entries.capacity() {
            self.entries.shrink_to(self.entries.len() * 2, |entry| entry.hash[0]);
        }
    }
}
