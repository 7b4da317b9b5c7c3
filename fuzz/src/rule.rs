//! The text of a router's rule.

use tollgate_rule::{Entry, Rule, RuleSyntax, Table};

use crate::request::{Sent, requests};

/// Text is a rule or an error that lies inside it; a rule answers every request, a table of it gives the same answers,
/// and its negation the opposite ones.
pub fn rule(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let requests = requests();
    for syntax in [RuleSyntax::V3, RuleSyntax::V2] {
        match Rule::parse_as(text, syntax) {
            Ok(rule) => {
                assert_eq!(rule.text(), text);
                assert!(rule.hosts().iter().all(|host| !host.bytes().any(|byte| byte.is_ascii_uppercase())));
                let answers = requests.each_ref().map(|request| rule.matches(request));
                assert_eq!(selected(rule, &requests), answers, "by a table, {syntax:?}");
                assert_negation_turns(text, syntax, &requests, answers);
            }
            Err(error) => {
                assert!(text.get(error.span.clone()).is_some(), "{error:?} does not lie in the text");
                assert!(!error.to_string().contains(char::is_control), "{error:?}");
            }
        }
    }
}

fn selected<const N: usize>(rule: Rule, requests: &[Sent; N]) -> [bool; N] {
    let entry = Entry { priority: 1, provider: "file".to_owned(), name: "r".to_owned(), value: (), rule };
    let table = Table::new(vec![entry]);
    requests.each_ref().map(|request| table.select(request).is_some())
}

/// A negation may be refused, for being too deep or too long; if it is not, it means what it says.
fn assert_negation_turns<const N: usize>(text: &str, syntax: RuleSyntax, requests: &[Sent; N], answers: [bool; N]) {
    if let Ok(negated) = Rule::parse_as(&format!("!({text})"), syntax) {
        let opposite = requests.each_ref().map(|request| !negated.matches(request));
        assert_eq!(opposite, answers, "by the negation, {syntax:?}");
    }
}
