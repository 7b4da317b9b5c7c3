//! Who is told what happens.

use std::sync::Arc;

use tollgate_telemetry::{Finished, Wants};
use tollgate_wire::Violation;

/// Who observes the requests of a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// They are in the access log.
    pub access_log: bool,
    /// They are in the metrics.
    pub metrics: bool,
}

impl Observed {
    /// By everybody.
    pub const FULLY: Self = Self { access_log: true, metrics: true };

    /// Whether anybody does.
    pub fn by_anybody(self) -> bool {
        self.access_log || self.metrics
    }
}

/// Is told what happens to connections and requests: the metrics and the access log.
///
/// Called on the threads that serve, so nothing here may wait.
pub trait Observer: Send + Sync {
    /// What has to be remembered of the header fields of a request and its answer.
    fn wants(&self) -> &Wants;

    /// A connection came in.
    fn connection_opened(&self, entry_point: &Arc<str>);

    /// It is gone.
    fn connection_closed(&self, entry_point: &Arc<str>);

    /// A connection was closed at once, because there were too many or no file descriptor was left.
    fn connection_shed(&self, entry_point: &Arc<str>);

    /// A connection was not read any further.
    fn violation(&self, entry_point: &Arc<str>, violation: Violation);

    /// A handler panicked; its request was answered with 500.
    fn panicked(&self, entry_point: &Arc<str>);

    /// An answer has left, or never will. Not called for routers that want to be observed by nobody.
    fn finished(&self, finished: &Finished<'_>, observed: Observed);
}
