//! Where requests go: load balancers, backends and the upstream client.
