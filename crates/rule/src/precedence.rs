//! Which provider's router is asked first when priorities are equal.

/// The place of `provider` in Traefik's order; unknown providers share the last.
pub(crate) fn of(provider: &str) -> usize {
    ORDER.iter().position(|known| *known == provider).unwrap_or(ORDER.len())
}

/// Traefik 3.7, `pkg/muxer/http/mux.go`.
const ORDER: [&str; 16] = [
    "kubernetesgateway",
    "kubernetescrd",
    "kubernetes",
    "kubernetesingressnginx",
    "swarm",
    "docker",
    "file",
    "redis",
    "knative",
    "consul",
    "consulcatalog",
    "nomad",
    "etcd",
    "ecs",
    "http",
    "zookeeper",
];
