//! Which server is next.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use parking_lot::Mutex;

/// Smooth weighted round robin: a server of weight w is due again 1/w after it was picked, and whoever is due first is
/// next. Traefik calls it earliest deadline first.
///
/// The deadlines are fractions and compared exactly, so that the proportions hold however long it runs. Picks of all
/// threads are one sequence; the lock is held for two moves in a small heap, and there is none for a single server.
pub struct Balancer {
    servers: Servers,
}

enum Servers {
    None,
    One(usize),
    Many(Mutex<BinaryHeap<Due>>),
}

impl Balancer {
    /// A balancer over servers of these weights. One of weight zero or less is never picked. `seed` shuffles who
    /// comes first among equals, so that not every instance begins with the same server.
    pub fn new(weights: &[i64], seed: u64) -> Self {
        let mut due: Vec<Due> = weights
            .iter()
            .enumerate()
            .filter_map(|(server, weight)| {
                let weight = u64::try_from(*weight).ok().filter(|weight| *weight > 0)?;
                Some(Due { server, weight, picked: 0, order: 0 })
            })
            .collect();
        shuffle(&mut due, seed);
        for (order, due) in due.iter_mut().enumerate() {
            due.order = order;
        }
        let servers = match due.as_slice() {
            [] => Servers::None,
            [only] => Servers::One(only.server),
            _ => Servers::Many(Mutex::new(due.into())),
        };
        Self { servers }
    }

    /// The position of the next server in the weights; `None` if there is none to pick.
    pub fn pick(&self) -> Option<usize> {
        match &self.servers {
            Servers::None => None,
            Servers::One(server) => Some(*server),
            Servers::Many(due) => {
                let mut due = due.lock();
                let mut first = due.peek_mut()?;
                first.picked += 1;
                Some(first.server)
            }
        }
    }
}

/// One server and when it is due: at (`picked` + 1) / `weight`.
struct Due {
    server: usize,
    weight: u64,
    picked: u64,
    order: usize,
}

impl Ord for Due {
    /// The greatest is due first: the heap's top is its greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        let ours = u128::from(self.picked + 1) * u128::from(other.weight);
        let theirs = u128::from(other.picked + 1) * u128::from(self.weight);
        theirs.cmp(&ours).then(other.order.cmp(&self.order))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

/// Fisher and Yates, with splitmix64 as the source.
fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for end in (1..items.len()).rev() {
        seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        items.swap(end, ((mixed ^ (mixed >> 31)) % (end as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn picks(weights: &[i64], seed: u64, count: usize) -> Vec<usize> {
        let balancer = Balancer::new(weights, seed);
        (0..count).filter_map(|_| balancer.pick()).collect()
    }

    #[test]
    fn equal_servers_take_turns() {
        let picks = picks(&[1, 1, 1], 7, 30);
        for turn in picks.chunks(3) {
            assert_eq!(turn.iter().collect::<HashSet<_>>().len(), 3);
            assert_eq!(turn, &picks[..3], "always in the same order");
        }
    }

    #[test]
    fn every_period_is_shared_by_weight() {
        for seed in 0..20 {
            for period in picks(&[5, 1, 2], seed, 80).chunks(8) {
                let share = |server| period.iter().filter(|picked| **picked == server).count();
                assert_eq!([share(0), share(1), share(2)], [5, 1, 2], "seed {seed}: {period:?}");
            }
        }
    }

    #[test]
    fn the_heavy_server_is_not_picked_in_one_burst() {
        let picks = picks(&[3, 3], 1, 12);
        assert!(picks.windows(2).all(|pair| pair[0] != pair[1]), "{picks:?}");
    }

    #[test]
    fn a_server_without_weight_is_never_picked() {
        assert_eq!(picks(&[0, 1, -1], 3, 5), [1; 5]);
        assert!(picks(&[0, -1], 3, 5).is_empty());
        assert!(picks(&[], 3, 5).is_empty());
    }

    #[test]
    fn the_seed_decides_who_is_first() {
        let first: HashSet<usize> = (0..64).map(|seed| picks(&[1; 4], seed, 1)[0]).collect();
        assert_eq!(first.len(), 4);
        assert_eq!(picks(&[1; 4], 5, 8), picks(&[1; 4], 5, 8));
    }

    #[test]
    fn the_largest_weights_do_not_overflow() {
        let picks = picks(&[i64::MAX, i64::MAX - 1], 0, 100);
        assert_eq!(picks.iter().filter(|picked| **picked == 0).count(), 50);
    }
}
