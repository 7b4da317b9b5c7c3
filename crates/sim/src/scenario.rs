//! What is played.

use std::time::Duration;

use tollgate_limiter::Quota;

use crate::random::Random;

/// A limit, its traffic, and what goes wrong.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The limit.
    pub quota: Quota,
    /// How long a request may be held.
    pub max_delay: Duration,
    /// Whether instances may hold slots.
    pub leases: bool,
    /// Whether the store keeps a fence.
    pub strict: bool,
    /// The traffic of each instance.
    pub loads: Vec<Load>,
    /// How long it goes on.
    pub length: Duration,
    /// The shortest and the longest time that a message takes in one direction.
    pub latency: (Duration, Duration),
    /// How far the clocks of the instances and of the store run apart, at most; in parts per million.
    pub drift_ppm: u64,
    /// What goes wrong.
    pub faults: Faults,
}

/// The traffic of one instance.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Requests per second while there are any: their gaps are exponentially distributed.
    pub rate: f64,
    /// Traffic comes for so long, and then stays away for so long. Zeros: it always comes.
    pub on_off: (Duration, Duration),
}

/// What goes wrong. Probabilities are per message, counts are per run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Messages that never arrive.
    pub lost: f64,
    /// Messages that arrive twice, the second time up to a second later.
    pub doubled: f64,
    /// Instances that stand still for up to half a second.
    pub pauses: u32,
    /// Instances that begin anew and remember nothing.
    pub crashes: u32,
    /// The store forgets everything.
    pub data_losses: u32,
    /// Another store takes over, behind by up to [`Faults::lag`], its clock up to [`Faults::skew`] away.
    pub failovers: u32,
    /// How far a store that takes over is behind.
    pub lag: Duration,
    /// How long the store that was taken over from is still asked by some.
    pub split: Duration,
    /// How far the clock of a store that takes over is off.
    pub skew: Duration,
    /// Steps of the store's clock, by up to [`Faults::skew`], forwards and backwards.
    pub clock_steps: u32,
}

impl Scenario {
    /// Evenly loaded instances without any trouble. `load` is relative to the limit: 0.9 is ten per cent below.
    pub fn steady(instances: usize, per_second: u64, burst: u64, load: f64) -> Self {
        let rate = per_second as f64 * load / instances as f64;
        Self {
            quota: Quota::new(per_second, Duration::from_secs(1), burst).expect("a possible quota"),
            max_delay: Duration::ZERO,
            leases: true,
            strict: false,
            loads: vec![Load { rate, on_off: (Duration::ZERO, Duration::ZERO) }; instances],
            length: Duration::from_secs(10),
            latency: (Duration::from_micros(75), Duration::from_micros(300)),
            drift_ppm: 200,
            faults: Faults::default(),
        }
    }

    /// The same with the load spread in these proportions.
    #[must_use]
    pub fn spread(mut self, parts: &[f64]) -> Self {
        let total: f64 = self.loads.iter().map(|load| load.rate).sum();
        let sum: f64 = parts.iter().sum();
        let on_off = self.loads[0].on_off;
        self.loads = parts.iter().map(|part| Load { rate: total * part / sum, on_off }).collect();
        self
    }

    /// The same with traffic that comes and goes. The load while it comes is what it was.
    #[must_use]
    pub fn on_off(mut self, on: Duration, off: Duration) -> Self {
        for load in &mut self.loads {
            load.on_off = (on, off);
        }
        self
    }

    /// The same for so long.
    #[must_use]
    pub fn lasting(mut self, length: Duration) -> Self {
        self.length = length;
        self
    }

    /// Anything: quota, load, network, and faults that the contract has to survive without any excess.
    pub fn any(random: &mut Random) -> Self {
        let instances = random.between(1, 8) as usize;
        let per_second = random.magnitude(5, 20_000);
        let burst = random.magnitude(1, 2 * per_second);
        let mut scenario = Self::steady(instances, per_second, burst, 0.2 + 6.0 * random.unit() * random.unit());
        let parts: Vec<_> = (0..instances).map(|_| random.exponential(1.0) + 0.01).collect();
        scenario = scenario.spread(&parts);
        if random.chance(0.5) {
            let mut some = |from: u64| Duration::from_millis(random.magnitude(from, 2_000));
            let (on, off) = (some(5), some(5));
            scenario = scenario.on_off(on, off);
        }
        let slow = random.magnitude(50, 20_000);
        scenario.latency = (Duration::from_micros(random.between(20, slow)), Duration::from_micros(slow * 2));
        scenario.leases = random.chance(0.9);
        if random.chance(0.3) {
            scenario.max_delay = scenario.quota.traefik_max_delay();
        }
        // About fifty thousand requests.
        let total: f64 = scenario.loads.iter().map(|load| load.rate).sum();
        scenario.length = Duration::from_secs_f64((50_000.0 / total).clamp(1.0, 60.0));
        scenario.faults = Faults {
            lost: if random.chance(0.3) { 0.05 * random.unit() } else { 0.0 },
            doubled: if random.chance(0.3) { 0.2 * random.unit() } else { 0.0 },
            pauses: random.below(6) as u32,
            crashes: random.below(4) as u32,
            ..Faults::default()
        };
        scenario
    }
}
