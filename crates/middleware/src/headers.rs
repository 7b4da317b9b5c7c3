//! `headers`: sets and removes header fields, answers CORS preflights, adds security headers.
//!
//! On the way in: preflight, then the request's edits, then the check of the host. On the way out in reverse: security
//! headers, the response's edits, CORS. So a custom header overrides a security header of the same name, as in Traefik.

mod cors;
mod edit;
mod security;

use http::header::HOST;
use http::{HeaderName, StatusCode};
use tollgate_pipeline::{BoxFuture, Exchange, ForwardedFor, Middleware, Next, Request, Response, respond};

pub use cors::Cors;
pub use edit::{Edit, Edits};
use security::BadHost;
pub use security::{Security, SecurityOptions};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Traefik's `headers` middleware.
#[derive(Debug, Default)]
pub struct Headers {
    /// What happens to the request's fields.
    pub request: Edits,
    /// What happens to the response's fields.
    pub response: Edits,
    /// Cross-origin rules, if any are configured.
    pub cors: Option<Cors>,
    /// Security headers and the check of the host, if configured.
    pub security: Option<Security>,
}

impl Headers {
    fn edit_request(&self, request: &mut Request, exchange: &mut Exchange) {
        let headers = request.headers_mut();
        for edit in self.request.as_slice() {
            match edit {
                // The host is not a field that could be missing.
                Edit::Remove(name) if *name == HOST => {}
                Edit::Remove(name) => {
                    headers.remove(name);
                    // Removed for the backend too, not only to be written anew on the way there.
                    if *name == X_FORWARDED_FOR {
                        exchange.forwarded_for = ForwardedFor::Keep;
                    }
                }
                Edit::Set(name, value) => drop(headers.insert(name, value.clone())),
            }
        }
        self.request.remove_aliases(headers);
    }
}

impl Middleware for Headers {
    fn handle<'a>(
        &'a self,
        mut request: Request,
        exchange: &'a mut Exchange,
        next: Next<'a>,
    ) -> BoxFuture<'a, Response> {
        if let Some(preflight) = self.cors.as_ref().and_then(|cors| cors.preflight(&request)) {
            return Box::pin(std::future::ready(preflight));
        }
        self.edit_request(&mut request, exchange);
        let origin = self.cors.as_ref().and_then(|cors| cors.allowed_origin(&request));
        let scheme = exchange.scheme;
        let secured = self.security.as_ref().map(|security| security.check(&request, scheme));

        Box::pin(async move {
            let mut response = match secured {
                Some(Err(BadHost)) => respond::text(StatusCode::INTERNAL_SERVER_ERROR, "Bad Host"),
                Some(Ok(secured)) => {
                    let mut response = next.run(request, exchange).await;
                    secured.apply(response.headers_mut());
                    response
                }
                None => next.run(request, exchange).await,
            };
            let headers = response.headers_mut();
            self.response.apply(headers);
            if let Some(cors) = &self.cors {
                cors.apply(headers, origin);
            }
            response
        })
    }
}

#[cfg(test)]
mod tests;
