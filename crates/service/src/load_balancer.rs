//! A service that shares its requests among servers.

use std::sync::Arc;

use http::Request;
use tollgate_pipeline::{Body, BoxFuture, Exchange, Handler, Response, respond};

use crate::backend::{BackendError, Backends, BalancerKey, ServerKey};
use crate::balancer::Balancer;
use crate::client::Transport;
use crate::proxy::{HostHeader, Proxy};

/// A checked `loadBalancer`: for each request a server is picked by weight, and the request passed on to it.
pub struct LoadBalancer {
    name: Arc<str>,
    balancer: Arc<Balancer>,
    proxies: Vec<Proxy>,
}

/// What a load balancer is made of.
#[derive(Debug, Clone)]
pub struct LoadBalancerOptions {
    /// The qualified name of the service.
    pub name: Arc<str>,
    /// The servers, in the order of the configuration.
    pub servers: Vec<ServerOptions>,
    /// Which `Host` they see.
    pub host: HostHeader,
    /// How connections to them are made and kept.
    pub transport: Transport,
    /// Decides which server is first.
    pub seed: u64,
}

/// One server of a load balancer.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Where it is: `http://host:port`.
    pub url: Arc<str>,
    /// Its share of the requests. Zero or less: none.
    pub weight: i64,
    /// Whether the URL's path goes before the path of every request.
    pub preserve_path: bool,
}

impl LoadBalancer {
    /// Builds it from what `backends` already knows, where that did not change.
    pub fn new(options: LoadBalancerOptions, backends: &Backends) -> Result<Self, BackendError> {
        let LoadBalancerOptions { name, servers, host, transport, seed } = options;
        let key = BalancerKey {
            service: Arc::clone(&name),
            servers: servers.iter().map(|server| (Arc::clone(&server.url), server.weight)).collect(),
        };
        let proxies = servers
            .into_iter()
            .map(|server| {
                let key = ServerKey { url: server.url, keeps_path: server.preserve_path, transport: transport.clone() };
                Ok(Proxy::new(backends.backend(key)?, host))
            })
            .collect::<Result<_, BackendError>>()?;
        Ok(Self { name, balancer: backends.balancer(key, seed), proxies })
    }
}

impl Handler for LoadBalancer {
    fn handle<'a>(&'a self, request: Request<Body>, exchange: &'a mut Exchange) -> BoxFuture<'a, Response> {
        exchange.service = Some(Arc::clone(&self.name));
        match self.balancer.pick() {
            Some(server) => self.proxies[server].handle(request, exchange),
            None => Box::pin(std::future::ready(respond::no_server())),
        }
    }
}
