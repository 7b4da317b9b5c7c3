//! What dynamic configuration depends on of the static one.

use std::collections::BTreeSet;

use crate::checked::InternalService;
use crate::static_config::{EntryPoint, INTERNAL, Protocol, StaticConfig};

/// What the static configuration says that dynamic configuration depends on.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The entry points that speak HTTP.
    pub entry_points: Vec<EntryPointFacts>,
    /// What routers may refer to as `…@internal`. `noop@internal` needs no permission.
    pub internal_services: BTreeSet<InternalService>,
    /// The providers that are configured, for advice on references to others.
    pub providers: BTreeSet<String>,
}

/// What routers depend on of an entry point.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryPointFacts {
    /// Its name.
    pub name: String,
    /// References to the middlewares that every router on it gets first. One without a provider
    /// is of the router's, as in Traefik.
    pub middlewares: Vec<String>,
    /// Whether it was written as a default one (`asDefault`).
    pub as_default: bool,
    /// Whether it is the internal one, `traefik`, which is never a default.
    pub internal: bool,
    /// Whether anybody's `X-Forwarded-For` is believed there.
    pub trusts_forwarded: bool,
}

impl Context {
    /// The entry points that a router means who writes these: those of them that there are; the default ones if it
    /// writes none.
    pub(crate) fn entry_points_of(&self, written: &[String]) -> Vec<String> {
        let names = |wanted: &dyn Fn(&EntryPointFacts) -> bool| -> Vec<String> {
            self.entry_points.iter().filter(|facts| wanted(facts)).map(|facts| facts.name.clone()).collect()
        };
        if !written.is_empty() {
            return names(&|facts| written.contains(&facts.name));
        }
        let default = names(&|facts| !facts.internal && facts.as_default);
        if default.is_empty() { names(&|facts| !facts.internal) } else { default }
    }

    /// The facts of a static configuration. What it enables (`api`, `ping`, `metrics.prometheus`)
    /// routers may refer to.
    pub fn of(config: &StaticConfig) -> Self {
        let api = config.api.as_ref();
        let enabled = [
            (InternalService::Api, api.is_some()),
            (InternalService::Dashboard, api.is_some_and(|api| api.dashboard)),
            (InternalService::Ping, config.ping.is_some()),
            (InternalService::Prometheus, config.metrics.as_ref().is_some_and(|metrics| metrics.prometheus.is_some())),
        ];
        Self {
            entry_points: config
                .entry_points
                .iter()
                .filter(|(_, entry_point)| entry_point.address.protocol == Protocol::Tcp)
                .map(|(name, entry_point)| EntryPointFacts::of(name, entry_point))
                .collect(),
            internal_services: enabled
                .into_iter()
                .filter(|(_, enabled)| *enabled)
                .map(|(service, _)| service)
                .collect(),
            providers: config.provider_names().into_iter().map(str::to_lowercase).collect(),
        }
    }
}

impl EntryPointFacts {
    fn of(name: &str, written: &EntryPoint) -> Self {
        let forwarded = &written.forwarded_headers;
        Self {
            name: name.to_owned(),
            middlewares: written.http.middlewares.clone(),
            as_default: written.as_default,
            internal: name == INTERNAL,
            trusts_forwarded: forwarded.insecure || forwarded.trusted_ips.set().is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Format;

    #[test]
    fn what_is_enabled_may_be_referred_to() {
        let text = "
entryPoints:
  web: {address: ':80', asDefault: true, http: {middlewares: [limit@file]}}
  trusting: {address: ':81', forwardedHeaders: {trustedIPs: [10.0.0.0/8]}}
  dns: {address: ':53/udp'}
api: {dashboard: false}
ping: {}
providers: {file: {filename: a.yml}}
";
        let (config, _) = StaticConfig::load_text(text, Format::Yaml, "t.yml").unwrap();
        let context = Context::of(&config);
        let facts = |name: &str| context.entry_points.iter().find(|facts| facts.name == name);
        let web = facts("web").unwrap();
        assert!(web.as_default && !web.trusts_forwarded && web.middlewares == ["limit@file"]);
        assert!(facts("trusting").unwrap().trusts_forwarded);
        assert!(facts("traefik").is_some_and(|facts| facts.internal));
        assert!(facts("dns").is_none(), "HTTP routers do not listen on UDP");
        assert_eq!(context.internal_services, BTreeSet::from([InternalService::Api, InternalService::Ping]));
        assert!(context.providers.contains("file"));
    }
}
