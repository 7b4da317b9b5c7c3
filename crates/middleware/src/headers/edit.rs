//! One change of a header.

use http::{HeaderMap, HeaderName, HeaderValue};
use tollgate_pipeline::alias;

/// What happens to one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// It has this value and no other.
    Set(HeaderName, HeaderValue),
    /// It goes.
    Remove(HeaderName),
}

impl Edit {
    /// The edit that Traefik's maps spell: a name and its value, an empty one to remove the field.
    pub fn new(name: HeaderName, value: HeaderValue) -> Self {
        if value.is_empty() { Self::Remove(name) } else { Self::Set(name, value) }
    }

    fn name(&self) -> &HeaderName {
        match self {
            Self::Set(name, _) | Self::Remove(name) => name,
        }
    }
}

/// Edits in order.
#[derive(Debug, Clone, Default)]
pub struct Edits(Box<[Edit]>);

impl Edits {
    /// The edits one by one.
    pub(super) fn as_slice(&self) -> &[Edit] {
        &self.0
    }

    /// Makes the changes.
    pub(super) fn apply(&self, headers: &mut HeaderMap) {
        for edit in &self.0 {
            match edit {
                Edit::Set(name, value) => drop(headers.insert(name, value.clone())),
                Edit::Remove(name) => drop(headers.remove(name)),
            }
        }
    }

    /// Removes the fields that many backends take for one of those set or removed here: `X_User` for `X-User`.
    pub(super) fn remove_aliases(&self, headers: &mut HeaderMap) {
        alias::remove(headers, |name| self.0.iter().any(|edit| alias::spells(name, edit.name().as_str())));
    }
}

impl FromIterator<Edit> for Edits {
    fn from_iter<I: IntoIterator<Item = Edit>>(edits: I) -> Self {
        Self(edits.into_iter().collect())
    }
}
