//! After a 101: what both sides say to each other passes untouched.

use http::Extensions;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tollgate_pipeline::Response;
use tollgate_service::Upgrade;

use super::record::Record;

/// Takes the client's half of a possible upgrade out of a request, so that it goes nowhere else.
pub(super) fn take(request: &mut Extensions) -> Option<OnUpgrade> {
    request.remove()
}

/// The two ends of a connection that has changed its protocol.
pub(super) struct Tunnel {
    client: OnUpgrade,
    backend: Upgrade,
    record: Option<Record>,
}

impl Tunnel {
    /// The tunnel to the backend that answered 101, if it has left its end of it in the response.
    pub(super) fn new(client: OnUpgrade, response: &mut Response) -> Option<Self> {
        Some(Self { client, backend: Upgrade::take(response)?, record: None })
    }

    /// The exchange is over when the tunnel is.
    pub(super) fn recorded_by(self, record: Record) -> Self {
        Self { record: Some(record), ..self }
    }

    /// Passes everything on until both sides have ended, or one has failed.
    pub(super) async fn run(self) {
        let Ok(client) = self.client.await else { return };
        let passed = self.backend.join(TokioIo::new(client)).await;
        if let (Some(mut record), Ok((to_client, from_client))) = (self.record, passed) {
            record.on_tunnelled(from_client, to_client);
        }
    }
}
