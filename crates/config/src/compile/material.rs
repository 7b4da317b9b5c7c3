//! Key material: a path, or the PEM text itself.

use std::path::Path;

use crate::files::looks_like_a_path;

/// Whether a setting names a file that any user of the machine may read.
pub(super) fn everybody_reads(setting: &str) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let file = std::fs::metadata(setting);
    file.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o004 != 0)
}

/// What to do about a setting without a PEM block of type `label`. Does not repeat the setting: it may be a key.
pub(super) fn advice(setting: &str, label: &str) -> String {
    if !setting.contains('\n') && Path::new(setting).exists() {
        return format!("the file needs a block that begins with a line -----BEGIN {label}-----");
    }
    if looks_like_a_path(setting) {
        return "there is no file of this name; write a path that exists, or PEM text".to_owned();
    }
    format!("a path that exists, or PEM text: -----BEGIN {label}----- on a line of its own, and so on")
}

/// Whether the text holds at least one PEM block whose label ends in `label`, and no broken one.
///
/// This is a check of form, no looser than Go's: the lines that begin and end a block are lines of their own, which
/// YAML's `>` does not leave them. Whether the certificate is any good, the connection will tell.
pub(super) fn has_pem(text: &str, label: &str) -> bool {
    let mut found = false;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("-----BEGIN ") {
        let Some((name, body)) = after.split_once("-----") else { return false };
        let end = format!("-----END {name}-----");
        let Some((body, tail)) = body.split_once(&end) else { return false };
        if !ends_line(before) || !starts_line(body) || !ends_line(body) || !is_base64(body) {
            return false;
        }
        found |= name.ends_with(label);
        rest = tail;
    }
    found
}

fn ends_line(text: &str) -> bool {
    text.is_empty() || text.ends_with(['\n', '\r'])
}

fn starts_line(text: &str) -> bool {
    text.trim_start_matches([' ', '\t']).starts_with(['\n', '\r'])
}

fn is_base64(body: &str) -> bool {
    // Old keys have headers, `Proc-Type: 4,ENCRYPTED`, closed by an empty line.
    let body = match body.split_once("\n\n") {
        Some((headers, body)) if headers.contains(':') => body,
        _ => body,
    };
    let digits: Vec<u8> = body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    !digits.is_empty()
        && digits.len().is_multiple_of(4)
        && digits.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_is_told_from_other_text() {
        let pem = "x\n-----BEGIN CERTIFICATE-----\nTUlJ\n-----END CERTIFICATE-----\n";
        assert!(has_pem(pem, "CERTIFICATE"));
        assert!(!has_pem(pem, "PRIVATE KEY"));
        assert!(has_pem(&pem.replace("CERTIFICATE", "EC PRIVATE KEY"), "PRIVATE KEY"));
        assert!(has_pem(&pem.replace('\n', "\r\n"), "CERTIFICATE"));
        assert!(has_pem(&pem.repeat(2), "CERTIFICATE"));
        for text in ["", "/no/such/file.pem", &pem.replace("END", "and"), &pem.replace("TUlJ", "TUl")] {
            assert!(!has_pem(text, "CERTIFICATE"), "{text:?}");
        }
    }

    #[test]
    fn lines_that_were_folded_into_one_are_no_pem() {
        let pem = "-----BEGIN CERTIFICATE-----\nTUlJ\n-----END CERTIFICATE-----\n";
        assert!(!has_pem(&pem.replace('\n', " "), "CERTIFICATE"));
        assert!(!has_pem(&pem.replace("-----\nT", "-----T"), "CERTIFICATE"));
        assert!(!has_pem(&pem.replace("J\n", "J"), "CERTIFICATE"));
    }
}
