//! TLS to a Redis.

use crate::checked::Tls;
use crate::compile::material;
use crate::compile::notes::{Advise, Noted, Notes};
use crate::dynamic::rate_limit::{ClientTls, StoreTls};
use crate::redacted::Redacted;

/// The settings of Traefik Hub as those of Traefik: of the two names of `ca`, whichever was used.
pub(super) fn one_name(written: &StoreTls, at: &str, notes: &mut Notes<'_>) -> Result<ClientTls, Noted> {
    let ca = match (written.ca.as_str(), written.ca_bundle.as_str()) {
        (ca, "") => ca,
        ("", bundle) => bundle,
        (ca, bundle) if ca == bundle => ca,
        _ => {
            notes
                .error("ca-twice", &format!("{at}.tls"), "ca and caBundle are two names of one setting, and differ")
                .advise("keep ca");
            return Err(Noted);
        }
    };
    Ok(ClientTls {
        ca: ca.to_owned(),
        cert: written.cert.clone(),
        key: written.key.clone(),
        insecure_skip_verify: written.insecure_skip_verify,
    })
}

/// Traefik's checks in Traefik's words (`types.ClientTLS.CreateTLSConfig`), which start with `before`.
pub(super) fn compile(written: &ClientTls, before: &str, at: &str, notes: &mut Notes<'_>) -> Result<Tls, Noted> {
    let at = format!("{at}.tls");
    let ca = match written.ca.as_str() {
        "" => Ok(None),
        setting => trusted(setting, before, &format!("{at}.ca"), notes).map(Some),
    };
    let identity = identity(written, before, &at, notes);
    if written.insecure_skip_verify {
        notes.warning("tls-not-verified", &format!("{at}.insecureSkipVerify"), "anybody can pretend to be this Redis");
    }
    Ok(Tls { ca: ca?, identity: identity?, insecure_skip_verify: written.insecure_skip_verify })
}

/// The certificate to present and its key, or neither.
fn identity(
    written: &ClientTls,
    before: &str,
    at: &str,
    notes: &mut Notes<'_>,
) -> Result<Option<(String, Redacted<String>)>, Noted> {
    let key = written.key.expose();
    if written.cert.is_empty() && key.is_empty() {
        return Ok(None);
    }
    if written.cert.is_empty() || key.is_empty() {
        notes
            .error("half-a-key-pair", at, format!("{before}both TLS cert and key must be defined"))
            .advise(if key.is_empty() { "set key" } else { "set cert" });
        return Err(Noted);
    }
    let cert = pem(&written.cert, "CERTIFICATE", before, &format!("{at}.cert"), notes);
    if material::everybody_reads(key) {
        notes
            .warning("key-world-readable", &format!("{at}.key"), "everybody on this machine may read the key")
            .advise("chmod o-r");
    }
    let key = pem(key, "PRIVATE KEY", before, &format!("{at}.key"), notes);
    Ok(Some((cert?, key?.into())))
}

fn trusted(setting: &str, before: &str, at: &str, notes: &mut Notes<'_>) -> Result<String, Noted> {
    let label = "CERTIFICATE";
    match notes.files().text_or_content(setting) {
        Err(error) => {
            notes.error("unreadable", at, format!("{before}failed to read CA. {error}"));
            Err(Noted)
        }
        Ok(text) if material::has_pem(&text, label) => Ok(text),
        Ok(_) => {
            notes.error("not-pem", at, format!("{before}failed to parse CA")).advise(material::advice(setting, label));
            Err(Noted)
        }
    }
}

fn pem(setting: &str, label: &str, before: &str, at: &str, notes: &mut Notes<'_>) -> Result<String, Noted> {
    let before = format!("{before}failed to load TLS keypair: ");
    match notes.files().text_or_content(setting) {
        Err(error) => {
            notes.error("unreadable", at, format!("{before}{error}"));
            Err(Noted)
        }
        Ok(text) if material::has_pem(&text, label) => Ok(text),
        Ok(_) => {
            notes
                .error("not-pem", at, format!("{before}no PEM block of type {label}"))
                .advise(material::advice(setting, label));
            Err(Noted)
        }
    }
}
