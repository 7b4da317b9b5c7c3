//! What the tests of this crate share.
#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet};

use tollgate_config::{Context, DynamicConfig, EntryPointFacts, MergedConfig};

/// The configuration of one provider, `file`.
pub(crate) fn merged(config: DynamicConfig) -> MergedConfig {
    DynamicConfig::merge(&BTreeMap::from([("file".to_owned(), config)]))
}

/// Two public entry points that trust nobody, and the internal one.
pub(crate) fn context() -> Context {
    let entry_point = |name: &str| EntryPointFacts { name: name.to_owned(), ..EntryPointFacts::default() };
    Context {
        entry_points: vec![
            entry_point("web"),
            entry_point("other"),
            EntryPointFacts { internal: true, ..entry_point("traefik") },
        ],
        internal_services: BTreeSet::new(),
        providers: BTreeSet::from(["file".to_owned()]),
    }
}
