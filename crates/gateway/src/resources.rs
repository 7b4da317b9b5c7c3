//! What outlives a reload.

use tollgate_service::Backends;
use tollgate_store::Stores;

/// What outlives a reload: buckets and connections to stores, backends with their idle connections, whose turn it is.
///
/// A configuration finds here what it did not change, by what it is and not by which configuration asked for it. What
/// no configuration uses any more goes with the last snapshot that did: everything is held weakly here and strongly
/// there, but for the memory store, which is bounded by itself.
pub struct Resources {
    /// Where the buckets of the limits are.
    pub stores: Stores,
    /// The servers of the services.
    pub backends: Backends,
    /// Decides which server of a service is asked first, so that not all instances begin with the same.
    pub seed: u64,
}
