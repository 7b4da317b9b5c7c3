//! The first reading.

use tollgate_config::static_config::File;
use tollgate_provider::FileProvider;

use crate::harness::{folder, path_text, routers};

fn options(path: &std::path::Path, watch: bool) -> File {
    File { filename: path_text(path), watch, ..File::default() }
}

#[test]
fn a_file_that_is_not_watched_is_read_once() {
    let folder = folder(&[("d.yml", &routers(&["a"]))]);
    let (message, watch) = FileProvider::new(&options(&folder.path().join("d.yml"), false)).start().unwrap();
    assert!(watch.is_none());
    assert!(message.config.unwrap().http.unwrap().routers.contains_key("a"));
}

#[test]
fn without_watching_a_file_that_cannot_be_used_is_an_error() {
    let folder = folder(&[("bad.yml", "http: {nonsense: 1}"), ("bad.txt", "")]);
    for (name, code) in [("bad.yml", "unknown-field"), ("none.yml", "unreadable"), ("bad.txt", "unsupported-extension")]
    {
        let errors = FileProvider::new(&options(&folder.path().join(name), false)).start().unwrap_err();
        assert_eq!(errors[0].code, code, "{name}");
    }
}

#[test]
fn with_watching_it_starts_without_routes_and_says_so() {
    let folder = folder(&[]);
    let (message, watch) = FileProvider::new(&options(&folder.path().join("none.yml"), true)).start().unwrap();
    assert!(watch.is_some());
    assert_eq!(message.config, None);
    assert_eq!(message.diagnostics[0].code, "unreadable");
}

#[test]
fn the_directory_prevails_over_the_file() {
    let folder = folder(&[("own.yml", &routers(&["own"])), ("all/a.yml", &routers(&["a"]))]);
    let directory = path_text(&folder.path().join("all"));
    let both = File { directory, ..options(&folder.path().join("own.yml"), false) };
    let (message, _) = FileProvider::new(&both).start().unwrap();
    let names: Vec<_> = message.config.unwrap().http.unwrap().routers.into_keys().collect();
    assert_eq!(names, ["a"]);
}
