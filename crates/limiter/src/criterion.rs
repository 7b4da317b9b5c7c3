//! Whose requests are counted together.

use std::net::IpAddr;

use crate::{AddressSet, Attributes, address};

/// Which part of a request separates buckets: the checked form of Traefik's `sourceCriterion`
/// (`pkg/middlewares/extractor.go`, `pkg/ip/strategy.go`, v3.7).
///
/// It looks where Traefik looks, but at what is meant and not at how it is spelt: one address, one host is one
/// source, whatever its spelling. And it never puts strangers into one bucket because an address is missing: then the
/// peer's own address counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Criterion {
    /// The address of the other end of the connection.
    RemoteAddress {
        /// Count IPv6 addresses by their first so many bits.
        ipv6_subnet: Option<u8>,
    },
    /// The address at a place in `X-Forwarded-For`, counted from the right, the last being 1.
    ForwardedDepth {
        /// The place; at least 1.
        depth: usize,
        /// Count IPv6 addresses by their first so many bits.
        ipv6_subnet: Option<u8>,
    },
    /// The last address in `X-Forwarded-For` that is not one of the excluded.
    ForwardedExcluding {
        /// The addresses to pass over: one's own proxies.
        excluded: AddressSet,
    },
    /// The first value of a header field, by its lower-case name; all requests without it are one source.
    Header(Box<str>),
    /// The canonical host of the request.
    Host,
}

/// Where a request comes from, under a criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source<'a> {
    /// An address, or the network it was grouped into.
    Address(IpAddr),
    /// A host.
    Host(&'a str),
    /// The value of a header field: possibly a credential, so it is hashed before anybody sees it.
    Header(&'a [u8]),
}

impl Criterion {
    /// The source of a request.
    pub fn source<'a>(&self, attributes: &'a dyn Attributes) -> Source<'a> {
        match self {
            Self::Header(name) => Source::Header(attributes.header(name).unwrap_or_default()),
            Self::Host => Source::Host(attributes.host()),
            Self::RemoteAddress { ipv6_subnet } | Self::ForwardedDepth { ipv6_subnet, .. } => {
                let found = self.address(attributes);
                Source::Address(found.unwrap_or_else(|| address::group(attributes.peer(), *ipv6_subnet)))
            }
            Self::ForwardedExcluding { .. } => {
                Source::Address(self.address(attributes).unwrap_or_else(|| attributes.peer()))
            }
        }
    }

    /// The address of the client, if this looks for one and finds one. Whoever grants something to an address asks
    /// here: where a limit counts the peer because nobody better is named, nothing may be granted to it.
    pub fn address(&self, attributes: &dyn Attributes) -> Option<IpAddr> {
        match self {
            Self::RemoteAddress { ipv6_subnet } => Some(address::group(attributes.peer(), *ipv6_subnet)),
            Self::ForwardedDepth { depth, ipv6_subnet } => {
                let named = forwarded(attributes)?.rsplit(',').nth(depth.saturating_sub(1))?;
                Some(address::group(address::parse(named)?, *ipv6_subnet))
            }
            Self::ForwardedExcluding { excluded } => last_not_excluded(attributes, excluded),
            Self::Header(_) | Self::Host => None,
        }
    }
}

/// What is not an address ends the search: nobody behind it can be believed.
fn last_not_excluded(attributes: &dyn Attributes, excluded: &AddressSet) -> Option<IpAddr> {
    forwarded(attributes)?
        .rsplit(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(address::parse)
        .find(|address| address.is_none_or(|address| !excluded.contains(address)))
        .flatten()
}

/// The forwarded chain. The entry point has joined its lines, and dropped it if the peer is not trusted.
fn forwarded(attributes: &dyn Attributes) -> Option<&str> {
    std::str::from_utf8(attributes.header("x-forwarded-for")?).ok()
}

#[cfg(test)]
mod tests;
