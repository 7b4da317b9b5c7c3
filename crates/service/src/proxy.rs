//! Passing a request on to one backend.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::Entry;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use tollgate_pipeline::{Body, BoxFuture, Exchange, ForwardedFor, Handler, Protocol, Response, Upstream, respond};

use crate::backend::Backend;
use crate::client::{Answer, SendError};
use crate::fields;

/// Sends every request to one backend and passes on what it answers.
///
/// The message arrives as it was sent, but for what belongs to a single connection (RFC 9110 §7.6.1), and it arrives as
/// HTTP/1.1. Bodies stream both ways. A `101` carries a [`crate::Upgrade`] that whoever owns the client's connection
/// joins with it.
pub struct Proxy {
    backend: Arc<Backend>,
    host: HostHeader,
}

/// Which `Host` the backend sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HostHeader {
    /// The one that the client asked for (`passHostHeader: true`).
    #[default]
    Pass,
    /// The backend's own.
    Backend,
}

impl Proxy {
    /// A proxy to `backend`.
    pub fn new(backend: Arc<Backend>, host: HostHeader) -> Self {
        Self { backend, host }
    }

    fn forward<'a>(
        &'a self,
        mut request: Request<Body>,
        exchange: &'a mut Exchange,
    ) -> impl Future<Output = Response> + Send + 'a {
        self.rewrite(&mut request, exchange);
        // Recorded before it happens, for the client may go away and this future with it.
        let record = exchange.upstream.insert(self.record());
        async move {
            let started = Instant::now();
            let answer = self.backend.client().send(request).await;
            record.duration = started.elapsed();
            match answer {
                Ok(Answer { response, retries }) => {
                    record.status = Some(response.status());
                    record.retries = retries;
                    incoming(response)
                }
                Err(error) => failed(&error),
            }
        }
    }

    fn record(&self) -> Upstream {
        Upstream {
            url: Arc::clone(self.backend.url()),
            address: Arc::clone(self.backend.client().address()),
            status: None,
            duration: Duration::ZERO,
            retries: 0,
        }
    }

    /// Makes of the request what the backend is to see.
    fn rewrite(&self, request: &mut Request<Body>, exchange: &Exchange) {
        // With a body it would have to be told apart from the new protocol's first bytes: the request is then an
        // ordinary one, which the backend may refuse.
        let may_upgrade = request.body().is_empty() && exchange.protocol == Protocol::Http11;
        let headers = request.headers_mut();
        self.set_host(headers, exchange);
        let upgrade = fields::strip_request(headers);
        fields::clean_announcement(headers);
        if exchange.protocol == Protocol::Http2 {
            fields::join_cookies(headers);
        }
        if exchange.forwarded_for == ForwardedFor::Append {
            fields::append(headers, &X_FORWARDED_FOR, exchange.peer_ip());
        }
        if let Some(protocol) = upgrade.filter(|_| may_upgrade) {
            fields::set_upgrade(headers, protocol);
        }
        if let Some(target) = self.target(request.uri(), request.method()) {
            *request.uri_mut() = target;
        }
    }

    /// Exactly one `Host` goes out. Nearly always the one that is there already.
    fn set_host(&self, headers: &mut HeaderMap, exchange: &Exchange) {
        let own = || self.backend.host().clone();
        let host = match (self.host, headers.entry(header::HOST)) {
            (HostHeader::Pass, Entry::Occupied(host)) if host.iter().nth(1).is_none() => return,
            (HostHeader::Pass, Entry::Occupied(host)) => host.get().clone(),
            (HostHeader::Pass, Entry::Vacant(_)) if !exchange.authority.is_empty() => {
                HeaderValue::from_str(&exchange.authority).unwrap_or_else(|_| own())
            }
            (HostHeader::Pass | HostHeader::Backend, _) => own(),
        };
        headers.insert(header::HOST, host);
    }

    /// The target in origin form, unless it is in it already. A `;` separates parameters for our rules, and must not be
    /// read otherwise behind us.
    fn target(&self, uri: &Uri, method: &Method) -> Option<Uri> {
        if *method == Method::OPTIONS && uri.path() == "*" {
            return Some(Uri::from_static("*"));
        }
        let prefix = self.backend.path();
        let plain =
            prefix.is_empty() && uri.query().is_none_or(|query| memchr::memchr(b';', query.as_bytes()).is_none());
        let target = match uri.path_and_query() {
            None if plain => PathAndQuery::from_static("/"),
            Some(target) if plain && target.as_str().starts_with('/') => {
                uri.authority()?;
                target.clone()
            }
            _ => join(prefix, uri.path(), uri.query()),
        };
        Some(Uri::from(target))
    }
}

impl Handler for Proxy {
    fn handle<'a>(&'a self, request: Request<Body>, exchange: &'a mut Exchange) -> BoxFuture<'a, Response> {
        // A tunnel through the backend is none of its answers. Go's server, and so Traefik, says the same.
        if *request.method() == Method::CONNECT {
            return Box::pin(std::future::ready(respond::bare(StatusCode::NOT_IMPLEMENTED)));
        }
        Box::pin(self.forward(request, exchange))
    }
}

/// `prefix` and `path` with one slash between them, and the query.
fn join(prefix: &str, path: &str, query: Option<&str>) -> PathAndQuery {
    let mut target = format!("{}/{}", prefix.trim_end_matches('/'), path.strip_prefix('/').unwrap_or(path));
    if let Some(query) = query {
        target.push('?');
        target.push_str(&query.replace(';', "&"));
    }
    // Both parts were parsed before, and what stands between them is a slash.
    PathAndQuery::try_from(target).unwrap_or_else(|_| PathAndQuery::from_static("/"))
}

/// The answer as the client is to see it.
fn incoming(mut response: Response) -> Response {
    let status = response.status();
    let headers = response.headers_mut();
    let upgrade = (status == StatusCode::SWITCHING_PROTOCOLS).then(|| headers.get(header::UPGRADE).cloned()).flatten();
    fields::strip_response(headers);
    fields::clean_announcement(headers);
    if let Some(protocol) = upgrade {
        fields::set_upgrade(headers, protocol);
    }
    // Neither has a body, and neither may state a length (RFC 9110 §8.6).
    if status == StatusCode::NO_CONTENT || status.is_informational() {
        headers.remove(header::CONTENT_LENGTH);
    }
    response
}

fn failed(error: &SendError) -> Response {
    let status = error.status();
    tracing::debug!(status = status.as_u16(), error = error as &dyn std::error::Error, "the backend did not answer");
    respond::bare(status)
}

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
