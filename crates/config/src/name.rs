//! Names of routers, middlewares and services: `limits@file`.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// A name with the provider it comes from: `limits@file`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QualifiedName(Arc<str>);

impl QualifiedName {
    /// The object `name` of `provider`.
    pub fn new(name: &str, provider: &str) -> Self {
        Self(format!("{name}@{provider}").into())
    }

    /// What `reference` means when an object of `provider` says it: a reference without a
    /// provider stays within the referrer's (Traefik's `provider.GetQualifiedName`).
    pub fn resolve(reference: &str, provider: &str) -> Self {
        if reference.contains('@') { Self(reference.into()) } else { Self::new(reference, provider) }
    }

    /// The whole name, `limits@file`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the last `@`.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('@').map_or(&*self.0, |(name, _)| name)
    }

    /// The part after the last `@`; empty when there is none.
    pub fn provider(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, provider)| provider)
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for QualifiedName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for QualifiedName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unqualified_reference_stays_with_its_referrer() {
        assert_eq!(QualifiedName::resolve("a", "file").as_str(), "a@file");
        let other = QualifiedName::resolve("a@docker", "file");
        assert_eq!((other.name(), other.provider()), ("a", "docker"));
    }
}
