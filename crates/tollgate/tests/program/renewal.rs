//! Certificates and keys that are renewed while the program runs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tollgate_testkit::{Redis, Upstream, free_port, wait_until};

use crate::instance::{Instance, Setup};
use crate::sharing::wait_for_store;

/// Two looks of the gateway, and what a loaded machine adds.
const RENEWAL: Duration = Duration::from_secs(60);

/// An authority, and whom it vouches for.
struct Papers {
    ca: String,
    server: Pair,
    client: Pair,
}

struct Pair {
    certificate: String,
    key: String,
}

impl Papers {
    fn new() -> Self {
        let mut params = named("authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let issue = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let certificate = named(name).signed_by(&key, &authority).unwrap();
            Pair { certificate: certificate.pem(), key: key.serialize_pem() }
        };
        Self { ca: authority.pem(), server: issue("localhost"), client: issue("gateway") }
    }

    /// What they are called on disk.
    fn files(&self) -> [(&str, &str); 5] {
        [
            ("ca.pem", &self.ca),
            ("server.pem", &self.server.certificate),
            ("server-key.pem", &self.server.key),
            ("client.pem", &self.client.certificate),
            ("client-key.pem", &self.client.key),
        ]
    }
}

/// Everybody has a name of his own: a certificate whose issuer has its name is taken for self-signed.
fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Replaces files at once, by renaming.
fn put(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let new = folder.join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, folder.join(name)).unwrap();
    }
}

/// A Redis that wants to see a certificate, and remembers over a restart.
fn secured(port: u16, folder: &Path) -> Redis {
    let file = |option: &str, name: &str| format!("{option} {}", folder.join(name).display());
    let lines = [
        format!("tls-port {port}"),
        "tls-auth-clients yes".to_owned(),
        file("tls-ca-cert-file", "ca.pem"),
        file("tls-cert-file", "server.pem"),
        file("tls-key-file", "server-key.pem"),
        "appendonly yes".to_owned(),
        "appendfsync always".to_owned(),
    ];
    Redis::with_config(&lines.each_ref().map(String::as_str))
}

/// Three limits of two requests an hour, each for a path, kept by that Redis.
fn limits(port: u16, folder: &Path, upstream: &Upstream) -> String {
    let folder = folder.display();
    let limit = format!(
        "{{rateLimit: {{average: 1, period: 1h, burst: 2, redis: {{endpoints: ['localhost:{port}'], \
         tls: {{ca: {folder}/ca.pem, cert: {folder}/client.pem, key: {folder}/client-key.pem}}}}}}}}"
    );
    format!(
        "
http:
  middlewares: {{before: {limit}, meanwhile: {limit}, after: {limit}}}
  routers:
    before: {{rule: \"Path(`/before`)\", service: s, middlewares: [before]}}
    meanwhile: {{rule: \"Path(`/meanwhile`)\", service: s, middlewares: [meanwhile]}}
    after: {{rule: \"Path(`/after`)\", service: s, middlewares: [after]}}
  services: {{s: {{loadBalancer: {{servers: [{{url: \"{}\"}}]}}}}}}
",
        upstream.url()
    )
}

/// What is answered to three requests.
async fn three(instance: &Instance, path: &str) -> [u16; 3] {
    let mut statuses = [0; 3];
    for status in &mut statuses {
        *status = instance.get("a.test", path).await.status();
    }
    statuses
}

/// The answers of a full bucket, and those of an empty one or of a store that is away.
const FULL: [u16; 3] = [200, 200, 429];
const EMPTY: [u16; 3] = [429, 429, 429];

#[tokio::test]
async fn a_store_whose_certificates_are_renewed_goes_on_keeping_limits() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let folder = folder.path();
    put(folder, &Papers::new().files());
    let mut redis = secured(port, folder);
    let instance = Setup::new(&limits(port, folder, &upstream)).start();
    wait_for_store(&instance).await;
    assert_eq!(three(&instance, "/before").await, FULL);

    // The new key is there before its certificate: nothing changes, and that is said.
    let new = Papers::new();
    put(folder, &[("client-key.pem", &new.client.key)]);
    wait_until(|| instance.log().contains("tls.key is not the key of"), RENEWAL).await;
    assert_eq!(three(&instance, "/meanwhile").await, FULL);

    // The authority is another, and so is everything that it signed.
    put(folder, &new.files());
    redis.restart();
    wait_until(|| instance.log().contains("certificates or keys were renewed"), RENEWAL).await;
    wait_for_store(&instance).await;
    assert_eq!(three(&instance, "/before").await, EMPTY, "the bucket is the one it was");
    assert_eq!(three(&instance, "/after").await, FULL, "the store decides");
    let log = instance.log();
    let refused: Vec<_> = log.lines().filter(|line| line.contains("the last good ones stay in force")).collect();
    assert!(refused.len() == 1 && refused[0].contains("client-key.pem"), "{log}");
    assert!(!log.contains(new.client.key.lines().nth(1).unwrap()), "the key is in the log");
}
