//! The gateway's options as the static configuration says them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _};
use std::sync::Arc;

use http::HeaderName;
use tollgate_config::static_config::{self, Address, EntryPoint, Protocol, StaticConfig};

use super::{EntryPointOptions, ForwardedOptions, GatewayOptions, LifeCycleOptions, QuerySemicolons, TimeoutOptions};

/// The address of an entry point means nothing.
#[derive(Debug, thiserror::Error)]
#[error("entry point {entry_point}: cannot find the address {address}")]
pub struct AddressError {
    /// The entry point.
    pub entry_point: String,
    /// Its address as written.
    pub address: Address,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl GatewayOptions {
    /// What `config` says: its TCP entry points in the order of their names, one thread per core. A host name is looked
    /// up now, and its first address counts.
    pub fn from_static(config: &StaticConfig) -> Result<Self, AddressError> {
        let tcp = config.entry_points.iter().filter(|(_, entry_point)| entry_point.address.protocol == Protocol::Tcp);
        let entry_points =
            tcp.map(|(name, entry_point)| of_entry_point(name, entry_point)).collect::<Result<_, _>>()?;
        Ok(Self { entry_points, threads: None, max_connections: None })
    }
}

fn of_entry_point(name: &str, written: &EntryPoint) -> Result<EntryPointOptions, AddressError> {
    let address = resolve(&written.address).map_err(|source| AddressError {
        entry_point: name.to_owned(),
        address: written.address.clone(),
        source,
    })?;
    let transport = &written.transport;
    let responding = &transport.responding_timeouts;
    Ok(EntryPointOptions {
        name: Arc::from(name),
        address,
        reuse_port: written.reuse_port,
        forwarded: of_forwarded(&written.forwarded_headers),
        timeouts: of_timeouts(responding),
        life_cycle: LifeCycleOptions {
            accept_grace: transport.life_cycle.request_accept_grace_timeout.get(),
            grace: transport.life_cycle.grace_time_out.get(),
        },
        keep_alive_max_requests: transport.keep_alive_max_requests,
        keep_alive_max_time: transport.keep_alive_max_time.limit(),
        sanitize_path: written.http.sanitize_path,
        query_semicolons: if written.http.encode_query_semicolons {
            QuerySemicolons::Encode
        } else {
            QuerySemicolons::Separate
        },
        max_header_bytes: written.http.max_header_bytes,
        max_concurrent_streams: written.http2.max_concurrent_streams,
    })
}

fn of_timeouts(written: &static_config::RespondingTimeouts) -> TimeoutOptions {
    let read = written.read_timeout.limit();
    TimeoutOptions {
        // A head is part of the request: whoever gives that less time, or all the time in the world, means both.
        head: read.and_then(|read| TimeoutOptions::default().head.map(|head| head.min(read))),
        read,
        write: written.write_timeout.limit(),
        // As in Go: without an idle timeout the one for reading counts.
        idle: written.idle_timeout.limit().or(read),
    }
}

fn of_forwarded(written: &static_config::ForwardedHeaders) -> ForwardedOptions {
    // A name that no header can have is one that no client can withdraw.
    let connection = written.connection.iter().filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok());
    ForwardedOptions {
        insecure: written.insecure,
        trusted: written.trusted_ips.set().cloned(),
        connection: connection.collect(),
        not_append_forwarded_for: written.not_append_x_forwarded_for,
    }
}

fn resolve(address: &Address) -> io::Result<SocketAddr> {
    if address.host.is_empty() {
        // All addresses: of both families through one socket, where there is IPv6 at all.
        let has_ipv6 = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
        let host = if has_ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { IpAddr::from(Ipv4Addr::UNSPECIFIED) };
        return Ok((host, address.port).into());
    }
    let mut addresses = (address.host.as_str(), address.port).to_socket_addrs()?;
    addresses.next().ok_or_else(|| io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tollgate_config::load::Format;

    use super::*;

    fn options(text: &str) -> Vec<EntryPointOptions> {
        let (config, _) = StaticConfig::load_text(text, Format::Yaml, "static.yml").unwrap();
        GatewayOptions::from_static(&config).unwrap().entry_points
    }

    #[test]
    fn every_option_arrives() {
        let web = &options(
            "entryPoints:
               web:
                 address: 127.0.0.1:8000
                 reusePort: true
                 forwardedHeaders: {insecure: true, trustedIPs: [10.0.0.0/8], connection: [X-Api-Key], notAppendXForwardedFor: true}
                 transport:
                   respondingTimeouts: {readTimeout: 1s, writeTimeout: 2s, idleTimeout: 3s}
                   lifeCycle: {requestAcceptGraceTimeout: 4s, graceTimeOut: 5s}
                   keepAliveMaxRequests: 6
                   keepAliveMaxTime: 7s
                 http: {sanitizePath: false, encodeQuerySemicolons: true, maxHeaderBytes: 8000}
                 http2: {maxConcurrentStreams: 9}",
        )[0];
        let seconds = Duration::from_secs;
        assert_eq!((&*web.name, web.address, web.reuse_port), ("web", "127.0.0.1:8000".parse().unwrap(), true));
        assert!(web.forwarded.insecure && web.forwarded.not_append_forwarded_for);
        assert!(web.forwarded.trusted.as_ref().is_some_and(|set| set.contains("10.1.2.3".parse().unwrap())));
        assert_eq!(web.forwarded.connection, ["x-api-key"]);
        let TimeoutOptions { read, write, idle, .. } = web.timeouts;
        assert_eq!((read, write, idle), (Some(seconds(1)), Some(seconds(2)), Some(seconds(3))));
        assert_eq!((web.life_cycle.accept_grace, web.life_cycle.grace), (seconds(4), seconds(5)));
        assert_eq!((web.keep_alive_max_requests, web.keep_alive_max_time), (6, Some(seconds(7))));
        assert_eq!((web.sanitize_path, web.query_semicolons), (false, QuerySemicolons::Encode));
        assert_eq!((web.max_header_bytes, web.max_concurrent_streams), (8000, 9));
    }

    #[test]
    fn the_defaults_are_traefiks() {
        let entry_points = options("entryPoints: {web: {address: ':8000'}, dns: {address: ':53/udp'}}");
        let [web] = &*entry_points else { panic!("{entry_points:?}") };
        let expected = EntryPointOptions::new("web", "[::]:8000".parse().unwrap());
        assert_eq!(format!("{web:?}"), format!("{expected:?}"));
    }
}
