//! `X-Forwarded-For`: whatever a client wrote there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use tollgate_limiter::{AddressSet, Attributes, Criterion, KeyBytes, Source, address};

/// Every strategy finds one address, in its canonical form, however it was spelt, and never one that it passes over;
/// a list of addresses holds what it lists.
pub fn forwarded_for(data: &[u8]) {
    for peer in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))] {
        let chain = Chain { peer, value: data };
        for depth in [0, 1, 3, usize::MAX] {
            for ipv6_subnet in [None, Some(64), Some(255)] {
                assert_canonical(found(&Criterion::ForwardedDepth { depth, ipv6_subnet }, &chain));
            }
        }
        for list in [&["10.0.0.0/8", "192.168.1.1"][..], &["::/0", "1.2.3.4/31"], &["0.0.0.0/0", "2001:db8::/33"]] {
            let excluded = AddressSet::parse(list).expect("a list from this file");
            let address = found(&Criterion::ForwardedExcluding { excluded: excluded.clone() }, &chain);
            assert_canonical(address);
            assert!(address == peer || !excluded.contains(address), "{address} is excluded by {list:?}");
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        assert_list_holds_what_it_lists(text);
    }
}

fn found(criterion: &Criterion, chain: &Chain<'_>) -> IpAddr {
    let source = criterion.source(chain);
    assert!(!KeyBytes::from(source).short().text().is_empty());
    match source {
        Source::Address(address) => address,
        other => panic!("{other:?} is not an address"),
    }
}

fn assert_canonical(address: IpAddr) {
    assert_eq!(address, address.to_canonical(), "an IPv4 address in disguise");
    let spellings = match address {
        IpAddr::V4(v4) => {
            [v4.to_string(), format!(" {v4}:65535"), v4.to_ipv6_mapped().to_string(), format!("[::ffff:{v4}]:1")]
        }
        IpAddr::V6(v6) => [v6.to_string(), format!("{v6}%eth0"), format!("[{v6}]\t"), format!("[{v6}%1]:80")],
    };
    for spelling in spellings {
        assert_eq!(address::parse(&spelling), Some(address), "{spelling:?}");
    }
}

fn assert_list_holds_what_it_lists(text: &str) {
    let entries: Vec<&str> = text.split(',').map(str::trim).collect();
    let Ok(set) = AddressSet::parse(&entries) else { return };
    for entry in entries {
        let address = entry.parse().ok().or_else(|| entry.parse::<IpNet>().ok().map(|net| net.network()));
        let address: IpAddr = address.expect("an entry that was taken is an address or a network");
        assert!(set.contains(address), "{address} is not in {text:?}");
    }
}

/// A request of which only its forwarded chain matters.
struct Chain<'a> {
    peer: IpAddr,
    value: &'a [u8],
}

impl Attributes for Chain<'_> {
    fn peer(&self) -> IpAddr {
        self.peer
    }

    fn host(&self) -> &'static str {
        ""
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        (name == "x-forwarded-for").then_some(self.value)
    }
}
