//! What the author of a wrong rule probably meant.

/// A hint for a word that stands where an operator should.
pub(crate) fn operator(found: &str) -> Option<String> {
    let meant = match found.to_ascii_lowercase().as_str() {
        "and" | "&" => "&&",
        "or" | "|" => "||",
        "not" => "!",
        "+" => return Some("write the value as one string".to_owned()),
        _ => return None,
    };
    Some(format!("write {meant}"))
}

/// The name out of `names` nearest to `found`, if it is near enough to be a slip.
pub(crate) fn nearest<'a>(found: &str, names: &[&'a str]) -> Option<&'a str> {
    // Longer than any name: no slip, and not worth measuring.
    if found.len() > 40 {
        return None;
    }
    let found = found.to_lowercase();
    names
        .iter()
        .map(|name| (distance(&found, &name.to_lowercase()), *name))
        .min()
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .map(|(_, name)| name)
}

/// Levenshtein's distance, with a swap of neighbours counted as one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn slips_are_counted() {
        assert_eq!(distance("host", "hots"), 1);
        assert_eq!(distance("host", "hosts"), 1);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn far_away_names_are_no_slips() {
        let names = ["Host", "PathPrefix"];
        assert_eq!(nearest("PathPerfix", &names), Some("PathPrefix"));
        assert_eq!(nearest("pathPrefix", &names), Some("PathPrefix"));
        assert_eq!(nearest("Cookie", &names), None);
    }
}
