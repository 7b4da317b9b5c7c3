use super::*;

/// What is written when `said` runs with these settings.
fn written(settings: &Settings, said: impl FnOnce()) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let settings = Settings { file: Some(path.clone()), ..settings.clone() };
    let log = Log::open(&settings).expect("a log");
    tracing::subscriber::with_default(log.subscriber(&settings), said);
    log.close(Duration::from_secs(20));
    std::fs::read_to_string(path).expect("the log")
}

/// Lines without the moment they start with.
fn timeless(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split_once(' ').map_or(line, |(_, rest)| rest)).collect()
}

#[test]
fn lines_for_people_look_like_traefiks() {
    let text = written(&Settings { level: LevelFilter::INFO, ..Settings::default() }, || {
        tracing::info!(version = "3.7", threads = 2_u64, "started");
        tracing::debug!("not said");
        tracing::warn!(error = "two words", entryPointName = %"web", "a \"quoted\" message");
        tracing::error!(path = ?"/a\n", "\x1b[31mred\nline");
    });
    assert_eq!(
        timeless(&text),
        [
            "INF started version=3.7 threads=2",
            r#"WRN a "quoted" message error="two words" entryPointName=web"#,
            r#"ERR \x1b[31mred\nline path="\"/a\\n\"""#,
        ]
    );
    let moment = text.split(' ').next().expect("a moment");
    assert_eq!((moment.len(), moment.ends_with('Z')), (20, true), "{moment}");
}

#[test]
fn lines_for_machines_are_traefiks_objects() {
    let settings = Settings { level: LevelFilter::TRACE, format: Format::Json, ..Settings::default() };
    let text = written(&settings, || {
        let error = io::Error::other("the cause");
        tracing::warn!(
            count = 3_i64,
            fine = true,
            error = &error as &(dyn std::error::Error + 'static),
            "said \"so\"\n"
        );
    });
    let object: serde_json::Value = serde_json::from_str(&text).expect("an object");
    assert_eq!(object["level"], "warn");
    assert_eq!(object["count"], 3);
    assert_eq!(object["fine"], true);
    assert_eq!(object["error"], "the cause");
    assert_eq!(object["message"], "said \"so\"\n");
    assert!(object["time"].is_string());
    assert_eq!(text.lines().count(), 1);
}
