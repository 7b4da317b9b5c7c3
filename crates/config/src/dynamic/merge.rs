//! Many providers, one configuration.

use std::collections::BTreeMap;

use crate::dynamic::{DynamicConfig, Middleware, Router, ServersTransport, Service};
use crate::name::QualifiedName;
use crate::shape::Shaped;
use crate::written::Written;

/// What all providers say together. Names are qualified; references are as written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MergedConfig {
    /// HTTP routers.
    pub routers: BTreeMap<QualifiedName, Written<Router>>,
    /// HTTP middlewares.
    pub middlewares: BTreeMap<QualifiedName, Written<Middleware>>,
    /// HTTP services.
    pub services: BTreeMap<QualifiedName, Written<Service>>,
    /// How to connect to servers.
    pub servers_transports: BTreeMap<QualifiedName, Written<ServersTransport>>,
    /// `tcp` by provider.
    pub tcp: BTreeMap<String, Shaped>,
    /// `udp` by provider.
    pub udp: BTreeMap<String, Shaped>,
    /// `tls` by provider.
    pub tls: BTreeMap<String, Shaped>,
}

pub(super) fn merge(per_provider: &BTreeMap<String, DynamicConfig>) -> MergedConfig {
    let mut merged = MergedConfig::default();
    for (provider, config) in per_provider {
        if let Some(http) = &config.http {
            merged.routers.extend(qualified(&http.routers, provider));
            merged.services.extend(qualified(&http.services, provider));
            merged.middlewares.extend(qualified(&http.middlewares, provider));
            merged.servers_transports.extend(qualified(&http.servers_transports, provider));
        }
        for (section, all) in
            [(&config.tcp, &mut merged.tcp), (&config.udp, &mut merged.udp), (&config.tls, &mut merged.tls)]
        {
            if let Some(section) = section {
                all.insert(provider.clone(), section.clone());
            }
        }
    }
    merged
}

fn qualified<T: Clone>(objects: &BTreeMap<String, T>, provider: &str) -> impl Iterator<Item = (QualifiedName, T)> {
    objects.iter().map(move |(name, object)| {
        // A name with a provider of its own keeps it, as in Traefik's aggregator.
        (QualifiedName::resolve(name, provider), object.clone())
    })
}
