use redis::Value;

use super::*;

const SECOND: u64 = 1_000_000_000;

/// Sentinels that nobody asks: they say what a test puts into their mouths.
struct Played {
    sentinels: Sentinels,
    watchers: JoinSet<()>,
}

impl Played {
    fn listed(hosts: &[&str]) -> Self {
        let mut played = Self { sentinels: Sentinels::default(), watchers: JoinSet::new() };
        for host in hosts {
            let Self { sentinels, watchers } = &mut played;
            sentinels.add(address(host), true, &mut |_| watchers.spawn(std::future::pending()));
        }
        played
    }

    fn says(&mut self, host: &str, said: Said) {
        let Self { sentinels, watchers } = self;
        sentinels.hear(&address(host), said, &mut |_| watchers.spawn(std::future::pending()));
    }

    /// The primary at a second, or none.
    fn primary(&self, second: u64) -> Option<String> {
        self.sentinels.verdict(Monotonic(second * SECOND))?.ok().map(|primary| primary.host)
    }

    fn known(&self) -> Vec<String> {
        self.sentinels.voices.lock().iter().map(|voice| voice.address.host.clone()).collect()
    }
}

fn address(host: &str) -> Address {
    Address { host: host.into(), port: 1 }
}

#[allow(clippy::unnecessary_wraps, reason = "it stands beside `away`")]
fn word(primary: &str, epoch: u64, others: &[&str]) -> Said {
    Ok(Word { primary: address(primary), epoch, others: others.iter().map(|host| address(host)).collect() })
}

fn away() -> Said {
    Err(StoreError::new(ErrorKind::Unreachable, "refused"))
}

#[tokio::test]
async fn the_latest_failover_counts_whoever_tells_of_it() {
    let mut played = Played::listed(&["a", "b", "c"]);
    assert_eq!(played.primary(0), None);
    played.says("a", word("old", 3, &[]));
    assert_eq!(played.primary(0).as_deref(), Some("old"));
    played.says("b", word("new", 4, &[]));
    assert_eq!(played.primary(1).as_deref(), Some("new"));
    // The others have not heard of it, and the one that has is silent now.
    played.says("b", away());
    played.says("c", word("old", 3, &[]));
    assert_eq!(played.primary(2).as_deref(), Some("new"));
    played.says("a", word("new", 4, &[]));
    assert_eq!(played.primary(9).as_deref(), Some("new"));
    assert_eq!(played.primary(100).as_deref(), Some("new"), "it is confirmed");
}

#[tokio::test]
async fn sentinels_that_were_set_up_anew_are_believed_in_the_end() {
    let mut played = Played::listed(&["a", "b"]);
    played.says("a", word("old", 7, &[]));
    assert_eq!(played.primary(0).as_deref(), Some("old"));
    played.says("a", word("new", 0, &[]));
    assert_eq!(played.primary(9).as_deref(), Some("old"));
    assert_eq!(played.primary(10).as_deref(), Some("new"));
    played.says("b", word("newer", 1, &[]));
    assert_eq!(played.primary(10).as_deref(), Some("newer"), "their new numbers count from then on");
}

#[tokio::test]
async fn silence_changes_nothing_and_is_told_while_nothing_is_known() {
    let mut played = Played::listed(&["a", "b"]);
    played.says("a", away());
    assert_eq!(played.sentinels.verdict(Monotonic(0)), None, "the other has not answered yet");
    let refused = StoreError::new(ErrorKind::Sentinel, "wrong password");
    played.says("b", Err(refused.clone()));
    assert_eq!(played.sentinels.verdict(Monotonic(0)), Some(Err(refused)), "it tells more than silence");
    played.says("b", word("primary", 1, &[]));
    assert_eq!(played.primary(0).as_deref(), Some("primary"));
    played.says("b", away());
    assert!(played.sentinels.verdict(Monotonic(SECOND)).unwrap().is_err(), "whoever uses one stays there");
}

#[tokio::test]
async fn sentinels_come_and_go() {
    let mut played = Played::listed(&["a", "b"]);
    played.says("a", word("primary", 1, &["b", "c"]));
    assert_eq!(played.known(), ["a", "b", "c"]);
    played.says("c", away());
    assert_eq!(played.known(), ["a", "b", "c"], "it is mentioned");
    // It came back elsewhere.
    played.says("a", word("primary", 1, &["b", "d"]));
    assert_eq!(played.known(), ["a", "b", "d"]);
    let crowd: Vec<_> = (0..100).map(|host| host.to_string()).collect();
    played.says("a", word("primary", 1, &crowd.iter().map(String::as_str).collect::<Vec<_>>()));
    assert_eq!(played.known().len(), SENTINELS_MAX);
}

#[test]
fn what_a_sentinel_answers_is_read_and_not_believed() {
    let text = |text: &str| Value::BulkString(text.into());
    let array = |items: &[&str]| Value::Array(items.iter().map(|item| text(item)).collect());
    let map = |pairs: &[(&str, &str)]| Value::Map(pairs.iter().map(|(key, value)| (text(key), text(value))).collect());
    let from = address("sentinel");
    let primary = array(&["10.0.0.1", "6379"]);
    let others = Value::Array(vec![
        map(&[("name", "x"), ("ip", "10.0.0.7"), ("port", "26379")]),
        array(&["ip", "fd00::7", "port", "26380"]),
        map(&[("ip", "10.0.0.9"), ("port", "many")]),
        Value::Nil,
    ]);
    let word = Word::read(&[primary.clone(), array(&["config-epoch", "12"]), others], &from).unwrap();
    assert_eq!(word.primary.to_string(), "10.0.0.1:6379");
    assert_eq!(word.epoch, 12);
    let others: Vec<_> = word.others.iter().map(ToString::to_string).collect();
    assert_eq!(others, ["10.0.0.7:26379", "[fd00::7]:26380"]);
    for answers in [
        [Value::Nil, Value::Nil, Value::Nil],
        [primary.clone(), Value::Nil, Value::Nil],
        [primary.clone(), array(&["config-epoch", "-1"]), Value::Nil],
        [array(&["10.0.0.1"]), array(&["config-epoch", "1"]), Value::Nil],
        [array(&["10.0.0.1", "99999"]), array(&["config-epoch", "1"]), Value::Nil],
    ] {
        assert!(Word::read(&answers, &from).is_err(), "{answers:?}");
    }
}
