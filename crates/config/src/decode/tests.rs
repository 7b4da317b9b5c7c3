#![allow(unreachable_pub)]

use super::*;
use crate::load::{Format, load_node};
use crate::{Redacted, SignedDuration};

section! {
    /// All kinds of fields.
    pub struct Sample: "test.Sample" {
        /// How many.
        "count" => count: i64 = 7,
        /// Or not.
        "flag" => flag: bool,
        /// How long.
        "period" => period: SignedDuration = SignedDuration::from_secs(1),
        /// Which.
        "names" => names: Vec<String>,
        /// More.
        "inner" => inner: Option<Inner>,
        /// May be empty.
        "maybe" => maybe: Option<Maybe>,
        /// Many.
        "many" => many: BTreeMap<String, Inner>,
        /// A row.
        "row" => row: Vec<Inner>,
        /// Hidden.
        "password" => password: Redacted<String>,
    }
}

section! {
    /// A section.
    pub struct Inner: "test.Inner" {
        /// A value.
        "value" => value: String = "default".to_owned(),
    }
}

section! {
    /// A section that may be empty.
    pub struct Maybe: "test.Maybe", allow_empty {
        /// A value.
        "value" => value: i64 = 1,
    }
}

fn sample(text: &str) -> (Option<Sample>, Vec<String>) {
    let node = load_node(text, Format::Yaml, "t").unwrap();
    let mut decoder = Decoder::default();
    let sample = Sample::decode_element(&node, &mut decoder);
    let said = decoder.into_diagnostics();
    (sample, said.iter().map(ToString::to_string).collect())
}

fn good(text: &str) -> Sample {
    let (sample, said) = sample(text);
    assert!(said.is_empty(), "{said:?}");
    sample.unwrap()
}

fn said(text: &str) -> String {
    sample(text).1.join("\n")
}

#[test]
fn keys_fold_case_and_texts_are_typed_by_the_field() {
    let sample = good("COUNT: \"100\"\nflag: \"1\"\nPeriod: 1e3\nnames: \"a, b\"\n");
    assert_eq!((sample.count, sample.flag), (100, true));
    assert_eq!(sample.period, SignedDuration::from_secs(1000));
    assert_eq!(sample.names, ["a", "b"]);
}

#[test]
fn null_and_empty_lists_are_absent() {
    let sample = good("count: null\ninner:\nnames: []\nperiod: 10.0\n");
    assert_eq!(sample.count, 7);
    assert_eq!(sample.inner, None);
    assert_eq!(sample.period.to_string(), "10s");
}

#[test]
fn items_of_lists_are_trimmed() {
    assert_eq!(good("names: [' a ', b]").names, ["a", "b"]);
}

#[test]
fn empty_sections_are_refused_except_where_allowed() {
    for text in ["inner: {}", "inner: true", "inner: {value: null}"] {
        assert!(said(text).contains(": inner: inner cannot be a standalone element (type *test.Inner)"), "{text}");
    }
    assert!(said("many: {}").contains("(type map[string]*test.Inner)"));
    assert_eq!(good("many: {a: {}}").many["a"], Inner::default());
    for text in ["maybe: {}", "maybe: true", "maybe: ''"] {
        assert_eq!(good(text).maybe, Some(Maybe::default()), "{text}");
    }
    assert_eq!(good("maybe: false").maybe, None);
}

#[test]
fn every_mistake_is_told_with_path_place_and_hint() {
    let said = said("cuont: 1\nflag: yes\ncount: 1.5\nrow:\n  - value: a\n  - valu: b\n");
    let expected = [
        "t:1:1: error: cuont: field not found, node: cuont; hint: did you mean \"count\"?",
        "t:2:7: error: flag: strconv.ParseBool: parsing \"yes\": invalid syntax; hint: use true or false",
        "t:3:8: error: count: strconv.ParseInt: parsing \"1.500000\": invalid syntax",
        "t:6:5: error: row[1].valu: field not found, node: valu; hint: did you mean \"value\"?",
    ];
    assert_eq!(said, expected.join("\n"));
}

#[test]
fn json_leaves_out_what_go_leaves_out() {
    let sample = good("count: 0\nperiod: 60\npassword: secret\ninner: {value: x}\n");
    assert_eq!(serde_json::to_string(&sample).unwrap(), r#"{"period":"1m0s","inner":{"value":"x"},"password":"xxxx"}"#);
}

#[test]
fn the_last_of_two_spellings_counts() {
    let (sample, said) = sample("count: 1\nCount: 2\n");
    assert_eq!(sample.unwrap().count, 1);
    assert!(said[0].contains("are the same field"));
}
