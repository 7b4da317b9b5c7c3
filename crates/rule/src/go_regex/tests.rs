//! Facts about Go's `regexp`: pattern, texts that match, texts that do not.

use super::compile;

const MEANINGS: &[(&str, &[&str], &[&str])] = &[
    // ASCII classes.
    (r"^\d$", &["7"], &["٣", "a"]),
    (r"^\D$", &["٣", "a", "\n"], &["7"]),
    (r"^\w$", &["a", "_", "0"], &["é", "-"]),
    (r"^\W$", &["é", "-"], &["a"]),
    (r"^\s$", &[" ", "\t", "\n", "\r", "\x0c"], &["\x0b", "\u{a0}", "\u{85}"]),
    (r"^\S$", &["\x0b", "\u{a0}"], &[" "]),
    (r"(?i)^\w$", &["\u{212a}", "\u{17f}", "K"], &["é"]),
    (r"\bfoo\b", &["a foo.", "éfoo"], &["afoo", "foo_"]),
    (r"\Bfoo", &["afoo"], &["foo", "éfoo"]),
    (r"^[\w-]+$", &["a-b"], &["é"]),
    (r"^[^\d]$", &["x", "٣"], &["3"]),
    (r"^[\d-z]+$", &["1-z"], &["y"]),
    // The dot and the ends.
    ("^a.b$", &["a\u{e9}b", "a\rb"], &["a\nb"]),
    ("(?s)^a.b$", &["a\nb"], &[]),
    ("a$", &["ba"], &["a\n"]),
    ("(?m)a$", &["a\nb"], &["ab"]),
    (r"\Aa\z", &["a"], &["a\n", "ba"]),
    // Quoting.
    (r"^\Qa.b\E+$", &["a.bbb"], &["axb", "a.ba.b"]),
    (r"^\Q[(*\E$", &["[(*"], &[]),
    (r"^\Qa.b", &["a.bc"], &["axb"]),
    (r"^\Qa\\E$", &[r"a\"], &[]),
    (r"^a\Q\E+$", &["aa"], &["b"]),
    // Class members that the crate would take for operators.
    ("^[a&&b]+$", &["a&b"], &["c"]),
    ("^[a~~b]+$", &["a~b"], &["c"]),
    ("^[[a]$", &["[", "a"], &["b"]),
    ("^[a[b]]$", &["a]", "[]", "b]"], &["a", "b"]),
    ("^[]a]+$", &["]a"], &["b"]),
    ("^[^]a]$", &["b", "\n"], &["]", "a"]),
    ("^[a-]$", &["a", "-"], &["b"]),
    ("^[-a]$", &["a", "-"], &["b"]),
    ("^[+--]$", &["+", ",", "-"], &["."]),
    (r"^[\]\-\\]+$", &[r"]-\"], &["a"]),
    ("^[a b#]+$", &["a #b"], &["c"]),
    ("^[[:alpha:]1]+$", &["a1B"], &["é", "2"]),
    ("^[[:^alpha:]]$", &["1", "é"], &["a"]),
    ("^[[:word:]]$", &["_"], &["é"]),
    ("^[[:a]$", &["[", ":", "a"], &["b"]),
    ("(?i)^[^a]$", &["b"], &["a", "A"]),
    (r"^[\x41-\x{43}]$", &["A", "B", "C"], &["D"]),
    // Braces that are only braces.
    ("^a{$", &["a{"], &[]),
    ("^a{,2}$", &["a{,2}"], &["a"]),
    ("^a{01}$", &["a{01}"], &["a"]),
    ("^a{1 }$", &["a{1 }"], &["a"]),
    ("^{domain:x}$", &["{domain:x}"], &[]),
    (r"^\b{start}$", &[], &["", "start"]),
    ("a]b}", &["a]b}"], &[]),
    // Repetitions.
    ("^a{2,3}$", &["aa", "aaa"], &["a", "aaaa"]),
    ("^a{2,}?$", &["aa", "aaaa"], &["a"]),
    ("^a{0}$", &[""], &["a"]),
    ("^(?:a{2}){3}$", &["aaaaaa"], &["aaa"]),
    ("^a{1000}$", &[], &["a"]),
    ("^*a", &["a"], &[]),
    (r"\b*a", &["a"], &[]),
    // Escapes.
    (r"^\x41\x{1F9AD}\101\07\a$", &["A🦭A\x07\x07"], &[]),
    (r"^\_\-\<\>\/\ $", &["_-<>/ "], &[]),
    (r"^\12$", &["\n"], &[]),
    (r"^\pL\p{Lu}\PL$", &["éÉ1"], &["aaa"]),
    (r"^\p{Greek}+$", &["αβ"], &["ab"]),
    (r"^\p{^Greek}\P{^Greek}$", &["aα"], &["αa"]),
    (r"^[\p{Greek}\d]+$", &["α1"], &["a"]),
    (r"^\p{Any}$", &["\n"], &[]),
    (r"^\pC$", &["\x00", "\u{200d}"], &["a", "\u{378}"]),
    // Groups and flags.
    ("^(?P<a>x)(?<b>y)(?:z)(?P<1c>w)$", &["xyzw"], &[]),
    ("(?i)^hello$", &["HeLLo"], &[]),
    ("^a(?i)b|c$", &["aB", "C"], &["Ab"]),
    ("^(?i:a)b$", &["Ab"], &["aB"]),
    ("(?i)^a(?-i)b$", &["Ab"], &["aB"]),
    ("(?ii-s)^a$", &["A"], &[]),
    ("^(?)a$", &["a"], &[]),
    ("^(?:|a)$", &["", "a"], &["b"]),
    ("^()$", &[""], &["a"]),
    ("(?U)^a+$", &["aa"], &[]),
    // Space and `#` are themselves.
    ("^a b # c$", &["a b # c"], &["ab"]),
    ("", &["", "a"], &[]),
    ("é+", &["éé"], &["e"]),
];

const REFUSED: &[&str] = &[
    "(",
    ")",
    "[a--b]",
    "a)",
    "(a",
    "[",
    "[a",
    "[]",
    "[^]",
    "[b-a]",
    r"[a-\d]",
    "[[:foo:]]",
    r"[\b]",
    r"[\Qa\E]",
    "*",
    "+a",
    "?",
    "a|*",
    "(*)",
    "(?i)*",
    "a**",
    "a+*",
    "a???",
    "a{2}{3}",
    "a*{2}",
    "a{1001}",
    "a{2,1}",
    "a{1,1001}",
    "a{99999999999}",
    "(?:a{100}){100}",
    "((a{10}b){11}){10}",
    r"\Z",
    r"\C",
    r"\1",
    r"\8",
    r"\E",
    r"\y",
    r"\é",
    r"\",
    r"\x",
    r"\x4",
    r"\x{}",
    r"\x{110000}",
    r"\x+1",
    r"\x{d800}",
    r"\p",
    r"\p{",
    r"\pX",
    r"\p{Nope}",
    r"\p{sc=Greek}",
    r"\p{}",
    r"\p{Alphabetic}",
    "(?=a)",
    "(?!a)",
    "(?<=a)",
    "(?<!a)",
    "(?>a)",
    "(?#a)",
    "(?x)a",
    "(?u)a",
    "(?R)a",
    "(?-u)a",
    "(?i-)a",
    "(?-)a",
    "(?i",
    "(?P<a",
    "(?P<>a)",
    "(?P<a-b>a)",
    "(?P=a)",
    "(?P>a)",
    "(?<a",
    "(?<a.b>c)",
    "(?P<n>a)(?P<n>b)",
    "{2}",
];

#[test]
fn patterns_mean_what_they_mean_in_go() {
    for (pattern, matching, other) in MEANINGS {
        let regex = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        for text in *matching {
            assert!(regex.is_match(text), "{pattern} should match {text:?}");
        }
        for text in *other {
            assert!(!regex.is_match(text), "{pattern} should not match {text:?}");
        }
    }
}

#[test]
fn what_go_refuses_is_refused() {
    for pattern in REFUSED {
        let error = compile(pattern).err();
        let error = error.unwrap_or_else(|| panic!("{pattern} should be refused"));
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn what_people_write_is_not_too_big() {
    for pattern in
        [r"^[\p{L}0-9-]{1,63}\.example\.com$", r"^/users/[^/]{1,255}$", r"^.{0,500}$", r"^(\w{1,64}\.){1,10}com$"]
    {
        compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    }
}

#[test]
fn captures_keep_their_numbers_and_names() {
    let regex = compile(r"(\d)(?P<b>x)(?:y)(?<c>z)").expect("a pattern");
    let captures = regex.captures("1xyz").expect("a match");
    assert_eq!((&captures[1], &captures["b"], &captures["c"], &captures[3]), ("1", "x", "z", "z"));
}

#[test]
fn big_and_deep_patterns_are_refused() {
    for pattern in ["(?:(?:\\pL{100}){10})".repeat(20), "(".repeat(100_000), "(".repeat(300) + &")".repeat(300)] {
        assert!(compile(&pattern).is_err());
    }
}
