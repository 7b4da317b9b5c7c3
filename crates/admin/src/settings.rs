//! What the static configuration says, in the words of the telemetry.

use std::path::PathBuf;

use tollgate_config::static_config::{
    AccessLog, AccessLogFormat, FieldMode, HeaderMode, Log, LogFormat, LogLevel, Prometheus,
};
use tollgate_telemetry::access_log::{self, Fields, Filters, HeaderRule, Mode};
use tollgate_telemetry::{log, metrics};
use tracing_subscriber::filter::LevelFilter;

/// The settings of the access log.
pub fn access_log(written: &AccessLog) -> access_log::Settings {
    let AccessLog { filters, fields, .. } = written;
    let headers = &fields.headers;
    access_log::Settings {
        format: match written.format {
            AccessLogFormat::Common => access_log::Format::Common,
            AccessLogFormat::GenericClf => access_log::Format::GenericClf,
            AccessLogFormat::Json => access_log::Format::Json,
        },
        file: file(&written.file_path),
        buffering_size: usize::try_from(written.buffering_size).unwrap_or(usize::MAX),
        filters: Filters {
            status_codes: filters.status_codes.iter().map(|range| range.from..=range.to).collect(),
            retry_attempts: filters.retry_attempts,
            min_duration: filters.min_duration.limit().unwrap_or_default(),
        },
        fields: Fields::new(
            field_mode(fields.default_mode),
            fields.names.iter().map(|(name, &mode)| (name.as_str(), field_mode(mode))),
        ),
        headers: HeaderRule::new(
            header_mode(headers.default_mode),
            headers.names.iter().map(|(name, &mode)| (name.as_str(), header_mode(mode))),
        ),
        drop_query: false,
        add_internals: written.add_internals,
    }
}

/// The settings of the metrics.
pub fn metrics(written: &Prometheus) -> metrics::Settings {
    metrics::Settings {
        buckets: written.buckets.clone(),
        add_entry_points_labels: written.add_entry_points_labels,
        add_routers_labels: written.add_routers_labels,
        add_services_labels: written.add_services_labels,
        add_internals: false,
    }
}

/// The settings of the application log.
pub fn log(written: &Log) -> log::Settings {
    log::Settings {
        level: level(written.level),
        format: match written.format {
            LogFormat::Common => log::Format::Common,
            LogFormat::Json => log::Format::Json,
        },
        file: file(&written.file_path),
        no_color: written.no_color,
    }
}

fn file(path: &str) -> Option<PathBuf> {
    (!path.is_empty()).then(|| path.into())
}

fn field_mode(mode: FieldMode) -> Mode {
    match mode {
        FieldMode::Keep => Mode::Keep,
        FieldMode::Drop => Mode::Drop,
    }
}

fn header_mode(mode: HeaderMode) -> Mode {
    match mode {
        HeaderMode::Keep => Mode::Keep,
        HeaderMode::Drop => Mode::Drop,
        HeaderMode::Redact => Mode::Redact,
    }
}

/// Nothing is more than an error: whoever asks for `FATAL` or `PANIC` only does not want to see errors.
fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Fatal | LogLevel::Panic => LevelFilter::OFF,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tollgate_config::{Format, StaticConfig};
    use tollgate_telemetry::access_log::Field;

    use super::*;

    fn load(text: &str) -> StaticConfig {
        StaticConfig::load_text(text, Format::Yaml, "traefik.yml").expect("a configuration").0
    }

    #[test]
    fn every_option_arrives() {
        let config = load(
            "
log: {level: warn, format: json, filePath: /l, noColor: true}
metrics: {prometheus: {buckets: [1, 2], addEntryPointsLabels: false, addRoutersLabels: true, addServicesLabels: false}}
accessLog:
  filePath: /a
  format: genericCLF
  bufferingSize: 7
  addInternals: true
  filters: {statusCodes: ['200', 300-302], retryAttempts: true, minDuration: 10ms}
  fields: {defaultMode: drop, names: {RouterName: keep}, headers: {defaultMode: keep, names: {Cookie: redact}}}
",
        );
        let log = log(config.log.as_ref().expect("a log"));
        assert_eq!((log.level, log.format, log.no_color), (LevelFilter::WARN, log::Format::Json, true));
        assert_eq!(log.file, Some("/l".into()));
        let prometheus = config.metrics.and_then(|metrics| metrics.prometheus).expect("metrics");
        let metrics = metrics(&prometheus);
        assert_eq!(metrics.buckets, [1.0, 2.0]);
        assert_eq!(
            (metrics.add_entry_points_labels, metrics.add_routers_labels, metrics.add_services_labels),
            (false, true, false)
        );
        let access = access_log(config.access_log.as_ref().expect("an access log"));
        assert_eq!(
            (access.format, access.buffering_size, access.add_internals),
            (access_log::Format::GenericClf, 7, true)
        );
        assert_eq!(access.file, Some("/a".into()));
        assert_eq!(access.filters.status_codes, [200..=200, 300..=302]);
        assert_eq!((access.filters.retry_attempts, access.filters.min_duration), (true, Duration::from_millis(10)));
        assert_eq!((access.fields.keeps(Field::RouterName), access.fields.keeps(Field::ServiceName)), (true, false));
        assert_eq!(access.headers, HeaderRule::new(Mode::Keep, [("cookie", Mode::Redact)]));
    }

    #[test]
    fn the_defaults_are_the_same_on_both_sides() {
        let config = load("{log: {}, metrics: {prometheus: {}}, accessLog: {}}");
        let prometheus = config.metrics.and_then(|metrics| metrics.prometheus).expect("metrics");
        assert_eq!(metrics(&prometheus), metrics::Settings::default());
        let access = access_log(config.access_log.as_ref().expect("an access log"));
        assert_eq!((access.format, access.file), (access_log::Format::Common, None));
        assert_eq!((access.fields, access.headers), (Fields::default(), HeaderRule::default()));
        assert_eq!(access.filters, Filters::default());
        let log = log(config.log.as_ref().expect("a log"));
        // Ours says more than Traefik's (`LevelFilter::ERROR`).
        assert_eq!((log.level, log.format, log.file), (LevelFilter::INFO, log::Format::Common, None));
    }
}
