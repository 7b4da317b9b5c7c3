//! The access log: one line per exchange, in Traefik's formats.
//!
//! Formats, names of fields, filters and their defaults are those of Traefik 3.7; [`Format`] tells what is ours. Lines are formed on the thread of the request, in a buffer that is used again, and handed to a thread that
//! writes them (see `sink`). Two things differ from Traefik on purpose: user information in a server's URL is shown
//! as `xxxx`, and the path of the request is escaped like everything else that a client sends.

mod common;
mod field;
mod json;

use std::cell::RefCell;
use std::io;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::{HeaderName, StatusCode};
use tollgate_pipeline::{LimitRecord, Verdict};

pub use field::{Field, Fields};

use crate::exposition::{Collector, Exposition};
use crate::sink::{Sink, Target};
use crate::{Finished, Wants};

/// How a line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Traefik's `common`: the Common Log Format with referer, user agent, request count, router, server URL and
    /// milliseconds. If a limit was asked, one more quoted column follows, which is ours:
    /// `"limit=api@file key=10.0.0.1 verdict=deny source=store remaining=0"`.
    #[default]
    Common,
    /// Traefik's `genericCLF`: the Combined Log Format that every tool reads, with nothing added.
    GenericClf,
    /// One JSON object per line, with Traefik's names. `Limits` and the `Limit…` names of the limit that decided are
    /// ours and only there if a limit was asked.
    Json,
}

/// What becomes of a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is shown.
    Keep,
    /// It is left out.
    #[default]
    Drop,
    /// Its presence is shown, its value is `REDACTED`. Only header fields have this.
    Redact,
}

/// Which header fields are shown. Nothing is, by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderRule {
    default: Mode,
    names: Vec<(HeaderName, Mode)>,
}

impl HeaderRule {
    /// `default` for all but the named ones. A name that no header field can have is ignored.
    pub fn new<'a>(default: Mode, names: impl IntoIterator<Item = (&'a str, Mode)>) -> Self {
        let names = names.into_iter();
        Self { default, names: names.filter_map(|(name, mode)| Some((name.parse().ok()?, mode))).collect() }
    }

    pub(crate) fn mode(&self, name: &HeaderName) -> Mode {
        self.names.iter().find(|(named, _)| named == name).map_or(self.default, |&(_, mode)| mode)
    }

    pub(crate) fn keeps_nothing(&self) -> bool {
        self.default == Mode::Drop && self.names.iter().all(|&(_, mode)| mode == Mode::Drop)
    }

    /// The rule for `name` alone: all others are dropped.
    fn only(&self, names: &[HeaderName]) -> Self {
        Self { default: Mode::Drop, names: names.iter().map(|name| (name.clone(), self.mode(name))).collect() }
    }
}

/// Which exchanges get a line: any of these. Without any filter, all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    /// Those with one of these statuses.
    pub status_codes: Vec<RangeInclusive<u16>>,
    /// Those that were sent to a backend more than once.
    pub retry_attempts: bool,
    /// Those that took longer.
    pub min_duration: Duration,
}

impl Filters {
    fn admit(&self, finished: &Finished<'_>) -> bool {
        if *self == Self::default() {
            return true;
        }
        self.has_status(finished.status)
            || (self.retry_attempts && retries(finished) > 0)
            || (!self.min_duration.is_zero() && finished.duration > self.min_duration)
    }

    fn has_status(&self, status: StatusCode) -> bool {
        self.status_codes.iter().any(|range| range.contains(&status.as_u16()))
    }
}

/// Traefik's `accessLog` section.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How a line looks.
    pub format: Format,
    /// Where it goes: a file, or the standard output.
    pub file: Option<PathBuf>,
    /// Lines that may wait to be written; more are dropped and counted. Never fewer than 16,384, and never more than
    /// 16 MiB of them: Traefik's default 0 means that a request waits for its line, which ours does not do.
    pub buffering_size: usize,
    /// Which exchanges get a line.
    pub filters: Filters,
    /// Which fields a line has.
    pub fields: Fields,
    /// Which header fields it has.
    pub headers: HeaderRule,
    /// Whether the query is left out of the path.
    pub drop_query: bool,
    /// Whether requests to our own services (API, ping, metrics) get a line.
    pub add_internals: bool,
}

/// Writes the access log.
pub struct AccessLog {
    settings: Settings,
    sink: Sink,
    requests: AtomicU64,
}

impl AccessLog {
    /// Opens the file and starts the thread that writes.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let target = settings.file.clone().map_or(Target::Stdout, Target::File);
        let sink = Sink::start("access-log", target, settings.buffering_size)?;
        Ok(Self { settings, sink, requests: AtomicU64::new(0) })
    }

    /// What has to be remembered of a request and of its answer for [`write`](Self::write).
    pub fn wants(&self) -> Wants {
        let headers = &self.settings.headers;
        let (request, response) = match self.settings.format {
            Format::Json => (headers.clone(), headers.clone()),
            Format::Common | Format::GenericClf => {
                (headers.only(&[http::header::REFERER, http::header::USER_AGENT]), HeaderRule::default())
            }
        };
        Wants { kind: false, forwarded_for: true, request, response }
    }

    /// Writes the line of an exchange, if the filters let it. Never waits: when lines cannot be written as fast as
    /// they come they are dropped and counted.
    pub fn write(&self, finished: &Finished<'_>) {
        thread_local! {
            static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        if finished.is_internal() && !self.settings.add_internals {
            return;
        }
        let count = self.requests.fetch_add(1, Relaxed) + 1;
        if !self.settings.filters.admit(finished) {
            return;
        }
        LINE.with_borrow_mut(|line| {
            line.clear();
            self.settings.push_line(line, finished, count);
            self.sink.push(line);
        });
    }

    /// Asks for the file to be opened anew, after it was moved away (`SIGUSR1`). Does not wait for it.
    pub fn reopen(&self) {
        self.sink.reopen();
    }

    /// Writes what is left, waiting no longer than `patience`. Lines that come later are dropped.
    pub fn close(&self, patience: Duration) {
        self.sink.close(patience);
    }
}

impl Collector for AccessLog {
    fn collect(&self, out: &mut Exposition) {
        let counts = self.sink.counts();
        out.counter("tollgate_access_log_lines_total", "Access log lines written.").sample(&[], counts.written);
        out.counter("tollgate_access_log_dropped_total", "Access log lines lost: too many waited, or writing failed.")
            .sample(&[], counts.dropped);
    }
}

impl Settings {
    fn push_line(&self, line: &mut Vec<u8>, finished: &Finished<'_>, count: u64) {
        let exchange = Line { finished, settings: self, count };
        match self.format {
            Format::Common => common::push(line, &exchange, common::Columns::Traefik),
            Format::GenericClf => common::push(line, &exchange, common::Columns::Combined),
            Format::Json => json::push(line, &exchange),
        }
        line.push(b'\n');
    }
}

/// One exchange as the formats see it.
struct Line<'a> {
    finished: &'a Finished<'a>,
    settings: &'a Settings,
    /// Which request this is since the start.
    count: u64,
}

impl Line<'_> {
    /// The path as it arrived, with its query if that may be shown.
    fn path(&self) -> &str {
        let target = &self.finished.exchange.target;
        if self.settings.drop_query || target.query().is_none() {
            return match target.path() {
                // The target of CONNECT is an authority.
                "" => target.authority().map_or("", http::uri::Authority::as_str),
                path => path,
            };
        }
        target.path_and_query().map_or("", http::uri::PathAndQuery::as_str)
    }

    /// Bytes of the backend's answer; none if no backend was asked.
    fn origin_bytes(&self) -> u64 {
        if self.origin_status() == 0 { 0 } else { self.finished.response_bytes }
    }

    /// The backend's status; 0 if no backend was asked. Of one that did not answer it is, as with Traefik, what was
    /// answered in its place.
    fn origin_status(&self) -> u16 {
        let upstream = self.finished.exchange.upstream.as_ref();
        upstream.map_or(0, |upstream| upstream.status.unwrap_or(self.finished.status).as_u16())
    }

    /// From asking the backend to its answer; nothing if none was asked.
    fn origin_duration(&self) -> Duration {
        self.finished.exchange.upstream.as_ref().map_or(Duration::ZERO, |upstream| upstream.duration)
    }
}

fn retries(finished: &Finished<'_>) -> u32 {
    finished.exchange.upstream.as_ref().map_or(0, |upstream| upstream.retries)
}

/// The limit that decided: the one that refused, else the one that held the request longest, else the one with the
/// fewest tokens left.
fn deciding(limits: &[LimitRecord]) -> Option<&LimitRecord> {
    limits.iter().max_by_key(|limit| {
        let strictness = match limit.verdict {
            Verdict::Allow => (0, Duration::ZERO),
            Verdict::Delay(delay) => (1, delay),
            Verdict::Deny => (2, Duration::ZERO),
        };
        (strictness, std::cmp::Reverse(limit.remaining.unwrap_or(u64::MAX)))
    })
}

/// A server's URL without the user information that it may have.
fn push_url(out: &mut Vec<u8>, url: &str, push: fn(&mut Vec<u8>, &[u8])) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    match authority.rfind('@') {
        Some(at) => {
            push(out, scheme.as_bytes());
            out.extend_from_slice(b"://xxxx");
            push(out, &rest.as_bytes()[at..]);
        }
        None => push(out, url.as_bytes()),
    }
}

#[cfg(test)]
mod tests;
