//! What Traefik answers, from the files in `tests/facts`.

use tollgate_rule::{Entry, Rule, Table, canonical};

use crate::sent::Sent;

const MATCHERS: &str = include_str!("../facts/matchers.txt");
const PRIORITY: &str = include_str!("../facts/priority.txt");
const REQUEST: &str = include_str!("../facts/request.txt");

/// The blocks of a facts file: a head line and the indented lines below it.
fn blocks(facts: &str) -> Vec<(&str, Vec<&str>)> {
    let mut blocks: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in facts.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match line.strip_prefix("  ") {
            Some(row) => blocks.last_mut().expect("a head before its rows").1.push(row),
            None => blocks.push((line.split_once(' ').map_or("", |(_, head)| head), Vec::new())),
        }
    }
    blocks
}

fn request(text: &str) -> Sent {
    let sent = Sent::to("http://example.com/");
    if text.contains("://") {
        Sent::to(text)
    } else if let Some((name, lines)) = text.split_once(": ") {
        lines.split(" ⏎ ").fold(sent, |sent, line| sent.header(name, line.as_bytes()))
    } else if text.starts_with(|c: char| c.is_ascii_digit()) {
        sent.from(text.parse().ok())
    } else {
        sent.method(text)
    }
}

#[test]
fn matchers_answer_as_traefik_s() {
    let mut rows = 0;
    for (text, verdicts) in blocks(MATCHERS) {
        for row in verdicts {
            rows += 1;
            let rule = Rule::parse(text);
            let (verdict, asked) = row.split_once(' ').unwrap_or((row, ""));
            let expected = match verdict {
                "INVALID" => {
                    assert!(rule.is_err(), "`{text}` should be refused");
                    continue;
                }
                "yes" | "no§" => true,
                "no" | "no‡" => false,
                other => panic!("unknown verdict {other}"),
            };
            let rule = rule.unwrap_or_else(|error| panic!("`{text}`: {error}"));
            let answer = rule.matches(&request(asked.trim()));
            assert_eq!(answer, expected, "`{text}` asked about {asked}");
        }
    }
    assert_eq!(rows, 289);
}

#[test]
fn the_router_that_wins_in_traefik_wins() {
    for (path, rows) in blocks(PRIORITY) {
        let entries: Vec<Entry<bool>> = rows.iter().map(|row| entry(row)).collect();
        let winner = entries.iter().any(|entry| entry.value).then_some(true);
        let request = Sent::to(&format!("http://example.com{path}"));
        let reversed = entries.iter().rev().cloned().collect();
        assert_eq!(Table::new(entries).select(&request).copied(), winner, "{path}: {rows:?}");
        assert_eq!(Table::new(reversed).select(&request).copied(), winner, "{path}: {rows:?}");
    }
}

/// A router of `priority.txt`; its value says whether it should win.
fn entry(row: &str) -> Entry<bool> {
    let (star, rest) = row.split_at(2);
    let [priority, provider, prefix] = rest.split(' ').collect::<Vec<_>>()[..] else {
        panic!("three fields in {row}");
    };
    let rule = Rule::parse(&format!("PathPrefix(`{prefix}`)")).expect("a rule");
    Entry {
        priority: priority.parse().unwrap_or(rule.default_priority()),
        rule,
        provider: provider.to_owned(),
        name: prefix.to_owned(),
        value: star == "* ",
    }
}

#[test]
fn rules_see_of_a_request_what_traefik_s_see() {
    let mut rows = 0;
    for line in REQUEST.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        rows += 1;
        let (kind, rest) = line.split_once(' ').expect("a kind");
        let fields: Vec<&str> = rest.split("  ").map(str::trim).filter(|f| !f.is_empty()).collect();
        match (kind, &fields[..]) {
            ("host", [target, header, rule, verdict]) => {
                let authority = canonical::authority(Some(target), Some(header));
                let request = Sent::to(&format!("http://{authority}/"));
                let rule = Rule::parse(rule).expect("a rule");
                assert_eq!(rule.matches(&request), *verdict == "yes", "{line}");
            }
            ("path", [path, routing]) => assert_eq!(canonical::routing_path(path), *routing),
            ("domains", [rule, domains]) => {
                let hosts = Rule::parse(rule).expect("a rule").hosts();
                assert_eq!(hosts.join(", "), domains.trim_start_matches('-'), "{line}");
            }
            ("priority", [rule, priority]) => {
                let rule = Rule::parse(rule).expect("a rule");
                assert_eq!(rule.default_priority().to_string(), *priority, "{line}");
            }
            _ => panic!("unknown row {line}"),
        }
    }
    assert_eq!(rows, 14);
}

#[test]
fn errors_say_where_and_what_instead() {
    for (text, at, hint) in [
        ("Hots(`a`)", "Hots", "did you mean `Host`?"),
        ("pathPrefix(`/a`)", "pathPrefix", "did you mean `PathPrefix`?"),
        ("Headers(`a`, `b`)", "Headers", "in v3 it is `Header`, with one name and one value"),
        ("HostSNI(`a`)", "HostSNI", "`HostSNI` is for TCP routers; HTTP has `Host`"),
        ("Host('a.b')", "'a.b'", "write `a.b`"),
        ("Host(a.b)", "a", "write `a.b` with its backquotes"),
        ("Host(127.0.0.1)", "127", "write `127.0.0.1` with its backquotes"),
        ("Host(`a`, `b`)", "Host(`a`, `b`)", "write Host(`a`) || Host(`b`)"),
        ("Host(`a`) AND Path(`/`)", "AND", "write &&"),
        ("Host(`a`) & Path(`/`)", "&", "write &&"),
        ("Host(`a`)\n&& Path(`/`)", "&&", "end the line before with the operator"),
        ("Host(`a)", "`a)", "add the closing `"),
        ("Path(`css`)", "`css`", "write `/css`"),
        ("Host(`🦭.com`)", "`🦭.com`", "write the host in its xn-- form"),
        ("ClientIP(`10.0.0.0/33`)", "`10.0.0.0/33`", "as in `10.0.0.1` or `10.0.0.0/8`"),
        (r#"PathRegexp("\d")"#, r"\d", r"in backquotes a backslash stands for itself: `\d`"),
    ] {
        let error = Rule::parse(text).expect_err(text);
        assert_eq!(&text[error.span.clone()], at, "{text}");
        assert_eq!(error.hint.as_deref(), Some(hint), "{text}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn what_the_tables_leave_out() {
    let plain = Sent::to("http://example.com/a%20b?x=1&x=2");
    for (text, expected) in [
        ("Path(`/a b`)", true),
        ("PathPrefix(`/a`)", true),
        ("Query(`x`)", false),
        ("Query(`x`, `2`)", true),
        ("QueryRegexp(`x`)", false),
        ("ClientIP(`::/0`)", false),
        ("Header(`Host`, `example.com`)", false),
        ("HeaderRegexp(`host`, `.*`)", false),
        // Searched in the empty flattened name as well.
        ("HostRegexp(`^$`)", true),
        ("HostRegexp(`x*`)", true),
        ("Host(`*.com`)", true),
        ("!Host(`*`)", false),
    ] {
        assert_eq!(Rule::parse(text).expect(text).matches(&plain), expected, "{text}");
    }
}

#[test]
fn header_bytes_that_are_not_text_still_meet_the_pattern() {
    let sent = Sent::to("http://a/").header("X-Tag", b"adm\xffin");
    assert!(Rule::parse("HeaderRegexp(`X-Tag`, `^adm.in$`)").expect("a rule").matches(&sent));
    assert!(!Rule::parse("!HeaderRegexp(`X-Tag`, `adm`)").expect("a rule").matches(&sent));
}

#[test]
fn mapped_networks_are_ipv4() {
    let sent = Sent::to("http://a/").from("10.1.2.3".parse().ok());
    for text in ["ClientIP(`::ffff:10.1.2.3`)", "ClientIP(`::ffff:10.0.0.0/104`)", "ClientIP(`10.9.9.9/8`)"] {
        assert!(Rule::parse(text).expect(text).matches(&sent), "{text}");
    }
    assert!(Rule::parse("ClientIP(`fe80::1%eth0`)").is_err());
}
