//! `stripPrefix`: removes a prefix from the path and tells the backend in `X-Forwarded-Prefix`.

use http::{HeaderName, HeaderValue, StatusCode};
use tollgate_pipeline::{BoxFuture, Exchange, Middleware, Next, Request, Response, respond};

use crate::path;

const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// Removes the first prefix that fits, in the order of the configuration (Traefik's `stripPrefix`).
///
/// What is left starts with a slash, so that the deprecated `forceSlash` has nothing to add. It has to be a path that
/// needs no more cleaning: `/api../admin` without `/api` would become `/admin` at a backend that cleans once more,
/// behind the back of the router, and is answered with 400.
#[derive(Debug)]
pub struct StripPrefix {
    prefixes: Vec<Prefix>,
}

#[derive(Debug)]
struct Prefix {
    text: Box<str>,
    header: HeaderValue,
}

impl StripPrefix {
    /// A middleware that removes the first of `prefixes` that a path begins with. A prefix that cannot stand in a
    /// header (a line break) cannot be the beginning of a path either, and is left out.
    pub fn new<P: AsRef<str>>(prefixes: impl IntoIterator<Item = P>) -> Self {
        let prefix = |text: P| {
            let text = text.as_ref();
            Some(Prefix { text: text.into(), header: HeaderValue::from_bytes(text.trim().as_bytes()).ok()? })
        };
        Self { prefixes: prefixes.into_iter().filter_map(prefix).collect() }
    }

    /// The new path for `path` and the prefix that went, if one did.
    fn strip(&self, path: &str) -> Option<(String, &Prefix)> {
        let fits = |prefix: &'_ Prefix| path::strip_prefix(path, &prefix.text);
        let (rest, prefix) = self.prefixes.iter().find_map(|prefix| Some((fits(prefix)?, prefix)))?;
        let slash = if rest.starts_with('/') { "" } else { "/" };
        Some(([slash, rest].concat(), prefix))
    }
}

impl Middleware for StripPrefix {
    fn handle<'a>(
        &'a self,
        mut request: Request,
        exchange: &'a mut Exchange,
        next: Next<'a>,
    ) -> BoxFuture<'a, Response> {
        if let Some((path, prefix)) = self.strip(request.uri().path()) {
            let settled = tollgate_rule::canonical::path(&path).is_ok_and(|canonical| canonical == path);
            if !settled || path::replace(&mut request, &path).is_err() {
                return Box::pin(std::future::ready(respond::text(StatusCode::BAD_REQUEST, "Bad Request")));
            }
            request.headers_mut().append(X_FORWARDED_PREFIX, prefix.header.clone());
        }
        next.run(request, exchange)
    }
}

#[cfg(test)]
mod tests {
    use super::StripPrefix;
    use crate::testing::{exchange, get, run};

    #[tokio::test]
    async fn the_first_prefix_that_fits_goes() {
        for (prefixes, target, upstream, header) in [
            (&["/api"][..], "/api/x", "/x", Some("/api")),
            (&["/api"], "/api", "/", Some("/api")),
            (&["/api"], "/api?a=b", "/?a=b", Some("/api")),
            (&["/api/"], "/api/x", "/x", Some("/api/")),
            (&["/api/"], "/api", "/api", None),
            (&["/stat"], "/status", "/us", Some("/stat")),
            (&["/a", "/a/b"], "/a/b/c", "/b/c", Some("/a")),
            (&["/a/b", "/a"], "/a/b/c", "/c", Some("/a/b")),
            (&["/x", "/y"], "/z", "/z", None),
            (&["/my api"], "/my%20api/x%2Fy", "/x%2Fy", Some("/my api")),
            (&[" /api "], "/api/x", "/api/x", None),
            (&[], "/api/x", "/api/x", None),
        ] {
            let seen = run(StripPrefix::new(prefixes), get(target), &mut exchange()).await;
            let request = seen.request.expect("passed on");
            assert_eq!(request.uri(), upstream, "{target} without {prefixes:?}");
            let sent = request.headers().get("x-forwarded-prefix").map(|value| value.to_str().unwrap());
            assert_eq!(sent, header, "{target} without {prefixes:?}");
        }
    }

    #[tokio::test]
    async fn a_rest_that_would_be_cleaned_again_is_refused() {
        for target in ["/api../admin", "/api./admin", "/api//admin"] {
            let seen = run(StripPrefix::new(["/api"]), get(target), &mut exchange()).await;
            assert!(seen.request.is_none(), "{target} was passed on");
            assert_eq!(seen.response.status(), 400, "{target}");
        }
    }

    #[tokio::test]
    async fn prefixes_of_earlier_hops_stay() {
        let mut request = get("/b/c");
        request.headers_mut().insert("x-forwarded-prefix", "/a".parse().unwrap());
        let seen = run(StripPrefix::new(["/b"]), request, &mut exchange()).await;
        let request = seen.request.expect("passed on");
        let prefixes: Vec<_> = request.headers().get_all("x-forwarded-prefix").iter().collect();
        assert_eq!(prefixes, ["/a", "/b"]);
    }
}
