//! One limit: whose requests it counts together, how many may pass, and what happens when nobody can tell.

use std::sync::Arc;
use std::time::Duration;

use crate::window::WindowQuota;
use crate::{Criterion, Quota};

/// What to answer when the store cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FailurePolicy {
    /// Refuse (429). Nothing over the limit passes, and nothing under it either.
    #[default]
    Deny,
    /// Let pass, uncounted. The limit is not kept while the store is away.
    Allow,
    /// Go on with a share: each instance enforces its part of the rate and the burst by itself, until the store is back.
    Local,
}

impl FailurePolicy {
    /// The word for logs, metrics and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Allow => "allow",
            Self::Local => "local",
        }
    }
}

/// A limit that is in force.
#[derive(Debug, Clone)]
pub struct Limit {
    /// What names it everywhere: the qualified name of its middleware. Buckets belong to it, so it is part of every
    /// key, and the same on every instance.
    pub id: Arc<str>,
    /// How many may pass, and how many at once. Without it only the windows count.
    pub quota: Option<Quota>,
    /// How many may pass in longer windows, each with a name for people. With neither a quota nor a window there is
    /// nothing to decide.
    pub windows: Vec<(Arc<str>, WindowQuota)>,
    /// Whose requests are counted together.
    pub criterion: Criterion,
    /// The longest that a request is held for a slot a little ahead instead of being refused. Zero: never.
    pub max_delay: Duration,
    /// Whether instances may hold slots and decide by themselves. It changes what the store is asked, not what is
    /// admitted.
    pub leases: bool,
    /// What to answer when the store cannot.
    pub failure_policy: FailurePolicy,
}
