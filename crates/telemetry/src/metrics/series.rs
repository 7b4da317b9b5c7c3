//! Counters of requests for one entry point, router or service, by status, method and protocol.
//!
//! Cells come into being with the first request that needs them and stay. They hang in lists, one per method, that
//! only ever grow at their end; so finding one takes neither a lock nor a hash, and counting is three or four atomic
//! additions that lie side by side.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Method;

use crate::exposition::{Exposition, Label};
use crate::stamp::nanos;
use crate::{Finished, RequestKind};

/// The methods that have a label of their own. The last one stands for all others, which a client may make up.
const METHODS: [&str; 11] =
    ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "CONNECT", "TRACE", "PRI", "EXTENSION_METHOD"];

/// What is counted of one exchange.
#[derive(Clone, Copy)]
pub(super) struct Sample {
    method: usize,
    kind: RequestKind,
    code: u16,
    request_bytes: u64,
    response_bytes: u64,
    pub(super) duration: Duration,
}

impl Sample {
    pub(super) fn of(finished: &Finished<'_>) -> Self {
        let kind = finished.head.kind;
        Self {
            method: method(&finished.exchange.method),
            kind,
            code: code(finished, kind),
            request_bytes: finished.exchange.request_bytes,
            response_bytes: finished.response_bytes,
            duration: finished.duration,
        }
    }
}

fn method(method: &Method) -> usize {
    let known = &METHODS[..METHODS.len() - 1];
    known.iter().position(|&known| known == method.as_str()).unwrap_or(known.len())
}

/// The status that counts: gRPC's where it is spoken, `2` (unknown) if it is missing or none that gRPC has.
fn code(finished: &Finished<'_>, kind: RequestKind) -> u16 {
    const UNKNOWN: u16 = 2;
    if kind.is_grpc() {
        finished.grpc_status.filter(|&status| status <= 16).unwrap_or(UNKNOWN)
    } else {
        finished.status.as_u16()
    }
}

/// The counters of one name.
pub(super) struct Series {
    labels: Vec<(&'static str, Arc<str>)>,
    bounds: Box<[f64]>,
    methods: [Link; METHODS.len()],
}

/// The end of a list, or its next cell. It is set once.
type Link = OnceLock<Box<Cell>>;

struct Cell {
    kind: RequestKind,
    code: u16,
    request_bytes: AtomicU64,
    response_bytes: AtomicU64,
    nanos: AtomicU64,
    /// Requests per duration bucket; their sum is the number of requests.
    buckets: Box<[AtomicU64]>,
    next: Link,
}

impl Series {
    pub(super) fn new(labels: Vec<(&'static str, Arc<str>)>, bounds: &[f64]) -> Self {
        Self { labels, bounds: bounds.into(), methods: std::array::from_fn(|_| Link::new()) }
    }

    pub(super) fn labels(&self) -> &[(&'static str, Arc<str>)] {
        &self.labels
    }

    pub(super) fn count(&self, sample: &Sample) {
        let cell = self.cell(sample);
        cell.buckets[self.bucket(sample.duration)].fetch_add(1, Relaxed);
        cell.nanos.fetch_add(nanos(sample.duration), Relaxed);
        cell.response_bytes.fetch_add(sample.response_bytes, Relaxed);
        if sample.request_bytes > 0 {
            cell.request_bytes.fetch_add(sample.request_bytes, Relaxed);
        }
    }

    /// Walks to the cell of the sample; makes it at the end of the list if it is not there. If another thread puts a
    /// cell there first, the walk goes on behind that one.
    fn cell(&self, sample: &Sample) -> &Cell {
        let mut link = &self.methods[sample.method];
        loop {
            let cell = link.get_or_init(|| Box::new(Cell::new(sample, self.bounds.len())));
            if cell.kind == sample.kind && cell.code == sample.code {
                return cell;
            }
            link = &cell.next;
        }
    }

    /// Which bucket a duration falls into: the first whose bound is not below it.
    fn bucket(&self, duration: Duration) -> usize {
        let seconds = duration.as_secs_f64();
        self.bounds.iter().position(|&bound| seconds <= bound).unwrap_or(self.bounds.len())
    }

    fn cells(&self) -> impl Iterator<Item = (&'static str, &Cell)> {
        self.methods.iter().zip(METHODS).flat_map(|(link, method)| {
            let cells = std::iter::successors(link.get(), |cell| cell.next.get());
            cells.map(move |cell| (method, &**cell))
        })
    }
}

impl Cell {
    fn new(sample: &Sample, bounds: usize) -> Self {
        Self {
            kind: sample.kind,
            code: sample.code,
            request_bytes: AtomicU64::new(0),
            response_bytes: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
            buckets: (0..=bounds).map(|_| AtomicU64::new(0)).collect(),
            next: Link::new(),
        }
    }

    /// Each bound with the requests that took no longer, and all requests.
    fn cumulative(&self, bounds: &[f64]) -> (Vec<(f64, u64)>, u64) {
        let mut count = 0;
        let mut buckets = Vec::with_capacity(self.buckets.len());
        for (index, bucket) in self.buckets.iter().enumerate() {
            count += bucket.load(Relaxed);
            buckets.extend(bounds.get(index).map(|&bound| (bound, count)));
        }
        (buckets, count)
    }

    fn requests(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum()
    }
}

/// Names and help of the four families of a kind of series, in Traefik's words.
pub(super) struct Families {
    requests: (&'static str, &'static str),
    durations: (&'static str, &'static str),
    request_bytes: (&'static str, &'static str),
    response_bytes: (&'static str, &'static str),
}

pub(super) const ENTRY_POINT: Families = Families {
    requests: (
        "traefik_entrypoint_requests_total",
        "How many HTTP requests processed on an entrypoint, partitioned by status code, protocol, and method.",
    ),
    durations: (
        "traefik_entrypoint_request_duration_seconds",
        "How long it took to process the request on an entrypoint, partitioned by status code, protocol, and method.",
    ),
    request_bytes: (
        "traefik_entrypoint_requests_bytes_total",
        "The total size of requests in bytes handled by an entrypoint, partitioned by status code, protocol, and method.",
    ),
    response_bytes: (
        "traefik_entrypoint_responses_bytes_total",
        "The total size of responses in bytes handled by an entrypoint, partitioned by status code, protocol, and method.",
    ),
};

pub(super) const ROUTER: Families = Families {
    requests: (
        "traefik_router_requests_total",
        "How many HTTP requests are processed on a router, partitioned by service, status code, protocol, and method.",
    ),
    durations: (
        "traefik_router_request_duration_seconds",
        "How long it took to process the request on a router, partitioned by service, status code, protocol, and method.",
    ),
    request_bytes: (
        "traefik_router_requests_bytes_total",
        "The total size of requests in bytes handled by a router, partitioned by service, status code, protocol, and method.",
    ),
    response_bytes: (
        "traefik_router_responses_bytes_total",
        "The total size of responses in bytes handled by a router, partitioned by service, status code, protocol, and method.",
    ),
};

pub(super) const SERVICE: Families = Families {
    requests: (
        "traefik_service_requests_total",
        "How many HTTP requests processed on a service, partitioned by status code, protocol, and method.",
    ),
    durations: (
        "traefik_service_request_duration_seconds",
        "How long it took to process the request on a service, partitioned by status code, protocol, and method.",
    ),
    request_bytes: (
        "traefik_service_requests_bytes_total",
        "The total size of requests in bytes received by a service, partitioned by status code, protocol, and method.",
    ),
    response_bytes: (
        "traefik_service_responses_bytes_total",
        "The total size of responses in bytes returned by a service, partitioned by status code, protocol, and method.",
    ),
};

/// Writes the four families of all series of one kind.
pub(super) fn write(out: &mut Exposition, families: &Families, all: &[(&Arc<str>, &Arc<Series>)]) {
    let cells: Vec<_> =
        all.iter().flat_map(|(_, series)| series.cells().map(|(method, cell)| (&***series, method, cell))).collect();

    let mut requests = out.counter(families.requests.0, families.requests.1);
    for &(series, method, cell) in &cells {
        with_labels(series, method, cell, |labels| requests.sample(labels, cell.requests()));
    }
    let mut durations = out.histogram(families.durations.0, families.durations.1);
    for &(series, method, cell) in &cells {
        let (buckets, count) = cell.cumulative(&series.bounds);
        let sum = Duration::from_nanos(cell.nanos.load(Relaxed)).as_secs_f64();
        with_labels(series, method, cell, |labels| durations.cumulative(labels, &buckets, count, sum));
    }
    let mut request_bytes = out.counter(families.request_bytes.0, families.request_bytes.1);
    for &(series, method, cell) in &cells {
        with_labels(series, method, cell, |labels| request_bytes.sample(labels, cell.request_bytes.load(Relaxed)));
    }
    let mut response_bytes = out.counter(families.response_bytes.0, families.response_bytes.1);
    for &(series, method, cell) in &cells {
        with_labels(series, method, cell, |labels| response_bytes.sample(labels, cell.response_bytes.load(Relaxed)));
    }
}

/// The labels of a cell, in alphabetical order as Traefik's exposition has them.
fn with_labels(series: &Series, method: &str, cell: &Cell, write: impl FnOnce(&[Label<'_>])) {
    let code = cell.code.to_string();
    let mut labels: Vec<Label<'_>> = vec![("code", &code), ("method", method), ("protocol", cell.kind.as_str())];
    labels.extend(series.labels.iter().map(|(name, value)| (*name, &**value)));
    labels.sort_unstable();
    write(&labels);
}
