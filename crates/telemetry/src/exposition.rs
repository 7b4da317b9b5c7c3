//! The Prometheus text format, version 0.0.4, as a writer.
//!
//! Values are read when they are asked for: a [`Collector`] is called at each scrape and writes what it counts. So a
//! crate that counts in plain atomics needs no registry, and a series lives exactly as long as what it counts.

use std::fmt::{Display, Write as _};

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

    /// One histogram: upper bounds in ascending order, each with what was at most that; then how many there were in
    /// all, and their sum.
    pub fn cumulative(&mut self, labels: &[Label<'_>], buckets: &[(f64, u64)], count: u64, sum: f64) {
        for (bound, at_most) in buckets {
            self.line("_bucket", labels, Some(&bound.to_string()), at_most);
        }
        self.line("_bucket", labels, Some("+Inf"), count);
        self.line("_sum", labels, None, sum);
        self.line("_count", labels, None, count);
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
    fn a_histogram_ends_in_all_there_was() {
        let mut out = Exposition::default();
        out.histogram("d_seconds", "How long.").cumulative(&[("s", "m")], &[(0.1, 2), (5.0, 4)], 5, 14.201);
        let expected = "# HELP d_seconds How long.\n# TYPE d_seconds histogram\n\
            d_seconds_bucket{s=\"m\",le=\"0.1\"} 2\nd_seconds_bucket{s=\"m\",le=\"5\"} 4\n\
            d_seconds_bucket{s=\"m\",le=\"+Inf\"} 5\nd_seconds_sum{s=\"m\"} 14.201\nd_seconds_count{s=\"m\"} 5\n";
        assert_eq!(out.into_text(), expected);
    }
}
