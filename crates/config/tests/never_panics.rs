//! Whatever a file holds, loading and compiling it ends, without a panic.
//!
//! proptest prints the smallest failing input; the seed is in `proptest-regressions`.

mod support;

use proptest::prelude::*;
use tollgate_config::{Format, SignedDuration, compile, load_dynamic_text};

const FORMATS: [Format; 3] = [Format::Yaml, Format::Toml, Format::Json];

fn load_and_compile(text: &str) {
    for format in FORMATS {
        match load_dynamic_text(text, format, "f") {
            Ok((config, warnings)) => {
                let shown = serde_json::to_string(&config);
                assert!(shown.is_ok(), "{shown:?}");
                let compiled = compile(&support::merged(config), &support::context());
                for one in warnings.iter().chain(&compiled.diagnostics) {
                    assert!(!one.to_string().is_empty());
                }
            }
            Err(said) => assert!(said.iter().any(tollgate_config::Diagnostic::is_error), "refused without a reason"),
        }
    }
}

/// Pieces of configuration, so that what comes together is sometimes nearly right.
fn piece() -> impl Strategy<Value = String> {
    let words: Vec<&str> = include_str!("fixtures/valid/routers.yml")
        .split_inclusive([' ', '\n', ':', ',', '{', '}'])
        .chain(include_str!("fixtures/valid/services.yml").split_inclusive([' ', '\n', ':', ',', '{', '}']))
        .chain(include_str!("facts/acceptance.txt").split_inclusive([' ', '\n', '{', '}']))
        .chain([
            "{{ ",
            " }}",
            "{{- ",
            " -}}",
            "if ",
            "range ",
            "end",
            "else",
            "$x := ",
            "| default ",
            "until 3 ",
            "(",
            ")",
            "\\",
        ])
        .chain(["&a ", "*a", "<<: ", "!!int ", "---\n", "\"", "'", "|\n", "? ", "- ", "[", "]", "\t", "\u{feff}", "0x"])
        .collect();
    prop::sample::select(words).prop_map(str::to_owned)
}

proptest! {
    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        load_and_compile(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn random_text(text in "\\PC{0,200}") {
        load_and_compile(&text);
    }

    #[test]
    fn pieces_in_disorder(pieces in prop::collection::vec(piece(), 0..60)) {
        load_and_compile(&pieces.concat());
    }

    #[test]
    fn a_file_with_one_piece_replaced(at in 0usize..3000, length in 0usize..40, piece in piece()) {
        for file in [include_str!("fixtures/valid/routers.yml"), include_str!("fixtures/valid/limits.toml")] {
            let mut bytes = file.as_bytes().to_vec();
            let start = at.min(bytes.len());
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, piece.bytes());
            load_and_compile(&String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn a_duration_prints_as_it_parses(nanoseconds in any::<i64>()) {
        let duration = SignedDuration::from_nanos(nanoseconds);
        prop_assert_eq!(SignedDuration::parse_go(&duration.to_string()), Ok(duration));
    }

    #[test]
    fn any_text_as_duration(text in "[-+0-9.a-zµ]{0,20}") {
        let _ = SignedDuration::parse(&text);
    }
}
