//! Whether certificates and keys are what a connection can be made with.
//!
//! Compiling looks at the form of PEM text. A key that belongs to another certificate has the right form, and so has
//! a certificate that was cut short between two lines: here they are read as the connection will read them.

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tollgate_config::checked::{MiddlewareKind, Store, Tls};

/// Why a connection would not come about. Nothing of the text is repeated: it may be a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum MaterialError {
    #[error("tls.ca is not a list of certificates of authorities")]
    Authorities,
    #[error("tls.cert is not a list of certificates")]
    Certificate,
    #[error("tls.key is not a private key that can be used")]
    Key,
    #[error("tls.key is not the key of the certificate in tls.cert")]
    Pair,
}

/// Checks what a middleware needs for its connections.
pub(super) fn check(middleware: &MiddlewareKind) -> Result<(), MaterialError> {
    let MiddlewareKind::RateLimit(limit) = middleware else { return Ok(()) };
    let Store::Redis(redis) = &limit.store else { return Ok(()) };
    redis.tls.as_ref().map_or(Ok(()), check_tls)
}

fn check_tls(tls: &Tls) -> Result<(), MaterialError> {
    if let Some(ca) = &tls.ca {
        check_authorities(ca)?;
    }
    match &tls.identity {
        Some((certificate, key)) => check_pair(certificate, key.expose()),
        None => Ok(()),
    }
}

fn check_authorities(pem: &str) -> Result<(), MaterialError> {
    let mut trusted = RootCertStore::empty();
    for certificate in certificates(pem, MaterialError::Authorities)? {
        trusted.add(certificate).map_err(|_| MaterialError::Authorities)?;
    }
    Ok(())
}

fn check_pair(certificate: &str, key: &str) -> Result<(), MaterialError> {
    let chain = certificates(certificate, MaterialError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| MaterialError::Key)?;
    CertifiedKey::from_der(chain, key, &default_provider()).map(drop).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => MaterialError::Pair,
        rustls::Error::InvalidCertificate(_) => MaterialError::Certificate,
        _ => MaterialError::Key,
    })
}

/// All certificates of a PEM text, of which there is at least one.
fn certificates(pem: &str, otherwise: MaterialError) -> Result<Vec<CertificateDer<'static>>, MaterialError> {
    let found = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    found.ok().filter(|found| !found.is_empty()).ok_or(otherwise)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// A certificate and its key.
    fn pair() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["gateway".to_owned()]).unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn what_no_connection_can_be_made_with_is_told_apart() {
        let ((certificate, key), (another, another_key)) = (pair(), pair());
        let body = |certificate: &str| certificate.lines().nth(1).unwrap().to_owned();
        let cut = certificate.replace(&body(&certificate), "");
        let tls = |ca: Option<&str>, certificate: &str, key: &str| Tls {
            ca: ca.map(str::to_owned),
            identity: Some((certificate.to_owned(), key.to_owned().into())),
            insecure_skip_verify: false,
        };
        for (tls, expected) in [
            (tls(None, &certificate, &key), Ok(())),
            (tls(Some(&(another.clone() + &certificate)), &(certificate.clone() + &another), &key), Ok(())),
            (tls(None, &certificate, &another_key), Err(MaterialError::Pair)),
            (tls(None, &another, &key), Err(MaterialError::Pair)),
            (tls(None, &cut, &key), Err(MaterialError::Certificate)),
            (tls(None, &certificate, &key.replace("PRIVATE", "ENCRYPTED PRIVATE")), Err(MaterialError::Key)),
            (tls(None, &certificate, &certificate), Err(MaterialError::Key)),
            (tls(Some(&(another.clone() + &cut)), &certificate, &key), Err(MaterialError::Authorities)),
            (tls(Some(&key), &certificate, &key), Err(MaterialError::Authorities)),
        ] {
            assert_eq!(check_tls(&tls), expected);
        }
    }
}
