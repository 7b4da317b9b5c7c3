//! Virtual time: what happens next, and to whom.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use tollgate_limiter::shared::Step;
use tollgate_limiter::turnstile::{Entered, Settled, Surplus, Terms, Told, Turnstile};
use tollgate_limiter::{Monotonic, Quota, Reading, Run, Span, Timestamp};

use crate::oracle::{self, Ideal};
use crate::random::Random;
use crate::scenario::{Load, Scenario};
use crate::server::Server;

/// What came of a run.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Requests.
    pub arrived: u64,
    /// Those that passed.
    pub admitted: u64,
    /// Those that one ideal bucket would have let pass.
    pub ideal: u64,
    /// Those that one ideal bucket would have let pass, and that were refused.
    pub needless: u64,
    /// Those decided without a call.
    pub local: u64,
    /// Calls to the store for slots.
    pub calls: u64,
    /// Slots lent, died unspent, and given back.
    pub slots: [u64; 3],
    /// Hints that told the store what it had lost.
    pub healed: u64,
    /// Admissions over the contract in the worst window, in tokens, on the clock of the store: zero or less if it was
    /// kept.
    pub excess: f64,
    /// The same in true time: what counts where the clock of the store is not one clock.
    pub excess_in_true_time: f64,
    /// Jain's index over the instances, each weighted by its demand.
    pub jain: f64,
}

impl Outcome {
    /// Calls per request.
    pub fn calls_per_request(&self) -> f64 {
        self.calls as f64 / self.arrived.max(1) as f64
    }

    /// Refusals beyond those of one ideal bucket, as a share of all requests.
    pub fn needless(&self) -> f64 {
        self.ideal.saturating_sub(self.admitted) as f64 / self.arrived.max(1) as f64
    }

    /// What was admitted of what could have been.
    pub fn utilisation(&self) -> f64 {
        self.admitted as f64 / self.ideal.max(1) as f64
    }
}

/// Plays a scenario.
pub fn run(scenario: &Scenario, seed: u64) -> Outcome {
    let mut world = World::new(scenario, seed);
    while let Some(Reverse(next)) = world.events.pop() {
        if next.at > world.end {
            break;
        }
        world.now = next.at;
        world.happen(next.event);
    }
    world.judge()
}

/// A request that waits.
#[derive(Debug, Clone, Copy)]
struct Waiter {
    would_pass: bool,
}

struct Instance {
    turnstile: Turnstile<Waiter>,
    load: Load,
    /// Its clock: what it shows at true time zero, and by how much it is fast.
    offset: u64,
    drift_ppm: i64,
    /// Raised by every crash: what was meant for the one before is not for this one.
    life: u32,
    stands_until: u64,
    server: usize,
    under_way: Option<UnderWay>,
    calls: u64,
    arrived: u64,
    admitted: u64,
    /// A look at what is held and not needed is due.
    watches: bool,
}

struct UnderWay {
    call: u64,
    waiters: VecDeque<Waiter>,
    sent: Monotonic,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Arrival(usize),
    Asked { from: usize, life: u32, call: u64, server: usize, step: Step },
    Told { to: usize, life: u32, call: u64, reply: Reply },
    Deadline { of: usize, life: u32, call: u64 },
    Returned { server: usize, run: Run },
    Look(usize),
    Fault(Fault),
    Moves(usize, usize),
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    Pause,
    Crash,
    DataLoss,
    Failover,
    ClockStep,
}

#[derive(Debug, Clone, Copy)]
struct Reply {
    store: Timestamp,
    /// The true time at which the store decided.
    truly: u64,
    count: u64,
    first: Timestamp,
    lease: u64,
    next: Timestamp,
}

#[derive(Debug)]
struct Scheduled {
    at: u64,
    number: u64,
    event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

struct World<'a> {
    scenario: &'a Scenario,
    random: Random,
    now: u64,
    end: u64,
    events: BinaryHeap<Reverse<Scheduled>>,
    number: u64,
    instances: Vec<Instance>,
    servers: Vec<Server>,
    terms: Terms,
    max_delay: Span,
    ideal: Ideal,
    admissions: Vec<Timestamp>,
    true_admissions: Vec<Timestamp>,
    outcome: Outcome,
}

/// How long an instance waits for an answer.
const DEADLINE: u64 = 100_000_000;
/// How often an instance looks after what it holds.
const LOOK_EVERY: u64 = 20_000_000;
/// Requests asked for together.
const WAITERS_MAX: usize = 1_024;

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let max_delay = Span::from_micros(scenario.max_delay.as_micros() as u64);
        let count = scenario.loads.len();
        let instances = scenario
            .loads
            .iter()
            .map(|load| Instance {
                turnstile: Turnstile::default(),
                load: *load,
                offset: random.below(1 << 50),
                drift_ppm: random.around_zero(scenario.drift_ppm),
                life: 0,
                stands_until: 0,
                server: 0,
                under_way: None,
                calls: 0,
                arrived: 0,
                admitted: 0,
                watches: false,
            })
            .collect();
        let mut world = Self {
            scenario,
            now: 0,
            end: nanos(scenario.length),
            events: BinaryHeap::new(),
            number: 0,
            instances,
            servers: vec![Server::new(scenario.faults.lag)],
            terms: Terms::of(&scenario.quota, max_delay, scenario.leases),
            max_delay,
            ideal: Ideal::new(&scenario.quota),
            admissions: Vec::new(),
            true_admissions: Vec::new(),
            outcome: Outcome::default(),
            random,
        };
        for index in 0..count {
            world.next_arrival(index);
        }
        let faults = &scenario.faults;
        for (fault, times) in [
            (Fault::Pause, faults.pauses),
            (Fault::Crash, faults.crashes),
            (Fault::DataLoss, faults.data_losses),
            (Fault::Failover, faults.failovers),
            (Fault::ClockStep, faults.clock_steps),
        ] {
            for _ in 0..times {
                let at = world.random.below(world.end);
                world.schedule(at, Event::Fault(fault));
            }
        }
        world
    }

    fn quota(&self) -> &'a Quota {
        &self.scenario.quota
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.number += 1;
        self.events.push(Reverse(Scheduled { at, number: self.number, event }));
    }

    fn latency(&mut self) -> u64 {
        let (least, most) = self.scenario.latency;
        self.random.between(nanos(least), nanos(most.max(least)))
    }

    /// Sends a message: it is lost, arrives, or arrives twice.
    fn send(&mut self, event: Event) {
        let faults = &self.scenario.faults;
        let (lost, doubled) = (faults.lost, faults.doubled);
        if lost > 0.0 && self.random.chance(lost) {
            return;
        }
        let at = self.now + self.latency();
        self.schedule(at, event);
        if doubled > 0.0 && self.random.chance(doubled) {
            let later = at + self.random.below(1_000_000_000);
            self.schedule(later, event);
        }
    }

    /// What an instance's own clock shows.
    fn clock(&self, index: usize) -> Monotonic {
        let instance = &self.instances[index];
        let fast = i128::from(self.now) * i128::from(instance.drift_ppm) / 1_000_000;
        Monotonic((i128::from(instance.offset) + i128::from(self.now) + fast) as u64)
    }

    fn next_arrival(&mut self, index: usize) {
        let Load { rate, on_off: (on, off) } = self.instances[index].load;
        let mut at = self.now + (self.random.exponential(1e9 / rate) as u64).max(1);
        let (on, period) = (nanos(on), nanos(on + off));
        if period > on && at % period >= on {
            at = (at / period + 1) * period;
        }
        self.schedule(at, Event::Arrival(index));
    }

    fn happen(&mut self, event: Event) {
        // Who stands still does nothing until he goes on.
        if let Event::Arrival(index)
        | Event::Told { to: index, .. }
        | Event::Deadline { of: index, .. }
        | Event::Look(index) = event
        {
            let until = self.instances[index].stands_until;
            if until > self.now {
                return self.schedule(until, event);
            }
        }
        match event {
            Event::Arrival(index) => {
                self.arrive(index);
                self.next_arrival(index);
            }
            Event::Asked { from, life, call, server, step } => self.ask(from, life, call, server, &step),
            Event::Told { to, life, call, reply } => self.told(to, life, call, &reply),
            Event::Deadline { of, life, call } => self.deadline(of, life, call),
            Event::Returned { server, run } => {
                // Where two are asked, the old one takes back what it lent.
                if self.servers[server].give_back(self.now, run.first, run.end()) {
                    self.outcome.slots[2] += run.count;
                }
            }
            Event::Look(index) => self.look(index),
            Event::Fault(fault) => self.fault(fault),
            Event::Moves(index, server) => self.instances[index].server = server,
        }
    }

    fn arrive(&mut self, index: usize) {
        self.outcome.arrived += 1;
        let would_pass = self.ideal.admits(self.now as f64 / 1e9);
        self.outcome.ideal += u64::from(would_pass);
        let now = self.clock(index);
        let instance = &mut self.instances[index];
        instance.arrived += 1;
        let waiter = Waiter { would_pass };
        match instance.turnstile.enter(&self.terms, now, || waiter) {
            Entered::Spent { spent, calls, .. } => {
                self.outcome.local += 1;
                self.pass(index, spent.due.since(now));
                if calls {
                    self.turn(index);
                }
            }
            Entered::Denied { calls, .. } => {
                self.outcome.local += 1;
                self.refuse(waiter);
                if calls {
                    self.turn(index);
                }
            }
            Entered::Waits => {}
            Entered::Calls => self.turn(index),
        }
    }

    /// A request passes, here, after `wait`.
    fn pass(&mut self, index: usize, wait: Duration) {
        let due = self.now + nanos(wait);
        let at = self.servers[self.instances[index].server].exactly(due);
        self.admit(index, at, due);
    }

    fn admit(&mut self, index: usize, at: Timestamp, truly: u64) {
        self.instances[index].admitted += 1;
        self.outcome.admitted += 1;
        self.admissions.push(at);
        self.true_admissions.push(Server::default_clock(truly));
    }

    fn refuse(&mut self, waiter: Waiter) {
        self.outcome.needless += u64::from(waiter.would_pass);
    }

    fn turn(&mut self, index: usize) {
        let now = self.clock(index);
        let count = self.instances.len() as u32;
        let instance = &mut self.instances[index];
        let turn = instance.turnstile.turn(&self.terms, count, now, WAITERS_MAX, |_| false);
        for (waiter, how) in turn.settled {
            self.outcome.local += 1;
            match how {
                Settled::Spent(spent, _) => self.pass(index, spent.due.since(now)),
                Settled::Denied(_) => self.refuse(waiter),
            }
        }
        let Some(call) = turn.call else { return };
        let instance = &mut self.instances[index];
        instance.calls += 1;
        self.outcome.calls += 1;
        let (number, life, server) = (instance.calls, instance.life, instance.server);
        let step = Step { lease: call.lease, hint: call.hint, ..Step::plain(call.ask(), self.max_delay) };
        instance.under_way = Some(UnderWay { call: number, waiters: call.waiters, sent: now });
        self.send(Event::Asked { from: index, life, call: number, server, step });
        self.schedule(self.now + DEADLINE, Event::Deadline { of: index, life, call: number });
    }

    fn ask(&mut self, from: usize, life: u32, call: u64, server: usize, step: &Step) {
        // A server that was taken over from at once is gone, with what is on its way to it.
        if self.scenario.faults.split.is_zero() && server + 1 < self.servers.len() {
            return;
        }
        let (quota, strict, now) = (self.quota(), self.scenario.strict, self.now);
        let stepped = self.servers[server].step(quota, now, step, strict);
        self.outcome.healed += u64::from(stepped.healed);
        self.outcome.slots[0] += stepped.lease;
        let reply = Reply {
            store: self.servers[server].clock(now),
            truly: now,
            count: stepped.count,
            first: stepped.first,
            lease: stepped.lease,
            next: stepped.next,
        };
        self.send(Event::Told { to: from, life, call, reply });
    }

    fn told(&mut self, to: usize, life: u32, call: u64, reply: &Reply) {
        let received = self.clock(to);
        let quota = self.quota();
        let instance = &mut self.instances[to];
        if instance.life != life || instance.under_way.as_ref().is_none_or(|under_way| under_way.call != call) {
            return;
        }
        let Some(UnderWay { waiters, sent, .. }) = instance.under_way.take() else { return };
        let refused = waiters.len() as u64 - reply.count;
        let reading = Reading { store: reply.store, sent, received };
        let lease = (reply.lease > 0).then(|| Run {
            first: reply.next - quota.interval().times(reply.lease),
            step: quota.interval(),
            life: quota.life(),
            count: reply.lease,
        });
        instance.turnstile.on_reply(&self.terms, &Told { reading, lease, next: reply.next, refused });
        if lease.is_some() && !std::mem::replace(&mut instance.watches, true) {
            self.schedule(self.now + LOOK_EVERY, Event::Look(to));
        }
        for (index, waiter) in (0_u64..).zip(waiters) {
            if index < reply.count {
                // Decided by the store, at the store's instant, or at the slot's if that is later.
                let slot = reply.first + quota.interval().times(index);
                let ahead = slot.since(reply.store).to_duration();
                self.admit(to, slot.max(reply.store), reply.truly + nanos(ahead));
            } else {
                self.refuse(waiter);
            }
        }
        self.turn(to);
    }

    fn deadline(&mut self, of: usize, life: u32, call: u64) {
        let now = self.clock(of);
        let instance = &mut self.instances[of];
        if instance.life == life
            && let Some(under_way) = instance.under_way.take_if(|under_way| under_way.call == call)
        {
            instance.turnstile.on_failure(now);
            for waiter in under_way.waiters {
                self.refuse(waiter);
            }
            self.turn(of);
        }
    }

    fn look(&mut self, index: usize) {
        let now = self.clock(index);
        let instance = &mut self.instances[index];
        self.outcome.slots[1] += instance.turnstile.take_died(now);
        let server = instance.server;
        let surplus = instance.turnstile.surplus(now, false);
        instance.watches = instance.turnstile.held() > 0;
        if instance.watches {
            self.schedule(self.now + LOOK_EVERY, Event::Look(index));
        }
        if let Some(Surplus { run }) = surplus {
            self.send(Event::Returned { server, run });
        }
    }

    fn fault(&mut self, fault: Fault) {
        let victim = self.random.below(self.instances.len() as u64) as usize;
        let faults = self.scenario.faults;
        let off = self.random.around_zero(nanos(faults.skew) / 1_000);
        let server = self.servers.len() - 1;
        match fault {
            Fault::Pause => self.instances[victim].stands_until = self.now + self.random.below(500_000_000),
            Fault::Crash => {
                let instance = &mut self.instances[victim];
                instance.life += 1;
                let waiters = instance.under_way.take().map(|under_way| under_way.waiters);
                instance.turnstile = Turnstile::default();
                drop(waiters);
            }
            Fault::DataLoss => self.servers[server].forget(),
            Fault::ClockStep => self.servers[server].step_clock(off),
            Fault::Failover => {
                let lag = self.random.below(nanos(faults.lag) + 1);
                let successor = self.servers[server].successor(self.now, lag, off);
                self.servers.push(successor);
                for index in 0..self.instances.len() {
                    let at = self.now + self.random.below(nanos(faults.split) + 1);
                    self.schedule(at, Event::Moves(index, server + 1));
                }
            }
        }
    }

    fn judge(mut self) -> Outcome {
        let shares: Vec<_> = self
            .instances
            .iter()
            .filter(|instance| instance.arrived > 0)
            .map(|instance| instance.admitted as f64 / instance.arrived as f64)
            .collect();
        self.outcome.jain = oracle::jain(&shares);
        self.outcome.excess = oracle::excess(&self.scenario.quota, &mut self.admissions);
        self.outcome.excess_in_true_time = oracle::excess(&self.scenario.quota, &mut self.true_admissions);
        self.outcome
    }
}
