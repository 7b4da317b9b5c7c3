//! Traefik's facts about address lists (cases §2.4, §2.5), and the spellings that must not make new clients.

use super::*;

#[test]
fn every_spelling_of_an_address_is_the_same_address() {
    for spellings in [
        &[
            "198.51.100.9",
            " 198.51.100.9 ",
            "198.51.100.9:1234",
            "::ffff:198.51.100.9",
            "::ffff:c633:6409",
            "[::ffff:198.51.100.9]:80",
        ][..],
        &[
            "2001:db8::1",
            "2001:DB8::1",
            "2001:0db8:0:0:0:0:0:1",
            "[2001:db8::1]",
            "[2001:db8::1]:443",
            "2001:db8::1%eth0",
            "[2001:db8::1%eth0]:1",
        ],
    ] {
        let first = parse(spellings[0]).unwrap();
        for spelling in spellings {
            assert_eq!(parse(spelling), Some(first), "{spelling}");
        }
    }
}

#[test]
fn what_is_not_an_address_is_none() {
    for text in [
        "",
        " ",
        "garbage",
        "198.51.100.09",
        "1.2.3.4:x",
        "1.2.3.4:99999",
        "[::1",
        "[::1]x",
        "::1]",
        "1.2.3",
        "fe:::80",
        "%eth0",
        "1.2.3.4%eth0",
        "[1.2.3.4]:80",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}

#[test]
fn networks_group_ipv6_and_leave_ipv4_alone() {
    let group = |text, prefix| group(parse(text).unwrap(), prefix).to_string();
    assert_eq!(group("2001:db8:1:2:3:4:5:6", Some(64)), "2001:db8:1:2::");
    assert_eq!(group("::abcd:ffff:c0a8:1", Some(80)), "::abcd:0:0:0".parse::<IpAddr>().unwrap().to_string());
    assert_eq!(group("::abcd:ffff:c0a8:1", Some(200)), "::abcd:ffff:c0a8:1");
    assert_eq!(group("1.2.3.4", Some(24)), "1.2.3.4");
    assert_eq!(group("::ffff:1.2.3.4", Some(64)), "1.2.3.4");
}

#[test]
fn lists_are_refused_as_traefik_refuses_them() {
    assert_eq!(AddressSet::parse::<&str>(&[]), Err(AddressSetError::Empty));
    for list in [&["1.2.3.4/24", "", "fe80::/16"][..], &[""], &["foo"], &["1.2.3.4/33"], &["0127.0.0.1"]] {
        assert!(matches!(AddressSet::parse(list), Err(AddressSetError::Invalid(_))), "{list:?}");
    }
    assert_eq!(
        AddressSet::parse(&["foo"]).unwrap_err().to_string(),
        "parsing CIDR trusted IPs <nil>: invalid CIDR address: foo"
    );
}

#[test]
fn membership() {
    let v6_in =
        ["2a03:4000:6:d080::", "2a03:4000:6:d080::1", "2a03:4000:6:d080:dead:beef:ffff:ffff", "2a03:4000:6:d080::42"];
    for (list, inside, outside) in [
        (
            &["1.2.3.4/24"][..],
            &["1.2.3.1", "1.2.3.32", "1.2.3.156", "1.2.3.255", "::ffff:1.2.3.9"][..],
            &["1.2.16.1", "1.2.32.1", "127.0.0.1", "8.8.8.8"][..],
        ),
        (&["8.8.8.8"], &["8.8.8.8"], &["8.8.8.7", "8.8.8.9", "8.8.8.0", "8.8.8.255", "4.4.4.4", "127.0.0.1"]),
        (&["8.8.8.8/32"], &["8.8.8.8"], &["8.8.8.7", "8.8.8.9", "8.8.8.0", "8.8.8.255", "4.4.4.4", "127.0.0.1"]),
        (
            &["1.2.3.4/24", "8.8.8.8/8"],
            &["1.2.3.1", "1.2.3.255", "8.8.4.4", "8.0.0.1", "8.32.42.128", "8.255.255.255"],
            &["1.2.16.1", "1.2.32.1", "127.0.0.1", "4.4.4.4", "4.8.8.8"],
        ),
        (&["2a03:4000:6:d080::/64"], &v6_in, &["2a03:4000:7:d080::", "2a03:4000:7:d080::1", "fe80::", "4242::1"]),
        (
            &["2a03:4000:6:d080::42/128"],
            &["2a03:4000:6:d080::42"],
            &["2a03:4000:6:d080::1", "2a03:4000:6:d080:dead:beef:ffff:ffff", "2a03:4000:6:d080::43"],
        ),
        (
            &["2a03:4000:6:d080::/64", "fe80::/16", "1.2.3.4/24", "8.8.8.8/8"],
            &[
                "2a03:4000:6:d080::1",
                "fe80::1",
                "fe80:aa00:00bb:4232:ff00:eeee:00ff:1111%vEthernet",
                "fe80::fe80",
                "1.2.3.1",
                "8.32.42.128",
            ],
            &["2a03:4000:7:d080::1%vmnet1", "4242::1", "1.2.16.1", "127.0.0.1", "4.4.4.4"],
        ),
    ] {
        let set = AddressSet::parse(list).unwrap();
        for text in inside {
            assert!(set.contains(parse(text).unwrap()), "{text} in {list:?}");
        }
        for text in outside {
            assert!(!set.contains(parse(text).unwrap()), "{text} not in {list:?}");
        }
    }
}
