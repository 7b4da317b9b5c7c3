//! The bytes that name one bucket.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use sha2::{Digest as _, Sha256};

use crate::Source;

/// The name of a source within a limit, as bytes: unambiguous, and equal on every instance for equal sources.
///
/// A tag says what kind of thing is named, so that no header value can name the bucket of an address. Building one
/// allocates nothing for the usual lengths.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyBytes<'a> {
    tag: u8,
    bytes: Bytes<'a>,
}

#[derive(Clone, PartialEq, Eq)]
enum Bytes<'a> {
    V4([u8; 4]),
    V6([u8; 16]),
    Borrowed(&'a [u8]),
}

impl<'a> From<Source<'a>> for KeyBytes<'a> {
    fn from(source: Source<'a>) -> Self {
        match source {
            Source::Address(IpAddr::V4(address)) => Self { tag: b'4', bytes: Bytes::V4(address.octets()) },
            Source::Address(IpAddr::V6(address)) => Self { tag: b'6', bytes: Bytes::V6(address.octets()) },
            Source::Host(host) => Self { tag: b'h', bytes: Bytes::Borrowed(host.as_bytes()) },
            Source::Header(value) => Self { tag: b'v', bytes: Bytes::Borrowed(value) },
        }
    }
}

impl KeyBytes<'static> {
    /// The key that stands for all keys of a limit that found no place of their own.
    pub const fn overflow() -> Self {
        Self { tag: b'o', bytes: Bytes::Borrowed(&[]) }
    }
}

impl KeyBytes<'_> {
    /// What kind of source it is.
    pub fn tag(&self) -> u8 {
        self.tag
    }

    /// The bytes of the source.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::V4(octets) => octets,
            Bytes::V6(octets) => octets,
            Bytes::Borrowed(bytes) => bytes,
        }
    }

    /// 128 bits of SHA-256 over the limit and the source, each with its length in front: what names the bucket in a
    /// shared store.
    ///
    /// A fixed length keeps a client from filling the store with long values and from writing control characters
    /// into it; a cryptographic hash keeps credentials out of it and strangers out of each other's buckets.
    pub fn digest(&self, limit: &str) -> [u8; 16] {
        let mut hash = Sha256::new();
        hash.update((limit.len() as u64).to_be_bytes());
        hash.update(limit.as_bytes());
        hash.update([self.tag]);
        hash.update(self.as_bytes());
        let digest = hash.finalize();
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        short
    }

    /// The key for people: an address or a host as it is (control characters replaced, cut at 64), a header value as
    /// `#` and 12 digits of its hash, so that lines about one client can be found without showing its credential.
    pub fn short(&self) -> ShortKey {
        match (self.tag, &self.bytes) {
            (_, Bytes::V4(octets)) => ShortKey::Address(IpAddr::from(*octets)),
            (_, Bytes::V6(octets)) => ShortKey::Address(IpAddr::from(*octets)),
            (b'h', Bytes::Borrowed(host)) => ShortKey::Text(printable(host)),
            (_, Bytes::Borrowed([])) => "-".into(),
            _ => {
                let digest = self.digest("");
                let hex = digest[..6].iter().fold(String::from("#"), |mut text, byte| {
                    text.push(char::from(HEX[usize::from(byte >> 4)]));
                    text.push(char::from(HEX[usize::from(byte & 15)]));
                    text
                });
                ShortKey::Text(hex.into())
            }
        }
    }
}

/// A key for people. An address becomes text only when somebody reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShortKey {
    /// An address or a network.
    Address(IpAddr),
    /// Anything else, safe to print.
    Text(Box<str>),
}

impl ShortKey {
    /// The key as it is written.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Address(address) => Cow::Owned(address.to_string()),
            Self::Text(text) => Cow::Borrowed(text),
        }
    }
}

impl From<&str> for ShortKey {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl fmt::Display for ShortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn printable(bytes: &[u8]) -> Box<str> {
    let text = String::from_utf8_lossy(bytes);
    let clean = text.chars().take(64).map(|c| if c.is_control() { '\u{fffd}' } else { c });
    clean.collect::<String>().into()
}

impl fmt::Debug for KeyBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBytes({})", self.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_source_can_take_the_name_of_another() {
        let address = Source::Address("1.2.3.4".parse().unwrap());
        let sources =
            [address, Source::Header(&[1, 2, 3, 4]), Source::Host("\u{1}\u{2}\u{3}\u{4}"), Source::Header(b"")];
        let mut digests: Vec<_> = sources.iter().map(|source| KeyBytes::from(*source).digest("l@file")).collect();
        digests.push(KeyBytes::from(address).digest("l"));
        digests.push(KeyBytes::from(address).digest("other@file"));
        let count = digests.len();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), count);
    }

    #[test]
    fn a_credential_is_never_shown() {
        let short = KeyBytes::from(Source::Header(b"secret-token")).short().to_string();
        assert!(short.starts_with('#') && short.len() == 13 && !short.contains("secret"));
        assert_eq!(KeyBytes::from(Source::Header(b"")).short().text(), "-");
        assert_eq!(KeyBytes::from(Source::Host("a.test\n")).short().text(), "a.test\u{fffd}");
        assert_eq!(KeyBytes::from(Source::Address("2001:db8::".parse().unwrap())).short().text(), "2001:db8::");
    }
}
