//! What a server says of itself.

use redis::Value;

use super::error::{ErrorKind, StoreError};
use super::options::Topology;

/// What a server says of itself in its answer to `HELLO`, which takes no right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    mode: Mode,
    is_replica: bool,
}

/// What a server is part of.
#[derive(Debug, PartialEq, Eq)]
enum Mode {
    /// Of nothing, or of something that it hides.
    Standalone,
    Cluster,
    Sentinel,
}

impl Greeting {
    /// The command that asks for it. It is said a second time, after logging in: the client keeps the first answer.
    pub(super) fn ask() -> redis::Cmd {
        let mut cmd = redis::cmd("HELLO");
        cmd.arg(3);
        cmd
    }

    pub(super) fn read(value: &Value) -> Self {
        let mode = match field(value, "mode").as_deref() {
            Some("cluster") => Mode::Cluster,
            Some("sentinel") => Mode::Sentinel,
            _ => Mode::Standalone,
        };
        let role = field(value, "role");
        Self { mode, is_replica: role.is_some_and(|role| role == "replica" || role == "slave") }
    }

    /// Whether this is the server that `topology` expects.
    pub(super) fn check(&self, topology: &Topology) -> Result<(), StoreError> {
        let another = |detail: &str| Err(StoreError::new(ErrorKind::Topology, detail));
        match (topology, &self.mode) {
            (_, Mode::Sentinel) => another("it is a sentinel and keeps no keys: name it under sentinel"),
            (Topology::Standalone { .. }, Mode::Cluster) => another("it is part of a cluster: say cluster"),
            (Topology::Sentinel { .. }, Mode::Cluster) => another("it is part of a cluster, which has no sentinels"),
            // Whoever shows a cluster where none is says nothing of it here; CLUSTER SLOTS tells.
            (Topology::Sentinel { .. }, Mode::Standalone) if self.is_replica => {
                Err(StoreError::new(ErrorKind::ReadOnly, "the primary that the sentinels name is a replica"))
            }
            _ => Ok(()),
        }
    }

    /// Whether it comes from a sentinel.
    pub(super) fn is_sentinel(&self) -> bool {
        self.mode == Mode::Sentinel
    }
}

/// The command that asks which run of the server this is.
pub(super) fn ask_run_id() -> redis::Cmd {
    let mut cmd = redis::cmd("INFO");
    cmd.arg("server");
    cmd
}

/// The run that an answer to [`ask_run_id`] names.
pub(super) fn run_id(value: &Value) -> Result<std::sync::Arc<str>, StoreError> {
    let answer = text(value).unwrap_or_default();
    let run_id = answer.lines().find_map(|line| line.strip_prefix("run_id:")).map(str::trim);
    match run_id {
        Some(run_id) if !run_id.is_empty() => Ok(run_id.into()),
        _ => Err(StoreError::new(ErrorKind::Protocol, "INFO names no run_id, which strict needs")),
    }
}

/// The text in an answer.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The text of one field of an answer that is a map, or an array of names and values.
pub(super) fn field(value: &Value, name: &str) -> Option<String> {
    let (_, value) = value.as_map_iter()?.find(|(key, _)| text(key).is_some_and(|key| key == name))?;
    text(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simple(text: &str) -> Value {
        Value::SimpleString(text.into())
    }

    fn greeting(mode: &str, role: &str) -> Greeting {
        let fields = [("server", "redis"), ("mode", mode), ("role", role)];
        Greeting::read(&Value::Map(fields.map(|(name, value)| (simple(name), simple(value))).into()))
    }

    #[test]
    fn whoever_is_of_another_kind_is_told_from_what_is_expected() {
        let standalone = Topology::Standalone { endpoint: "a:1".into() };
        let cluster = Topology::Cluster { seeds: vec!["a:1".into()] };
        let sentinel = Topology::Sentinel {
            endpoints: vec!["a:1".into()],
            master_set: "main".into(),
            username: String::new(),
            password: String::new(),
        };
        for (mode, role, topology, expected) in [
            ("standalone", "master", &standalone, None),
            // Its answer to a write says more.
            ("standalone", "replica", &standalone, None),
            ("cluster", "master", &standalone, Some(ErrorKind::Topology)),
            ("sentinel", "", &standalone, Some(ErrorKind::Topology)),
            ("cluster", "master", &cluster, None),
            ("standalone", "master", &cluster, None),
            ("sentinel", "", &cluster, Some(ErrorKind::Topology)),
            ("standalone", "master", &sentinel, None),
            ("standalone", "replica", &sentinel, Some(ErrorKind::ReadOnly)),
            ("sentinel", "", &sentinel, Some(ErrorKind::Topology)),
            ("something new", "something new", &sentinel, None),
        ] {
            let kind = greeting(mode, role).check(topology).err().map(|error| error.kind);
            assert_eq!(kind, expected, "{mode} {role} for {topology:?}");
        }
    }

    #[test]
    fn nonsense_is_a_server_like_any_other() {
        for value in [Value::Nil, Value::Array(vec![Value::Nil]), Value::Int(3), simple("OK")] {
            assert_eq!(Greeting::read(&value), Greeting { mode: Mode::Standalone, is_replica: false }, "{value:?}");
        }
    }

    #[test]
    fn the_run_is_found_among_the_rest() {
        let info = "# Server\r\nredis_version:7.0.15\r\nrun_id:0123abcd\r\ntcp_port:6379\r\n";
        assert_eq!(&*run_id(&Value::BulkString(info.into())).unwrap(), "0123abcd");
        for nonsense in [Value::Nil, simple(""), simple("run_id:"), simple("# run_id")] {
            assert_eq!(run_id(&nonsense).unwrap_err().kind, ErrorKind::Protocol, "{nonsense:?}");
        }
    }
}
