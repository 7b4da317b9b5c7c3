//! The fields a line can have, and which of them it has.

use super::Mode;

macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident = $name:literal,)*) => {
        /// A field of a line, by Traefik's names. Those that start with `Limit` are ours.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Field {
            $($(#[$doc])* $field,)*
        }

        impl Field {
            /// All of them, in the order in which a JSON line has them.
            pub const ALL: &'static [Self] = &[$(Self::$field,)*];

            /// The name in JSON and in configuration.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$field => $name,)*
                }
            }
        }
    };
}

fields! {
    /// The other end of the connection, `address:port`.
    ClientAddr = "ClientAddr",
    /// `X-Forwarded-For` if there is one, else the address of the other end.
    ClientHost = "ClientHost",
    /// The port of the other end.
    ClientPort = "ClientPort",
    /// Who the client said he is; `-` if he did not.
    ClientUsername = "ClientUsername",
    /// Bytes of the body that the client was sent.
    DownstreamContentSize = "DownstreamContentSize",
    /// The status that the client was sent.
    DownstreamStatus = "DownstreamStatus",
    /// Nanoseconds from the head of the request to the end of the answer.
    Duration = "Duration",
    /// How much smaller compression made the answer; only if the sizes differ.
    GzipRatio = "GzipRatio",
    /// The limit that decided: its qualified name.
    LimitName = "LimitName",
    /// Its key, short and safe to print.
    LimitKey = "LimitKey",
    /// What it said: `allow`, `delay`, `deny`.
    LimitVerdict = "LimitVerdict",
    /// Who decided: `store`, `lease`, `denial_cache`, `memory`, `policy`, `local`, `unlimited`.
    LimitSource = "LimitSource",
    /// Whole tokens left, if known.
    LimitRemaining = "LimitRemaining",
    /// Nanoseconds the request was held for it.
    LimitDelay = "LimitDelay",
    /// Every limit that was asked, in order.
    Limits = "Limits",
    /// Bytes of the backend's body.
    OriginContentSize = "OriginContentSize",
    /// Nanoseconds from asking the backend to the head of its answer.
    OriginDuration = "OriginDuration",
    /// The backend's status; 0 if none answered.
    OriginStatus = "OriginStatus",
    /// Nanoseconds of `Duration` that were not the backend's.
    Overhead = "Overhead",
    /// The request's authority.
    RequestAddr = "RequestAddr",
    /// Bytes of the request's body.
    RequestContentSize = "RequestContentSize",
    /// Which request this is since the start.
    RequestCount = "RequestCount",
    /// The request's host, without port.
    RequestHost = "RequestHost",
    /// The request's method.
    RequestMethod = "RequestMethod",
    /// The request's path and query.
    RequestPath = "RequestPath",
    /// The port in the request's authority; `-` if it has none.
    RequestPort = "RequestPort",
    /// The request's version of HTTP.
    RequestProtocol = "RequestProtocol",
    /// `http` or `https`.
    RequestScheme = "RequestScheme",
    /// How often the request was sent again.
    RetryAttempts = "RetryAttempts",
    /// The router's qualified name.
    RouterName = "RouterName",
    /// The backend's host and port.
    ServiceAddr = "ServiceAddr",
    /// The service's qualified name.
    ServiceName = "ServiceName",
    /// The backend's URL.
    ServiceUrl = "ServiceURL",
    /// When the request arrived. Our instances keep UTC, so it equals `StartUTC`.
    StartLocal = "StartLocal",
    /// When the request arrived, in UTC.
    StartUtc = "StartUTC",
    /// The entry point's name.
    EntryPoint = "entryPointName",
}

/// Which fields a line has: all of them, by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// One bit per field that is kept.
    kept: u64,
}

impl Fields {
    /// `default` for all but the named ones. Names are Traefik's and not case-sensitive; unknown ones name fields that
    /// we never write, and are ignored. A field cannot be redacted: [`Mode::Redact`] keeps it, as in Traefik.
    pub fn new<'a>(default: Mode, names: impl IntoIterator<Item = (&'a str, Mode)>) -> Self {
        let mut fields = Self { kept: if default == Mode::Drop { 0 } else { u64::MAX } };
        for (name, mode) in names {
            let named = Field::ALL.iter().filter(|field| field.name().eq_ignore_ascii_case(name));
            for &field in named {
                let bit = 1 << field as u32;
                fields.kept = if mode == Mode::Drop { fields.kept & !bit } else { fields.kept | bit };
            }
        }
        fields
    }

    /// Whether a line has `field`.
    pub fn keeps(self, field: Field) -> bool {
        self.kept & (1 << field as u32) != 0
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self::new(Mode::Keep, [])
    }
}

const _: () = assert!(Field::ALL.len() <= u64::BITS as usize, "one bit per field");
