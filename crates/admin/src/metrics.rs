//! The metrics, for Prometheus to fetch.

use std::sync::Arc;

use tollgate_pipeline::{BoxFuture, Exchange, Handler, Request, Response};
use tollgate_telemetry::{Metrics, exposition};

use crate::answer::{READS, guarded, method_not_allowed, page, reads, ready};

/// Answers with all metrics in the text format.
pub struct MetricsPage(Arc<Metrics>);

impl MetricsPage {
    /// The page of these metrics.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self(metrics)
    }
}

impl Handler for MetricsPage {
    fn handle<'a>(&'a self, request: Request, _: &'a mut Exchange) -> BoxFuture<'a, Response> {
        if !reads(request.method()) {
            return ready(method_not_allowed(READS));
        }
        ready(guarded(page(self.0.expose(), exposition::CONTENT_TYPE), "default-src 'none'"))
    }
}

#[cfg(test)]
mod tests {
    use http::header;
    use tollgate_telemetry::metrics::Settings;

    use super::*;
    use crate::testing::{ask, text};

    #[test]
    fn metrics_are_shown_to_whoever_reads() {
        let handler = MetricsPage::new(Arc::new(Metrics::new(Settings::default())));
        let response = ask(&handler, "GET", "/metrics");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
        assert!(text(response).contains("\ntraefik_config_reloads_total 0\n"));
        assert_eq!(ask(&handler, "POST", "/metrics").status(), 405);
    }
}
