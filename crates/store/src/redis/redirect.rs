//! Where a node of a cluster sends those who ask it for another's keys.

use super::address::Address;

/// An answer that names another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Redirect {
    /// That node is responsible for the slot.
    Moved { slot: u16, to: Address },
    /// That node is about to be, and has this key already.
    Ask { to: Address },
}

impl Redirect {
    /// Reads an error of the node at `from`; none if it is no redirection, or one that makes no sense.
    pub(super) fn read(error: &redis::RedisError, from: &Address) -> Option<Self> {
        let (endpoint, slot) = error.redirect_node()?;
        let to = address(endpoint, from)?;
        match error.kind() {
            redis::ErrorKind::Server(redis::ServerErrorKind::Ask) => Some(Self::Ask { to }),
            _ => Some(Self::Moved { slot: slot % super::hash_slot::SLOTS, to }),
        }
    }
}

/// The address in a redirection: `host:port`, where an IPv6 address stands without brackets, and no host or `?` means
/// the node that answers.
fn address(endpoint: &str, from: &Address) -> Option<Address> {
    let (host, port) = endpoint.rsplit_once(':')?;
    Some(from.beside(host, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_named_in_many_ways() {
        let from = Address { host: "node-1".into(), port: 7000 };
        for (endpoint, expected) in [
            ("10.0.0.2:7001", Some(("10.0.0.2", 7001))),
            ("node-2.example:7001", Some(("node-2.example", 7001))),
            ("fd00::2:7001", Some(("fd00::2", 7001))),
            (":7001", Some(("node-1", 7001))),
            ("?:7001", Some(("node-1", 7001))),
            ("node-2", None),
            ("node-2:", None),
            ("node-2:70000", None),
        ] {
            let expected = expected.map(|(host, port)| Address { host: host.into(), port });
            assert_eq!(address(endpoint, &from), expected, "{endpoint}");
        }
    }
}
