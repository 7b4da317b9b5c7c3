//! How an event becomes a line.

use std::fmt;
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::Format;
use crate::escape::{push_json, push_quoted};
use crate::stamp::push_seconds;

/// Writes events as lines.
pub(super) struct Lines {
    pub(super) format: Format,
    pub(super) color: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        let mut line = Vec::with_capacity(256);
        match self.format {
            Format::Common => push_common(&mut line, *event.metadata().level(), &said, self.color),
            Format::Json => push_object(&mut line, *event.metadata().level(), &said),
        }
        line.push(b'\n');
        out.write_str(&String::from_utf8_lossy(&line))
    }
}

/// The fields of an event, as text.
#[derive(Default)]
struct Said {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

enum Value {
    Text(String),
    /// A number or a truth value, which JSON writes without quotes.
    Plain(String),
}

impl Said {
    fn push(&mut self, field: &Field, value: Value) {
        self.fields.push((field.name(), value));
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = text;
        } else {
            self.push(field, Value::Text(text));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.push(field, Value::Text(value.to_owned()));
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, Value::Plain(value.to_string()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, Value::Plain(value.to_string()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, Value::Plain(value.to_string()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let causes = std::iter::successors(value.source(), |cause| cause.source());
        for cause in causes {
            text.push_str(": ");
            text.push_str(&cause.to_string());
        }
        self.push(field, Value::Text(text));
    }
}

/// `2026-11-23T20:26:20Z INF a message key=value other="two words"`.
fn push_common(line: &mut Vec<u8>, level: Level, said: &Said, color: bool) {
    let paint = |line: &mut Vec<u8>, code: &[u8]| {
        if color {
            line.extend_from_slice(code);
        }
    };
    paint(line, b"\x1b[90m");
    push_seconds(line, SystemTime::now());
    paint(line, b"\x1b[0m");
    line.push(b' ');
    paint(line, color_of(level));
    line.extend_from_slice(short(level).as_bytes());
    paint(line, b"\x1b[0m");
    line.push(b' ');
    push_quoted_text(line, &said.message);
    for (name, value) in &said.fields {
        line.push(b' ');
        paint(line, b"\x1b[36m");
        line.extend_from_slice(name.as_bytes());
        line.push(b'=');
        paint(line, b"\x1b[0m");
        push_value(line, value);
    }
}

/// The message is read by people, so its quotes stay as they are; only what could drive the terminal is escaped.
fn push_quoted_text(line: &mut Vec<u8>, message: &str) {
    for part in message.split_inclusive(['"', '\\']) {
        let (text, mark) = match part.as_bytes().last() {
            Some(b'"' | b'\\') => part.split_at(part.len() - 1),
            _ => (part, ""),
        };
        push_quoted(line, text.as_bytes());
        line.extend_from_slice(mark.as_bytes());
    }
}

fn push_value(line: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Plain(text) => line.extend_from_slice(text.as_bytes()),
        Value::Text(text) if is_word(text) => line.extend_from_slice(text.as_bytes()),
        Value::Text(text) => {
            line.push(b'"');
            push_quoted(line, text.as_bytes());
            line.push(b'"');
        }
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'='))
}

/// `{"level":"info","key":"value","time":"2026-11-23T20:26:20Z","message":"a message"}`.
fn push_object(line: &mut Vec<u8>, level: Level, said: &Said) {
    line.extend_from_slice(b"{\"level\":\"");
    line.extend_from_slice(level.as_str().to_ascii_lowercase().as_bytes());
    line.extend_from_slice(b"\",");
    for (name, value) in &said.fields {
        push_json(line, name.as_bytes());
        line.push(b':');
        match value {
            Value::Plain(text) => line.extend_from_slice(text.as_bytes()),
            Value::Text(text) => push_json(line, text.as_bytes()),
        }
        line.push(b',');
    }
    line.extend_from_slice(b"\"time\":\"");
    push_seconds(line, SystemTime::now());
    line.extend_from_slice(b"\",\"message\":");
    push_json(line, said.message.as_bytes());
    line.push(b'}');
}

fn short(level: Level) -> &'static str {
    match level {
        Level::TRACE => "TRC",
        Level::DEBUG => "DBG",
        Level::INFO => "INF",
        Level::WARN => "WRN",
        Level::ERROR => "ERR",
    }
}

fn color_of(level: Level) -> &'static [u8] {
    match level {
        Level::TRACE => b"\x1b[34m",
        Level::DEBUG => b"",
        Level::INFO => b"\x1b[32m",
        Level::WARN => b"\x1b[33m",
        Level::ERROR => b"\x1b[31m",
    }
}
