//! Hands log lines to a thread that writes them, so that whoever logs neither waits nor fails.
//!
//! Standard error may be a full disk, a pipe whose reader has gone, or one whose reader stands still. A log that is written where
//! it is made would then end the process (the library prints that it cannot print, which panics, also inside of the hook that logs
//! panics) or keep every thread that logs for as long as the reader likes. Here lines are lost instead, and counted.

use std::{
    io::{self, ErrorKind, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

/// Some thousand lines: more than a reader that only pauses falls behind.
const WAITING_LIMIT: usize = 1 << 20;
/// What is kept of the memory that a burst of lines took.
const KEPT: usize = 16 << 10;
/// A pipe that somebody else made non-blocking is asked again after this.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(10);

/// Takes lines for a thread that writes them.
#[derive(Clone, Debug)]
pub(super) struct LogWriter(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    lines: Vec<u8>,
    /// How many could not be taken or written since that was last told.
    lost: usize,
    is_writing: bool,
}

impl LogWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let writing = Arc::clone(&shared);
        thread::Builder::new().name("log".to_owned()).spawn(move || writing.write_on(out))?;
        Ok(Self(shared))
    }

    /// Waits until all lines are written, for so long at most.
    pub(super) fn flush(&self, within: Duration) {
        let is_busy = |queue: &mut Queue| queue.is_writing || !queue.lines.is_empty();
        // Lines that are not written by then are lost.
        drop(self.0.changed.wait_timeout_while(self.0.queue(), within, is_busy));
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Lines<'a>;

    fn make_writer(&'a self) -> Lines<'a> {
        Lines(&self.0)
    }
}

/// Takes whole lines.
pub(super) struct Lines<'a>(&'a Shared);

impl Write for Lines<'_> {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let mut queue = self.0.queue();
        if queue.lines.is_empty() || queue.lines.len() + lines.len() <= WAITING_LIMIT {
            queue.lines.extend_from_slice(lines);
            self.0.changed.notify_all();
        } else {
            queue.lost += count(lines);
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_on(&self, mut out: impl Write) {
        loop {
            let lines = self.next();
            let written = write_all(&mut out, &lines);
            let mut queue = self.queue();
            queue.is_writing = false;
            if written.is_err() {
                queue.lost += count(&lines);
            }
            let lost = if written.is_ok() { std::mem::take(&mut queue.lost) } else { 0 };
            self.changed.notify_all();
            drop(queue);
            if lost > 0 {
                tracing::warn!(log.lost = lost, "some log lines were lost: they could not be written, or not in time");
            }
        }
    }

    /// Waits for lines, and takes them.
    fn next(&self) -> Vec<u8> {
        let waited = self.changed.wait_while(self.queue(), |queue| queue.lines.is_empty());
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
        queue.is_writing = true;
        std::mem::replace(&mut queue.lines, Vec::with_capacity(KEPT))
    }
}

fn write_all(out: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(ASK_AGAIN_AFTER),
            Err(error) => return Err(error),
        }
    }
    out.flush()
}

fn count(lines: &[u8]) -> usize {
    lines.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A place to write to that waits to be told what becomes of each write, and tells what was written.
    struct Scripted(Receiver<io::Result<()>>, Sender<String>);

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().unwrap_or(Err(ErrorKind::BrokenPipe.into()))?;
            self.1.send(String::from_utf8_lossy(bytes).into_owned()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn scripted() -> (LogWriter, Sender<io::Result<()>>, Receiver<String>) {
        let (script, results) = channel();
        let (written, lines) = channel();
        (LogWriter::start(Scripted(results, written)).unwrap(), script, lines)
    }

    fn lost(writer: &LogWriter) -> usize {
        writer.0.queue().lost
    }

    #[test]
    fn what_cannot_be_written_is_lost_and_the_next_line_is_not() {
        let (writer, script, lines) = scripted();
        writer.make_writer().write_all(b"one\ntwo\n").unwrap();
        script.send(Err(ErrorKind::StorageFull.into())).unwrap();
        writer.flush(Duration::from_secs(10));
        assert_eq!(lost(&writer), 2);
        script.send(Err(ErrorKind::WouldBlock.into())).unwrap();
        script.send(Ok(())).unwrap();
        writer.make_writer().write_all(b"three\n").unwrap();
        writer.flush(Duration::from_secs(10));
        assert_eq!(lines.recv().unwrap(), "three\n");
        assert_eq!(lost(&writer), 0, "it was told");
    }

    #[test]
    fn who_logs_does_not_wait_for_a_reader_that_stands_still() {
        let (writer, script, lines) = scripted();
        let line = [&b"x".repeat(1023)[..], b"\n"].concat();
        for _ in 0..4096 {
            writer.make_writer().write_all(&line).unwrap();
        }
        writer.flush(Duration::ZERO);
        assert!(lost(&writer) > 2000);
        (0..2).for_each(|_| script.send(Ok(())).unwrap());
        writer.flush(Duration::from_secs(10));
        let written: usize = lines.try_iter().map(|text| text.len()).sum();
        assert!((WAITING_LIMIT..=2 * WAITING_LIMIT).contains(&written), "{written}");
    }
}
