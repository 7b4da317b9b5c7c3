//! Bodies as they pass the entry point: counted.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tollgate_pipeline::{Body, BodyError};

use super::record::Record;

/// The body of a request: hyper's, counted.
pub(super) struct Incoming {
    body: hyper::body::Incoming,
    /// Bytes that have arrived so far. Written here, read when the exchange is over.
    counter: Arc<AtomicU64>,
}

impl Incoming {
    /// The body for the pipeline, and who knows how much of it has arrived. One that is empty costs nothing.
    pub(super) fn of(body: hyper::body::Incoming) -> (Body, Option<Arc<AtomicU64>>) {
        if body.is_end_stream() {
            return (Body::empty(), None);
        }
        let counter = Arc::<AtomicU64>::default();
        (Body::stream(Self { body, counter: Arc::clone(&counter) }), Some(counter))
    }
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            // It has only this writer, which makes it cheaper than an atomic addition.
            self.counter.store(self.counter.load(Relaxed) + data.len() as u64, Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer on its way out. When it is dropped, the exchange is over.
pub(super) struct Outgoing {
    body: Body,
    /// Boxed, because an answer changes hands several times before it is sent.
    record: Option<Box<Record>>,
}

impl Outgoing {
    /// A body that is counted into `record`, which is closed with it.
    pub(super) fn new(body: Body, record: Box<Record>) -> Self {
        Self { body, record: Some(record) }
    }

    /// A body whose exchange somebody else records.
    pub(super) fn unrecorded(body: Body) -> Self {
        Self { body, record: None }
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let (Some(record), Some(Ok(frame))) = (&mut self.record, &frame) {
            if let Some(data) = frame.data_ref() {
                record.on_sent(data.len());
            } else if let Some(trailers) = frame.trailers_ref() {
                record.on_trailers(trailers);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
