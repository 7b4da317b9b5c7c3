//! Which hosts `Host(…)` names.

/// The argument of `Host`, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HostPattern {
    /// `*`: every request, even one without a host.
    Every,
    /// A host by its full name.
    Exact(Box<str>),
    /// `*.example.com`, kept as `.example.com`: hosts exactly one label longer.
    /// The label may be anything, even empty.
    Child(Box<str>),
}

impl HostPattern {
    pub(crate) fn new(host: &str) -> HostPattern {
        let host = host.to_ascii_lowercase();
        match host.strip_prefix('*') {
            Some("") => HostPattern::Every,
            Some(suffix) if suffix.starts_with('.') => HostPattern::Child(suffix.into()),
            _ => HostPattern::Exact(host.into()),
        }
    }

    /// A host by its full name, whatever it looks like: the v2 syntax.
    pub(crate) fn exact(host: &str) -> HostPattern {
        HostPattern::Exact(host.to_ascii_lowercase().into())
    }

    pub(crate) fn matches(&self, host: &str) -> bool {
        match self {
            HostPattern::Every => true,
            _ if host.is_empty() => false,
            HostPattern::Exact(pattern) => either_dotted(host, pattern, str::eq),
            HostPattern::Child(suffix) => either_dotted(host, suffix, is_child),
        }
    }
}

/// Tests as given, then without the final dot of either side, as Traefik does:
/// `example.com.` and `example.com` are one host.
fn either_dotted(host: &str, pattern: &str, test: fn(&str, &str) -> bool) -> bool {
    test(host, pattern)
        || pattern.strip_suffix('.').is_some_and(|pattern| test(host, pattern))
        || host.strip_suffix('.').is_some_and(|host| test(host, pattern))
}

fn is_child(host: &str, suffix: &str) -> bool {
    host.strip_suffix(suffix).is_some_and(|label| !label.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::HostPattern;

    #[test]
    fn wildcards_and_dots() {
        for (pattern, host, expected) in [
            ("*", "", true),
            ("*.example.com", "", false),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.example.com.", true),
            ("*.example.com.", "a.example.com", true),
            ("*.example.com", ".example.com", true),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", "example.com", false),
            ("example.com.", "example.com.", true),
            ("example.com", "example.com..", false),
            ("example.com:80", "example.com", false),
        ] {
            assert_eq!(HostPattern::new(pattern).matches(host), expected, "{pattern} {host}");
        }
    }
}
