//! Why a connection was not read any further.

use std::fmt;
use std::io;

/// Declares the reasons with their words and their statuses side by side.
macro_rules! violations {
    ($($(#[$doc:meta])* $name:ident => $status:literal, $text:literal;)+) => {
        /// Why a connection was not read any further.
        ///
        /// [`Display`](fmt::Display) gives a few constant words, fit for a log and for a metric label.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Violation {
            $($(#[$doc])* $name,)+
        }

        impl Violation {
            /// Every violation there is, for metrics that list their labels beforehand.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The words for a log or a metric label.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The status that tells the client.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)+ }
            }
        }
    };
}

violations! {
    /// A line ended by a line feed alone (RFC 9112 §2.2 allows to take it, not to be misread).
    BareLineFeed => 400, "bare line feed";
    /// A carriage return that does not end a line (RFC 9112 §2.2).
    BareCarriageReturn => 400, "bare carriage return";
    /// A request line that is not `METHOD SP target SP HTTP/x.y`, HTTP/0.9 included.
    RequestLine => 400, "malformed request line";
    /// A method that is not a token.
    Method => 400, "malformed method";
    /// CONNECT: no tunnels here.
    Connect => 501, "connect";
    /// A target with bytes no URI has, with a fragment, or in a form the method does not take.
    Target => 400, "malformed target";
    /// A target over [`Limits::target_bytes`](crate::Limits::target_bytes).
    TargetTooLong => 414, "target too long";
    /// A version other than HTTP/1.0 and HTTP/1.1.
    Version => 505, "unknown version";
    /// A head over [`Limits::head_bytes`](crate::Limits::head_bytes).
    HeadTooLarge => 431, "head too large";
    /// More fields than [`Limits::fields`](crate::Limits::fields).
    TooManyFields => 431, "too many fields";
    /// A line that begins with white space: a folded field, or one hidden before the first.
    Fold => 400, "folded line";
    /// A field name that is empty, not a token, or not directly followed by a colon.
    FieldName => 400, "malformed field name";
    /// A control byte in a field value.
    FieldValue => 400, "malformed field value";
    /// A `Content-Length` that is not one number below 2^63.
    ContentLength => 400, "malformed content-length";
    /// More than one `Content-Length` line.
    RepeatedContentLength => 400, "repeated content-length";
    /// A `Transfer-Encoding` other than `chunked`.
    TransferEncoding => 400, "unknown transfer-encoding";
    /// More than one `Transfer-Encoding` line.
    RepeatedTransferEncoding => 400, "repeated transfer-encoding";
    /// `Transfer-Encoding` in an HTTP/1.0 request (RFC 9112 §6.1).
    EncodingOnHttp10 => 400, "transfer-encoding on http/1.0";
    /// `Content-Length` beside `Transfer-Encoding` (RFC 9112 §6.1).
    LengthAndEncoding => 400, "content-length with transfer-encoding";
    /// A `Host` that is not a host with an optional port.
    Host => 400, "malformed host";
    /// More than one `Host` line (RFC 9112 §3.2).
    RepeatedHost => 400, "repeated host";
    /// No `Host` in an HTTP/1.1 request (RFC 9112 §3.2).
    MissingHost => 400, "missing host";
    /// An expectation other than `100-continue` (RFC 9110 §10.1.1).
    Expectation => 417, "unknown expectation";
    /// A chunk size that is not 1 to 16 hexadecimal digits.
    ChunkSize => 400, "malformed chunk size";
    /// Chunk extensions with control bytes, or over
    /// [`Limits::extension_bytes`](crate::Limits::extension_bytes).
    ChunkExtension => 400, "malformed chunk extension";
    /// Chunk data that is longer than its size said.
    ChunkEnd => 400, "chunk data without end";
    /// Trailers over [`Limits::trailer_bytes`](crate::Limits::trailer_bytes).
    TrailersTooLarge => 431, "trailers too large";
    /// The HTTP/2 preface began and did not go on.
    Preface => 400, "malformed http/2 preface";
    /// The head of a request did not arrive in time.
    HeadTimeout => 408, "head timeout";
    /// The body of a request did not arrive in time.
    BodyTimeout => 408, "body timeout";
}

impl Violation {
    /// A number for a cell shared between threads; 0 is no violation.
    pub(crate) const fn code(self) -> u8 {
        self as u8 + 1
    }

    /// The violation with this [`code`](Self::code).
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        let index = usize::from(code).checked_sub(1)?;
        Self::ALL.get(index).copied()
    }

    /// What the reader of a body is told.
    pub(crate) fn into_io(self) -> io::Error {
        let kind = match self {
            Self::HeadTimeout | Self::BodyTimeout => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, self)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_violation_survives_its_code() {
        for violation in Violation::ALL {
            assert_eq!(Violation::from_code(violation.code()), Some(*violation));
        }
        assert_eq!(Violation::from_code(0), None);
        assert_eq!(Violation::from_code(u8::MAX), None);
    }
}
