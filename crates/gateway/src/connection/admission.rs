//! What a request must be before anybody sees it: one host, one path, one query.

use std::str;
use std::sync::Arc;

use http::header::{HOST, HeaderValue};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{Method, StatusCode, Uri, Version};
use parking_lot::Mutex;
use tollgate_rule::canonical;

use crate::options::{EntryPointOptions, QuerySemicolons};

/// HTTP/2 has no limit of its own for the number of fields; this is that of the guard for HTTP/1.
const MAX_FIELDS: usize = 100;

/// Why a request goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
}

const BAD_REQUEST: Refusal = Refusal { status: StatusCode::BAD_REQUEST };

/// The host of a request, in the forms in which it is needed.
#[derive(Debug)]
pub(super) struct KnownHost {
    header: HeaderValue,
    authority: Arc<str>,
    port: Option<HeaderValue>,
}

impl KnownHost {
    fn new(header: &HeaderValue) -> Option<Self> {
        let text = str::from_utf8(header.as_bytes()).ok()?;
        let authority: Authority = text.parse().ok()?;
        let is_plain = !text.contains(['@', '%', ',']);
        let port = authority.port().map(|port| HeaderValue::from_str(port.as_str())).transpose().ok()?;
        // A copy: the original would keep all that was read with it for as long as the connection lives.
        let header = HeaderValue::from_bytes(header.as_bytes()).ok()?;
        is_plain.then(|| Self { authority: Arc::from(text), port, header })
    }

    /// With its port, as it was written.
    pub(super) fn authority(&self) -> &Arc<str> {
        &self.authority
    }

    /// The port alone.
    pub(super) fn port(&self) -> Option<&HeaderValue> {
        self.port.as_ref()
    }
}

/// Admits the requests of a connection.
pub(super) struct Admission<'a> {
    pub(super) options: &'a EntryPointOptions,
    /// The host that the connection asked for last.
    pub(super) known: &'a Mutex<Option<Arc<KnownHost>>>,
}

impl Admission<'_> {
    /// Brings a request into the one form that routers, middlewares and backends see: the host in `Host`, the target in
    /// origin form with a canonical path. Returns its host; HTTP/1.0 may have none.
    pub(super) fn admit(&self, parts: &mut Parts) -> Result<Option<Arc<KnownHost>>, Refusal> {
        if parts.method == Method::CONNECT {
            return Err(Refusal { status: StatusCode::NOT_IMPLEMENTED });
        }
        if parts.version == Version::HTTP_2 {
            check_http2(parts)?;
        }
        let host = self.host(parts)?;
        if let Some(target) = self.target(&parts.uri)? {
            parts.uri = target;
        }
        Ok(host)
    }

    /// The authority of the target wins over `Host`, which is then rewritten (RFC 9112 §3.2.2, RFC 9113 §8.3.1).
    fn host(&self, parts: &mut Parts) -> Result<Option<Arc<KnownHost>>, Refusal> {
        let header = match parts.uri.authority() {
            Some(authority) => {
                let text = canonical::authority(Some(authority.as_str()), None);
                let header = match parts.headers.get(HOST) {
                    Some(host) if host == text => host.clone(),
                    _ => HeaderValue::from_str(text).map_err(|_| BAD_REQUEST)?,
                };
                parts.headers.insert(HOST, header.clone());
                header
            }
            None => match parts.headers.get(HOST) {
                Some(host) if !host.is_empty() => host.clone(),
                _ if parts.version == Version::HTTP_2 => return Err(BAD_REQUEST),
                // HTTP/1.0 without a host; the guard lets no HTTP/1.1 through without one.
                _ => return Ok(None),
            },
        };
        self.known_host(&header).map(Some)
    }

    fn known_host(&self, header: &HeaderValue) -> Result<Arc<KnownHost>, Refusal> {
        let mut last = self.known.lock();
        match &*last {
            Some(known) if known.header == *header => Ok(Arc::clone(known)),
            _ => {
                let known = Arc::new(KnownHost::new(header).ok_or(BAD_REQUEST)?);
                *last = Some(Arc::clone(&known));
                Ok(known)
            }
        }
    }

    /// The target in the form it goes on, if that is another.
    fn target(&self, uri: &Uri) -> Result<Option<Uri>, Refusal> {
        let path = match uri.path() {
            "*" => "*".into(),
            "" => "/".into(),
            path if self.options.sanitize_path => canonical::path(path).map_err(|_| BAD_REQUEST)?,
            path => canonical::written_path(path).map_err(|_| BAD_REQUEST)?,
        };
        // What separates is read as `&` by the rules, and becomes one on the way to a backend.
        let encodes = self.options.query_semicolons == QuerySemicolons::Encode;
        let query = uri.query().filter(|query| encodes && query.contains(';'));
        let is_same_path = path.len() == uri.path().len() && path == uri.path();
        if is_same_path && query.is_none() {
            let Some(same) = uri.path_and_query().filter(|_| uri.authority().is_some()) else {
                return Ok(None);
            };
            return Ok(Some(Uri::from(same.clone())));
        }
        let query = query.map(|query| query.replace(';', "%3B"));
        let target = match query.as_deref().or(uri.query()) {
            Some(query) => [&path, "?", query].concat(),
            None => path.into_owned(),
        };
        PathAndQuery::try_from(target).map(|target| Some(Uri::from(target))).map_err(|_| BAD_REQUEST)
    }
}

/// What the guard checks for HTTP/1 and hyper does not for HTTP/2.
fn check_http2(parts: &Parts) -> Result<(), Refusal> {
    if parts.headers.len() > MAX_FIELDS {
        return Err(Refusal { status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE });
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(BAD_REQUEST);
    }
    if let (Some(host), Some(authority)) = (host, parts.uri.authority()) {
        // Two names for one request: whoever looks at the other one decides about another request.
        if authority.as_str().contains('@') || !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) {
            return Err(BAD_REQUEST);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
