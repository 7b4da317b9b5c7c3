//! Errors and refusals, as the client sees them. The texts and headers are Traefik's.

use http::{HeaderValue, StatusCode, header};

use crate::{Body, Response};

/// A plain-text error as Go's `http.Error` writes it: content type, `nosniff`, the text and a line end.
pub fn text(status: StatusCode, text: &str) -> Response {
    let mut response = Response::new(Body::full(format!("{text}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// No router took the request.
pub fn not_found() -> Response {
    text(StatusCode::NOT_FOUND, "404 page not found")
}

/// A status whose body is its own name, without a content type or a line end, as Traefik's proxy answers.
pub fn bare(status: StatusCode) -> Response {
    let mut response = Response::new(Body::full(status.canonical_reason().unwrap_or_default()));
    *response.status_mut() = status;
    response
}

/// The service has no server that could answer.
pub fn no_server() -> Response {
    text(StatusCode::SERVICE_UNAVAILABLE, "no available server")
}
