//! Key material: a path, or the PEM text itself.

use std::path::Path;

/// What a setting stands for: the file's content if it names one, else the setting itself
/// (Traefik `types.FileOrContent`). With
/// [`everybody_reads`] the only file access of compiling.
pub(super) fn read(setting: &str) -> Result<String, std::io::Error> {
    let path = Path::new(setting);
    if setting.contains('\n') || !path.exists() {
        return Ok(setting.to_owned());
    }
    let file = std::fs::metadata(path)?;
    if !file.is_file() || file.len() > SIZE_MAX {
        // A device or a pipe may never end.
        return Err(std::io::Error::other("not a file of certificates or keys"));
    }
    std::fs::read_to_string(path)
}

/// More than any bundle of authorities has.
const SIZE_MAX: u64 = 4 << 20;

/// Whether a setting names a file that any user of the machine may read.
pub(super) fn everybody_reads(setting: &str) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let file = std::fs::metadata(setting);
    file.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o004 != 0)
}

/// Whether the text holds at least one PEM block whose label ends in `label`, and no broken one.
///
/// This is a check of form; whether the certificate is any good, the connection will tell.
pub(super) fn has_pem(text: &str, label: &str) -> bool {
    let mut found = false;
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let Some((name, body)) = after.split_once("-----") else { return false };
        let end = format!("-----END {name}-----");
        let Some((body, tail)) = body.split_once(&end) else { return false };
        if !is_base64(body) {
            return false;
        }
        found |= name.ends_with(label);
        rest = tail;
    }
    found
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
        for text in ["", "/no/such/file.pem", &pem.replace("END", "and"), &pem.replace("TUlJ", "TUl")] {
            assert!(!has_pem(text, "CERTIFICATE"), "{text:?}");
        }
    }
}
