//! The Prometheus text format, version 0.0.4, as a writer.
//!
//! Values are read when they are asked for: a [`Collector`] is called at each scrape and writes what it counts. So a
//! crate that counts in plain atomics needs no registry, and a series lives exactly as long as what it counts.

use std::fmt::{Display, Write as _};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::stamp::nanos;

/// The content type of an exposition.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Something that counts, and tells at each scrape.
pub trait Collector: Send + Sync {
    /// Writes its families. A family is written by one collector only.
    fn collect(&self, out: &mut Exposition);
}

/// An exposition being written.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

/// A label: its name and its value. Values never come from a client.
pub type Label<'a> = (&'static str, &'a str);

impl Exposition {
    /// The text so far.
    pub fn into_text(self) -> String {
        self.text
    }

    /// Starts a family of counters; `name` ends in `_total`.
    pub fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, help, "counter")
    }

    /// Starts a family of gauges.
    pub fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, help, "gauge")
    }

    /// Starts a family of histograms; `name` ends in its unit.
    pub fn histogram(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, help, "histogram")
    }

    fn family(&mut self, name: &'static str, help: &str, kind: &'static str) -> Family<'_> {
        Family { head: Some(format!("# HELP {name} {help}\n# TYPE {name} {kind}\n")), name, text: &mut self.text }
    }
}

/// A family being written. One without samples is not written at all.
#[derive(Debug)]
pub struct Family<'a> {
    /// What stands before the first sample.
    head: Option<String>,
    name: &'static str,
    text: &'a mut String,
}

impl Family<'_> {
    /// One sample.
    pub fn sample(&mut self, labels: &[Label<'_>], value: impl Display) {
        self.line("", labels, None, value);
    }

    /// One histogram: `counts` has one more element than `bounds`, for what is beyond the last; both in ascending
    /// order, counts not yet summed up.
    pub fn distribution(&mut self, labels: &[Label<'_>], bounds: &[f64], counts: &[u64], sum: Duration) {
        let mut total = 0;
        for (index, count) in counts.iter().enumerate() {
            total += count;
            let bound = bounds.get(index).map_or_else(|| "+Inf".to_owned(), f64::to_string);
            self.line("_bucket", labels, Some(&bound), total);
        }
        self.line("_sum", labels, None, sum.as_secs_f64());
        self.line("_count", labels, None, total);
    }

    fn line(&mut self, suffix: &str, labels: &[Label<'_>], bound: Option<&str>, value: impl Display) {
        if let Some(head) = self.head.take() {
            self.text.push_str(&head);
        }
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        let labels = labels.iter().copied().chain(bound.map(|bound| ("le", bound)));
        let mut separator = '{';
        for (name, value) in labels {
            self.text.push(separator);
            self.text.push_str(name);
            self.text.push_str("=\"");
            push_label_value(self.text, value);
            self.text.push('"');
            separator = ',';
        }
        if separator == ',' {
            self.text.push('}');
        }
        writeln!(self.text, " {value}").expect("a string takes every text");
    }
}

fn push_label_value(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            plain => text.push(plain),
        }
    }
}

/// How long something took, counted in buckets. Shared freely; recording is two atomic additions.
#[derive(Debug)]
pub struct Histogram {
    bounds: Box<[f64]>,
    counts: Box<[AtomicU64]>,
    nanos: AtomicU64,
}

impl Histogram {
    /// Buckets with these upper bounds, in seconds and ascending, and one for what is beyond the last.
    pub fn new(bounds: &[f64]) -> Self {
        Self {
            bounds: bounds.into(),
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            nanos: AtomicU64::new(0),
        }
    }

    /// Counts one duration.
    pub fn record(&self, duration: Duration) {
        self.counts[bucket(&self.bounds, duration)].fetch_add(1, Relaxed);
        self.nanos.fetch_add(nanos(duration), Relaxed);
    }

    /// Writes it as one histogram of `family`.
    pub fn write(&self, family: &mut Family<'_>, labels: &[Label<'_>]) {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Relaxed)).collect();
        family.distribution(labels, &self.bounds, &counts, Duration::from_nanos(self.nanos.load(Relaxed)));
    }
}

/// Which bucket a duration falls into: the first whose bound is not below it.
pub(crate) fn bucket(bounds: &[f64], duration: Duration) -> usize {
    let seconds = duration.as_secs_f64();
    bounds.iter().position(|&bound| seconds <= bound).unwrap_or(bounds.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_as_prometheus_reads_them() {
        let mut out = Exposition::default();
        let mut family = out.counter("a_total", "What a counts.");
        family.sample(&[("name", "we\"ird\\\n"), ("x", "1")], 7);
        family.sample(&[], 0);
        out.gauge("empty", "Never written.");
        out.gauge("g", "A gauge.").sample(&[], 1.5);
        let expected = "# HELP a_total What a counts.\n# TYPE a_total counter\n\
            a_total{name=\"we\\\"ird\\\\\\n\",x=\"1\"} 7\na_total 0\n\
            # HELP g A gauge.\n# TYPE g gauge\ng 1.5\n";
        assert_eq!(out.into_text(), expected);
    }

    #[test]
    fn a_histogram_sums_its_buckets_up() {
        let histogram = Histogram::new(&[0.1, 5.0]);
        for millis in [0, 100, 101, 5_000, 9_000] {
            histogram.record(Duration::from_millis(millis));
        }
        let mut out = Exposition::default();
        histogram.write(&mut out.histogram("d_seconds", "How long."), &[("s", "m")]);
        let expected = "# HELP d_seconds How long.\n# TYPE d_seconds histogram\n\
            d_seconds_bucket{s=\"m\",le=\"0.1\"} 2\nd_seconds_bucket{s=\"m\",le=\"5\"} 4\n\
            d_seconds_bucket{s=\"m\",le=\"+Inf\"} 5\nd_seconds_sum{s=\"m\"} 14.201\nd_seconds_count{s=\"m\"} 5\n";
        assert_eq!(out.into_text(), expected);
    }
}
