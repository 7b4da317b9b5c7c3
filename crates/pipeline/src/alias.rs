//! Spellings that backends take for the same header.
//!
//! CGI and its heirs turn `-`, `_` and `.` into the same character, so that `X_Real_Ip` or `X.Real.Ip` sent by a client
//! reaches the application as if it were the `X-Real-Ip` of ours (CVE-2026-39858, CVE-2026-88011).

use http::{HeaderMap, HeaderName};

/// True if `name` is `canonical` written with underscores or dots in the place of hyphens, and not `canonical` itself.
/// Both are in lower case, as [`HeaderName`] has them.
pub fn spells(name: &HeaderName, canonical: &str) -> bool {
    let name = name.as_str();
    name.len() == canonical.len()
        && name != canonical
        && name.bytes().zip(canonical.bytes()).all(|(byte, wanted)| fold(byte) == fold(wanted))
}

/// Removes the fields whose name holds an underscore or a dot and for which `is_alias` holds. Costs one look at each
/// name when there are none.
pub fn remove(headers: &mut HeaderMap, is_alias: impl Fn(&HeaderName) -> bool) {
    let suspicious = |name: &HeaderName| name.as_str().bytes().any(|byte| byte == b'_' || byte == b'.');
    if !headers.keys().any(suspicious) {
        return;
    }
    let aliases: Vec<_> = headers.keys().filter(|name| suspicious(name) && is_alias(name)).cloned().collect();
    for name in aliases {
        headers.remove(name);
    }
}

/// The character that `byte` is taken for.
fn fold(byte: u8) -> u8 {
    match byte {
        b'_' | b'.' => b'-',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn underscores_and_dots_stand_for_hyphens() {
        for (name, canonical, expected) in [
            ("x_real_ip", "x-real-ip", true),
            ("x.real.ip", "x-real-ip", true),
            ("x-real_ip", "x-real-ip", true),
            ("x-real-ip", "x-real-ip", false),
            ("x_real_i", "x-real-ip", false),
            ("x_real_ix", "x-real-ip", false),
            ("x-user", "x_user", true),
        ] {
            assert_eq!(spells(&HeaderName::from_static(name), canonical), expected, "{name} for {canonical}");
        }
    }

    #[test]
    fn only_aliases_go() {
        let mut headers = HeaderMap::new();
        for name in ["x_real_ip", "x.real.ip", "x-real-ip", "x_other"] {
            headers.insert(name, "1".parse().unwrap());
        }
        remove(&mut headers, |name| spells(name, "x-real-ip"));
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["x-real-ip", "x_other"]);
    }
}
