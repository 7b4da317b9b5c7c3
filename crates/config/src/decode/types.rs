//! How the types of fields are read, and when they are left out of the API.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Decode, Decoder, Items, Omit, standalone};
use crate::duration::SignedDuration;
use crate::node::{Node, Value};
use crate::redacted::Redacted;

// === impl Decode ===

impl Decode for String {
    fn type_name() -> String {
        "string".to_owned()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        decoder.text(node).map(str::to_owned)
    }
}

impl Decode for bool {
    fn type_name() -> String {
        "bool".to_owned()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let text = decoder.text(node)?;
        let value = match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
            _ => None,
        };
        if value.is_none() {
            let message = format!("strconv.ParseBool: parsing {text:?}: invalid syntax");
            let hint = Some("use true or false".to_owned());
            decoder.error_with_hint("not-a-bool", &node.place, message, hint);
        }
        value
    }
}

macro_rules! decode_integer {
    ($($type:ty, $name:literal, $function:literal;)*) => {$(
        impl Decode for $type {
            fn type_name() -> String {
                $name.to_owned()
            }

            fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
                decoder.parse("not-an-integer", node, |text| {
                    text.parse::<$type>().map_err(|error| {
                        use std::num::IntErrorKind::{NegOverflow, PosOverflow};
                        let reason = match error.kind() {
                            PosOverflow | NegOverflow => "value out of range",
                            _ => "invalid syntax",
                        };
                        format!(concat!("strconv.", $function, ": parsing {:?}: {}"), text, reason)
                    })
                })
            }
        }

        impl Omit for $type {
            fn omit(&self) -> bool {
                *self == 0
            }
        }
    )*};
}

decode_integer! {
    i32, "int32", "ParseInt";
    i64, "int", "ParseInt";
    u16, "uint16", "ParseUint";
    u32, "uint32", "ParseUint";
    u64, "uint64", "ParseUint";
}

impl Decode for f64 {
    fn type_name() -> String {
        "float64".to_owned()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        decoder.parse("not-a-number", node, |text| {
            text.parse::<f64>().map_err(|_| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax"))
        })
    }
}

impl Decode for SignedDuration {
    fn type_name() -> String {
        "types.Duration".to_owned()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let text = decoder.text(node)?;
        match Self::parse(text) {
            Ok(duration) => Some(duration),
            Err(error) => {
                let hint = "use seconds, or a number with a unit of ns, us, ms, s, m, h: 10, 250ms, 1h30m";
                decoder.error_with_hint("not-a-duration", &node.place, error.to_string(), Some(hint.to_owned()));
                None
            }
        }
    }
}

impl<T: Decode> Decode for Redacted<T> {
    fn type_name() -> String {
        T::type_name()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        T::decode(node, decoder).map(Self::new)
    }
}

impl<T: Decode> Decode for Option<T> {
    fn type_name() -> String {
        format!("*{}", T::type_name())
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        T::decode(node, decoder).map(Some)
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn type_name() -> String {
        format!("[]{}", T::type_name())
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let items = decoder.items(node)?;
        let items = match &items {
            Items::Listed(items) => items,
            Items::Split(items) => items.as_slice(),
        };
        let mut list = Self::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            decoder.within(format!("[{index}]"), |decoder| {
                if item.is_null() {
                    let message = "unsupported simple value type: invalid";
                    decoder.error("null-item", &item.place, message);
                } else {
                    list.extend(T::decode_element(&trimmed(item), decoder));
                }
            });
        }
        Some(list)
    }
}

/// Items of lists lose the space around them.
fn trimmed(item: &Node) -> Cow<'_, Node> {
    match &item.value {
        Value::Scalar(text, kind) if text.trim().len() != text.len() => {
            Cow::Owned(Node::new(Value::Scalar(text.trim().to_owned(), *kind), item.place.clone()))
        }
        _ => Cow::Borrowed(item),
    }
}

impl<T: Decode> Decode for BTreeMap<String, T> {
    fn type_name() -> String {
        format!("map[string]{}", T::element_name())
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if node.entries().next().is_none() {
            standalone(node, decoder, &Self::type_name());
            return None;
        }
        let mut map = Self::new();
        for (key, child) in node.entries() {
            decoder.within_key(&key.name, &key.place, |decoder| {
                if let Some(value) = T::decode_element(child, decoder) {
                    map.insert(key.name.clone(), value);
                }
            });
        }
        Some(map)
    }
}

// === impl Omit ===

impl Omit for String {
    fn omit(&self) -> bool {
        self.is_empty()
    }
}

impl Omit for bool {
    fn omit(&self) -> bool {
        !self
    }
}

impl Omit for f64 {
    fn omit(&self) -> bool {
        *self == 0.0
    }
}

impl Omit for SignedDuration {
    fn omit(&self) -> bool {
        self.is_zero()
    }
}

impl<T: Omit> Omit for Redacted<T> {
    fn omit(&self) -> bool {
        self.expose().omit()
    }
}

impl<T> Omit for Option<T> {
    fn omit(&self) -> bool {
        self.is_none()
    }
}

impl<T> Omit for Vec<T> {
    fn omit(&self) -> bool {
        self.is_empty()
    }
}

impl<K, V> Omit for BTreeMap<K, V> {
    fn omit(&self) -> bool {
        self.is_empty()
    }
}
