//! Where lines go: a bounded buffer in memory, and a thread that empties it into a file or a stream.
//!
//! Whoever writes a line copies it into the buffer and leaves; the lock is held for that copy and never while
//! something is written outside. When the buffer is full the line is dropped and counted. So a full disk, a stopped
//! reader or a closed stream costs lines, never time.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// How much may wait to be written: 16 MiB, whatever the number of lines.
const MAX_BYTES: usize = 16 << 20;
/// How many lines may wait at least; `bufferingSize` can raise it.
const MIN_LINES: usize = 16_384;
/// After writing, the thread gathers this long before it writes again, so that a busy instance pays for a wake-up a
/// hundred times a second rather than once per request.
const GATHER: Duration = Duration::from_millis(10);

/// Where lines go in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// The standard output of the process.
    Stdout,
    /// A file, appended to; it and its folders are made if they are missing.
    File(PathBuf),
}

/// A bounded buffer and the thread that empties it.
pub(crate) struct Sink {
    shared: Arc<Shared>,
}

/// What has happened to the lines so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Lines that were written.
    pub(crate) written: u64,
    /// Lines that were lost: the buffer was full, or writing failed.
    pub(crate) dropped: u64,
}

struct Shared {
    pending: Mutex<Pending>,
    /// Wakes the thread: lines arrived while it was idle, or it is asked to reopen or to close.
    wake: Condvar,
    /// Wakes whoever waits for everything to be written.
    settled: Condvar,
    max_lines: usize,
    written: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    lines: usize,
    thread: Thread,
    reopen: bool,
    closing: bool,
}

/// What the thread is doing.
#[derive(Default, PartialEq, Eq)]
enum Thread {
    /// It writes, or will look for lines by itself in a moment.
    #[default]
    Busy,
    /// It waits without a time limit: the next line has to wake it.
    Idle,
    /// It is gone.
    Ended,
}

impl Sink {
    /// Opens `target` and starts the thread, named `name`. At least `lines` lines may wait to be written.
    pub(crate) fn start(name: &str, target: Target, lines: usize) -> io::Result<Self> {
        let output: Box<dyn Write + Send> = match &target {
            Target::Stdout => Box::new(io::stdout()),
            Target::File(path) => Box::new(open(path)?),
        };
        Self::start_on(name, output, target, lines)
    }

    /// The same on an output that is open already; `target` is what a reopening opens.
    fn start_on(name: &str, output: Box<dyn Write + Send>, target: Target, lines: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            pending: Mutex::default(),
            wake: Condvar::new(),
            settled: Condvar::new(),
            max_lines: lines.max(MIN_LINES),
            written: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        });
        let writer = Writer { shared: Arc::clone(&shared), output, target, torn: false, failing: false };
        std::thread::Builder::new().name(name.to_owned()).spawn(move || writer.run())?;
        Ok(Self { shared })
    }

    /// Takes one line, line end included. Never waits.
    pub(crate) fn push(&self, line: &[u8]) {
        let mut pending = self.shared.pending.lock();
        let full = pending.lines >= self.shared.max_lines || pending.bytes.len() + line.len() > MAX_BYTES;
        if full || pending.closing {
            drop(pending);
            self.shared.dropped.fetch_add(1, Relaxed);
            return;
        }
        pending.bytes.extend_from_slice(line);
        pending.lines += 1;
        let idle = pending.thread == Thread::Idle;
        pending.thread = Thread::Busy;
        drop(pending);
        if idle {
            self.shared.wake.notify_one();
        }
    }

    /// Asks for the file to be opened anew, after it was moved away. The lines before that go to the old one.
    pub(crate) fn reopen(&self) {
        self.shared.pending.lock().reopen = true;
        self.shared.wake.notify_one();
    }

    /// What has happened so far.
    pub(crate) fn counts(&self) -> Counts {
        Counts { written: self.shared.written.load(Relaxed), dropped: self.shared.dropped.load(Relaxed) }
    }

    /// Writes what is left and ends the thread; waits for that no longer than `patience`, since an output that is
    /// stuck would otherwise keep the process from ending.
    pub(crate) fn close(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut pending = self.shared.pending.lock();
        pending.closing = true;
        self.shared.wake.notify_one();
        while pending.thread != Thread::Ended && !self.shared.settled.wait_until(&mut pending, deadline).timed_out() {}
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.close(Duration::from_secs(1));
    }
}

/// The thread's side.
struct Writer {
    shared: Arc<Shared>,
    output: Box<dyn Write + Send>,
    target: Target,
    /// The last write stopped somewhere inside a line.
    torn: bool,
    /// The last write failed, and that was said already.
    failing: bool,
}

/// What the thread has to do next.
struct Batch {
    lines: usize,
    reopen: bool,
    closing: bool,
}

impl Writer {
    fn run(mut self) {
        let mut bytes = Vec::new();
        loop {
            let batch = self.next(&mut bytes);
            self.write(&bytes, batch.lines);
            bytes.clear();
            // A burst may have left a large buffer behind.
            bytes.shrink_to(64 << 10);
            if batch.reopen {
                self.reopen();
            }
            if batch.closing {
                break;
            }
        }
        self.shared.pending.lock().thread = Thread::Ended;
        self.shared.settled.notify_all();
    }

    /// Gathers for a moment, then waits until there is something to do, and takes it.
    fn next(&self, bytes: &mut Vec<u8>) -> Batch {
        let mut pending = self.shared.pending.lock();
        let gathered = Instant::now() + GATHER;
        while !pending.closing && !pending.reopen {
            if self.shared.wake.wait_until(&mut pending, gathered).timed_out() {
                break;
            }
        }
        while pending.lines == 0 && !pending.closing && !pending.reopen {
            pending.thread = Thread::Idle;
            self.shared.wake.wait(&mut pending);
        }
        pending.thread = Thread::Busy;
        std::mem::swap(&mut pending.bytes, bytes);
        Batch {
            lines: std::mem::take(&mut pending.lines),
            reopen: std::mem::take(&mut pending.reopen),
            closing: pending.closing,
        }
    }

    fn write(&mut self, bytes: &[u8], lines: usize) {
        if lines == 0 {
            return;
        }
        match self.try_write(bytes) {
            Ok(()) => {
                self.failing = false;
                self.shared.written.fetch_add(lines as u64, Relaxed);
            }
            Err(error) => {
                self.shared.dropped.fetch_add(lines as u64, Relaxed);
                self.complain("cannot write", &error);
            }
        }
    }

    /// Writes all of `bytes`, and leaves a mark if it stopped within a line, so that the next line starts on its own.
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.torn {
            self.output.write_all(b"\n")?;
            self.torn = false;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.output.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.torn = rest[count - 1] != b'\n';
                    rest = &rest[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.output.flush()
    }

    fn reopen(&mut self) {
        let Target::File(path) = &self.target else { return };
        match open(path) {
            Ok(file) => {
                self.output = Box::new(file);
                self.torn = false;
            }
            // The old file is still open: better there than nowhere.
            Err(error) => self.complain("cannot reopen", &error),
        }
    }

    /// Says it once per spell of failures, on the standard error: the log itself may be what fails.
    fn complain(&mut self, what: &str, error: &io::Error) {
        if !std::mem::replace(&mut self.failing, true) {
            let place = match &self.target {
                Target::Stdout => "standard output".into(),
                Target::File(path) => path.display().to_string(),
            };
            // Nothing is left to do if even this fails.
            let _ = writeln!(io::stderr(), "{place}: {what}: {error}; lines are dropped until it works again");
        }
    }
}

/// Opens a log file to append to, as Traefik does: folders are made, and the group may read and write.
fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o664);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// An output whose every write waits for a permit, and which keeps what it got.
    struct Gate {
        permits: mpsc::Receiver<io::Result<usize>>,
        got: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = match self.permits.recv() {
                Ok(permit) => permit?.min(bytes.len()),
                Err(_) => bytes.len(),
            };
            self.got.lock().extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    type Permits = mpsc::Sender<io::Result<usize>>;

    fn gated() -> (Sink, Permits, Arc<Mutex<Vec<u8>>>) {
        let (permit, permits) = mpsc::channel();
        let got = Arc::new(Mutex::new(Vec::new()));
        let gate = Gate { permits, got: Arc::clone(&got) };
        let sink = Sink::start_on("test", Box::new(gate), Target::Stdout, 0).expect("a thread");
        (sink, permit, got)
    }

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn lines_arrive_whole_and_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/access.log");
        let sink = Sink::start("test", Target::File(path.clone()), 0).expect("a sink");
        for number in 0..1000 {
            sink.push(format!("line {number}\n").as_bytes());
        }
        sink.close(PATIENCE);
        let text = std::fs::read_to_string(path).expect("the log");
        assert!(text.lines().eq((0..1000).map(|number| format!("line {number}"))), "{text}");
        assert!(text.ends_with('\n'));
        assert_eq!(sink.counts(), Counts { written: 1000, dropped: 0 });
    }

    #[test]
    fn a_stuck_output_drops_lines_and_blocks_nobody() {
        let (sink, permit, got) = gated();
        // The thread may have taken a first batch before it got stuck: two buffers are the most that is held.
        for _ in 0..3 * MIN_LINES {
            sink.push(b"x\n");
        }
        let dropped = sink.counts().dropped;
        assert!(dropped >= MIN_LINES as u64, "{dropped}");
        drop(permit);
        sink.close(PATIENCE);
        assert_eq!(sink.counts(), Counts { written: 3 * MIN_LINES as u64 - dropped, dropped });
        assert_eq!(got.lock().len() as u64, 2 * sink.counts().written);
    }

    #[test]
    fn an_output_that_stays_stuck_does_not_keep_the_process() {
        let (sink, permit, _) = gated();
        sink.push(b"x\n");
        sink.close(Duration::from_millis(1));
        sink.push(b"late\n");
        assert_eq!(sink.counts().dropped, 1);
        // The sink waits once more when it is dropped: let the thread go.
        drop(permit);
    }

    #[test]
    fn a_failed_write_is_counted_and_the_next_line_starts_on_its_own() {
        let (sink, permit, got) = gated();
        sink.push(b"first line\n");
        permit.send(Ok(5)).expect("a writer");
        permit.send(Err(io::ErrorKind::StorageFull.into())).expect("a writer");
        while sink.counts().dropped == 0 {
            std::thread::yield_now();
        }
        drop(permit);
        sink.push(b"second\n");
        sink.close(PATIENCE);
        assert_eq!(String::from_utf8_lossy(&got.lock()), "first\nsecond\n");
        assert_eq!(sink.counts(), Counts { written: 1, dropped: 1 });
    }

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, old) = (folder.path().join("log"), folder.path().join("log.1"));
        let sink = Sink::start("test", Target::File(path.clone()), 0).expect("a sink");
        sink.push(b"before\n");
        std::fs::rename(&path, &old).expect("moved");
        sink.reopen();
        while !path.exists() {
            std::thread::yield_now();
        }
        sink.push(b"after\n");
        sink.close(PATIENCE);
        assert_eq!(std::fs::read_to_string(old).expect("old"), "before\n");
        assert_eq!(std::fs::read_to_string(path).expect("new"), "after\n");
    }
}
