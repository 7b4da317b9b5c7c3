//! Options whose value is one of a few words.

use super::notes::{Advise, Noted, Notes};
use crate::suggest;

/// What a word means, in any case; `None` when none was written. Others are an error with the word that was probably
/// meant, or all of them.
pub(super) fn meaning<T: Copy>(
    written: &str,
    words: &[(&'static str, T)],
    at: &str,
    notes: &mut Notes<'_>,
) -> Result<Option<T>, Noted> {
    if written.is_empty() {
        return Ok(None);
    }
    if let Some((_, meaning)) = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(written)) {
        return Ok(Some(*meaning));
    }
    let names = || words.iter().map(|(word, _)| *word);
    let hint = match suggest::closest(written, names()) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => format!("use one of: {}", names().collect::<Vec<_>>().join(", ")),
    };
    notes.error("unknown-value", at, format!("unknown value {written:?}")).advise(hint);
    Err(Noted)
}
