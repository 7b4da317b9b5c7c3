//! One service.

use std::sync::Arc;

use super::notes::{Advise, Notes};
use super::server::ServerUrl;
use crate::checked::{InternalService, LoadBalancer, Server, Service, ServiceKind};
use crate::dynamic::{
    LoadBalancer as WrittenBalancer, MergedConfig, Server as WrittenServer, Service as Written,
    ServiceKind as WrittenKind,
};
use crate::name::QualifiedName;

/// Checks one service.
pub(super) fn compile(
    name: &QualifiedName,
    written: &Written,
    merged: &MergedConfig,
    notes: &mut Notes<'_>,
) -> Option<Service> {
    let kind = match written.kinds.as_slice() {
        [kind] => kind,
        [] => {
            let message = format!("the service {:?} does not have any type defined", name.as_str());
            notes.error("empty-service", "", message).advise("say loadBalancer.servers");
            return None;
        }
        _ => {
            let message = "cannot create service: multi-types service not supported, consider declaring two different \
                           pieces of service instead";
            notes.error("multi-types", "", message);
            return None;
        }
    };
    if !written.middlewares.is_empty() {
        // Leaving them out would let through what they are there to stop.
        notes.not_yet("middlewares", "a list of middlewares at a service");
    }
    let balancer = match kind {
        WrittenKind::NotYet { name, .. } => {
            notes.not_yet(name, &format!("a service of kind {name}"));
            return None;
        }
        WrittenKind::LoadBalancer(written) => load_balancer(name, written, merged, notes),
    };
    (!notes.failed()).then(|| Service { name: name.clone(), kind: ServiceKind::LoadBalancer(balancer) })
}

/// A service that Tollgate answers itself.
pub(super) fn internal(internal: InternalService) -> (QualifiedName, Arc<Service>) {
    let name = QualifiedName::new(internal.name(), "internal");
    (name.clone(), Arc::new(Service { name, kind: ServiceKind::Internal(internal) }))
}

fn load_balancer(
    name: &QualifiedName,
    written: &WrittenBalancer,
    merged: &MergedConfig,
    notes: &mut Notes<'_>,
) -> LoadBalancer {
    strategy(&written.strategy, notes);
    unsupported_options(written, notes);
    servers_transport(name, &written.servers_transport, merged, notes);
    let mut servers = Vec::new();
    for (index, server) in written.servers.iter().enumerate() {
        servers.extend(server_of(server, &format!("loadBalancer.servers[{index}]"), notes));
    }
    if written.servers.is_empty() {
        notes.warning("no-server", "loadBalancer.servers", "no server: every request is answered 503");
    }
    let flush =
        written.response_forwarding.as_ref().map_or_else(Default::default, |forwarding| forwarding.flush_interval);
    LoadBalancer {
        servers,
        pass_host_header: written.pass_host_header.unwrap_or(true),
        flush_interval: flush.to_duration(),
    }
}

fn strategy(strategy: &str, notes: &mut Notes<'_>) {
    let at = "loadBalancer.strategy";
    match strategy {
        "" | "wrr" => {}
        "p2c" | "hrw" | "leasttime" => {
            let message = format!("the strategy {strategy} is known to Traefik, not yet here; wrr is used");
            notes.warning("not-yet-here", at, message);
        }
        _ => {
            notes
                .error("unknown-strategy", at, format!("unsupported load-balancer strategy {strategy:?}"))
                .advise("wrr is the default");
        }
    }
}

fn unsupported_options(written: &WrittenBalancer, notes: &mut Notes<'_>) {
    if written.sticky.is_some() {
        let what = "sticky";
        if written.servers.len() > 1 {
            // Sessions would wander from server to server.
            notes.not_yet("loadBalancer.sticky", what);
        } else {
            notes.warning(
                "not-yet-here",
                "loadBalancer.sticky",
                "sticky is not yet here; with one server it changes nothing",
            );
        }
    }
    for (set, name) in [
        (written.health_check.is_some(), "healthCheck"),
        (written.passive_health_check.is_some(), "passiveHealthCheck"),
    ] {
        if set {
            let message = format!("{name} is known to Traefik, not yet here; every server is taken as healthy");
            notes.warning("not-yet-here", &format!("loadBalancer.{name}"), message);
        }
    }
}

fn servers_transport(name: &QualifiedName, reference: &str, merged: &MergedConfig, notes: &mut Notes<'_>) {
    if reference.is_empty() || reference == "default@internal" {
        return;
    }
    let at = "loadBalancer.serversTransport";
    let transport = QualifiedName::resolve(reference, name.provider());
    if merged.servers_transports.contains_key(&transport) {
        let message = "the options of a serversTransport are known to Traefik, not yet here; the defaults are used";
        notes.warning("not-yet-here", at, message);
    } else {
        notes.error("unknown-servers-transport", at, format!("servers transport not found {transport}"));
    }
}

fn server_of(written: &WrittenServer, at: &str, notes: &mut Notes<'_>) -> Option<Server> {
    let at_url = format!("{at}.url");
    let url = match ServerUrl::parse(&written.url) {
        Ok(url) => url,
        Err(error) => {
            notes
                .error("not-a-server", &at_url, format!("{error}: {:?}", written.url))
                .advise("write http://host:port");
            return None;
        }
    };
    match url.scheme {
        "http" => {}
        "https" | "h2c" => {
            notes.not_yet(&at_url, &format!("a server that speaks {}", url.scheme));
            return None;
        }
        scheme => {
            notes
                .error("unknown-scheme", &at_url, format!("unsupported protocol scheme {scheme:?}"))
                .advise("use http");
            return None;
        }
    }
    if url.user_info {
        notes.warning("user-info-unused", &at_url, "user and password in the URL of a server are not sent");
    }
    if !written.preserve_path && !matches!(url.path, "" | "/") {
        notes
            .warning("path-unused", &at_url, format!("the path {:?} in the URL of a server is not used", url.path))
            .advise("set preservePath: true, or use the middleware addPrefix");
    }
    let weight = match written.weight.unwrap_or(1) {
        weight if weight <= 0 => {
            let message = format!("a server of weight {weight} gets no request");
            notes.warning("no-weight", &format!("{at}.weight"), message);
            return None;
        }
        weight => u32::try_from(weight).unwrap_or(u32::MAX),
    };
    Some(Server {
        url: written.url.clone(),
        authority: url.authority(),
        host_header: url.host.to_owned(),
        path: if written.preserve_path { url.path.trim_end_matches('/').to_owned() } else { String::new() },
        weight,
    })
}
