//! The contract under everything that can go wrong, on fresh seeds every time. A failure names its seed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::time::{Duration, UNIX_EPOCH};

use tollgate_sim::{Faults, Outcome, Random, Scenario, run};

/// Scenarios from fresh seeds, judged one by one; `TOLLGATE_SIM_SEED` plays a single one again.
fn search(scenarios: u32, make: impl Fn(&mut Random) -> Scenario, judge: impl Fn(&Scenario, &Outcome) -> bool) {
    let again = std::env::var("TOLLGATE_SIM_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut seeds = Random::new(UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64);
    for _ in 0..scenarios {
        let seed = again.unwrap_or_else(|| seeds.bits());
        let scenario = make(&mut Random::new(seed));
        let outcome = run(&scenario, seed);
        assert!(judge(&scenario, &outcome), "TOLLGATE_SIM_SEED={seed}\n{scenario:#?}\n{outcome:#?}");
    }
}

/// Lost, doubled and reordered messages, pauses, crashes, drifting clocks: nothing over the contract, ever.
#[test]
fn no_window_holds_too_many_whatever_happens_to_messages_and_instances() {
    search(300, Scenario::any, |_, outcome| outcome.excess <= 0.0);
}

fn with(make: impl Fn(&mut Random) -> Faults) -> impl Fn(&mut Random) -> Scenario {
    move |random| {
        let mut scenario = Scenario::any(random);
        let Faults { lost, doubled, pauses, .. } = scenario.faults;
        scenario.faults = Faults { lost, doubled, pauses, ..make(random) };
        scenario
    }
}

/// A store that loses its data admits at most one burst more for each time, were it that nobody alive remembered.
#[test]
fn a_store_that_forgets_costs_a_burst_at_most() {
    let faults = |random: &mut Random| Faults { data_losses: random.between(1, 3) as u32, ..Faults::default() };
    search(60, with(faults), |scenario, outcome| {
        outcome.excess <= (scenario.quota.burst() * u64::from(scenario.faults.data_losses)) as f64
    });
}

/// Where all have asked before and nobody forgets, not even that.
#[test]
fn those_who_remember_heal_a_store_that_forgot() {
    let busy = |random: &mut Random| {
        let burst = random.between(20, 500);
        let mut scenario = Scenario::steady(4, 1_000, burst, 1.5 + 2.0 * random.unit());
        scenario.faults.data_losses = 5;
        scenario
    };
    search(30, busy, |_, outcome| outcome.healed > 0 && outcome.excess <= 0.0);
}

/// The same with a fence: nothing is granted twice, though nobody remembers.
#[test]
fn a_strict_store_that_forgets_costs_nothing() {
    let strict = |random: &mut Random| {
        let mut scenario = with(|random| Faults {
            data_losses: random.between(1, 3) as u32,
            failovers: random.between(0, 2) as u32,
            lag: Duration::from_millis(random.between(0, 2_000)),
            skew: Duration::from_millis(random.between(0, 1) * random.magnitude(1, 10_000)),
            crashes: random.between(0, 4) as u32,
            ..Faults::default()
        })(random);
        scenario.strict = true;
        scenario
    };
    // A store's clock counts whole microseconds.
    let microsecond = |scenario: &Scenario| 2e-6 / scenario.quota.interval().to_duration().as_secs_f64();
    search(60, strict, |scenario, outcome| outcome.excess_in_true_time <= microsecond(scenario));
}

/// A failover costs what the new primary had not heard of, at most a burst; while two primaries are asked, each keeps the
/// contract for itself.
#[test]
fn a_failover_costs_what_was_not_replicated() {
    let faults = |random: &mut Random| Faults {
        failovers: 1,
        lag: Duration::from_millis(random.between(1, 1_000)),
        split: Duration::from_millis(random.between(0, 1) * random.between(0, 2_000)),
        ..Faults::default()
    };
    search(60, with(faults), |scenario, outcome| {
        let per_second = 1.0 / scenario.quota.interval().to_duration().as_secs_f64();
        let burst = scenario.quota.burst() as f64;
        let lag = scenario.faults.lag + scenario.latency.1;
        let twice = burst.min(per_second * lag.as_secs_f64() + 1.0);
        let split = scenario.faults.split;
        let both = if split.is_zero() { 0.0 } else { burst + per_second * split.as_secs_f64() };
        outcome.excess <= twice + both
    });
}

/// A step of the store's clock is worth a burst at most, and what instances hold of the time before it.
#[test]
fn a_step_of_the_clock_costs_two_bursts_at_most() {
    let faults = |random: &mut Random| Faults {
        clock_steps: random.between(1, 3) as u32,
        skew: Duration::from_millis(random.magnitude(1, 10_000)),
        ..Faults::default()
    };
    search(60, with(faults), |scenario, outcome| {
        outcome.excess_in_true_time <= (2 * scenario.quota.burst() * u64::from(scenario.faults.clock_steps)) as f64
    });
}

/// What an ideal bucket would have let pass passes, where leases apply and where they do not.
#[test]
fn hardly_anything_is_refused_needlessly() {
    for (name, scenario) in [
        ("even", Scenario::steady(4, 1_000, 100, 0.9)),
        ("skewed", Scenario::steady(4, 1_000, 100, 0.9).spread(&[85.0, 5.0, 5.0, 5.0])),
        ("small burst", Scenario::steady(4, 1_000, 20, 0.9)),
        ("small burst, skewed", Scenario::steady(4, 1_000, 20, 0.9).spread(&[85.0, 5.0, 5.0, 5.0])),
        ("large burst", Scenario::steady(4, 2_000, 4_000, 0.98)),
        ("over the limit", Scenario::steady(4, 2_000, 200, 5.0)),
        ("over the limit, sixteen", Scenario::steady(16, 1_000, 100, 5.0)),
        ("over the limit, skewed", Scenario::steady(4, 2_000, 200, 1.5).spread(&[8.0, 1.0, 1.0, 1.0])),
        ("flood", Scenario::steady(4, 1_000, 100, 20.0)),
    ] {
        let seed = UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        let outcome = run(&scenario.lasting(Duration::from_secs(40)), seed);
        assert!(outcome.needless() <= 0.001 || outcome.utilisation() >= 0.995, "{name}: seed {seed}: {outcome:#?}");
        assert!(outcome.excess <= 0.0 && outcome.jain >= 0.98, "{name}: seed {seed}: {outcome:#?}");
    }
}
