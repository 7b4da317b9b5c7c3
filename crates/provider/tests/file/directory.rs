//! Many files, one configuration.

use tollgate_config::static_config::File;
use tollgate_config::{Diagnostic, DynamicConfig};
use tollgate_provider::FileProvider;

use crate::harness::{Watched, events_only, folder, path_text, routers};

fn load(files: &[(&str, &str)]) -> Result<(DynamicConfig, Vec<Diagnostic>), Vec<Diagnostic>> {
    let folder = folder(files);
    let options = File { directory: path_text(folder.path()), watch: false, ..File::default() };
    let (message, _) = FileProvider::new(&options).start()?;
    Ok((message.config.unwrap(), message.diagnostics))
}

fn names(config: &DynamicConfig) -> Vec<&str> {
    let http = config.http.as_ref().unwrap();
    http.routers.keys().map(String::as_str).collect()
}

#[test]
fn objects_of_all_files_come_together() {
    let (config, diagnostics) = load(&[
        (
            "a.yml",
            "http: {routers: {a: {rule: 'Path(`/`)', service: s}}}\ntls: {certificates: [{certFile: a, keyFile: a}]}",
        ),
        ("b/c.yaml", "HTTP: {services: {s: {loadBalancer: {servers: [{url: 'http://h'}]}}}}"),
        (
            "b/d.toml",
            "[http.routers.d]\nrule = 'Path(`/d`)'\nservice = 's'\n[[tls.certificates]]\ncertFile = 'b'\nkeyFile = 'b'",
        ),
        ("empty.yml", ""),
        ("notes.txt", "not: [configuration"),
        ("e.json", "not read, as in Traefik"),
        ("..old/a.yml", "not: [read"),
    ])
    .unwrap();
    assert_eq!(diagnostics, []);
    assert_eq!(names(&config), ["a", "d"]);
    assert!(config.http.as_ref().unwrap().services.contains_key("s"));
    let tls = serde_json::to_value(config.tls.as_ref().unwrap()).unwrap();
    assert_eq!(tls["certificates"].as_array().unwrap().len(), 2);
}

#[test]
fn of_two_objects_with_one_name_the_first_file_counts_and_the_second_is_reported() {
    let (config, diagnostics) = load(&[
        ("a.yml", "http: {routers: {x: {rule: 'Path(`/a`)', service: s}}}"),
        (
            "b.yml",
            "http:\n  routers:\n    x: {rule: 'Path(`/b`)', service: s}\n    X: {rule: 'Path(`/c`)', service: s}",
        ),
    ])
    .unwrap();
    assert_eq!(names(&config), ["X", "x"]);
    assert_eq!(config.http.unwrap().routers["x"].rule, "Path(`/a`)");
    assert_eq!(diagnostics.len(), 1);
    let clash = &diagnostics[0];
    assert_eq!((clash.code, clash.path.as_str()), ("configured-twice", "http.routers.x"));
    let place = clash.place.as_ref().unwrap();
    assert!(place.file.ends_with("b.yml") && place.line == 3, "{place}");
    assert!(clash.message.contains("a.yml:1:"), "{}", clash.message);
}

#[test]
fn one_bad_file_refuses_the_whole_and_all_mistakes_are_told() {
    let errors = load(&[
        ("a.yml", &routers(&["a"])),
        ("b.yml", "http: {nonsense: 1}"),
        ("c.yml", "http: {routers: {c: {rule: 1, prioriti: 1}}}"),
    ])
    .unwrap_err();
    let files: Vec<_> =
        errors.iter().map(|error| error.place.as_ref().unwrap().file.rsplit('/').next().unwrap()).collect();
    assert_eq!(files, ["b.yml", "c.yml"]);
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    let options = File { directory: "/no/such/directory".to_owned(), watch: false, ..File::default() };
    let errors = FileProvider::new(&options).start().unwrap_err();
    assert_eq!(errors[0].code, "unreadable");
}

#[tokio::test]
async fn a_file_that_turns_bad_keeps_what_all_of_them_said_before() {
    let files = [("a.yml", routers(&["a"])), ("b.yml", routers(&["b"]))];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let mut watched = Watched::directory(events_only, &files);
    watched.write("a.yml", &routers(&["c"]));
    watched.until_routers(&["b", "c"]).await;
    watched.write("b.yml", "http: [");
    watched.until(|watched| !watched.reported.is_empty()).await;
    assert_eq!(watched.routers, ["b", "c"]);
    watched.write("b.yml", &routers(&["d"]));
    watched.until_routers(&["c", "d"]).await;
    watched.stop().await;
}
