//! What may be asked of a request.

use std::net::IpAddr;

/// The facts that a limit may key on. An HTTP request, a descriptor of another gateway or a line of a log can all
/// tell them.
pub trait Attributes {
    /// The address of the other end of the connection, IPv4-mapped addresses as plain IPv4.
    fn peer(&self) -> IpAddr;

    /// The canonical host: lower case, without port and trailing dot; empty if there is none.
    fn host(&self) -> &str;

    /// The first value of a header field, by its lower-case name, also if the client asked for the field to be
    /// dropped by naming it in `Connection`.
    fn header(&self, name: &str) -> Option<&[u8]>;
}
