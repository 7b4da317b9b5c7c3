//! Files that are empty or away for a moment, in paused time and without events.

use std::time::Duration;

use crate::harness::{Watched, poll_only, routers};

const SOON: Duration = Duration::from_millis(1_500);
const LATE: Duration = Duration::from_secs(4);

#[tokio::test(start_paused = true)]
async fn a_file_that_is_empty_for_a_moment_blanks_nothing() {
    let mut watched = Watched::file(poll_only, "d.yml", &[("d.yml", &routers(&["a"]))]);
    watched.write("d.yml", "");
    assert!(watched.is_silent_for(SOON).await);
    watched.write("d.yml", &routers(&["b"]));
    assert!(!watched.is_silent_for(LATE).await);
    assert_eq!(watched.routers, ["b"]);
    // The wait begins anew the next time.
    watched.write("d.yml", " \n");
    assert!(watched.is_silent_for(SOON).await);
    watched.write("d.yml", &routers(&["b"]));
    assert!(watched.is_silent_for(LATE).await, "nothing is new");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_stays_empty_is_believed() {
    let mut watched = Watched::file(poll_only, "d.yml", &[("d.yml", &routers(&["a"]))]);
    watched.write("d.yml", "");
    assert!(!watched.is_silent_for(LATE).await);
    assert!(watched.routers.is_empty() && watched.reported.is_empty());
    assert!(watched.is_silent_for(LATE).await);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_deleted_keeps_its_routes_and_is_reported_once() {
    let mut watched = Watched::file(poll_only, "d.yml", &[("d.yml", &routers(&["a"]))]);
    watched.remove("d.yml");
    assert!(watched.is_silent_for(SOON).await);
    assert!(!watched.is_silent_for(LATE).await);
    assert_eq!(watched.routers, ["a"]);
    assert!(watched.reported[0].contains("no such file"), "{:?}", watched.reported);
    assert!(watched.is_silent_for(LATE).await);
    watched.write("d.yml", &routers(&["a"]));
    watched.until_routers(&["a"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_deleted_and_created_again_is_not_missed() {
    let mut watched = Watched::file(poll_only, "d.yml", &[("d.yml", &routers(&["a"]))]);
    watched.remove("d.yml");
    assert!(watched.is_silent_for(SOON).await);
    watched.write("d.yml", &routers(&["a", "b"]));
    assert!(!watched.is_silent_for(LATE).await);
    assert_eq!((watched.routers.len(), watched.reported.len()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_leaves_its_directory_is_believed_after_a_while() {
    let files = [("a.yml", routers(&["a"])), ("b.yml", routers(&["b"]))];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let mut watched = Watched::directory(poll_only, &files);
    watched.remove("b.yml");
    assert!(watched.is_silent_for(SOON).await);
    assert!(!watched.is_silent_for(LATE).await);
    assert_eq!(watched.routers, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn the_same_mistake_is_reported_once() {
    let mut watched = Watched::file(poll_only, "d.yml", &[("d.yml", &routers(&["a"]))]);
    watched.write("d.yml", "http: {nonsense: 1}");
    assert!(!watched.is_silent_for(LATE).await);
    assert_eq!(watched.reported.len(), 1);
    // Touched, and changed where it does not matter.
    watched.write("d.yml", "http: {nonsense: 1}");
    assert!(watched.is_silent_for(LATE).await);
    watched.write("d.yml", "http: {nonsense: 2} # still");
    assert!(watched.is_silent_for(LATE).await);
    assert_eq!(watched.routers, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn what_means_the_same_is_not_sent_again() {
    let mut watched = Watched::file(poll_only, "d.yml", &[("d.yml", &routers(&["a"]))]);
    watched.write("d.yml", &format!("# a comment\n{}", routers(&["a"])));
    assert!(watched.is_silent_for(LATE).await);
}
