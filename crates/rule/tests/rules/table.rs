//! What a selection costs.

use std::cell::Cell;
use std::net::IpAddr;

use tollgate_rule::{Entry, Request, Rule, Table};

/// Counts how often rules ask for anything.
struct Counting {
    host: &'static str,
    questions: Cell<usize>,
}

impl Counting {
    fn question<T>(&self, answer: T) -> T {
        self.questions.set(self.questions.get() + 1);
        answer
    }
}

impl Request for Counting {
    fn host(&self) -> &str {
        self.question(self.host)
    }

    fn path(&self) -> &str {
        self.question("/")
    }

    fn method(&self) -> &str {
        self.question("GET")
    }

    fn client_ip(&self) -> Option<IpAddr> {
        self.question(None)
    }

    fn header_any(&self, _: &str, _: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.question(false)
    }

    fn query_any(&self, _: &str, _: &mut dyn FnMut(&str) -> bool) -> bool {
        self.question(false)
    }
}

/// Routers in every form that names hosts, each form for its own `count` hosts.
fn table(count: usize) -> Table<String> {
    let forms = |n: usize| {
        [
            format!("Host(`a{n}.example.com`)"),
            format!("PathPrefix(`/`) && Host(`b{n}.example.com`)"),
            format!("Host(`c{n}.example.com`) || (Host(`d{n}.example.com`) && !Path(`/x`))"),
            format!("Host(`*.e{n}.example.com`) && (Method(`GET`) || Method(`PUT`))"),
        ]
    };
    let entry = |text: String| Entry {
        rule: Rule::parse(&text).expect("a rule"),
        priority: 0,
        provider: "file".to_owned(),
        name: text.clone(),
        value: text,
    };
    let last = entry("PathPrefix(`/`)".to_owned());
    let last = Entry { priority: -1, ..last };
    Table::new((0..count).flat_map(forms).map(entry).chain([last]).collect())
}

#[test]
fn a_selection_asks_as_little_among_many_hosts_as_among_few() {
    let (few, many) = (table(10), table(2_500));
    for (host, expected) in [
        ("a7.example.com", "Host(`a7.example.com`)"),
        ("b7.example.com", "PathPrefix(`/`) && Host(`b7.example.com`)"),
        ("d7.example.com", "Host(`c7.example.com`) || (Host(`d7.example.com`) && !Path(`/x`))"),
        ("x.e7.example.com.", "Host(`*.e7.example.com`) && (Method(`GET`) || Method(`PUT`))"),
        ("unknown.org", "PathPrefix(`/`)"),
        ("", "PathPrefix(`/`)"),
    ] {
        let questions = [&few, &many].map(|table| {
            let request = Counting { host, questions: Cell::new(0) };
            assert_eq!(table.select(&request).map(String::as_str), Some(expected));
            request.questions.get()
        });
        assert_eq!(questions[0], questions[1], "{host}");
        assert!(questions[1] <= 6, "{host}: {questions:?}");
    }
}

#[test]
fn tables_are_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&table(1));
}
