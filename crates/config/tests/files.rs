//! Certificates and keys that are renewed while a configuration is in force.

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;
use tollgate_config::checked::{MiddlewareKind, Store, Tls};
use tollgate_config::{Compiled, Format, compile, load_dynamic_text};

/// A Redis whose certificates are in a folder.
struct Setup {
    folder: TempDir,
}

impl Setup {
    fn new() -> Self {
        let setup = Self { folder: tempfile::tempdir().expect("a folder") };
        setup.write("ca.pem", &pem("CERTIFICATE", "AAAA"));
        setup.write("cert.pem", &pem("CERTIFICATE", "BBBB"));
        setup.write("key.pem", &pem("PRIVATE KEY", "CCCC"));
        setup
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file can be written");
    }

    fn compile(&self) -> Compiled {
        let folder = self.folder.path().display();
        let text = format!(
            "http: {{middlewares: {{m: {{rateLimit: {{average: 1, redis: {{tls: {{ca: '{folder}/ca.pem', cert: \
             '{folder}/cert.pem', key: '{folder}/key.pem'}}}}}}}}}}}}"
        );
        let (config, _) = load_dynamic_text(&text, Format::Yaml, "f").expect("the text loads");
        compile(&support::merged(config), &support::context())
    }
}

fn pem(label: &str, body: &str) -> String {
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

fn tls(compiled: &Compiled) -> Option<Tls> {
    let MiddlewareKind::RateLimit(limit) = &compiled.config.middlewares.get("m@file")?.kind else { return None };
    let Store::Redis(redis) = &limit.store else { return None };
    redis.tls.clone()
}

#[test]
fn a_renewed_certificate_is_noticed_and_in_force_after_compiling_again() {
    let setup = Setup::new();
    let before = setup.compile();
    assert_eq!(before.files.paths().count(), 3, "{:?}", before.files);
    assert_eq!(before.files.reread(), before.files);

    // Written again, but the same: nothing to do.
    setup.write("ca.pem", &pem("CERTIFICATE", "AAAA"));
    assert_eq!(before.files.reread(), before.files);

    setup.write("ca.pem", &pem("CERTIFICATE", "DDDD"));
    assert_ne!(before.files.reread(), before.files);
    let after = setup.compile();
    assert_eq!(after.files, before.files.reread());
    assert_ne!(tls(&after), tls(&before), "a store is found again by its options, so this is another one");
    assert_eq!(tls(&after).unwrap().ca, Some(pem("CERTIFICATE", "DDDD")));
}

#[test]
fn a_key_that_is_behind_a_link_is_noticed() {
    // As Kubernetes does it: `..data` turns from one folder to the next.
    let setup = Setup::new();
    for (version, body) in [("1", "EEEE"), ("2", "FFFF")] {
        fs::create_dir(setup.path(version)).unwrap();
        setup.write(&format!("{version}/key.pem"), &pem("PRIVATE KEY", body));
    }
    symlink("1", setup.path("..data")).unwrap();
    fs::remove_file(setup.path("key.pem")).unwrap();
    symlink("..data/key.pem", setup.path("key.pem")).unwrap();
    let before = setup.compile();
    fs::remove_file(setup.path("..data")).unwrap();
    symlink("2", setup.path("..data")).unwrap();
    assert_ne!(before.files.reread(), before.files);
    let (_, key) = tls(&setup.compile()).unwrap().identity.unwrap();
    assert_eq!(*key.expose(), pem("PRIVATE KEY", "FFFF"));
}

#[test]
fn a_file_that_comes_later_is_waited_for() {
    let setup = Setup::new();
    fs::remove_file(setup.path("cert.pem")).unwrap();
    let before = setup.compile();
    assert_eq!(tls(&before), None, "{:?}", before.config);
    assert_eq!(before.files.reread(), before.files);
    setup.write("cert.pem", &pem("CERTIFICATE", "BBBB"));
    assert_ne!(before.files.reread(), before.files);
    assert!(tls(&setup.compile()).is_some());
}

#[test]
fn a_file_that_cannot_be_read_is_named_as_that() {
    type Spoil = fn(&Path);
    let spoilt: [(Spoil, &str); 3] = [
        (|path| fs::create_dir(path).unwrap(), "failed to read CA. not a file of certificates or keys"),
        (|path| fs::write(path, [0x30, 0x82, 0xff]).unwrap(), "failed to read CA. it is not text, so not PEM"),
        (|path| symlink(path, path).unwrap(), "failed to read CA. Too many levels of symbolic links"),
    ];
    for (spoil, expected) in spoilt {
        let setup = Setup::new();
        fs::remove_file(setup.path("ca.pem")).unwrap();
        spoil(&setup.path("ca.pem"));
        let compiled = setup.compile();
        let errors = &compiled.status.middlewares["m@file"].errors;
        assert!(errors.iter().any(|error| error.contains(expected)), "{expected:?} is not in {errors:?}");
        assert!(compiled.files.paths().any(|path| path.ends_with("ca.pem")), "{:?}", compiled.files);
    }
}

#[test]
fn text_in_the_configuration_is_no_file() {
    let text = "http: {middlewares: {m: {rateLimit: {average: 1, redis: {tls: {ca: \"-----BEGIN CERTIFICATE-----\\nTUlJ\\n-----END \
                CERTIFICATE-----\\n\"}}}}}}";
    let (config, _) = load_dynamic_text(text, Format::Yaml, "f").unwrap();
    let compiled = compile(&support::merged(config), &support::context());
    assert!(tls(&compiled).is_some(), "{:?}", compiled.diagnostics);
    assert!(compiled.files.is_empty(), "{:?}", compiled.files);
}
