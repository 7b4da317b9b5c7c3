//! Host, path and query as a client may write them.

use std::borrow::Cow;

use tollgate_rule::canonical::{authority, host, path, query, routing_path};

/// A canonical path stays as it is, climbs nowhere and reads as a routing path; any text reads as a host and a query.
pub fn canonical(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    assert_path_is_a_fixed_point(text);
    routing_path(text);
    assert!(!host(text).bytes().any(|byte| byte.is_ascii_uppercase()));
    assert!(text.contains(authority(Some(text), None)) || text.is_empty());
    assert!(query(text).count() <= text.split(['&', ';']).count());
}

fn assert_path_is_a_fixed_point(raw: &str) {
    let Ok(once) = path(raw) else { return };
    assert_eq!(path(&once).as_ref(), Ok(&once), "a canonical path changes");
    if once.starts_with('/') {
        assert!(matches!(path(&once), Ok(Cow::Borrowed(_))), "a canonical path is copied");
        assert!(!once.contains("//"), "{once:?}");
        assert!(!once.split('/').any(|segment| matches!(segment, "." | "..")), "{once:?}");
    }
    assert!(once.bytes().all(|byte| byte.is_ascii_graphic()), "{once:?}");
    assert!(!routing_path(&once).is_empty(), "{once:?}");
}
