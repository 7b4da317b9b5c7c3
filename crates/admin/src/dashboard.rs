//! One page that shows the API to people. It needs nothing from outside, and no build.

use http::{HeaderValue, StatusCode, header};
use tollgate_pipeline::{Body, BoxFuture, Exchange, Handler, Request, Response, respond};

use crate::answer::{READS, guarded, method_not_allowed, page, reads, ready};

/// Only its own script and style, and questions to its own server. What it shows is set as text, never as markup, so
/// a service that is named `<img onerror=…>` is just that.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers below `/dashboard/`; `/` and `/dashboard` lead there.
pub struct Dashboard {
    base: String,
}

impl Dashboard {
    /// The dashboard below `base` (Traefik's `basePath`; `/` is none).
    pub fn new(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned() }
    }

    fn answer(&self, path: &str) -> Response {
        match path.strip_prefix(&self.base) {
            Some("" | "/" | "/dashboard") => self.redirect(),
            Some("/dashboard/") => page(include_str!("../dashboard/index.html"), "text/html; charset=utf-8"),
            Some("/dashboard/page.js") => page(include_str!("../dashboard/page.js"), "text/javascript; charset=utf-8"),
            Some("/dashboard/page.css") => page(include_str!("../dashboard/page.css"), "text/css; charset=utf-8"),
            _ => respond::not_found(),
        }
    }

    fn redirect(&self) -> Response {
        let mut response = Response::new(Body::empty());
        let target = HeaderValue::try_from(format!("{}/dashboard/", self.base));
        if let Ok(target) = target {
            *response.status_mut() = StatusCode::FOUND;
            response.headers_mut().insert(header::LOCATION, target);
            response
        } else {
            respond::not_found()
        }
    }
}

impl Handler for Dashboard {
    fn handle<'a>(&'a self, request: Request, _: &'a mut Exchange) -> BoxFuture<'a, Response> {
        let response =
            if reads(request.method()) { self.answer(request.uri().path()) } else { method_not_allowed(READS) };
        ready(guarded(response, POLICY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ask, text};

    #[test]
    fn the_page_and_its_parts_are_there() {
        for (base, path, status) in [
            ("/", "/dashboard/", 200),
            ("/", "/dashboard/page.js", 200),
            ("/", "/dashboard/page.css", 200),
            ("/", "/dashboard/other.js", 404),
            ("/", "/", 302),
            ("/", "/dashboard", 302),
            ("/inner/", "/inner/dashboard/", 200),
            ("/inner", "/dashboard/", 404),
        ] {
            assert_eq!(ask(&Dashboard::new(base), "GET", path).status(), status, "{base} {path}");
        }
        let moved = ask(&Dashboard::new("/inner"), "GET", "/inner/");
        assert_eq!(moved.headers()[header::LOCATION], "/inner/dashboard/");
        assert_eq!(ask(&Dashboard::new("/"), "POST", "/dashboard/").status(), 405);
    }

    #[test]
    fn the_page_needs_nothing_from_outside_and_no_inline_script() {
        let response = ask(&Dashboard::new("/"), "GET", "/dashboard/");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("text").to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let html = text(response);
        for outside in ["http:", "https:", "src=\"//", "<style", "onclick", "onload"] {
            assert!(!html.contains(outside), "{outside}");
        }
        let script = text(ask(&Dashboard::new("/"), "GET", "/dashboard/page.js"));
        for markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!script.contains(markup), "{markup}");
        }
    }
}
