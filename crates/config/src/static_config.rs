//! The static configuration: what is read once, at start.
//!
//! It comes from one of three sources, as in Traefik: a file, else flags, else environment
//! variables. Every option of Traefik's is known (`options.txt`); one that is not yet here is a
//! warning that names it, one that nobody knows is an error with a suggestion.
//!
//! Defaults and messages are those of Traefik 3.7. Deliberate differences:
//!
//! * the API without an address for its entry point (`api.insecure: true` and nothing else that
//!   needs the entry point `traefik`) listens on `127.0.0.1:8080`, not on all addresses: it shows
//!   the whole configuration to whoever asks. With ping or metrics there too the entry point is on
//!   all addresses, and the API answers this machine only;
//! * `--configFile` naming a file that is not there is an error, where Traefik goes on without;
//! * unknown keys at the top of the file are errors, where Traefik ignores them;
//! * words that no option knows (`log.format: jsno`) are errors, where Traefik takes the default;
//! * a flag and its value may be two arguments (`--entryPoints.web.address :80`) for every option.

mod check;
pub(crate) mod draft;
mod entry_point;
mod examine;
mod observability;
pub(crate) mod options;
mod source;
pub(crate) mod values;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

pub use entry_point::{
    Address, EntryPoint, ForwardedHeaders, Http, Http2, LifeCycle, Protocol, RespondingTimeouts, Transport,
};
pub use observability::{
    AccessLog, AccessLogFormat, FieldHeaders, FieldMode, Fields, Filters, HeaderMode, Log, LogFormat, LogLevel,
    Metrics, Prometheus,
};
pub use values::{Networks, StatusRange, Timeout};

use crate::decode::{Decoder, section};
use crate::diagnostic::Diagnostic;
use crate::load::{Format, load_node};
use crate::node::Node;

section! {
    /// What is read once, at start.
    pub struct StaticConfig: "static.Configuration" {
        /// Where connections come in, by name.
        "entryPoints" => entry_points: BTreeMap<String, EntryPoint>,
        /// Where dynamic configuration comes from.
        "providers" => providers: Providers,
        /// The log of the process itself.
        "log" => log: Option<Log>,
        /// One line per request.
        "accessLog" => access_log: Option<AccessLog>,
        /// Metrics.
        "metrics" => metrics: Option<Metrics>,
        /// The API and the dashboard.
        "api" => api: Option<Api>,
        /// The health check.
        "ping" => ping: Option<Ping>,
        /// Options of no part in particular.
        "global" => global: Global,
    }
}

section! {
    /// Where dynamic configuration comes from.
    pub struct Providers: "static.Providers" {
        /// How long changes of one provider wait for the next before they are applied.
        "providersThrottleDuration" => throttle: Timeout = Timeout::from_secs(2),
        /// Files.
        "file" => file: Option<File>,
    }
}

section! {
    /// Dynamic configuration from files.
    pub struct File: "file.Provider" {
        /// One file.
        "filename" => filename: String,
        /// All files of a directory and those below it. Prevails over `filename`.
        "directory" => directory: String,
        /// Whether changes are noticed.
        "watch" => watch: bool = true,
    }
}

section! {
    /// The API and the dashboard.
    pub struct Api: "static.API", allow_empty {
        /// Serve them on the entry point `traefik`, without a router and to everybody.
        "insecure" => insecure: bool,
        /// Serve the dashboard too.
        "dashboard" => dashboard: bool = true,
        /// Serve what helps to find mistakes too.
        "debug" => debug: bool,
        /// Traefik's dashboard has an advertisement; ours has none.
        "disableDashboardAd" => disable_dashboard_ad: bool,
        /// The path they are below.
        "basePath" => base_path: String = "/".to_owned(),
        /// Tollgate's own: answer nobody but this machine. It is so when `insecure` asks for the
        /// entry point `traefik` and nobody gave that an address.
        "loopbackOnly" => loopback_only: bool,
    }
}

section! {
    /// The health check.
    pub struct Ping: "ping.Handler", allow_empty {
        /// The entry point that serves `/ping`.
        "entryPoint" => entry_point: String = INTERNAL.to_owned(),
        /// Serve it only where a router says so.
        "manualRouting" => manual_routing: bool,
        /// What it answers while the process ends.
        "terminatingStatusCode" => terminating_status_code: u16 = 503,
    }
}

section! {
    /// Options of no part in particular. Both are accepted for Traefik's sake: nothing is ever
    /// sent anywhere.
    pub struct Global: "static.Global" {
        /// Traefik asks for new versions.
        "checkNewVersion" => check_new_version: bool,
        /// Traefik sends statistics.
        "sendAnonymousUsage" => send_anonymous_usage: bool,
    }
}

/// The entry point that ping, API and metrics are on unless told otherwise.
pub const INTERNAL: &str = "traefik";

impl StaticConfig {
    /// Reads the configuration from a file, else from flags, else from the environment.
    ///
    /// `args` are the arguments after the command word. `read` gives the text of a file; it is
    /// asked for the file that `--configFile` names or, without one, for `tollgate.*` and
    /// `traefik.*` in `/etc/{tollgate,traefik}`, `$XDG_CONFIG_HOME`, `$HOME/.config` and the
    /// working directory. The warnings come with the configuration.
    ///
    /// # Errors
    /// All problems found in the one source that counts, warnings included.
    pub fn load(
        args: &[String],
        env: impl IntoIterator<Item = (String, String)>,
        read: impl Fn(&Path) -> io::Result<String>,
    ) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let env: Vec<_> = env.into_iter().collect();
        let (node, diagnostics) = source::choose(args, &env, &read)?;
        Self::build(&node, diagnostics)
    }

    /// Reads the configuration from the text of a file; the label names it in places.
    ///
    /// # Errors
    /// All problems found, warnings included.
    pub fn load_text(text: &str, format: Format, label: &str) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        Self::build(&load_node(text, format, label)?, Vec::new())
    }

    /// Whether a file looks like static configuration rather than dynamic: it has a top-level key
    /// of the one and none of the other.
    pub fn claims(node: &Node) -> bool {
        let has = |known: &dyn Fn(&str) -> bool| node.entries().any(|(key, _)| known(&key.name));
        let dynamic = |name: &str| ["http", "tcp", "udp", "tls"].iter().any(|known| known.eq_ignore_ascii_case(name));
        has(&|name| options::root().child(name).is_some()) && !has(&dynamic)
    }

    /// The entry points of routers that name none: those that say `asDefault`, else all but the
    /// internal one.
    pub fn default_entry_points(&self) -> Vec<&str> {
        let names = |wanted: &dyn Fn(&str, &EntryPoint) -> bool| -> Vec<&str> {
            self.entry_points
                .iter()
                .filter(|(name, entry_point)| wanted(name, entry_point))
                .map(|(name, _)| name.as_str())
                .collect()
        };
        let chosen = names(&|_, entry_point| entry_point.as_default);
        if chosen.is_empty() { names(&|name, _| name != INTERNAL) } else { chosen }
    }

    /// The configured providers as `/api/overview` names them.
    pub fn provider_names(&self) -> Vec<&'static str> {
        self.providers.file.iter().map(|_| "File").collect()
    }

    fn build(node: &Node, mut diagnostics: Vec<Diagnostic>) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let (known, mut found) = examine::examine(node);
        diagnostics.append(&mut found);
        let mut decoder = Decoder::default();
        let mut config = Self::default();
        decoder.fields(&mut config, &known);
        diagnostics.append(&mut decoder.into_diagnostics());
        // Only what decodes is complete enough to be judged as a whole.
        if !diagnostics.iter().any(Diagnostic::is_error) {
            diagnostics.append(&mut check::complete(&mut config, &known));
            check::leave_out_clear_text(&mut config, &mut diagnostics);
        }
        if diagnostics.iter().any(Diagnostic::is_error) { Err(diagnostics) } else { Ok((config, diagnostics)) }
    }
}
