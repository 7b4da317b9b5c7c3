//! Why a backend did not answer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tollgate_pipeline::BodyError;

use super::answer::Flaw;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection could be made.
    #[error("no connection to {address}")]
    Connect {
        /// The backend's host and port.
        address: Arc<str>,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No connection was made in time.
    #[error("no connection to {address} within {timeout:?}")]
    ConnectTimeout {
        /// The backend's host and port.
        address: Arc<str>,
        /// How long was waited.
        timeout: Duration,
    },
    /// The backend did not begin to answer in time.
    #[error("no answer from {address} within {timeout:?}")]
    AnswerTimeout {
        /// The backend's host and port.
        address: Arc<str>,
        /// How long was waited.
        timeout: Duration,
    },
    /// The body of the request could not be read to its end. It is not the backend's fault.
    #[error("the body of the request broke off")]
    RequestBody(#[source] BodyError),
    /// The connection broke before the head of the answer was complete.
    #[error("the connection to {address} broke")]
    Broken {
        /// The backend's host and port.
        address: Arc<str>,
        /// What the system said, or that it ended too early.
        #[source]
        source: io::Error,
    },
    /// What came back cannot be passed on without doubt about where it ends or what it means.
    #[error("{address} gave an invalid answer: {reason}")]
    Invalid {
        /// The backend's host and port.
        address: Arc<str>,
        /// What is wrong with it.
        reason: Flaw,
    },
}

impl SendError {
    /// The status that tells the client, as Traefik chooses it. A client that went away gets `499`, which only the
    /// access log sees; one that sent a malformed body is told so.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::ConnectTimeout { .. } | Self::AnswerTimeout { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Connect { source, .. } if source.kind() == io::ErrorKind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            Self::Connect { .. } | Self::Broken { .. } | Self::Invalid { .. } => StatusCode::BAD_GATEWAY,
            Self::RequestBody(error) => request_body_status(&**error),
        }
    }
}

fn request_body_status(error: &(dyn std::error::Error + 'static)) -> StatusCode {
    let kind = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    match kind {
        Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => StatusCode::BAD_REQUEST,
        Some(io::ErrorKind::TimedOut) => StatusCode::REQUEST_TIMEOUT,
        _ => StatusCode::from_u16(499).expect("499 is a status"),
    }
}

/// An error, its cause, and so on.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_whose_fault_it_was() {
        let body = |kind: io::ErrorKind| SendError::RequestBody(io::Error::from(kind).into());
        let connect = |kind: io::ErrorKind| SendError::Connect { address: "a:80".into(), source: kind.into() };
        let timeout = Duration::from_secs(1);
        for (error, status) in [
            (connect(io::ErrorKind::ConnectionRefused), 502),
            (connect(io::ErrorKind::TimedOut), 504),
            (SendError::ConnectTimeout { address: "a:80".into(), timeout }, 504),
            (SendError::AnswerTimeout { address: "a:80".into(), timeout }, 504),
            (SendError::Broken { address: "a:80".into(), source: io::ErrorKind::UnexpectedEof.into() }, 502),
            (SendError::Invalid { address: "a:80".into(), reason: Flaw::Length }, 502),
            (body(io::ErrorKind::InvalidData), 400),
            (body(io::ErrorKind::TimedOut), 408),
            (body(io::ErrorKind::UnexpectedEof), 499),
            (SendError::RequestBody("reset".into()), 499),
        ] {
            assert_eq!(error.status().as_u16(), status, "{error:?}");
        }
    }
}
