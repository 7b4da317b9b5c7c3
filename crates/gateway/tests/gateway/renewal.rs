//! Certificates and keys that change on disk while a configuration is in force. The clock is the test's own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::time::{resume, sleep, timeout};
use tollgate_gateway::{Gateway, Reloaded};
use tollgate_provider::Aggregate;
use tollgate_telemetry::log::{Log, Settings};
use tollgate_testkit::RawClient;

use crate::harness::{Running, apply, start};

/// How often the gateway looks.
const LOOK: Duration = Duration::from_secs(5);

/// Where the tasks of the store are: nobody runs them, so it is never found and nothing is said about it.
static STORES: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().build().unwrap());

/// A certificate and its key.
struct Pair {
    certificate: String,
    key: String,
}

impl Pair {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        Self { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
    }
}

/// A running gateway whose limit needs `ca.pem`, `cert.pem` and `key.pem`.
struct Setup {
    folder: TempDir,
    gateway: Gateway,
    /// What was put into force first.
    first: Reloaded,
    told: mpsc::UnboundedReceiver<Reloaded>,
    _news: watch::Sender<Arc<Aggregate>>,
}

impl Setup {
    fn new() -> Self {
        Self::with(|folder| {
            let pair = Pair::new();
            fs::write(folder.join("ca.pem"), &pair.certificate).unwrap();
            fs::write(folder.join("cert.pem"), &pair.certificate).unwrap();
            fs::write(folder.join("key.pem"), &pair.key).unwrap();
        })
    }

    /// The files are as `arrange` leaves them.
    fn with(arrange: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        arrange(folder.path());
        let path = folder.path().display();
        let Running { gateway, mut reloader, .. } = {
            let _entered = STORES.enter();
            start("{}")
        };
        // One router is broken all the time: that is no reason to refuse anything.
        let config = format!(
            "http:
               middlewares:
                 limit:
                   rateLimit:
                     average: 1
                     redis:
                       endpoints: ['127.0.0.1:1']
                       tls: {{ca: '{path}/ca.pem', cert: '{path}/cert.pem', key: '{path}/key.pem'}}
               routers:
                 limited: {{rule: 'Path(`/`)', service: s, middlewares: [limit]}}
                 broken: {{rule: 'Path(`/broken`)', service: nowhere}}
               services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:1'}}]}}}}}}"
        );
        let first = apply(&mut reloader, &config);
        let (news, aggregates) = watch::channel(Arc::<Aggregate>::default());
        let (tell, told) = mpsc::unbounded_channel();
        tokio::spawn(reloader.run(aggregates, move |reloaded| {
            let _ = tell.send(reloaded);
        }));
        Self { folder, gateway, first, told, _news: news }
    }

    /// Replaces a file at once, by renaming.
    fn replace(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        let new = path.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }

    /// Writes a file where it is.
    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// What is put into force within two looks, and only that.
    async fn renewed(&mut self) -> Reloaded {
        let reloaded = timeout(2 * LOOK, self.told.recv()).await.expect("nothing was renewed").unwrap();
        self.unchanged().await;
        reloaded
    }

    /// Nothing is put into force, however often somebody looks.
    async fn unchanged(&mut self) {
        sleep(12 * LOOK).await;
        let reloaded = self.told.try_recv().map(|reloaded| reloaded.generation);
        assert!(reloaded.is_err(), "generation {reloaded:?}");
    }

    /// Whether the router with the limit takes requests: its policy refuses them, because there is no store.
    async fn is_limited(&self) -> bool {
        // From here on the clock is the client's.
        resume();
        let mut client = RawClient::connect(self.gateway.local_addrs()[0].1).await;
        let status = client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await.status();
        assert!(matches!(status, 404 | 429), "{status}");
        status == 429
    }
}

/// A certificate without the first line of what it says.
fn without_a_line(certificate: &str) -> String {
    let lines: Vec<_> = certificate.lines().collect();
    [&lines[..1], &lines[2..]].concat().join("\n")
}

fn errors(reloaded: &Reloaded) -> Vec<String> {
    reloaded.diagnostics.iter().filter(|found| found.is_error()).map(ToString::to_string).collect()
}

/// What is said while `during` goes on.
async fn said(during: impl Future<Output = ()>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let settings = Settings { file: Some(path.clone()), ..Settings::default() };
    let log = Log::open(&settings).unwrap();
    {
        // Everything here is on this thread.
        let _saying = tracing::subscriber::set_default(log.subscriber(&settings));
        during.await;
    }
    log.close(Duration::from_secs(20));
    fs::read_to_string(path).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_was_renewed_is_put_into_force_once() {
    let mut setup = Setup::new();
    setup.unchanged().await;
    setup.replace("ca.pem", &Pair::new().certificate);
    let reloaded = setup.renewed().await;
    assert_eq!(reloaded.generation, setup.first.generation + 1);
    assert!(Arc::ptr_eq(&reloaded.config, &setup.first.config));
    assert_eq!(reloaded.status, setup.first.status);

    let pair = Pair::new();
    setup.replace("key.pem", &pair.key);
    setup.replace("cert.pem", &pair.certificate);
    assert_eq!(setup.renewed().await.generation, setup.first.generation + 2);
    // The same once more is nothing new.
    setup.replace("key.pem", &pair.key);
    setup.unchanged().await;
    assert!(setup.is_limited().await);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_turned_elsewhere_is_noticed() {
    // As Kubernetes mounts a secret: `..data` is replaced by a link to the next folder.
    let mut setup = Setup::with(|folder| {
        for version in ["..1", "..2"] {
            let pair = Pair::new();
            fs::create_dir(folder.join(version)).unwrap();
            fs::write(folder.join(version).join("ca.pem"), &pair.certificate).unwrap();
            fs::write(folder.join(version).join("cert.pem"), &pair.certificate).unwrap();
            fs::write(folder.join(version).join("key.pem"), &pair.key).unwrap();
        }
        symlink("..1", folder.join("..data")).unwrap();
        for name in ["ca.pem", "cert.pem", "key.pem"] {
            symlink(Path::new("..data").join(name), folder.join(name)).unwrap();
        }
    });
    let folder = setup.folder.path();
    symlink("..2", folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    assert_eq!(setup.renewed().await.generation, setup.first.generation + 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_still_being_written_is_waited_for() {
    let mut setup = Setup::new();
    // Whole certificates all the time, but more of them at every look.
    let mut bundle = String::new();
    sleep(LOOK / 2).await;
    for _ in 0..10 {
        bundle += &Pair::new().certificate;
        setup.write("ca.pem", &bundle);
        sleep(LOOK).await;
        assert!(setup.told.try_recv().is_err());
    }
    assert_eq!(setup.renewed().await.generation, setup.first.generation + 1);
}

#[tokio::test(start_paused = true)]
async fn what_no_connection_can_be_made_with_leaves_the_last_good_one_in_force() {
    type Spoil = fn(&Setup, &Pair);
    let spoilt: [(Spoil, &str, &str); 5] = [
        (|setup, new| setup.replace("key.pem", &new.key), "tls.key is not the key of the certificate", "key.pem"),
        (
            |setup, new| setup.write("cert.pem", &new.certificate[..new.certificate.len() / 2]),
            "failed to load TLS keypair: no PEM block",
            "cert.pem",
        ),
        (
            // Cut short between two lines, by somebody who knows how it ends.
            // Cut short between two lines, by somebody who knows how it ends.
            |setup, new| setup.write("ca.pem", &without_a_line(&new.certificate)),
            "tls.ca is not a list of certificates",
            "ca.pem",
        ),
        (|setup, _| setup.write("ca.pem", ""), "failed to parse CA", "ca.pem"),
        (|setup, _| fs::remove_file(setup.folder.path().join("key.pem")).unwrap(), "no PEM block", "key.pem"),
    ];
    for (spoil, why, file) in spoilt {
        let (mut setup, new) = (Setup::new(), Pair::new());
        let log = said(async {
            spoil(&setup, &new);
            setup.unchanged().await;
        })
        .await;
        let refused: Vec<_> = log.lines().filter(|line| line.contains("the last good ones stay in force")).collect();
        assert!(refused.len() == 1 && refused[0].contains(file), "{log}");
        assert!(log.contains(why), "{log}");

        // What comes to a good end is put into force.
        setup.replace("ca.pem", &new.certificate);
        setup.replace("cert.pem", &new.certificate);
        setup.replace("key.pem", &new.key);
        let reloaded = setup.renewed().await;
        assert_eq!(errors(&reloaded), errors(&setup.first));
    }
}

#[tokio::test(start_paused = true)]
async fn a_router_stays_while_its_key_is_of_no_use() {
    let mut setup = Setup::new();
    let good = fs::read_to_string(setup.folder.path().join("key.pem")).unwrap();
    setup.replace("key.pem", &Pair::new().key);
    setup.unchanged().await;
    // Back again: that is what is in force.
    setup.replace("key.pem", &good);
    setup.unchanged().await;
    setup.replace("key.pem", &Pair::new().key);
    setup.unchanged().await;
    assert!(setup.is_limited().await);
}

#[tokio::test(start_paused = true)]
async fn what_was_missing_at_first_comes_into_force_when_it_is_there() {
    let pair = Pair::new();
    let mut setup = Setup::with(|folder| {
        fs::write(folder.join("cert.pem"), &pair.certificate).unwrap();
        fs::write(folder.join("key.pem"), &Pair::new().key).unwrap();
    });
    assert!(errors(&setup.first).iter().any(|error| error.contains("failed to parse CA")), "{:?}", setup.first);
    // Less is wrong with it, and what is left is told.
    setup.write("ca.pem", &pair.certificate);
    let reloaded = setup.renewed().await;
    let errors_left = errors(&reloaded);
    assert!(errors_left.iter().any(|error| error.contains("tls.key is not the key of")), "{errors_left:?}");
    setup.write("key.pem", &pair.key);
    assert_eq!(errors(&setup.renewed().await).len(), 1, "but for the broken router");
    assert!(setup.is_limited().await);
}
