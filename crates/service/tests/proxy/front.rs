//! A bare entry point: what the gateway does around a handler, without everything else that it does.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use http::Version;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tollgate_pipeline::{Body, Exchange, ForwardedFor, Handler, Protocol, Response, Scheme};
use tollgate_service::{Backends, HostHeader, LoadBalancer, LoadBalancerOptions, ServerOptions, Transport, Upgrade};
use tollgate_testkit::{Message, RawClient, Upstream};

/// Serves one handler over HTTP/1.1 until it is dropped with its runtime.
pub(crate) struct Front {
    address: SocketAddr,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

/// A load balancer, as the tests vary it.
pub(crate) struct Setup {
    pub(crate) host: HostHeader,
    pub(crate) preserve_path: bool,
    pub(crate) path: &'static str,
    pub(crate) transport: Transport,
    pub(crate) forwarded_for: ForwardedFor,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            host: HostHeader::Pass,
            preserve_path: false,
            path: "",
            transport: Transport::default(),
            forwarded_for: ForwardedFor::Append,
        }
    }
}

impl Setup {
    /// Serves a load balancer over this one upstream.
    pub(crate) async fn before(self, upstream: &Upstream) -> Front {
        let url = format!("{}{}", upstream.url(), self.path);
        self.before_urls(&[url]).await
    }

    /// Serves a load balancer over these servers.
    pub(crate) async fn before_urls(self, urls: &[String]) -> Front {
        let forwarded_for = self.forwarded_for;
        Front::start(Arc::new(self.build(urls, &Backends::new())), forwarded_for).await
    }

    /// The load balancer alone.
    pub(crate) fn build(self, urls: &[String], backends: &Backends) -> LoadBalancer {
        let servers = urls
            .iter()
            .map(|url| ServerOptions { url: url.as_str().into(), weight: 1, preserve_path: self.preserve_path })
            .collect();
        let options = LoadBalancerOptions {
            name: "service@file".into(),
            servers,
            host: self.host,
            transport: self.transport,
            seed: 1,
        };
        LoadBalancer::new(options, backends).unwrap()
    }
}

impl Front {
    /// Serves a load balancer with nothing special about it.
    pub(crate) async fn before(upstream: &Upstream) -> Self {
        Setup::default().before(upstream).await
    }

    async fn start(handler: Arc<dyn Handler>, forwarded_for: ForwardedFor) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let exchanges = Arc::<Mutex<Vec<Exchange>>>::default();
        let record = Arc::clone(&exchanges);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&handler), forwarded_for, Arc::clone(&record)));
            }
        });
        Self { address, exchanges }
    }

    pub(crate) async fn connect(&self) -> RawClient {
        RawClient::connect(self.address).await
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn ask(&self, request: &str) -> Message {
        self.connect().await.ask(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Message {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n")).await
    }

    /// The records of the exchanges whose answers have begun.
    pub(crate) fn exchanges(&self) -> std::sync::MutexGuard<'_, Vec<Exchange>> {
        self.exchanges.lock().unwrap()
    }
}

async fn serve(
    stream: TcpStream,
    handler: Arc<dyn Handler>,
    forwarded_for: ForwardedFor,
    record: Arc<Mutex<Vec<Exchange>>>,
) {
    let (peer, local) = (stream.peer_addr().unwrap(), stream.local_addr().unwrap());
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
        let (handler, record) = (Arc::clone(&handler), Arc::clone(&record));
        async move {
            let mut request = request.map(Body::stream);
            let mut exchange = exchange(&request, peer, local, forwarded_for);
            let client = hyper::upgrade::on(&mut request);
            let mut response: Response = handler.handle(request, &mut exchange).await;
            if let Some(upgrade) = Upgrade::take(&mut response) {
                tokio::spawn(async move {
                    let client = TokioIo::new(client.await.expect("the client's end of an upgrade"));
                    let _ = upgrade.join(client).await;
                });
            }
            record.lock().unwrap().push(exchange);
            Ok::<_, Infallible>(response)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = connection.with_upgrades().await;
}

/// The record of an exchange that begins with `request`.
pub(crate) fn exchange(
    request: &http::Request<Body>,
    peer: SocketAddr,
    local: SocketAddr,
    forwarded_for: ForwardedFor,
) -> Exchange {
    let host = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    Exchange {
        started: Instant::now(),
        started_at: SystemTime::now(),
        entry_point: "web".into(),
        peer,
        local,
        scheme: Scheme::Http,
        protocol: if request.version() == Version::HTTP_10 { Protocol::Http10 } else { Protocol::Http11 },
        method: request.method().clone(),
        target: request.uri().clone(),
        authority: host.into(),
        withdrawn: None,
        forwarded_for,
        router: None,
        service: None,
        upstream: None,
        limits: smallvec::SmallVec::new(),
        request_bytes: 0,
    }
}
