//! Where dynamic configuration comes from.
