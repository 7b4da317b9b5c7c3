//! The shared store over TLS: a real server, certificates made for the test.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tollgate_store::{Clock, ErrorKind, Health, MemoryOptions, RedisOptions, RedisTls, Store, Stores, Topology};
use tollgate_testkit::redis::Redis;
use tollgate_testkit::{free_port, wait_until};

/// An authority, a server that it vouches for, and a client likewise; and a stranger.
struct Papers {
    ca: String,
    server: (String, String),
    client: (String, String),
    stranger: String,
}

fn papers() -> Papers {
    // Everybody has a name of his own: a certificate whose issuer has its own name is taken for self-signed.
    let named = |name: &str| {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let authority = |name| {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let ours = authority("authority");
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate = named(name).signed_by(&key, &ours).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    Papers {
        ca: ours.pem(),
        server: issue("localhost"),
        client: issue("gateway"),
        stranger: authority("stranger").pem(),
    }
}

fn server(papers: &Papers, directory: &std::path::Path, more: &[&str]) -> (Redis, u16) {
    for (name, text) in [("ca", &papers.ca), ("certificate", &papers.server.0), ("key", &papers.server.1)] {
        std::fs::write(directory.join(name), text).unwrap();
    }
    let port = free_port();
    let file = |option: &str, name: &str| format!("{option} {}", directory.join(name).display());
    let lines = [
        format!("tls-port {port}"),
        file("tls-ca-cert-file", "ca"),
        file("tls-cert-file", "certificate"),
        file("tls-key-file", "key"),
        "tls-auth-clients yes".to_owned(),
    ];
    let lines: Vec<_> = lines.iter().map(String::as_str).chain(more.iter().copied()).collect();
    (Redis::with_config(&lines), port)
}

#[tokio::test]
async fn who_is_who_is_proved_on_both_sides() {
    let papers = papers();
    let directory = tempfile::tempdir().unwrap();
    let (plain, port) = server(&papers, directory.path(), &[]);
    let stores = Stores::new(MemoryOptions::default(), Clock::system(), tokio::runtime::Handle::current());
    let tls = |ca: &str, identity: bool, insecure_skip_verify| RedisTls {
        ca: Some(ca.to_owned()),
        identity: identity.then(|| papers.client.clone()),
        insecure_skip_verify,
    };
    let health = async |host: &str, port: u16, tls: RedisTls| {
        let store = stores.redis(RedisOptions {
            topology: Topology::Standalone { endpoint: format!("{host}:{port}") },
            username: String::new(),
            password: String::new(),
            database: 0,
            connect_timeout: Duration::from_secs(2),
            deadline: Duration::from_secs(2),
            tls: Some(tls),
            strict: false,
        });
        let Store::Redis(store) = store else { unreachable!("it was made as one") };
        let settled = || match store.health() {
            Health::Available => true,
            Health::Impaired(error) | Health::Unavailable(error) => error.detail != "not connected yet",
        };
        wait_until(settled, Duration::from_secs(10)).await;
        store.health()
    };
    assert_eq!(health("localhost", port, tls(&papers.ca, true, false)).await, Health::Available);
    assert_eq!(health("localhost", port, tls(&papers.stranger, true, true)).await, Health::Available);
    for (what, host, port, tls) in [
        ("an authority that did not sign", "localhost", port, tls(&papers.stranger, true, false)),
        ("a name that is not in the certificate", "127.0.0.1", port, tls(&papers.ca, true, false)),
    ] {
        let Health::Unavailable(error) = health(host, port, tls).await else { panic!("{what} was believed") };
        assert_eq!(error.kind, ErrorKind::Tls, "{what}: {error}");
        assert!(error.to_string().contains("hint: check tls.ca"), "{error}");
    }
    for (what, port, tls) in [
        ("a client without a certificate", port, tls(&papers.ca, false, false)),
        // It waits for the end of a line that a greeting of TLS may not have.
        ("a server without TLS", plain.port(), tls(&papers.ca, true, false)),
    ] {
        let health = health("localhost", port, tls).await;
        assert!(matches!(health, Health::Unavailable(_)), "{what}");
    }
}

/// The node names itself, which has no name: it is where it was asked, and at its port for TLS.
#[tokio::test]
async fn a_cluster_is_followed_over_tls() {
    let papers = papers();
    let directory = tempfile::tempdir().unwrap();
    let bus = format!("cluster-port {}", free_port());
    let (node, port) = server(&papers, directory.path(), &["cluster-enabled yes", "tls-cluster yes", &bus]);
    let slots: Vec<_> = (0..16_384).map(|slot| slot.to_string()).collect();
    let command: Vec<_> = ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str)).collect();
    assert_eq!(node.command(&command).text(), "OK");
    let stores = Stores::new(MemoryOptions::default(), Clock::system(), tokio::runtime::Handle::current());
    let store = stores.redis(RedisOptions {
        topology: Topology::Cluster { seeds: vec![format!("localhost:{port}")] },
        username: String::new(),
        password: String::new(),
        database: 0,
        connect_timeout: Duration::from_secs(2),
        deadline: Duration::from_secs(2),
        tls: Some(RedisTls {
            ca: Some(papers.ca.clone()),
            identity: Some(papers.client.clone()),
            insecure_skip_verify: false,
        }),
        strict: false,
    });
    let Store::Redis(store) = store else { unreachable!("it was made as one") };
    wait_until(|| store.health() == Health::Available, Duration::from_secs(20)).await;
    let nodes = store.nodes();
    assert_eq!((nodes.len(), nodes[0].address.as_str()), (1, &*format!("localhost:{port}")));
}
