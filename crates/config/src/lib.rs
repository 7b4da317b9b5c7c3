//! From what was written to what is meant: static and dynamic configuration with diagnostics.
