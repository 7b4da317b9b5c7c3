//! For tests only: real stores, upstreams and clients on free ports.
