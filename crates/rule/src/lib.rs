//! Traefik's rule language: which requests a router takes.
