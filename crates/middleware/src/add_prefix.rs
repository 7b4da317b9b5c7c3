//! `addPrefix`: puts a prefix in front of the path.

use tollgate_pipeline::{BoxFuture, Exchange, Middleware, Next, Request, Response, respond};

use crate::path;

/// Puts a prefix in front of the path of every request (Traefik's `addPrefix`).
#[derive(Debug)]
pub struct AddPrefix {
    /// Escaped, with its leading slash.
    prefix: Box<str>,
}

impl AddPrefix {
    /// A middleware that adds `prefix`, as configured: without escapes, the leading slash may be missing.
    pub fn new(prefix: &str) -> Self {
        let slash = if prefix.starts_with('/') { "" } else { "/" };
        Self { prefix: [slash, &path::escape(prefix)].concat().into() }
    }
}

impl Middleware for AddPrefix {
    fn handle<'a>(
        &'a self,
        mut request: Request,
        exchange: &'a mut Exchange,
        next: Next<'a>,
    ) -> BoxFuture<'a, Response> {
        // `OPTIONS *` has no path to put anything before.
        if request.uri().path() == "*" {
            return next.run(request, exchange);
        }
        let prefixed = [&*self.prefix, request.uri().path()].concat();
        match path::replace(&mut request, &prefixed) {
            Ok(()) => next.run(request, exchange),
            Err(_) => Box::pin(std::future::ready(respond::text(http::StatusCode::BAD_REQUEST, "Bad Request"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AddPrefix;
    use crate::testing::{exchange, get, run};

    #[tokio::test]
    async fn the_prefix_stands_before_the_escaped_path() {
        for (prefix, target, upstream) in [
            ("/a", "/b", "/a/b"),
            ("/a", "/", "/a/"),
            ("a", "/b", "/a/b"),
            ("/a/", "/b", "/a//b"),
            ("/a", "/b%2Fc", "/a/b%2Fc"),
            ("/a", "/b?x=%20y", "/a/b?x=%20y"),
            ("/a b", "/c", "/a%20b/c"),
            ("/é", "/c", "/%C3%A9/c"),
            ("/a%2Fb", "/c", "/a%2Fb/c"),
            ("/a?b", "/c", "/a%3Fb/c"),
        ] {
            let seen = run(AddPrefix::new(prefix), get(target), &mut exchange()).await;
            assert_eq!(seen.request.expect("passed on").uri(), upstream, "{prefix} before {target}");
        }
    }

    #[tokio::test]
    async fn an_asterisk_is_no_path() {
        let mut request = get("/");
        *request.uri_mut() = http::Uri::from_static("*");
        let seen = run(AddPrefix::new("/a"), request, &mut exchange()).await;
        assert_eq!(seen.request.expect("passed on").uri(), "*");
    }
}
