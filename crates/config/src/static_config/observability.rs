//! What is said about what happens: log, access log, metrics.

use std::collections::BTreeMap;

use super::values::{StatusRange, Timeout, choice};
use crate::decode::section;

section! {
    /// The log of the process itself.
    pub struct Log: "types.TraefikLog", allow_empty {
        /// What is said at all.
        "level" => level: LogLevel,
        /// How it looks.
        "format" => format: LogFormat,
        /// The file it is written to; empty: standard output.
        "filePath" => file_path: String,
        /// No colours.
        "noColor" => no_color: bool,
    }
}

choice! {
    /// What is said in the log. Traefik says errors only unless told otherwise; then nobody hears
    /// that a store is back, nor what is surprising about a configuration.
    pub enum LogLevel {
        /// Everything.
        Trace = "TRACE",
        /// What helps to find a mistake.
        Debug = "DEBUG",
        /// What happened.
        #[default]
        Info = "INFO",
        /// What may be a mistake.
        Warn = "WARN",
        /// What went wrong.
        Error = "ERROR",
        /// What ends the process.
        Fatal = "FATAL",
        /// What should be impossible.
        Panic = "PANIC",
    }
}

choice! {
    /// How the log looks.
    pub enum LogFormat {
        /// Lines for people.
        #[default]
        Common = "common",
        /// JSON objects, one per line.
        Json = "json",
    }
}

section! {
    /// One line per request.
    pub struct AccessLog: "types.AccessLog", allow_empty {
        /// The file it is written to; empty: standard output.
        "filePath" => file_path: String,
        /// How it looks.
        "format" => format: AccessLogFormat,
        /// Lines kept in memory before they are written; 0: none.
        "bufferingSize" => buffering_size: u32,
        /// Which requests are logged. When there is none: all; else those that one lets pass.
        "filters" => filters: Filters,
        /// Which fields are logged.
        "fields" => fields: Fields,
        /// Log requests to internal services (ping, API) too.
        "addInternals" => add_internals: bool,
    }
}

choice! {
    /// How the access log looks.
    pub enum AccessLogFormat {
        /// Common Log Format with Traefik's additions.
        #[default]
        Common = "common",
        /// Common Log Format as other servers write it.
        GenericClf = "genericCLF",
        /// JSON objects, one per line.
        Json = "json",
    }
}

section! {
    /// Which requests are logged.
    pub struct Filters: "types.AccessLogFilters" {
        /// Those answered with these status codes.
        "statusCodes" => status_codes: Vec<StatusRange>,
        /// Those that were retried.
        "retryAttempts" => retry_attempts: bool,
        /// Those that took longer.
        "minDuration" => min_duration: Timeout,
    }
}

section! {
    /// Which fields are logged.
    pub struct Fields: "types.AccessLogFields" {
        /// What becomes of fields that are not named.
        "defaultMode" => default_mode: FieldMode,
        /// What becomes of these.
        "names" => names: BTreeMap<String, FieldMode>,
        /// Headers of requests and answers.
        "headers" => headers: FieldHeaders,
    }
}

section! {
    /// Which headers are logged.
    pub struct FieldHeaders: "types.FieldHeaders" {
        /// What becomes of headers that are not named.
        "defaultMode" => default_mode: HeaderMode,
        /// What becomes of these.
        "names" => names: BTreeMap<String, HeaderMode>,
    }
}

choice! {
    /// What becomes of a field in the access log.
    pub enum FieldMode {
        /// It is logged.
        #[default]
        Keep = "keep",
        /// It is not.
        Drop = "drop",
    }
}

choice! {
    /// What becomes of a header in the access log.
    pub enum HeaderMode {
        /// It is logged.
        Keep = "keep",
        /// It is not.
        #[default]
        Drop = "drop",
        /// Its name is logged, its value is not.
        Redact = "redact",
    }
}

section! {
    /// Metrics.
    pub struct Metrics: "types.Metrics" {
        /// Metrics to be scraped by Prometheus.
        "prometheus" => prometheus: Option<Prometheus>,
    }
}

section! {
    /// Metrics to be scraped by Prometheus.
    pub struct Prometheus: "types.Prometheus", allow_empty {
        /// Upper bounds of the buckets of durations, in seconds.
        "buckets" => buckets: Vec<f64> = vec![0.1, 0.3, 1.2, 5.0],
        /// Metrics per entry point.
        "addEntryPointsLabels" => add_entry_points_labels: bool = true,
        /// Metrics per router.
        "addRoutersLabels" => add_routers_labels: bool,
        /// Metrics per service.
        "addServicesLabels" => add_services_labels: bool = true,
        /// The entry point that serves `/metrics`.
        "entryPoint" => entry_point: String = super::INTERNAL.to_owned(),
        /// Serve it only where a router says so.
        "manualRouting" => manual_routing: bool,
        /// Labels with the value of a header of the request: label to header.
        "headerLabels" => header_labels: BTreeMap<String, String>,
    }
}
