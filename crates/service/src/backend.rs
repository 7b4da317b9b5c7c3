//! Backends, and what of them outlives a configuration.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

use http::{HeaderValue, Uri};
use parking_lot::Mutex;

use crate::balancer::Balancer;
use crate::client::{Client, Transport};

/// A server that requests can be sent to, with its connections.
pub struct Backend {
    url: Arc<str>,
    host: HeaderValue,
    path: String,
    client: Client,
}

/// Why a URL does not name a backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// It cannot be read as a URL with a host.
    #[error("{0}: not a URL with a scheme and a host")]
    Url(Box<str>),
    /// It wants a protocol that is not spoken here.
    #[error("{url}: the scheme {scheme} is not supported")]
    Scheme {
        /// The URL as written.
        url: Box<str>,
        /// What it begins with.
        scheme: Box<str>,
    },
}

impl Backend {
    /// The backend that `url` names, for example `http://10.0.0.7:8080`. Its path counts if `keeps_path` says so
    /// (`preservePath`); a query never does.
    fn new(server: &ServerKey) -> Result<Self, BackendError> {
        let shown = shown(&server.url);
        let written = || Box::from(&*shown);
        let uri: Uri = server.url.parse().map_err(|_| BackendError::Url(written()))?;
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), authority) else {
            return Err(BackendError::Url(written()));
        };
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(BackendError::Scheme { url: written(), scheme: scheme.into() });
        }
        // What stands before an `@` is for nobody: not for the resolver, and not for the backend's Host.
        let (_, address) = authority.as_str().rsplit_once('@').unwrap_or(("", authority.as_str()));
        let host = HeaderValue::from_str(address).map_err(|_| BackendError::Url(written()))?;
        let address: Arc<str> = match authority.port() {
            Some(_) => address.into(),
            None => format!("{}:80", authority.host()).into(),
        };
        let path = if server.keeps_path { uri.path().trim_end_matches('/').to_owned() } else { String::new() };
        Ok(Self { url: shown.as_ref().into(), host, path, client: Client::new(address, server.transport.clone()) })
    }

    /// The URL as configured, with what stands before an `@` made unreadable.
    pub fn url(&self) -> &Arc<str> {
        &self.url
    }

    /// What its own `Host` is.
    pub fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// What stands before the path of every request; empty, or beginning with a slash and not ending with one.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where requests to it are sent from.
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// The backends and balancers in use, so that a new configuration finds again what it did not change: idle
/// connections, and whose turn it is. What no configuration uses any more goes with the last one that did.
#[derive(Default)]
pub struct Backends {
    backends: Mutex<HashMap<ServerKey, Weak<Backend>>>,
    balancers: Mutex<HashMap<BalancerKey, Weak<Balancer>>>,
}

/// Everything that makes two servers the same backend.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ServerKey {
    pub(crate) url: Arc<str>,
    pub(crate) keeps_path: bool,
    pub(crate) transport: Transport,
}

/// Everything that makes two services share their turns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct BalancerKey {
    pub(crate) service: Arc<str>,
    pub(crate) servers: Vec<(Arc<str>, i64)>,
}

impl Backends {
    /// No backends yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The backend in use for `key`, or a new one.
    pub(crate) fn backend(&self, key: ServerKey) -> Result<Arc<Backend>, BackendError> {
        let mut backends = self.backends.lock();
        if let Some(backend) = backends.get(&key).and_then(Weak::upgrade) {
            return Ok(backend);
        }
        backends.retain(|_, backend| backend.strong_count() > 0);
        let backend = Arc::new(Backend::new(&key)?);
        backends.insert(key, Arc::downgrade(&backend));
        Ok(backend)
    }

    /// The balancer in use for `key`, or a new one, begun at a place that `seed` chooses.
    pub(crate) fn balancer(&self, key: BalancerKey, seed: u64) -> Arc<Balancer> {
        let mut balancers = self.balancers.lock();
        if let Some(balancer) = balancers.get(&key).and_then(Weak::upgrade) {
            return balancer;
        }
        balancers.retain(|_, balancer| balancer.strong_count() > 0);
        let weights: Vec<i64> = key.servers.iter().map(|(_, weight)| *weight).collect();
        let balancer = Arc::new(Balancer::new(&weights, seed));
        balancers.insert(key, Arc::downgrade(&balancer));
        balancer
    }
}

/// A URL that may be printed.
fn shown(url: &str) -> Cow<'_, str> {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    match url[start..end].rfind('@') {
        Some(at) => format!("{}xxxx{}", &url[..start], &url[start + at..]).into(),
        None => url.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(url: &str) -> ServerKey {
        ServerKey { url: url.into(), keeps_path: true, transport: Transport::default() }
    }

    #[test]
    fn a_url_says_where_to_connect_and_what_to_call_it() {
        for (url, address, host, path) in [
            ("http://10.0.0.7:8080", "10.0.0.7:8080", "10.0.0.7:8080", ""),
            ("http://a.test", "a.test:80", "a.test", ""),
            ("HTTP://a.test/", "a.test:80", "a.test", ""),
            ("http://[::1]", "[::1]:80", "[::1]", ""),
            ("http://[::1]:81/base/?q=1", "[::1]:81", "[::1]:81", "/base"),
            ("http://user:secret@a.test:82/x", "a.test:82", "a.test:82", "/x"),
        ] {
            let backend = Backend::new(&key(url)).unwrap();
            assert_eq!(&**backend.client().address(), address, "{url}");
            assert_eq!(backend.host(), host, "{url}");
            assert_eq!(backend.path(), path, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_reached_is_refused_with_a_reason() {
        for url in ["", "/path", "a.test:80", "http://", "http:///x", "http://a b/"] {
            assert!(matches!(Backend::new(&key(url)), Err(BackendError::Url(_))), "{url}");
        }
        for url in ["https://a.test", "h2c://a.test", "ftp://a.test"] {
            assert!(matches!(Backend::new(&key(url)), Err(BackendError::Scheme { .. })), "{url}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let backend = Backend::new(&key("http://user:secret@a.test/x@y")).unwrap();
        assert_eq!(&**backend.url(), "http://xxxx@a.test/x@y");
        for url in ["https://user:secret@a.test", "http://user:secret@", "user:secret@a.test"] {
            let Err(error) = Backend::new(&key(url)) else { panic!("{url}") };
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn the_same_server_is_the_same_backend_while_somebody_uses_it() {
        let backends = Backends::new();
        let first = backends.backend(key("http://a.test")).unwrap();
        assert!(Arc::ptr_eq(&first, &backends.backend(key("http://a.test")).unwrap()));
        assert!(!Arc::ptr_eq(&first, &backends.backend(key("http://b.test")).unwrap()));
        let gone = Arc::downgrade(&first);
        drop(first);
        assert!(gone.upgrade().is_none());
    }

    #[test]
    fn a_reload_does_not_begin_the_turns_anew() {
        let backends = Backends::new();
        let key = || BalancerKey { service: "s@file".into(), servers: vec![("a".into(), 1), ("b".into(), 1)] };
        let before = backends.balancer(key(), 1);
        let first = before.pick();
        let after = backends.balancer(key(), 2);
        drop(before);
        assert_ne!(after.pick(), first);
    }
}
