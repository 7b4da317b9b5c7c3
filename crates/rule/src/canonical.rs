//! One form of host, path and query for everybody: the rules, the limiter and
//! the origin. Computed once, before routing, as Traefik's entry point does.

mod host;
mod path;
mod query;

pub use host::{authority, host};
pub use path::{PathError, path, routing_path, written_path};
pub use query::{Query, query};

/// The value of a hexadecimal digit.
fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// The byte that `%XY` at the start of `text` stands for.
fn escaped(text: &[u8]) -> Option<u8> {
    match *text {
        [b'%', high, low, ..] => Some(hex(high)? << 4 | hex(low)?),
        _ => None,
    }
}
