//! What the static configuration says, in the words of the data plane.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use tollgate_config::StaticConfig;
use tollgate_config::static_config::{Address, EntryPoint};
use tollgate_gateway::{
    EntryPointOptions, ForwardedOptions, GatewayOptions, LifeCycleOptions, QuerySemicolons, TimeoutOptions,
};

/// What the gateway is told at start.
pub(crate) fn gateway(config: &StaticConfig) -> io::Result<GatewayOptions> {
    let entry_points = config
        .entry_points
        .iter()
        .map(|(name, written)| Ok(entry_point(name, written, socket_address(&written.address)?)))
        .collect::<io::Result<_>>()?;
    Ok(GatewayOptions { entry_points, threads: None, max_connections: None })
}

fn entry_point(name: &str, written: &EntryPoint, address: SocketAddr) -> EntryPointOptions {
    let forwarded = &written.forwarded_headers;
    let timeouts = &written.transport.responding_timeouts;
    let read = timeouts.read_timeout.limit();
    let default = TimeoutOptions::default();
    EntryPointOptions {
        reuse_port: written.reuse_port,
        forwarded: ForwardedOptions {
            insecure: forwarded.insecure,
            trusted: forwarded.trusted_ips.set().cloned(),
            connection: forwarded.connection.iter().filter_map(|name| name.parse().ok()).collect(),
            not_append_forwarded_for: forwarded.not_append_x_forwarded_for,
        },
        timeouts: TimeoutOptions {
            // Traefik's only deadline for a head is that for the whole request. One of ours comes first, unless the
            // operator wants a shorter or none at all.
            head: read.map(|read| default.head.map_or(read, |head| head.min(read))),
            read,
            write: timeouts.write_timeout.limit(),
            // As in Go: an idle timeout of zero means that of reading.
            idle: timeouts.idle_timeout.limit().or(read),
        },
        life_cycle: LifeCycleOptions {
            accept_grace: written.transport.life_cycle.request_accept_grace_timeout.get(),
            grace: written.transport.life_cycle.grace_time_out.get(),
        },
        keep_alive_max_requests: written.transport.keep_alive_max_requests,
        keep_alive_max_time: written.transport.keep_alive_max_time.limit(),
        sanitize_path: written.http.sanitize_path,
        query_semicolons: if written.http.encode_query_semicolons {
            QuerySemicolons::Encode
        } else {
            QuerySemicolons::Separate
        },
        max_header_bytes: written.http.max_header_bytes,
        max_concurrent_streams: written.http2.max_concurrent_streams,
        ..EntryPointOptions::new(name, address)
    }
}

/// The address to listen on. Without a host it is every address of this machine, of both families if it has both.
fn socket_address(address: &Address) -> io::Result<SocketAddr> {
    if !address.host.is_empty() {
        let mut found = (address.host.as_str(), address.port).to_socket_addrs()?;
        return found.next().ok_or_else(|| io::Error::other(format!("{} has no address", address.host)));
    }
    let has_ipv6 = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
    let host = if has_ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { std::net::Ipv4Addr::UNSPECIFIED.into() };
    Ok(SocketAddr::new(host, address.port))
}

/// The names of the entry points, in the gateway's order.
pub(crate) fn entry_point_names(options: &GatewayOptions) -> Vec<Arc<str>> {
    options.entry_points.iter().map(|entry_point| Arc::clone(&entry_point.name)).collect()
}

/// How long the logs may take to write what is left when the process ends.
pub(crate) const LOG_PATIENCE: Duration = Duration::from_secs(2);
