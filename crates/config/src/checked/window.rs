//! How many requests may pass in a longer window.

use tollgate_limiter::window;

/// At most so many requests per key in a window, beside the rate of the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowQuota {
    /// What names it in headers and logs: `day`, `30m`. No other quota of the limit has it. The calendar's names say
    /// nothing of the time zone.
    pub name: String,
    /// How many, and in which window.
    pub quota: window::WindowQuota,
}
