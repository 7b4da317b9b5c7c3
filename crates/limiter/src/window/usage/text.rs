//! A usage as text: how a shared store keeps it.
//!
//! ```text
//! 29579000@12A3A4G1~2
//! ││││││││││││││││└┴─ given back twice; left out if never
//! ││││││││││││││└┴─── 1 in the slice 7 before that
//! ││││││││││└┴┴┴───── 3 in the slice 1 before, 4 in the one before that
//! ││││││││└┴┴──────── 12 in it
//! └┴┴┴┴┴┴┴─────────── the latest slice
//! ```
//! Each count follows a character that says how many slices lie between it and the one before: `@` none, `A` one,
//! … `|` sixty. Slices without a count are not written.

use std::fmt;
use std::str::FromStr;

use super::{COUNT_MAX, Count, Usage};
use crate::window::SLICES;

/// A text that is not a usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a usage: {0}")]
pub struct BadUsage(&'static str);

/// The character for no slice in between.
const GAP: u8 = b'@';

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(mut before) = self.latest() else { return Ok(()) };
        write!(f, "{before}")?;
        for Count { index, count } in &self.counts {
            // At most sixty: older slices were forgotten when the latest was counted.
            let gap = (before - index).min(SLICES) as u8;
            write!(f, "{}{count}", char::from(GAP + gap))?;
            before = *index;
        }
        if self.returns > 0 {
            write!(f, "~{}", self.returns)?;
        }
        Ok(())
    }
}

impl FromStr for Usage {
    type Err = BadUsage;

    fn from_str(text: &str) -> Result<Self, BadUsage> {
        let mut rest = text;
        let latest = number(&mut rest)?;
        let mut index = latest;
        let mut usage = Self::default();
        while let Some(gap) = gap(rest) {
            rest = &rest[1..];
            index =
                index.checked_sub(gap).filter(|index| latest - index <= SLICES).ok_or(BadUsage("too old a slice"))?;
            let count = number(&mut rest)?;
            if (gap == 0) != usage.counts.is_empty() {
                return Err(BadUsage("a slice twice"));
            }
            usage.counts.push(Count { index, count });
        }
        if usage.counts.is_empty() {
            return Err(BadUsage("no count"));
        }
        if let Some(returns) = rest.strip_prefix('~') {
            rest = returns;
            usage.returns = number(&mut rest)?;
        }
        if rest.is_empty() { Ok(usage) } else { Err(BadUsage("more than a usage")) }
    }
}

fn gap(text: &str) -> Option<u64> {
    let gap = u64::from(text.bytes().next()?.checked_sub(GAP)?);
    (gap <= SLICES).then_some(gap)
}

/// The number that the text begins with, which is left without it.
fn number(text: &mut &str) -> Result<u64, BadUsage> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    digits.parse().ok().filter(|number| *number <= COUNT_MAX).ok_or(BadUsage("no number where one should be"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_it_all() {
        for text in ["29579000@12A3A4G1~2", "29579000@0~1", "1774738800@1", "60@1|1", "61@1A1{1"] {
            assert_eq!(text.parse::<Usage>().unwrap().to_string(), text);
        }
        let usage: Usage = "29579000@12A3A4G1~2".parse().unwrap();
        let counts: Vec<_> = usage.counts.iter().map(|counted| (counted.index, counted.count)).collect();
        assert_eq!(counts, [(29_579_000, 12), (29_578_999, 3), (29_578_998, 4), (29_578_991, 1)]);
        assert_eq!(usage.returns, 2);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "@",
            "@1",
            "5",
            "5@",
            "5@1@1",
            "5A1",
            "5@1A",
            "5@1A1A",
            "5@-1",
            "5@1~",
            "5@1~1~1",
            "5@1~1A1",
            " 5@1",
            "5@1 ",
            "5@9007199254740993",
            "99999999999999999999@1",
            "5@1}1",
            "5@1\u{e9}",
        ] {
            assert!(text.parse::<Usage>().is_err(), "{text:?}");
        }
    }
}
