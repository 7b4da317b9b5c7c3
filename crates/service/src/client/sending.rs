//! The rest of a request whose answer has already begun.

use std::future::poll_fn;
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;

use super::Client;
use super::connection::{Connection, Reader};
use super::exchange::Exchange;
use super::outgoing::Outgoing;

/// A request that is sent by a task of its own, for its answer arrives at the pace of whoever reads it. Dropped, it is
/// given up.
///
/// Task and answer end in either order; the one that ends last has both halves of the connection.
pub(super) struct Sending {
    sent: oneshot::Receiver<Sent>,
    answered: oneshot::Sender<Answered>,
}

/// The half of who sent, and what was sent.
struct Sent(OwnedWriteHalf, Outgoing);

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
    mut hear_answered: oneshot::Receiver<Answered>,
) {
    let sent = tokio::select! {
        sent = poll_fn(|cx| outgoing.poll_send(&mut half, cx)) => sent.is_ok(),
        answered = &mut hear_answered => match answered {
            Ok(answered) => {
                if send_what_is_taken(&mut outgoing, &mut half).await {
                    keep(Sent(half, outgoing), answered);
                }
                return;
            }
            // Nobody wants the answer any more.
            Err(_) => return,
        },
    };
    if sent
        && let Err(sent) = tell_sent.send(Sent(half, outgoing))
        && let Ok(answered) = hear_answered.await
    {
        keep(sent, answered);
    }
}

/// Sends what is left for as long as the backend takes something of it, and says whether that was all. The client
/// notices nothing of a backend that takes nothing, so that it would wait for ever.
async fn send_what_is_taken(outgoing: &mut Outgoing, half: &mut (impl AsyncWrite + Unpin)) -> bool {
    loop {
        let taken = outgoing.taken();
        match tokio::time::timeout(LINGER, poll_fn(|cx| outgoing.poll_send(half, cx))).await {
            Ok(sent) => return sent.is_ok(),
            Err(_) if outgoing.taken() > taken => {}
            Err(_) => return false,
        }
    }
}

fn keep(Sent(writing, outgoing): Sent, Answered(reading, reader, keeper): Answered) {
    if let (Some(keeper), Ok(stream)) = (keeper, reading.reunite(writing)) {
        keeper.keep(Exchange::on(Connection { stream, reader }, outgoing));
    }
}

/// How long nothing need be taken of a request that is already answered before it is given up.
const LINGER: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use http::Request;
    use tokio::io::AsyncReadExt as _;
    use tokio::time::{Instant, sleep};
    use tollgate_pipeline::Body;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_a_backend_no_longer_takes_is_given_up() {
        let (mut here, mut there) = tokio::io::duplex(64);
        let request = Request::new(Body::full(vec![b'x'; 1 << 16]));
        let mut outgoing = Outgoing::new(Vec::new());
        outgoing.begin(request, Duration::ZERO);
        let taking = async {
            for _ in 0..10 {
                sleep(LINGER * 9 / 10).await;
                there.read_exact(&mut [0; 64]).await.unwrap();
            }
            Instant::now()
        };
        let (sent, last) = tokio::join!(send_what_is_taken(&mut outgoing, &mut here), taking);
        assert!(!sent);
        assert!((LINGER..=2 * LINGER).contains(&last.elapsed()), "{:?}", last.elapsed());
    }
}
