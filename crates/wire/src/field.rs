//! One field line: `name: value`.

use crate::Violation;
use crate::syntax::{is_field_value, split_token, trim};

/// A field line, taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    name: &'a [u8],
    /// The value without the white space around it.
    pub(crate) value: &'a [u8],
}

/// The fields that decide how a message is framed or who is to answer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    ContentLength,
    TransferEncoding,
    Host,
    Expect,
    Other,
}

impl<'a> Field<'a> {
    /// Takes apart a line without its line end.
    pub(crate) fn parse(line: &'a [u8]) -> Result<Self, Violation> {
        let (name, rest) = split_token(line);
        match (name, rest) {
            ([], [b' ' | b'\t', ..]) => Err(Violation::Fold),
            ([], _) => Err(Violation::FieldName),
            (name, [b':', value @ ..]) if is_field_value(value) => Ok(Self { name, value: trim(value) }),
            (_, [b':', ..]) => Err(Violation::FieldValue),
            _ => Err(Violation::FieldName),
        }
    }

    pub(crate) fn name(&self) -> Name {
        // The length decides nearly always, so most fields cost one comparison.
        let (text, name): (&[u8], Name) = match self.name.len() {
            4 => (b"host", Name::Host),
            6 => (b"expect", Name::Expect),
            14 => (b"content-length", Name::ContentLength),
            17 => (b"transfer-encoding", Name::TransferEncoding),
            _ => return Name::Other,
        };
        if self.name.eq_ignore_ascii_case(text) { name } else { Name::Other }
    }
}
