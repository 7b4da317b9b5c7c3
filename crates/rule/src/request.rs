//! What a rule may ask of a request.

use std::net::IpAddr;

/// A request as rules see it. The gateway implements this over its own request,
/// so that nothing is copied before it is asked for.
pub trait Request {
    /// The canonical host (see [`canonical::host`](crate::canonical::host)): no
    /// port, no brackets, lower case; empty when the request names none.
    fn host(&self) -> &str;

    /// The routing path (see [`canonical::routing_path`](crate::canonical::routing_path)).
    fn path(&self) -> &str;

    /// The method exactly as sent.
    fn method(&self) -> &str;

    /// The address of the peer, IPv4-mapped addresses already unmapped. Never
    /// taken from a header.
    fn client_ip(&self) -> Option<IpAddr>;

    /// Whether `test` holds for the value of any line of the header `name`, which
    /// is given in lower case. Lines are not split at commas.
    fn header_any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool;

    /// Whether `test` holds for any decoded value of the query parameter `key`,
    /// in the order sent (see [`canonical::query`](crate::canonical::query)).
    fn query_any(&self, key: &str, test: &mut dyn FnMut(&str) -> bool) -> bool;
}
