//! The rest of a request whose answer has already begun.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;

use super::Client;
use super::connection::{Connection, Reader};
use super::outgoing::Outgoing;

/// A request that is sent by a task of its own, for its answer arrives at the pace of whoever reads it. Dropped, it is
/// given up.
///
/// Task and answer end in either order; the one that ends last has both halves of the connection.
pub(super) struct Sending {
    sent: oneshot::Receiver<Sent>,
    answered: oneshot::Sender<Answered>,
}

/// The half of who sent, and the memory that the request was written to.
struct Sent(OwnedWriteHalf, Vec<u8>);

/// The half of who read, and who takes the connection for further requests.
struct Answered(OwnedReadHalf, Reader, Option<Client>);

impl Sending {
    /// Sends the rest of `outgoing` from now on.
    pub(super) fn spawn(outgoing: Outgoing, half: OwnedWriteHalf) -> Self {
        let (tell_sent, sent) = oneshot::channel();
        let (answered, hear_answered) = oneshot::channel();
        tokio::spawn(run(outgoing, half, tell_sent, hear_answered));
        Self { sent, answered }
    }

    /// The answer was read to its end: the rest may still be sent, for a while.
    pub(super) fn outlive(mut self, half: OwnedReadHalf, reader: Reader, keeper: Option<Client>) {
        let answered = Answered(half, reader, keeper);
        match self.sent.try_recv() {
            Ok(sent) => keep(sent, answered),
            // A task that is gone has failed.
            Err(_) => drop(self.answered.send(answered)),
        }
    }
}

async fn run(
    mut outgoing: Outgoing,
    mut half: OwnedWriteHalf,
    tell_sent: oneshot::Sender<Sent>,
    hear_answered: oneshot::Receiver<Answered>,
) {
    let mut hear_answered = pin!(hear_answered);
    let mut answered = None;
    let sent = {
        let mut sending = pin!(poll_fn(|cx| outgoing.poll_send(&mut half, cx)));
        tokio::select! {
            sent = &mut sending => sent.is_ok(),
            heard = &mut hear_answered => match heard {
                Ok(heard) => {
                    answered = Some(heard);
                    matches!(tokio::time::timeout(LINGER, sending).await, Ok(Ok(())))
                }
                // Nobody wants the answer any more.
                Err(_) => false,
            },
        }
    };
    if !sent {
        return;
    }
    let sent = Sent(half, outgoing.into_buffer());
    match answered {
        Some(answered) => keep(sent, answered),
        None => {
            if let Err(sent) = tell_sent.send(sent)
                && let Ok(answered) = hear_answered.await
            {
                keep(sent, answered);
            }
        }
    }
}

fn keep(Sent(writing, buffer): Sent, Answered(reading, reader, keeper): Answered) {
    if let (Some(keeper), Ok(stream)) = (keeper, reading.reunite(writing)) {
        keeper.keep(Connection::new(stream, reader, buffer));
    }
}

/// How long a backend that has answered may take for the rest of the request. It need not take it at all.
const LINGER: Duration = Duration::from_secs(60);
