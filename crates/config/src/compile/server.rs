//! The URL of a server.

/// The parts of a server's URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerUrl<'a> {
    pub(super) scheme: &'a str,
    pub(super) user_info: bool,
    /// `host` or `host:port`, as written.
    pub(super) host: &'a str,
    /// With its leading slash, without query; may be empty.
    pub(super) path: &'a str,
}

/// Why text is not the URL of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ServerUrlError {
    #[error("the URL of a server is empty")]
    Empty,
    #[error("no scheme in the URL of a server")]
    NoScheme,
    #[error("no host in the URL of a server")]
    NoHost,
    #[error("invalid host in the URL of a server")]
    BadHost,
    #[error("invalid port in the URL of a server")]
    BadPort,
    #[error("invalid character in the URL of a server")]
    BadCharacter,
}

impl<'a> ServerUrl<'a> {
    /// Takes a URL apart.
    pub(super) fn parse(text: &'a str) -> Result<Self, ServerUrlError> {
        if text.is_empty() {
            return Err(ServerUrlError::Empty);
        }
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(ServerUrlError::BadCharacter);
        }
        let (scheme, rest) = text.split_once("://").ok_or(ServerUrlError::NoScheme)?;
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user_info, host) = match authority.rsplit_once('@') {
            Some((_, host)) => (true, host),
            None => (false, authority),
        };
        check_host(host)?;
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        Ok(Self { scheme, user_info, host, path })
    }

    /// `host:port`, with the port of `http` where none was written.
    pub(super) fn authority(&self) -> String {
        let (_, port) = split_port(self.host);
        match port {
            Some("") => format!("{}80", self.host),
            Some(_) => self.host.to_owned(),
            None => format!("{}:80", self.host),
        }
    }
}

fn split_port(host: &str) -> (&str, Option<&str>) {
    let after_bracket = host.rfind(']').map_or(0, |at| at + 1);
    match host[after_bracket..].rfind(':') {
        Some(at) => (&host[..after_bracket + at], Some(&host[after_bracket + at + 1..])),
        None => (host, None),
    }
}

fn check_host(host: &str) -> Result<(), ServerUrlError> {
    let (name, port) = split_port(host);
    if name.is_empty() {
        return Err(ServerUrlError::NoHost);
    }
    let fits = match name.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').is_some_and(|inner| {
            let address = inner.split('%').next().unwrap_or_default();
            address.parse::<std::net::Ipv6Addr>().is_ok()
        }),
        None => name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
    };
    if !fits {
        return Err(ServerUrlError::BadHost);
    }
    match port {
        None | Some("") => Ok(()),
        Some(port) => match port.parse::<u16>() {
            Ok(port) if port > 0 => Ok(()),
            _ => Err(ServerUrlError::BadPort),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_always_there() {
        for (url, authority, path) in [
            ("http://a", "a:80", ""),
            ("http://a:8080/x/y?q", "a:8080", "/x/y"),
            ("http://u:p@a:1", "a:1", ""),
            ("http://[::1]:9", "[::1]:9", ""),
            ("http://[::1]", "[::1]:80", ""),
            ("http://a:/", "a:80", "/"),
        ] {
            let parsed = ServerUrl::parse(url).unwrap();
            assert_eq!((parsed.authority().as_str(), parsed.path), (authority, path), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_connected_to_is_refused() {
        for (url, error) in [
            ("", ServerUrlError::Empty),
            ("a:80", ServerUrlError::NoScheme),
            ("http://", ServerUrlError::NoHost),
            ("http://:80", ServerUrlError::NoHost),
            ("http://a:0", ServerUrlError::BadPort),
            ("http://a:70000", ServerUrlError::BadPort),
            ("http://a b", ServerUrlError::BadCharacter),
            ("http://[::1", ServerUrlError::BadHost),
            ("http://ü", ServerUrlError::BadHost),
        ] {
            assert_eq!(ServerUrl::parse(url), Err(error), "{url}");
        }
    }
}
