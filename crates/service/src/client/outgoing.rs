//! The body of a request on its way to a backend.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};
use tollgate_pipeline::{Body, BodyError, BoxFuture};

use crate::fields;

/// A request's body: waits behind its gate, passes on only trailers that may be trailers, and marks its errors as not
/// being the backend's.
pub(super) struct Outgoing {
    body: Body,
    gate: Option<BoxFuture<'static, Result<(), Shut>>>,
    /// Dropped with the body, which tells whoever waits that it was sent.
    unsent: Option<oneshot::Sender<Infallible>>,
}

impl Outgoing {
    pub(super) fn new(body: Body, gate: Option<Gate>) -> Self {
        Self { body, gate: gate.map(|gate| -> BoxFuture<'static, _> { Box::pin(gate.pass()) }), unsent: None }
    }

    /// Waits until the body was sent, or given up.
    pub(super) fn when_sent(&mut self) -> impl Future<Output = ()> + use<> {
        let (unsent, sent) = oneshot::channel();
        self.unsent = Some(unsent);
        async move {
            let _ = sent.await;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.body.is_empty()
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = OutgoingError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, OutgoingError>>> {
        if let Some(gate) = &mut self.gate {
            let passed = ready!(gate.as_mut().poll(cx));
            self.gate = None;
            if let Err(shut) = passed {
                return Poll::Ready(Some(Err(OutgoingError::new(shut.into()))));
            }
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map(fields::clean_trailers).map_err(OutgoingError::new)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What went wrong with the body of a request. The engine only lends its causes, so the cause can be taken out.
#[derive(Debug, thiserror::Error)]
#[error("the body of the request broke off")]
pub(super) struct OutgoingError(Mutex<Option<BodyError>>);

impl OutgoingError {
    fn new(cause: BodyError) -> Self {
        Self(Mutex::new(Some(cause)))
    }

    /// The cause, once.
    pub(super) fn take(&self) -> Option<BodyError> {
        self.0.lock().take()
    }
}

// === Expect: 100-continue ===

/// Holds a body back until the backend asks for it, as the client does that sent `Expect: 100-continue`. Reading the
/// body is what makes the entry point ask the client.
#[derive(Clone)]
pub(super) struct Gate {
    state: Arc<watch::Sender<State>>,
    timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open,
    Shut,
}

/// The backend answered without having asked for the body.
#[derive(Debug, thiserror::Error)]
#[error("the backend answered without asking for the body")]
pub(super) struct Shut;

impl Gate {
    /// The gate before the body of `request`, if it is one that waits to be asked. It opens when the backend says
    /// `100`, or by itself after `timeout`, because not every backend knows the expectation.
    pub(super) fn before(request: &mut Request<Body>, timeout: Duration) -> Option<Self> {
        let expects = request.headers().get(header::EXPECT)?.as_bytes().eq_ignore_ascii_case(b"100-continue");
        if !expects || request.body().is_empty() {
            return None;
        }
        let gate = Self { state: Arc::new(watch::Sender::new(State::Closed)), timeout };
        let opener = gate.clone();
        hyper::ext::on_informational(request, move |response| {
            if response.status() == StatusCode::CONTINUE {
                opener.become_(State::Open);
            }
        });
        Some(gate)
    }

    /// The answer was received: a body that was not asked for by now never will be. Its connection ends instead of
    /// waiting for it.
    pub(super) fn shut(&self) {
        self.become_(State::Shut);
    }

    fn become_(&self, next: State) {
        self.state.send_if_modified(|state| {
            let waits = *state == State::Closed;
            if waits {
                *state = next;
            }
            waits
        });
    }

    async fn pass(self) -> Result<(), Shut> {
        let mut state = self.state.subscribe();
        let decided = state.wait_for(|state| *state != State::Closed);
        match tokio::time::timeout(self.timeout, decided).await {
            Ok(Ok(state)) if *state == State::Shut => Err(Shut),
            _ => Ok(()),
        }
    }
}
