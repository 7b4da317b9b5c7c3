//! Which requests are admitted, and in which form.

use http::Request;

use super::*;

fn ask(version: Version, target: &str, fields: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().version(version).uri(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn options() -> EntryPointOptions {
    EntryPointOptions::new("web", ([127, 0, 0, 1], 0).into())
}

fn admit(options: &EntryPointOptions, mut parts: Parts) -> Result<(Parts, Option<Arc<KnownHost>>), u16> {
    let admission = Admission { options, known: &Mutex::new(None) };
    match admission.admit(&mut parts) {
        Ok(host) => Ok((parts, host)),
        Err(refusal) => Err(refusal.status.as_u16()),
    }
}

#[test]
fn the_path_is_the_canonical_one() {
    for (target, expected) in [
        ("/", Ok("/")),
        ("/a/b?x=y", Ok("/a/b?x=y")),
        ("/x/%2e%2e/admin", Ok("/admin")),
        ("//a/./b/../c//", Ok("/a/c/")),
        ("/%61?%61", Ok("/a?%61")),
        ("/a%2fb", Ok("/a%2Fb")),
        ("/a/..;x=1/admin", Ok("/a/..;x=1/admin")),
        ("/a%00", Err(400)),
        ("/%zz", Err(400)),
        ("*", Ok("*")),
        ("/?a=1;b=2", Ok("/?a=1;b=2")),
        ("http://a.test", Ok("/")),
        ("http://a.test?x", Ok("/?x")),
        ("http://a.test/a/../b?x", Ok("/b?x")),
    ] {
        let admitted = admit(&options(), ask(Version::HTTP_11, target, &[("host", "a.test")]));
        let form = admitted.map(|(parts, _)| parts.uri.to_string());
        assert_eq!(form.as_deref().map_err(|status| *status), expected, "{target}");
    }
}

#[test]
fn the_path_stays_if_the_entry_point_says_so() {
    let options = EntryPointOptions { sanitize_path: false, query_semicolons: QuerySemicolons::Encode, ..options() };
    for (target, expected) in
        [("/a/../b", "/a/../b"), ("//a?x;y", "//a?x%3By"), ("http://a.test/./b", "/./b"), ("/%2e%2e/%2f", "/../%2F")]
    {
        let (parts, _) = admit(&options, ask(Version::HTTP_11, target, &[("host", "a.test")])).unwrap();
        assert_eq!(parts.uri, expected, "{target}");
    }
}

#[test]
fn a_request_has_one_host() {
    const ONE: Version = Version::HTTP_11;
    const TWO: Version = Version::HTTP_2;
    for (version, target, fields, expected) in [
        (ONE, "/", &[("host", "a.test")][..], Ok(Some(("a.test", None)))),
        (ONE, "/", &[("host", "A.Test:8080")], Ok(Some(("A.Test:8080", Some("8080"))))),
        (ONE, "/", &[("host", "[::1]:80")], Ok(Some(("[::1]:80", Some("80"))))),
        (ONE, "http://a.test/", &[("host", "b.test")], Ok(Some(("a.test", None)))),
        (ONE, "http://user:secret@a.test:81/", &[("host", "b.test")], Ok(Some(("a.test:81", Some("81"))))),
        (Version::HTTP_10, "/", &[], Ok(None)),
        (TWO, "http://a.test/", &[], Ok(Some(("a.test", None)))),
        (TWO, "http://a.test/", &[("host", "A.TEST")], Ok(Some(("a.test", None)))),
        (TWO, "/", &[("host", "a.test")], Ok(Some(("a.test", None)))),
        (TWO, "http://a.test/", &[("host", "b.test")], Err(400)),
        (TWO, "http://a.test/", &[("host", "a.test:80")], Err(400)),
        (TWO, "http://a.test/", &[("host", "a.test"), ("host", "a.test")], Err(400)),
        (TWO, "http://user@a.test/", &[], Ok(Some(("a.test", None)))),
        (TWO, "/", &[], Err(400)),
        (TWO, "/", &[("host", "a.test/evil@b")], Err(400)),
        (TWO, "/", &[("host", "a.test, b.test")], Err(400)),
    ] {
        let context = format!("{version:?} {target} {fields:?}");
        let admitted = admit(&options(), ask(version, target, fields));
        let host = admitted.map(|(parts, host)| {
            let header = parts.headers.get(HOST).map(|host| host.to_str().unwrap().to_owned());
            (header, host.map(|host| (host.authority().clone(), host.port().cloned())))
        });
        match expected {
            Err(status) => assert_eq!(host.unwrap_err(), status, "{context}"),
            Ok(None) => assert_eq!(host.unwrap(), (None, None), "{context}"),
            Ok(Some((authority, port))) => {
                let (header, host) = host.unwrap();
                let (known, known_port) = host.unwrap();
                assert_eq!(&*known, authority, "{context}");
                assert_eq!(known_port, port.map(HeaderValue::from_static), "{context}");
                assert!(header.unwrap().eq_ignore_ascii_case(authority), "{context}");
            }
        }
    }
}

#[test]
fn no_tunnels() {
    let mut parts = ask(Version::HTTP_2, "http://a.test/", &[]);
    parts.method = Method::CONNECT;
    assert_eq!(admit(&options(), parts).unwrap_err(), 501);
}

#[test]
fn the_next_request_for_a_host_finds_it_known() {
    let options = options();
    let known = Mutex::new(None);
    let admission = Admission { options: &options, known: &known };
    let host = |name| admission.admit(&mut ask(Version::HTTP_11, "/", &[("host", name)])).unwrap().unwrap();
    let (first, second, other) = (host("a.test"), host("a.test"), host("b.test"));
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(&**other.authority(), "b.test");
}

#[test]
fn too_many_fields_are_too_many() {
    let fields: Vec<_> = (0..=MAX_FIELDS).map(|number| (format!("x-{number}"), "1")).collect();
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(admit(&options(), ask(Version::HTTP_2, "http://a.test/", &fields)).unwrap_err(), 431);
}
