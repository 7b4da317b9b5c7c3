//! Ports that nobody uses.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

/// A port on the loopback address that nobody listened on a moment ago.
///
/// It lies below the range from which the kernel takes the ports of outgoing connections, so that it stays free while
/// a server on it is being restarted, and low enough that a Redis Cluster's bus port (10000 above) exists too.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Test processes run side by side: each starts its search elsewhere.
    let _ = NEXT.compare_exchange(0, seed(), Ordering::Relaxed, Ordering::Relaxed);
    (0..LAST - FIRST)
        .map(|_| FIRST + (NEXT.fetch_add(1, Ordering::Relaxed) % u32::from(LAST - FIRST)) as u16)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port below the ephemeral range")
}

fn seed() -> u32 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    (now.subsec_nanos() ^ std::process::id().wrapping_mul(0x9E37_79B9)).max(1)
}

const FIRST: u16 = 12_000;
const LAST: u16 = 32_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_calls_give_two_ports() {
        assert_ne!(free_port(), free_port());
    }

    #[test]
    fn the_port_can_be_bound() {
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, free_port())).is_ok());
    }
}
