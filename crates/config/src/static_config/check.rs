//! The configuration as a whole: what is implied is added, what contradicts itself is said.

use super::{Address, EntryPoint, INTERNAL, Protocol, StaticConfig};
use crate::diagnostic::Diagnostic;
use crate::node::Node;
use crate::place::Place;
use crate::suggest;

/// Adds the entry points that are implied, and says what is wrong or will surprise.
pub(crate) fn complete(config: &mut StaticConfig, written: &Node) -> Vec<Diagnostic> {
    let mut checker = Checker { written, diagnostics: Vec::new() };
    checker.addresses(config);
    checker.implied_entry_points(config);
    checker.entry_point_middlewares(config);
    checker.file_provider(config);
    checker.api(config);
    checker.ping(config);
    checker.prometheus(config);
    checker.diagnostics
}

/// Leaves out entry points that would serve in clear text what Traefik serves there over TLS, or redirects: rather
/// nothing. That the option is not here has been said already; this says what follows.
pub(crate) fn leave_out_clear_text(config: &mut StaticConfig, said: &mut [Diagnostic]) {
    for diagnostic in said.iter_mut().filter(|diagnostic| diagnostic.code == "not-yet-here") {
        let parts: Vec<&str> = diagnostic.path.split('.').collect();
        let [points, name, http, option, ..] = parts[..] else {
            continue;
        };
        let is_about_tls = points.eq_ignore_ascii_case("entryPoints")
            && http.eq_ignore_ascii_case("http")
            && ["tls", "redirections"].iter().any(|known| known.eq_ignore_ascii_case(option));
        if is_about_tls {
            config.entry_points.retain(|known, _| !known.eq_ignore_ascii_case(name));
            diagnostic.message.push_str(": this entry point is left out, since it would serve in clear text");
        }
    }
}

struct Checker<'a> {
    written: &'a Node,
    diagnostics: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn addresses(&mut self, config: &mut StaticConfig) {
        for name in config.entry_points.keys() {
            let path = format!("entryPoints.{name}");
            let entry_point = self.written.entry("entryPoints").and_then(|(_, points)| {
                let same = |&(key, _): &(&crate::node::Key, &Node)| key.name == *name;
                points.entries().find(same)
            });
            if entry_point.is_none_or(|(_, node)| node.entry("address").is_none()) {
                self.error("no-address", &path, "the entry point has no address", "add address, for example :80");
            }
        }
        config.entry_points.retain(|name, entry_point| {
            let udp = entry_point.address.protocol == Protocol::Udp;
            if udp {
                let path = format!("entryPoints.{name}.address");
                let message = "UDP is known to Traefik, not yet here: this entry point is left out";
                self.warning("not-yet-here", &path, message);
            }
            !udp
        });
    }

    /// Traefik's rule: without any entry point there is `http` on `:80`; and `traefik` on `:8080`
    /// exists when something is on it. The API alone is kept to the machine itself.
    fn implied_entry_points(&mut self, config: &mut StaticConfig) {
        let written = self.written.entry("entryPoints").is_some();
        if !written {
            config.entry_points.insert("http".to_owned(), listening("", 80));
        }
        if config.entry_points.contains_key(INTERNAL) {
            return;
        }
        let insecure_api = config.api.as_ref().is_some_and(|api| api.insecure);
        let ping = config.ping.as_ref();
        let ping = ping.is_some_and(|ping| !ping.manual_routing && ping.entry_point == INTERNAL);
        let metrics = config.metrics.as_ref().and_then(|metrics| metrics.prometheus.as_ref());
        let metrics = metrics.is_some_and(|own| !own.manual_routing && own.entry_point == INTERNAL);
        let host = match (insecure_api, ping || metrics) {
            (false, false) => return,
            (true, false) => {
                let message = "the API shows the whole configuration to whoever asks, so without an address for \
                               the entry point \"traefik\" it listens on 127.0.0.1:8080 only (Traefik: on all addresses)";
                let hint = "set entryPoints.traefik.address, for example to :8080, to listen elsewhere";
                self.warning_with_hint("api-on-loopback", "api.insecure", message, hint);
                "127.0.0.1"
            }
            (true, true) => {
                let message = "the API shows the whole configuration to whoever asks, so without an address for \
                               the entry point \"traefik\" it answers this machine only (Traefik: everybody)";
                let hint = "set entryPoints.traefik.address, for example to :8080, to open it";
                self.warning_with_hint("api-on-loopback", "api.insecure", message, hint);
                ""
            }
            (false, true) => "",
        };
        if let Some(api) = config.api.as_mut().filter(|_| insecure_api) {
            api.loopback_only = true;
        }
        config.entry_points.insert(INTERNAL.to_owned(), listening(host, 8080));
    }

    /// Static configuration has no provider of its own to look names up in.
    fn entry_point_middlewares(&mut self, config: &StaticConfig) {
        for (name, entry_point) in &config.entry_points {
            for (index, middleware) in entry_point.http.middlewares.iter().enumerate() {
                if !middleware.contains('@') {
                    let path = format!("entryPoints.{name}.http.middlewares[{index}]");
                    let message = format!("middleware {middleware:?} names no provider and will not be found");
                    let hint = format!("write {middleware}@file");
                    self.warning_with_hint("no-provider", &path, &message, &hint);
                }
            }
        }
    }

    fn file_provider(&mut self, config: &StaticConfig) {
        let Some(file) = &config.providers.file else {
            return;
        };
        match (file.filename.is_empty(), file.directory.is_empty()) {
            (true, true) => {
                self.error("no-file", "providers.file", "neither filename nor directory is defined", "add one of them");
            }
            (false, false) => self.warning(
                "two-sources",
                "providers.file.filename",
                "ignored, since providers.file.directory is set too",
            ),
            _ => {}
        }
    }

    fn api(&mut self, config: &StaticConfig) {
        let base_path = config.api.as_ref().map(|api| api.base_path.as_str());
        if base_path.is_some_and(|path| !path.starts_with('/')) {
            let message = "not an absolute path";
            self.error("not-a-path", "api.basePath", message, "begin it with a slash");
        }
    }

    fn ping(&mut self, config: &StaticConfig) {
        let Some(ping) = &config.ping else { return };
        if !(100..=599).contains(&ping.terminating_status_code) {
            let message = format!("{} is no status code", ping.terminating_status_code);
            self.error("not-a-status", "ping.terminatingStatusCode", &message, "use 100 to 599");
        }
        if !ping.manual_routing {
            self.entry_point_exists(config, "ping.entryPoint", &ping.entry_point);
        }
    }

    fn prometheus(&mut self, config: &StaticConfig) {
        let metrics = config.metrics.as_ref();
        let Some(prometheus) = metrics.and_then(|metrics| metrics.prometheus.as_ref()) else {
            return;
        };
        if !prometheus.manual_routing {
            let path = "metrics.prometheus.entryPoint";
            self.entry_point_exists(config, path, &prometheus.entry_point);
        }
        let buckets = &prometheus.buckets;
        let rising = buckets.windows(2).all(|pair| pair[0] < pair[1]);
        if !rising || !buckets.iter().all(|bound| bound.is_finite()) {
            let message = "bounds must rise, and be finite";
            self.error("bad-buckets", "metrics.prometheus.buckets", message, "for example 0.1,0.3,1.2,5");
        }
    }

    /// Traefik goes on when there is no such entry point, and so nothing answers.
    fn entry_point_exists(&mut self, config: &StaticConfig, path: &str, name: &str) {
        if config.entry_points.contains_key(name) {
            return;
        }
        let message = format!("there is no entry point {name:?}, so nothing will answer");
        let names = config.entry_points.keys().map(String::as_str);
        let hint = match suggest::closest(name, names.clone()) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => format!("entry points: {}", names.collect::<Vec<_>>().join(", ")),
        };
        self.warning_with_hint("no-entry-point", path, &message, &hint);
    }

    fn place(&self, path: &str) -> Place {
        self.written.place_of(path).clone()
    }

    fn error(&mut self, code: &'static str, path: &str, message: &str, hint: &str) {
        let error = Diagnostic::error(code, path, Some(self.place(path)), message);
        self.diagnostics.push(error.hint(hint));
    }

    fn warning(&mut self, code: &'static str, path: &str, message: &str) {
        let warning = Diagnostic::warning(code, path, Some(self.place(path)), message);
        self.diagnostics.push(warning);
    }

    fn warning_with_hint(&mut self, code: &'static str, path: &str, message: &str, hint: &str) {
        let warning = Diagnostic::warning(code, path, Some(self.place(path)), message);
        self.diagnostics.push(warning.hint(hint));
    }
}

fn listening(host: &str, port: u16) -> EntryPoint {
    EntryPoint { address: Address::tcp(host, port), ..EntryPoint::default() }
}
