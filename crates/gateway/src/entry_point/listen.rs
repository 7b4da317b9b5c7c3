//! The sockets that an entry point listens on: one per thread, all on one address.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

/// Connections that the system completes before we accept them. The system has a limit of its own below that.
const BACKLOG: i32 = 4096;

/// How long a connection is silent before the system asks whether the other end is still there, as in Go.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Listens on `address` with `count` sockets among which the system spreads the connections, and returns the address
/// with the port that was chosen if it was 0.
///
/// The first socket is bound alone, so that an address that somebody else listens on is an error, even if he would
/// share it; unless `reuse_port` says that sharing is meant. The others join it afterwards.
pub(crate) fn bind(address: SocketAddr, reuse_port: bool, count: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    let first = match bound(address, reuse_port) {
        // A machine without IPv6 has all its addresses in IPv4.
        Err(error) if is_unsupported(&error) && address.is_ipv6() && address.ip().is_unspecified() => {
            bound(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()), reuse_port)?
        }
        first => first?,
    };
    let address = first.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
    first.set_reuse_port(true)?;
    let mut sockets = vec![first];
    for _ in 1..count {
        sockets.push(bound(address, true)?);
    }
    let listening = |socket: Socket| {
        socket.listen(BACKLOG)?;
        Ok(TcpListener::from(socket))
    };
    let listeners = sockets.into_iter().map(listening).collect::<io::Result<_>>()?;
    Ok((address, listeners))
}

fn bound(address: SocketAddr, reuse_port: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // So that a restart does not have to wait for connections of the last run to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE))?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// EAFNOSUPPORT and EADDRNOTAVAIL.
fn is_unsupported(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(97)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn all_sockets_listen_on_the_port_that_the_first_was_given() {
        let (address, listeners) = bind(LOOPBACK, false, 3).unwrap();
        assert_ne!(address.port(), 0);
        for listener in &listeners {
            assert_eq!(listener.local_addr().unwrap(), address);
        }
        let clients: Vec<_> = (0..60).map(|_| TcpStream::connect(address).unwrap()).collect();
        let accepted: Vec<_> =
            listeners.iter().map(|listener| std::iter::from_fn(|| listener.accept().ok()).count()).collect();
        assert_eq!(accepted.iter().sum::<usize>(), clients.len());
        assert!(accepted.iter().all(|&count| count > 0), "{accepted:?}");
    }

    #[test]
    fn an_address_in_use_is_an_error_unless_sharing_is_meant() {
        let (address, _listeners) = bind(LOOPBACK, false, 2).unwrap();
        assert_eq!(bind(address, false, 2).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let (shared, _listeners) = bind(LOOPBACK, true, 2).unwrap();
        assert_eq!(bind(shared, false, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert!(bind(shared, true, 1).is_ok());
    }

    #[test]
    fn all_addresses_are_those_of_both_families() {
        let (address, listeners) = bind("[::]:0".parse().unwrap(), false, 1).unwrap();
        TcpStream::connect((Ipv4Addr::LOCALHOST, address.port())).unwrap();
        assert_eq!(listeners.len(), 1);
    }
}
