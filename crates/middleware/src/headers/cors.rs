//! Cross-origin requests: the answer to a preflight, and what is added to the others.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method};
use regex::Regex;
use tollgate_pipeline::{Body, Request, Response};

/// The `accessControl…` part of `headers` (Traefik 3.7, <https://fetch.spec.whatwg.org/#http-cors-protocol>).
#[derive(Debug, Clone, Default)]
pub struct Cors {
    /// `accessControlAllowCredentials`.
    pub credentials: bool,
    /// `accessControlAllowHeaders`, joined with commas.
    pub allow_headers: Option<HeaderValue>,
    /// `accessControlAllowMethods`, joined with commas.
    pub allow_methods: Option<HeaderValue>,
    /// `accessControlAllowOriginList`: origins, or `*`.
    pub origins: Vec<HeaderValue>,
    /// `accessControlAllowOriginListRegex`, searched for in the origin.
    pub origin_regexes: Vec<Regex>,
    /// `accessControlExposeHeaders`, joined with commas.
    pub expose_headers: Option<HeaderValue>,
    /// `accessControlMaxAge`, in seconds.
    pub max_age: i64,
    /// `addVaryHeader`.
    pub vary: bool,
}

impl Cors {
    /// The answer to `request` if it is a preflight, which no backend sees.
    pub(super) fn preflight(&self, request: &Request) -> Option<Response> {
        let given = |name| request.headers().get(name).is_some_and(|value| !value.is_empty());
        if request.method() != Method::OPTIONS || !given(ORIGIN) || !given(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        self.allow_credentials(headers);
        if let Some(names) = &self.allow_headers {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
        if let Some(methods) = &self.allow_methods {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods.clone());
        }
        if let Some(origin) = self.allowed_origin(request) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        if let Some(names) = &self.expose_headers {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, names.clone());
        }
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(self.max_age));
        Some(response)
    }

    /// What `Access-Control-Allow-Origin` says to `request`, if its origin may see the answer.
    pub(super) fn allowed_origin(&self, request: &Request) -> Option<HeaderValue> {
        let origin = request.headers().get(ORIGIN);
        if let Some(listed) = self.origins.iter().find(|listed| *listed == "*" || origin == Some(listed)) {
            return Some(listed.clone());
        }
        let text = origin?.to_str().ok()?;
        self.origin_regexes.iter().any(|regex| regex.is_match(text)).then(|| origin.cloned())?
    }

    /// Adds to an answer what a browser needs to show it to a page of another origin.
    pub(super) fn apply(&self, headers: &mut HeaderMap, origin: Option<HeaderValue>) {
        if let Some(origin) = origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        self.allow_credentials(headers);
        if let Some(names) = &self.expose_headers {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, names.clone());
        }
        if self.vary {
            vary_by_origin(headers);
        }
    }

    fn allow_credentials(&self, headers: &mut HeaderMap) {
        if self.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

/// Names `Origin` in `Vary`, behind what the backend named. Traefik drops all but its first line; they are kept here.
fn vary_by_origin(headers: &mut HeaderMap) {
    let named = headers.get_all(VARY).iter().flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
    if named.map(<[u8]>::trim_ascii).any(|name| name.eq_ignore_ascii_case(b"origin") || name == b"*") {
        return;
    }
    let lines: Vec<_> = headers.get_all(VARY).iter().map(HeaderValue::as_bytes).chain([&b"Origin"[..]]).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b","[..])) {
        headers.insert(VARY, joined);
    }
}
