//! Changes are noticed through events; the poll is switched off.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::time::Duration;

use crate::harness::{Watched, events_only, folder, path_text, patient, routers};
use tollgate_config::static_config::File;

#[tokio::test]
async fn a_file_is_written_over() {
    let mut watched = Watched::file(events_only, "d.yml", &[("d.yml", &routers(&["a"]))]);
    assert_eq!(watched.routers, ["a"]);
    watched.write("d.yml", &routers(&["b"]));
    watched.until_routers(&["b"]).await;
    watched.stop().await;
}

#[tokio::test]
async fn an_editor_puts_a_new_file_in_the_place_of_the_old_one_again_and_again() {
    let mut watched = Watched::file(events_only, "d.yml", &[("d.yml", &routers(&["a"]))]);
    for name in ["b", "c", "d"] {
        watched.replace("d.yml", &routers(&[name]));
        watched.until_routers(&[name]).await;
    }
    watched.stop().await;
}

#[tokio::test]
async fn an_editor_moves_the_old_file_away_first() {
    let mut watched = Watched::file(events_only, "d.yml", &[("d.yml", &routers(&["a"]))]);
    fs::rename(watched.path("d.yml"), watched.path("d.yml~")).unwrap();
    watched.write("d.yml", &routers(&["b"]));
    watched.until_routers(&["b"]).await;
    watched.stop().await;
}

/// A volume as the kubelet keeps it: `d.yml → ..data/d.yml`, `..data → ..1`.
fn config_map() -> tempfile::TempDir {
    let folder = folder(&[("..1/d.yml", &routers(&["a"]))]);
    symlink("..1", folder.path().join("..data")).unwrap();
    symlink("..data/d.yml", folder.path().join("d.yml")).unwrap();
    folder
}

/// Puts the next version of the volume in place, as the kubelet does: nothing happens to `d.yml`.
fn swap(watched: &Watched, old: u32, new: u32, names: &[&str]) {
    fs::create_dir(watched.path(&format!("..{new}"))).unwrap();
    watched.write(&format!("..{new}/d.yml"), &routers(names));
    symlink(format!("..{new}"), watched.path("..data_tmp")).unwrap();
    fs::rename(watched.path("..data_tmp"), watched.path("..data")).unwrap();
    fs::remove_dir_all(watched.path(&format!("..{old}"))).unwrap();
}

#[tokio::test]
async fn kubernetes_swaps_the_version_behind_a_file() {
    let folder = config_map();
    let options = File { filename: path_text(&folder.path().join("d.yml")), ..File::default() };
    let mut watched = Watched::start(folder, &events_only(&options));
    swap(&watched, 1, 2, &["b"]);
    watched.until_routers(&["b"]).await;
    swap(&watched, 2, 3, &["c"]);
    watched.until_routers(&["c"]).await;
    watched.stop().await;
}

#[tokio::test]
async fn kubernetes_swaps_the_version_behind_a_directory() {
    let folder = config_map();
    let options = File { directory: path_text(folder.path()), ..File::default() };
    let mut watched = Watched::start(folder, &events_only(&options));
    assert_eq!((watched.routers.as_slice(), watched.reported.len()), (&["a".to_owned()] as &[_], 0));
    swap(&watched, 1, 2, &["b"]);
    watched.until_routers(&["b"]).await;
    swap(&watched, 2, 3, &["c"]);
    watched.until_routers(&["c"]).await;
    watched.stop().await;
}

#[tokio::test]
async fn a_link_is_turned_to_another_file() {
    let folder = folder(&[("v1/d.yml", &routers(&["a"])), ("v2/d.yml", &routers(&["b"]))]);
    symlink("v1/d.yml", folder.path().join("d.yml")).unwrap();
    let options = File { filename: path_text(&folder.path().join("d.yml")), ..File::default() };
    let mut watched = Watched::start(folder, &events_only(&options));
    symlink("v2/d.yml", watched.path("new")).unwrap();
    fs::rename(watched.path("new"), watched.path("d.yml")).unwrap();
    watched.until_routers(&["b"]).await;
    // Where it points now is watched too.
    watched.write("v2/d.yml", &routers(&["c"]));
    watched.until_routers(&["c"]).await;
    watched.stop().await;
}

#[tokio::test]
async fn half_a_file_is_not_applied_while_its_writer_has_not_closed_it() {
    let text = routers(&["a", "b", "c"]);
    let (half, rest) = text.split_at(routers(&["a"]).len());
    let mut watched = Watched::file(patient, "d.yml", &[("d.yml", &routers(&["a", "b"]))]);
    let mut file = fs::File::create(watched.path("d.yml")).unwrap();
    file.write_all(half.as_bytes()).unwrap();
    file.sync_all().unwrap();
    // Much longer than quiet takes. Half a file is good YAML, and would be applied if it were taken
    // for the whole.
    assert!(watched.is_silent_for(Duration::from_millis(500)).await, "{:?}", watched.routers);
    file.write_all(rest.as_bytes()).unwrap();
    drop(file);
    watched.until_routers(&["a", "b", "c"]).await;
    watched.stop().await;
}

#[tokio::test]
async fn a_file_that_is_broken_keeps_the_last_good_one_until_it_is_mended() {
    let mut watched = Watched::file(events_only, "d.yml", &[("d.yml", &routers(&["a"]))]);
    watched.write("d.yml", "http: {routers: {b: {rule: [}}");
    watched.until(|watched| !watched.reported.is_empty()).await;
    assert_eq!(watched.routers, ["a"]);
    watched.write("d.yml", &routers(&["c"]));
    watched.until_routers(&["c"]).await;
    watched.stop().await;
}

#[tokio::test]
async fn a_file_that_was_not_there_at_first_is_found() {
    let mut watched = Watched::file(events_only, "d.yml", &[]);
    assert!(watched.routers.is_empty() && !watched.reported.is_empty());
    watched.write("d.yml", &routers(&["a"]));
    watched.until_routers(&["a"]).await;
    watched.stop().await;
}

#[tokio::test]
async fn files_come_and_change_in_a_directory_and_below_it() {
    let mut watched = Watched::directory(events_only, &[("a.yml", &routers(&["a"]))]);
    watched.write("b.toml", "[http.routers.b]\nrule = 'Path(`/b`)'\nservice = 's'\n");
    watched.until_routers(&["a", "b"]).await;
    fs::create_dir(watched.path("below")).unwrap();
    watched.write("below/c.yaml", &routers(&["c"]));
    watched.until_routers(&["a", "b", "c"]).await;
    watched.replace("below/c.yaml", &routers(&["d"]));
    watched.until_routers(&["a", "b", "d"]).await;
    watched.stop().await;
}

#[tokio::test]
async fn a_directory_is_replaced_as_a_whole() {
    let folder = folder(&[("conf/a.yml", &routers(&["a"])), ("next/a.yml", &routers(&["b"]))]);
    let options = File { directory: path_text(&folder.path().join("conf")), ..File::default() };
    let mut watched = Watched::start(folder, &events_only(&options));
    fs::rename(watched.path("conf"), watched.path("old")).unwrap();
    fs::rename(watched.path("next"), watched.path("conf")).unwrap();
    watched.until_routers(&["b"]).await;
    // The new one is watched, not the old one.
    watched.write("conf/a.yml", &routers(&["c"]));
    watched.until_routers(&["c"]).await;
    watched.stop().await;
}
