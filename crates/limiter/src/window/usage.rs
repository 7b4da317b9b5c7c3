//! What was used of a quota, and one step of it.

use smallvec::SmallVec;

use super::{Slice, WindowQuota};
use crate::{Ask, Timestamp};

mod text;

pub use text::BadUsage;

/// What is remembered of one key: how many permits were handed out in each slice that may still count.
///
/// The default is a key that nobody remembers: nothing was used. A store may forget a usage at [`Usage::gone_at`];
/// that changes no verdict.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// From the latest slice to the oldest. The first may hold nothing, the others hold something.
    counts: SmallVec<[Count; 1]>,
    /// How often permits were given back.
    returns: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count {
    index: u64,
    count: u64,
}

/// What was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// How many permits.
    pub count: u64,
    /// The number of the slice that they were counted in.
    pub index: u64,
    /// They may be spent before this moment of the store's clock.
    pub until: Timestamp,
    /// How many more could be handed out at once.
    pub remaining: u64,
    /// An ask that needs as many would get nothing before this moment, unless permits are given back. It is now if
    /// there are as many left.
    pub next_free: Timestamp,
    /// When all of the quota is free again, if nobody takes any more.
    pub reset: Timestamp,
    /// What to remember of it, for the next step.
    pub hint: Hint,
    /// Whether the hint that came with the ask said more than the store had remembered.
    pub healed: bool,
}

/// What an instance was last told of a usage. It comes with the next ask: a store that has forgotten is healed by
/// everybody who has not.
///
/// What was counted in a slice only grows until permits are given back, which changes the number of returns, or the
/// slice is gone. So a store that remembers less than a hint has lost it, in whatever order hints come and however
/// often. What was counted before the hint's slice is then counted with it, and comes back later than it would have.
///
/// What others take between the loss and the first hint hides as much of it; all of it, when that is in the hint's own
/// slice of a sliding window and no less than was counted there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hint {
    /// The number of the latest slice in which anything was counted.
    pub index: u64,
    /// How many permits in that; zero: nothing is known.
    pub count: u64,
    /// How many in all slices that still counted.
    pub used: u64,
    /// How often permits of this key were given back: what [`give_back`] has to be told.
    pub returns: u64,
}

/// What became of permits that were given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveBack {
    /// They are free again.
    Done,
    /// They are not counted any more: their slice is over, or the store has forgotten it.
    Gone,
    /// Nothing was done, because others were given back in between, or this message had come before. As the first,
    /// tell the number of returns that is told here and ask again; as the second, do not.
    Again {
        /// How often permits of this key were given back so far.
        returns: u64,
    },
}

/// 2⁵³: the most that is counted in one slice.
const COUNT_MAX: u64 = 1 << 53;

/// Hands out between `ask.need` and `ask.want` permits of a quota, or none. `slice` is the one that `now` is in, `hint`
/// what the one who asks was last told.
///
/// `ask.need` is at most the limit: more are never there. With a want and need of zero it tells what is left, and takes
/// nothing.
pub fn take(quota: &WindowQuota, usage: &mut Usage, slice: &Slice, now: Timestamp, ask: Ask, hint: Hint) -> Taken {
    let ahead = usage.latest().map_or(0, |latest| slice.begin(latest).saturating_sub(now.micros()));
    if ahead > slice.patience() {
        usage.pull_back(slice.index);
    } else if ahead > 0 {
        return usage.wait_for_latest(slice);
    }
    let healed = usage.heal(slice, now, hint);
    let free = quota.limit().saturating_sub(usage.since(slice.oldest));
    let count = free.min(ask.want);
    let count = if count < ask.need { 0 } else { count };
    // A later beginning of the same window, by the calendar of another instance, stays its beginning.
    let index = slice.index.max(usage.latest().unwrap_or(0));
    if count > 0 {
        usage.forget_before(slice.oldest);
        usage.add(index, count);
    }
    let frees = usage.blocking(quota.limit().saturating_sub(ask.need.max(1)), slice.oldest);
    Taken {
        count,
        index,
        until: slice.until(),
        remaining: free - count,
        next_free: frees.map_or(now, |index| Timestamp::from_micros(slice.frees(index))),
        reset: usage.gone_at(slice).max(now),
        hint: usage.hint(slice),
        healed,
    }
}

/// Gives back `count` permits that were counted in the slice `index`, when `returns` was the number of returns that the
/// store had told last.
pub fn give_back(usage: &mut Usage, index: u64, count: u64, returns: u64) -> GiveBack {
    let Some(place) = usage.counts.iter().position(|counted| counted.index == index) else {
        return GiveBack::Gone;
    };
    if usage.returns != returns {
        return GiveBack::Again { returns: usage.returns };
    }
    let counted = &mut usage.counts[place].count;
    let Some(left) = counted.checked_sub(count) else {
        // The store has lost some of what was counted.
        return GiveBack::Gone;
    };
    *counted = left;
    // The latest slice stays, because with it the number of returns would be forgotten.
    if left == 0 && place > 0 {
        usage.counts.remove(place);
    }
    usage.returns = usage.returns.saturating_add(1);
    GiveBack::Done
}

impl Usage {
    /// When nothing of it counts any more and it can be forgotten; `slice` is the one of now.
    pub fn gone_at(&self, slice: &Slice) -> Timestamp {
        Timestamp::from_micros(self.latest().map_or(0, |latest| slice.frees(latest)))
    }

    /// How often permits were given back.
    pub fn returns(&self) -> u64 {
        self.returns
    }

    /// How many slices are remembered.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// True if nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Bytes that it takes beyond its own size.
    pub fn heap_bytes(&self) -> usize {
        if self.counts.spilled() { self.counts.capacity() * size_of::<Count>() } else { 0 }
    }

    /// Makes do with `most` slices (one at least), and with the memory for those: the oldest are counted together, in
    /// the latest of them. Nothing comes back earlier for it, some comes back later.
    pub fn fold(&mut self, most: usize) {
        let most = most.max(1);
        if self.counts.len() > most {
            let folded = self.counts.drain(most..).fold(0_u64, |sum, counted| sum.saturating_add(counted.count));
            let last = &mut self.counts[most - 1].count;
            *last = last.saturating_add(folded).min(COUNT_MAX);
        }
        self.counts.shrink_to_fit();
    }

    fn latest(&self) -> Option<u64> {
        self.counts.first().map(|counted| counted.index)
    }

    /// How many were handed out from the slice `oldest` on.
    fn since(&self, oldest: u64) -> u64 {
        self.live(oldest).fold(0, |sum, counted| COUNT_MAX.min(sum.saturating_add(counted.count)))
    }

    fn live(&self, oldest: u64) -> impl Iterator<Item = &Count> {
        self.counts.iter().take_while(move |counted| counted.index >= oldest)
    }

    /// The latest slice that has to be over before no more than `most` are counted; `None` if that is so now.
    fn blocking(&self, most: u64, oldest: u64) -> Option<u64> {
        let mut sum = 0_u64;
        self.live(oldest).find_map(|counted| {
            sum = sum.saturating_add(counted.count);
            (sum > most).then_some(counted.index)
        })
    }

    fn add(&mut self, index: u64, count: u64) {
        match self.counts.first_mut() {
            Some(latest) if latest.index == index => latest.count += count,
            _ => self.counts.insert(0, Count { index, count }),
        }
    }

    fn forget_before(&mut self, oldest: u64) {
        let live = self.live(oldest).count();
        if live == 0 {
            // Whoever still knows the number of returns asks about slices that are gone.
            *self = Self::default();
        }
        self.counts.truncate(live);
    }

    /// The latest slice lies so far ahead that it was counted by a clock gone wrong. All counts as if it were now.
    fn pull_back(&mut self, index: u64) {
        let count = self.since(0);
        self.counts.clear();
        self.counts.push(Count { index, count });
    }

    /// The store's clock has stepped back, out of the latest slice: nothing until it is there again.
    fn wait_for_latest(&self, slice: &Slice) -> Taken {
        let latest = self.latest().unwrap_or(slice.index);
        let begin = Timestamp::from_micros(slice.begin(latest));
        Taken {
            count: 0,
            index: slice.index,
            until: slice.until(),
            remaining: 0,
            next_free: begin,
            reset: self.gone_at(slice).max(begin),
            hint: self.hint(slice),
            healed: false,
        }
    }

    fn hint(&self, slice: &Slice) -> Hint {
        let Some(latest) = self.live(slice.oldest).next() else { return Hint::default() };
        Hint { index: latest.index, count: latest.count, used: self.since(slice.oldest), returns: self.returns }
    }

    /// Takes in what somebody remembers better. True if that was so.
    fn heal(&mut self, slice: &Slice, now: Timestamp, hint: Hint) -> bool {
        if hint.index < slice.oldest || slice.begin(hint.index) > now.micros() {
            return false;
        }
        let is_older = self.live(slice.oldest).next().is_some() && hint.returns < self.returns;
        let place = self.counts.partition_point(|counted| counted.index > hint.index);
        let known = self.counts.get(place).filter(|counted| counted.index == hint.index);
        if is_older || known.is_some_and(|counted| counted.count >= hint.count) {
            return false;
        }
        let missing = hint.used.saturating_sub(self.since(slice.oldest));
        if missing == 0 {
            return false;
        }
        if known.is_none() {
            self.counts.insert(place, Count { index: hint.index, count: 0 });
        }
        self.counts[place].count += missing;
        self.forget_before(slice.oldest);
        self.returns = hint.returns;
        true
    }
}

#[cfg(test)]
mod tests;
