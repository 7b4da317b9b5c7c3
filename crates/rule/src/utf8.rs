//! How Go reads bytes that need not be UTF-8.

use std::borrow::Cow;

/// The text of `bytes` as Go's `range` and `regexp` see it: every byte that does
/// not belong to a valid sequence counts as one U+FFFD. Borrows when all is valid.
pub(crate) fn read(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn every_stray_byte_is_one_replacement_character() {
        assert_eq!(read(b"a\xff\xfeb"), "a\u{fffd}\u{fffd}b");
        // A truncated three-byte sequence: two bytes, two characters.
        assert_eq!(read(b"\xe2\x82"), "\u{fffd}\u{fffd}");
        assert_eq!(read("é".as_bytes()), "é");
    }
}
