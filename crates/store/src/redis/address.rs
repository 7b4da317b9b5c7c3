//! Where servers listen.

use std::fmt;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// Reads the endpoint of a server; an IPv6 address may stand in brackets. Redis's own port if none is named.
    pub(super) fn server(endpoint: &str) -> Self {
        Self::parse(endpoint, 6379)
    }

    /// As [`Address::server`], with the port of sentinels.
    pub(super) fn sentinel(endpoint: &str) -> Self {
        Self::parse(endpoint, 26379)
    }

    /// The address that the node here announces for a node of its cluster: no host, or `?`, is its own.
    pub(super) fn beside(&self, host: &str, port: u16) -> Self {
        let host = if host.is_empty() || host == "?" { &self.host } else { host };
        Self { host: host.to_owned(), port }
    }

    fn parse(endpoint: &str, default: u16) -> Self {
        let (host, port) = if let Some((host, rest)) = endpoint.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        {
            (host, rest.strip_prefix(':'))
        } else {
            match endpoint.rsplit_once(':') {
                Some((host, port)) if !host.contains(':') => (host, Some(port)),
                _ => (endpoint, None),
            }
        };
        Self { host: host.to_owned(), port: port.and_then(|port| port.parse().ok()).unwrap_or(default) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        for (endpoint, expected) in [
            ("redis:6379", ("redis", 6379)),
            ("redis", ("redis", 6379)),
            ("127.0.0.1:7000", ("127.0.0.1", 7000)),
            ("[::1]:7000", ("::1", 7000)),
            ("::1", ("::1", 6379)),
            ("[::1]", ("::1", 6379)),
        ] {
            let Address { host, port } = Address::server(endpoint);
            assert_eq!((&host[..], port), expected, "{endpoint}");
        }
    }
}
