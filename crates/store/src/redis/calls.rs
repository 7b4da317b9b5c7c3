//! The calls that are made to a store, each with what it asks and what it is told.

use tollgate_limiter::window::{GiveBack, Hint, Taken};
use tollgate_limiter::{Ask, Reading, Timestamp};

use super::book::{Back, Book};
use super::caller::KEYS_MAX;
use super::error::StoreError;
use super::reply::{self, KeyReply, Most, nonsense};
use super::script::{self, Fence, KeyAsk, Script, fence_key};
use super::servers::Servers;
use super::window::{self, WindowAnswer, WindowAsk, WindowReplies, WindowStep};
use crate::memory::BoundWindow;
use crate::stats::StoreStats;

/// The scripts of a store.
#[derive(Clone)]
pub(super) struct Scripts {
    pub(super) grant: Script,
    pub(super) give_back: Script,
    pub(super) amend: Script,
    pub(super) window: Script,
}

/// What is asked of one window.
pub(super) struct WindowTake<'a> {
    pub(super) digest: [u8; 16],
    pub(super) window: &'a BoundWindow,
    pub(super) ask: Ask,
    pub(super) hint: Hint,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            grant: script::grant(),
            give_back: script::give_back(),
            amend: script::amend(),
            window: window::window(),
        }
    }
}

impl Scripts {
    /// All of them; the first is tried out on every connection.
    pub(super) fn all(&self) -> Vec<Script> {
        vec![self.grant.clone(), self.give_back.clone(), self.amend.clone(), self.window.clone()]
    }
}

/// Asks for slots of buckets.
pub(super) async fn take_slots(
    servers: &Servers,
    script: &Script,
    slot: u16,
    asks: &[KeyAsk],
) -> Result<(Reading, Vec<Result<KeyReply, StoreError>>), StoreError> {
    let asked: Vec<_> = asks.iter().map(|ask| Most { want: ask.ask.want, lease: ask.lease.most }).collect();
    let fence_key = fence_key(slot, servers.is_cluster());
    let cmd = |run_id: Option<&str>| {
        let fence = run_id.map(|run_id| Fence { key: &fence_key, run_id });
        script.call(asks, fence.as_ref())
    };
    let called = servers.call_run(slot, script, &cmd).await?;
    let replies = reply::decode(called.value, &asked).inspect_err(|error| servers.on_failure(slot, error))?;
    Ok((Reading { store: replies.now, sent: called.sent, received: called.received }, replies.keys))
}

/// Asks for permits of windows. The store cannot know a calendar, and an instance knows the store's time only once it was
/// told: where the calendar that was sent does not fit it is asked again, with one that does.
pub(super) async fn take_permits(
    servers: &Servers,
    script: &Script,
    slot: u16,
    takes: &[WindowTake<'_>],
) -> Result<(Reading, Vec<Result<Taken, StoreError>>), StoreError> {
    let every: Vec<_> = takes.iter().collect();
    let (reading, first) = take_framed(servers, script, slot, &every, None).await?;
    let missed = |answer: &Result<WindowAnswer, StoreError>| matches!(answer, Ok(WindowAnswer::Frame));
    let again: Vec<_> = takes.iter().zip(&first).filter(|(_, answer)| missed(answer)).map(|(take, _)| take).collect();
    let mut second = Vec::new();
    let mut latest = reading;
    if !again.is_empty() {
        (latest, second) = take_framed(servers, script, slot, &again, Some(reading.store)).await?;
    }
    let mut second = second.into_iter();
    let taken = first.into_iter().map(|answer| {
        let answer = if missed(&answer) { second.next().unwrap_or(answer) } else { answer };
        match answer? {
            WindowAnswer::Taken(taken) => Ok(taken),
            WindowAnswer::Frame | WindowAnswer::GaveBack(_) => Err(nonsense("the time is in no calendar")),
        }
    });
    Ok((latest, taken.collect()))
}

async fn take_framed(
    servers: &Servers,
    script: &Script,
    slot: u16,
    takes: &[&WindowTake<'_>],
    now: Option<Timestamp>,
) -> Result<(Reading, Vec<Result<WindowAnswer, StoreError>>), StoreError> {
    let asks: Vec<_> = takes
        .iter()
        .map(|WindowTake { digest, window, ask, hint }| {
            let frame = now.map_or_else(|| window.latest_frame(), |now| window.frame(now));
            let step = WindowStep::Take { limit: window.quota().limit(), frame, ask: *ask, hint: *hint };
            WindowAsk { digest: *digest, step }
        })
        .collect();
    call_windows(servers, script, slot, &asks).await
}

async fn call_windows(
    servers: &Servers,
    script: &Script,
    slot: u16,
    asks: &[WindowAsk],
) -> Result<(Reading, Vec<Result<WindowAnswer, StoreError>>), StoreError> {
    let called = servers.call(slot, script, window::call(script, asks)).await?;
    let WindowReplies { now, keys } =
        window::decode(called.value, asks).inspect_err(|error| servers.on_failure(slot, error))?;
    Ok((Reading { store: now, sent: called.sent, received: called.received }, keys))
}

/// Gives slots and permits back. If that fails they die, as they would have without.
pub(super) async fn give_back(
    servers: &Servers,
    scripts: &Scripts,
    stats: &StoreStats,
    book: &Book,
    mut back: Vec<Back>,
) {
    let is_cluster = servers.is_cluster();
    let kind = |back: &Back| (back.permits.is_some(), if is_cluster { back.slot } else { 0 });
    back.sort_by_key(kind);
    for together in back.chunk_by(|a, b| kind(a) == kind(b)).flat_map(|chunk| chunk.chunks(KEYS_MAX)) {
        let is_back = if together[0].permits.is_some() {
            give_permits_back(servers, &scripts.window, book, together).await
        } else {
            give_slots_back(servers, &scripts.give_back, together).await
        };
        for (index, Back { run, .. }) in together.iter().enumerate() {
            if is_back.get(index) == Some(&true) { stats.returned(run.count) } else { stats.died(run.count) }
        }
    }
}

async fn give_slots_back(servers: &Servers, script: &Script, back: &[Back]) -> Vec<bool> {
    let runs: Vec<_> = back.iter().map(|back| (back.digest, back.run)).collect();
    match servers.call(back[0].slot, script, script.return_runs(&runs)).await {
        Ok(called) => reply::decode_flags(&called.value),
        Err(_) => Vec::new(),
    }
}

/// A message that gives permits back names how many did before it. If others were faster, it is sent once more.
async fn give_permits_back(servers: &Servers, script: &Script, book: &Book, back: &[Back]) -> Vec<bool> {
    let ask = |back: &Back, returns| {
        let index = back.permits.map_or(0, |permits| permits.index);
        WindowAsk { digest: back.digest, step: WindowStep::GiveBack { index, count: back.run.count, returns } }
    };
    let asks: Vec<_> =
        back.iter().map(|back| ask(back, back.permits.map_or(0, |permits| permits.hint.returns))).collect();
    let Ok((_, answers)) = call_windows(servers, script, back[0].slot, &asks).await else { return Vec::new() };
    let mut is_back = Vec::with_capacity(back.len());
    for ((back, first), answer) in back.iter().zip(asks).zip(answers) {
        let mut told = first;
        let mut answer = answer;
        if let Ok(WindowAnswer::GaveBack(GiveBack::Again { returns })) = answer {
            told = ask(back, returns);
            let again = call_windows(servers, script, back.slot, &[told]).await;
            answer = again.and_then(|(_, mut answers)| answers.remove(0));
        }
        let is_done = matches!(answer, Ok(WindowAnswer::GaveBack(GiveBack::Done)));
        if let (true, WindowStep::GiveBack { returns, .. }) = (is_done, told.step) {
            book.on_returned(back.hash, returns + 1);
        }
        is_back.push(is_done);
    }
    is_back
}
