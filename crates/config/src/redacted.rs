//! Secrets that do not print.

use std::fmt;

use serde::{Serialize, Serializer};

/// A secret. Everything that prints it prints `xxxx`; only [`expose`](Self::expose) tells it.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Redacted<T>(T);

/// What stands in the place of a secret, as in Traefik's own exports.
pub const MASK: &str = "xxxx";

impl<T> Redacted<T> {
    /// Makes a value a secret.
    pub const fn new(secret: T) -> Self {
        Self(secret)
    }

    /// The secret itself.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Redacted<T> {
    fn from(secret: T) -> Self {
        Self(secret)
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl<T> Serialize for Redacted<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// A URL whose user information is masked: `redis://user:pw@host` prints `redis://xxxx@host`.
///
/// Works on anything that looks like `scheme://authority…`; other text is returned as it is.
pub fn without_user_info(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", masked_authority(rest)),
        None => url.to_owned(),
    }
}

/// The same for text that is known to be an address, where the scheme may be missing:
/// `user:pw@host:6379` prints `xxxx@host:6379`.
pub fn address_without_user_info(address: &str) -> String {
    if address.contains("://") { without_user_info(address) } else { masked_authority(address) }
}

fn masked_authority(rest: &str) -> String {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{MASK}{}", &rest[at..]),
        None => rest.to_owned(),
    }
}

/// Whether a header or an option of this name usually carries a credential.
pub fn is_credential_name(name: &str) -> bool {
    const WORDS: [&str; 14] = [
        "authorization",
        "cookie",
        "password",
        "passwd",
        "secret",
        "token",
        "apikey",
        "accesskey",
        "privatekey",
        "authkey",
        "credential",
        "signature",
        "username",
        "users",
    ];
    let folded: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    folded == "key" || folded == "auth" || WORDS.iter().any(|word| folded.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let secret = Redacted::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {}", serde_json::json!(secret)), "xxxx xxxx \"xxxx\"");
        assert_eq!(*secret.expose(), "hunter2");
    }

    #[test]
    fn user_info_is_masked_and_nothing_else() {
        for (url, shown) in [
            ("http://a:b@host:1/p", "http://xxxx@host:1/p"),
            ("http://a:p@ss@host", "http://xxxx@host"),
            ("http://host/@me", "http://host/@me"),
            ("host:1", "host:1"),
            ("me@host", "me@host"),
        ] {
            assert_eq!(without_user_info(url), shown);
        }
        assert_eq!(address_without_user_info("u:p@host:1"), "xxxx@host:1");
        assert_eq!(address_without_user_info("redis://:p@host:1/0"), "redis://xxxx@host:1/0");
    }

    #[test]
    fn names_of_credentials_are_known() {
        for name in ["X-Api-Key", "Authorization", "set-cookie", "key", "AUTH"] {
            assert!(is_credential_name(name), "{name}");
        }
        for name in ["X-Forwarded-Prefix", "keyFile", "monkeys", "X-Author"] {
            assert!(!is_credential_name(name), "{name}");
        }
    }
}
