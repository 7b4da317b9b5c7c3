use super::*;

fn text(text: &str) -> Value {
    Value::BulkString(text.into())
}

fn range(first: i64, last: i64, primary: Vec<Value>) -> Value {
    let replica = Value::Array(vec![text("10.0.0.99"), Value::Int(7099), text("id")]);
    Value::Array(vec![Value::Int(first), Value::Int(last), Value::Array(primary), replica])
}

fn owner(primary: Vec<Value>) -> Option<String> {
    let from = Address { host: "asked".into(), port: 7000 };
    let ranges = read(&Value::Array(vec![range(5, 10, primary)]), &from).ok()?;
    assert_eq!((ranges[0].first, ranges[0].last), (5, 10));
    Some(ranges[0].owner.to_string())
}

#[test]
fn a_primary_is_announced_in_many_ways() {
    let port = || Value::Int(7001);
    let ip = || Value::Map(vec![(text("ip"), text("10.0.0.1"))]);
    for (primary, expected) in [
        // Redis 6 and KeyDB.
        (vec![text("10.0.0.1"), port()], "10.0.0.1:7001"),
        (vec![text("10.0.0.1"), port(), text("id"), Value::Array(vec![])], "10.0.0.1:7001"),
        (vec![text("fd00::1"), port(), text("id")], "[fd00::1]:7001"),
        // cluster-preferred-endpoint-type hostname
        (vec![text("node-1.example"), port(), text("id"), ip()], "node-1.example:7001"),
        (vec![text("?"), port(), text("id"), ip()], "10.0.0.1:7001"),
        (vec![text("?"), port(), text("id"), Value::Array(vec![])], "asked:7001"),
        // cluster-preferred-endpoint-type unknown-endpoint
        (vec![Value::Nil, port(), text("id"), ip()], "asked:7001"),
        (vec![text(""), port()], "asked:7001"),
    ] {
        assert_eq!(owner(primary.clone()).as_deref(), Some(expected), "{primary:?}");
    }
}

#[test]
fn nonsense_is_refused() {
    let from = Address { host: "asked".into(), port: 7000 };
    let good = || vec![text("10.0.0.1"), Value::Int(7001)];
    for answer in [
        Value::Nil,
        Value::Array(vec![Value::Nil]),
        Value::Array(vec![range(-1, 10, good())]),
        Value::Array(vec![range(0, 16_384, good())]),
        Value::Array(vec![range(10, 9, good())]),
        Value::Array(vec![range(0, 9, vec![])]),
        Value::Array(vec![range(0, 9, vec![text("10.0.0.1"), Value::Int(70_000)])]),
        Value::Array(vec![Value::Array(vec![Value::Int(0), Value::Int(9)])]),
    ] {
        assert_eq!(read(&answer, &from).unwrap_err().kind, ErrorKind::Protocol, "{answer:?}");
    }
    assert_eq!(read(&Value::Array(vec![]), &from).unwrap(), [], "nobody is responsible for anything yet");
}
