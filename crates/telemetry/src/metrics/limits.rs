//! Counters of what limits decided.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tollgate_pipeline::{Verdict, VerdictSource};

use crate::exposition::Exposition;

/// Every verdict there is, by its word.
const VERDICTS: [Verdict; 3] = [Verdict::Allow, Verdict::Delay(Duration::ZERO), Verdict::Deny];
/// Everybody who decides.
const SOURCES: [VerdictSource; 5] = [
    VerdictSource::Store,
    VerdictSource::DenialCache,
    VerdictSource::Memory,
    VerdictSource::Policy,
    VerdictSource::Unlimited,
];

/// The decisions of one limit.
#[derive(Debug, Default)]
pub(super) struct Decisions([[AtomicU64; SOURCES.len()]; VERDICTS.len()]);

impl Decisions {
    pub(super) fn count(&self, verdict: Verdict, source: VerdictSource) {
        let verdict = match verdict {
            Verdict::Allow => 0,
            Verdict::Delay(_) => 1,
            Verdict::Deny => 2,
        };
        let source = match source {
            VerdictSource::Store => 0,
            VerdictSource::DenialCache => 1,
            VerdictSource::Memory => 2,
            VerdictSource::Policy => 3,
            VerdictSource::Unlimited => 4,
        };
        self.0[verdict][source].fetch_add(1, Relaxed);
    }
}

pub(super) fn write(out: &mut Exposition, limits: &[(&Arc<str>, &Arc<Decisions>)]) {
    let mut family =
        out.counter("tollgate_limiter_decisions_total", "What limits decided, by limit, verdict and who decided.");
    for (limit, decisions) in limits {
        for (verdict, row) in VERDICTS.iter().zip(&decisions.0) {
            for (source, count) in SOURCES.iter().zip(row) {
                let count = count.load(Relaxed);
                if count > 0 {
                    let labels = [("limit", &***limit), ("source", source.as_str()), ("verdict", verdict.as_str())];
                    family.sample(&labels, count);
                }
            }
        }
    }
}
