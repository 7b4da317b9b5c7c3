//! Addresses: how they are spelt, grouped and listed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Reads an address as proxies write it into `X-Forwarded-For`, in whatever spelling: with or without a port, with
/// brackets, with a zone, IPv4-mapped. All spellings of one address give the same address. `None` if it is not one:
/// a name, a leading zero, nonsense.
pub fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text.parse::<IpAddr>().ok().or_else(|| parse_decorated(text))?;
    Some(address.to_canonical())
}

fn parse_decorated(text: &str) -> Option<IpAddr> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, after) = rest.split_once(']')?;
        let port_is_fine = after.is_empty() || after.strip_prefix(':')?.parse::<u16>().is_ok();
        return port_is_fine.then(|| without_zone(address).parse::<Ipv6Addr>().ok()).flatten().map(IpAddr::V6);
    }
    if text.contains('%') {
        return without_zone(text).parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    text.parse::<SocketAddr>().ok().map(|address| address.ip())
}

fn without_zone(text: &str) -> &str {
    text.split_once('%').map_or(text, |(address, _)| address)
}

/// The first `prefix` bits of an IPv6 address; an IPv4 address as it is. A prefix beyond 128 leaves the address
/// unchanged.
pub fn group(address: IpAddr, prefix: Option<u8>) -> IpAddr {
    match (address, prefix) {
        (IpAddr::V6(address), Some(prefix)) => {
            Ipv6Net::new(address, prefix).map_or(IpAddr::V6(address), |net| IpAddr::V6(net.trunc().addr()))
        }
        _ => address,
    }
}

/// A list of addresses and networks.
///
/// IPv4 and IPv4-mapped IPv6 are the same thing in it, a zone is ignored, and membership takes a binary search.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AddressSet {
    v4: Vec<Ipv4Net>,
    v6: Vec<Ipv6Net>,
}

/// Why a list of addresses was refused. The texts are Traefik's (`pkg/ip/checker.go`, v3.7).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressSetError {
    /// The list is empty.
    #[error("no trusted IPs provided")]
    Empty,
    /// An entry is neither an address nor a network.
    #[error("parsing CIDR trusted IPs <nil>: invalid CIDR address: {0}")]
    Invalid(String),
}

impl AddressSet {
    /// The set of the addresses and networks (CIDR, host bits allowed) in `entries`.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self, AddressSetError> {
        if entries.is_empty() {
            return Err(AddressSetError::Empty);
        }
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for entry in entries {
            match parse_entry(entry.as_ref()) {
                Some(IpNet::V4(net)) => v4.push(net),
                Some(IpNet::V6(net)) => v6.push(net),
                None => return Err(AddressSetError::Invalid(entry.as_ref().to_owned())),
            }
        }
        Ok(Self { v4: Ipv4Net::aggregate(&v4), v6: Ipv6Net::aggregate(&v6) })
    }

    /// True if `address` is one of the set.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => contains_v4(&self.v4, address),
            IpAddr::V6(address) => contains_v6(&self.v6, address),
        }
    }
}

/// Aggregated networks are sorted and disjoint: only the last one that begins at or before the address can hold it.
fn contains_v4(nets: &[Ipv4Net], address: Ipv4Addr) -> bool {
    let after = nets.partition_point(|net| net.network() <= address);
    after.checked_sub(1).is_some_and(|index| nets[index].contains(&address))
}

fn contains_v6(nets: &[Ipv6Net], address: Ipv6Addr) -> bool {
    let after = nets.partition_point(|net| net.network() <= address);
    after.checked_sub(1).is_some_and(|index| nets[index].contains(&address))
}

fn parse_entry(entry: &str) -> Option<IpNet> {
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Some(IpNet::from(address.to_canonical()));
    }
    let net = entry.parse::<IpNet>().ok()?.trunc();
    Some(match net {
        // ::ffff:a.b.c.d/n is the IPv4 network a.b.c.d/(n − 96).
        IpNet::V6(v6) if v6.prefix_len() >= 96 => match v6.addr().to_ipv4_mapped() {
            Some(v4) => Ipv4Net::new(v4, v6.prefix_len() - 96).map_or(net, IpNet::V4),
            None => net,
        },
        _ => net,
    })
}

#[cfg(test)]
mod tests;
