//! How everything here answers.

use http::{HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};
use tollgate_pipeline::{Body, BoxFuture, Response, respond};

/// An answer that is there already.
pub(crate) fn ready<'a>(response: Response) -> BoxFuture<'a, Response> {
    Box::pin(std::future::ready(response))
}

/// JSON and a line end, as Go's encoder writes it.
pub(crate) fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => page(text + "\n", "application/json"),
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// `{"message":"…"}`, as plain text: so Traefik does.
pub(crate) fn failure(status: StatusCode, message: &str) -> Response {
    failure_with(status, &json!({ "message": message }))
}

/// The same with more fields than the message.
pub(crate) fn failure_with(status: StatusCode, fields: &Value) -> Response {
    respond::text(status, &fields.to_string())
}

/// Some text of this content type.
pub(crate) fn page(text: impl Into<bytes::Bytes>, content_type: &'static str) -> Response {
    let mut response = Response::new(Body::full(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Whether the method only reads.
pub(crate) fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// The methods that only read, as they stand in `Allow`.
pub(crate) const READS: &str = "GET, HEAD";

/// The answer to a method that is not one of these.
pub(crate) fn method_not_allowed(allowed: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Makes a browser keep what it got to itself: no guessing of types, no frames, no sharing with other sites, no copy
/// kept. `policy` is the content security policy.
pub(crate) fn guarded(mut response: Response, policy: &'static str) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}
