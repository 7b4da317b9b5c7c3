//! The parts of the configuration that are not run yet.

use crate::diagnostic::Diagnostic;
use crate::dynamic::MergedConfig;
use crate::shape::Shaped;

/// Says of every TCP and UDP router, and of TLS settings, that they do nothing here yet.
pub(super) fn not_yet(merged: &MergedConfig, diagnostics: &mut Vec<Diagnostic>) {
    for (section, all) in [("tcp", &merged.tcp), ("udp", &merged.udp)] {
        for (provider, written) in all {
            for (name, node) in written.names("routers") {
                let message =
                    format!("{section} routers are known to Traefik, not yet here; {name}@{provider} is disabled");
                let path = format!("{section}.routers.{name}");
                diagnostics.push(Diagnostic::error("not-yet-here", path, Some(node.place.clone()), message));
            }
        }
    }
    for written in merged.tls.values() {
        let place = written_at(written);
        let message = "certificates and TLS options are known to Traefik, not yet here";
        diagnostics.push(Diagnostic::warning("not-yet-here", "tls", place, message));
    }
}

fn written_at(written: &Shaped) -> Option<crate::place::Place> {
    written.node().map(|node| node.place.clone())
}
