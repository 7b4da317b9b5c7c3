//! Did you mean…?

/// The candidate that was probably meant by `written`, if one is close enough.
///
/// Close means: equal when case, hyphens and underscores do not count, or at most two edits away
/// (one for words of up to four letters).
pub(crate) fn closest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = folded(written);
    let length = written.chars().count();
    let allowed = if length <= 4 { 1 } else { 2 };
    candidates
        .into_iter()
        // A suggestion is a courtesy; thousands of mistakes among thousands of names must not cost minutes.
        .take(CANDIDATES)
        .filter_map(|candidate| {
            let known = folded(candidate);
            let near = known.chars().count().abs_diff(length) <= allowed;
            near.then(|| (distance(&written, &known), candidate)).filter(|(distance, _)| *distance <= allowed)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many candidates are looked at.
const CANDIDATES: usize = 1000;

fn folded(word: &str) -> String {
    word.chars()
        .filter(|c| !matches!(c, '-' | '_'))
        .flat_map(char::to_lowercase)
        // Longer words are no typing mistakes of ours, and the table below is quadratic.
        .take(64)
        .collect()
}

/// Edits between two words: insert, delete, replace, swap neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let replace = last[j] + usize::from(x != y);
            let mut best = replace.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_found_and_others_are_not() {
        let fields = ["average", "period", "burst", "redis", "rateLimit"];
        assert_eq!(closest("rate-limit", fields), Some("rateLimit"));
        assert_eq!(closest("avreage", fields), Some("average"));
        assert_eq!(closest("Burts", fields), Some("burst"));
        assert_eq!(closest("foo", fields), None);
        assert_eq!(closest("", fields), None);
    }
}
