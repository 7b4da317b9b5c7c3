//! Objects as written, and where.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::decode::{Decode, Decoder};
use crate::node::Node;
use crate::place::Place;

/// A router, middleware or service as written, with the tree it was read from, so that whoever
/// finds a mistake in it later can still point at the line.
///
/// Equality and JSON are those of the value: moving an object in its file changes nothing.
#[derive(Debug, Clone)]
pub struct Written<T> {
    value: T,
    origin: Option<Origin>,
}

#[derive(Debug, Clone)]
struct Origin {
    name: Place,
    node: Arc<Node>,
}

impl<T> Written<T> {
    /// An object that was not read from a file.
    pub const fn new(value: T) -> Self {
        Self { value, origin: None }
    }

    /// Where a setting of this object was written: a path relative to the object, empty for its
    /// name. Points at the nearest thing that was written when the setting was not.
    pub fn place_of(&self, path: &str) -> Option<Place> {
        let origin = self.origin.as_ref()?;
        let place = match path.split(['.', '[']).next() {
            Some(first) if origin.node.entry(first).is_some() => origin.node.place_of(path),
            _ => &origin.name,
        };
        Some(place.clone())
    }
}

impl<T> Deref for Written<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Written<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Serialize> Serialize for Written<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<T: Decode> Decode for Written<T> {
    fn type_name() -> String {
        T::type_name()
    }

    fn element_name() -> String {
        T::element_name()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        T::decode(node, decoder).map(|value| read(value, node, decoder))
    }

    fn decode_element(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        T::decode_element(node, decoder).map(|value| read(value, node, decoder))
    }
}

fn read<T>(value: T, node: &Node, decoder: &Decoder) -> Written<T> {
    let origin = Origin { name: decoder.place().unwrap_or(&node.place).clone(), node: Arc::new(node.clone()) };
    Written { value, origin: Some(origin) }
}
