//! Cuts connections whose client takes too little of what is sent: it would hold the answer, and what makes it, for ever.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use super::{
    activity::Activity,
    pace::{Pace, SILENCE},
};

/// A stream that fails when its client takes too little for too long: nothing at all, or of one answer less than a [`Pace`] asks
/// for. Event streams and WebSockets say now and then a little, and are only cut where the client takes nothing.
#[derive(Debug)]
pub(super) struct WriteTimeoutStream<S> {
    stream: S,
    activity: Arc<Activity>,
    pace: Pace,
    /// Which request is answered at this pace.
    request: u64,
    /// Since when the client takes nothing, and when it is cut, while something waits to be written.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> WriteTimeoutStream<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity, pace: Pace::default(), request: 0, waiting: None }
    }

    fn begin_answer(&mut self) {
        let request = self.activity.requests();
        if request != self.request {
            self.request = request;
            self.pace = Pace::default();
        }
    }

    fn in_time<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
        count: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(result) = written {
            let waited = self.waiting.take().map(|(since, _)| since.elapsed()).unwrap_or_default();
            self.pace.record(waited, result.as_ref().map(count).unwrap_or_default());
            return Poll::Ready(result);
        }
        let (_, deadline) = self.waiting.get_or_insert_with(|| {
            let (phase, _) = self.activity.phase();
            let patience = if phase.is_stream() { SILENCE } else { self.pace.patience() };
            (Instant::now(), Box::pin(sleep(patience)))
        });
        deadline.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeoutStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.begin_answer();
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.in_time(context, written, |count| *count)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.begin_answer();
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.in_time(context, written, |count| *count)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.in_time(context, flushed, |()| 0)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.in_time(context, shut, |()| 0)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeoutStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::{super::activity::Phase, *};

    /// What becomes of an answer of so many bytes whose client takes some of it at a time, and how long that takes.
    async fn answer(phase: Phase, bytes: usize, at_once: usize, every: Duration) -> (io::Result<()>, Duration) {
        let (client, stream) = duplex(1024);
        let activity = Arc::new(Activity::new(SILENCE));
        activity.begin_request();
        if phase == Phase::Streaming {
            activity.begin_stream();
        }
        let mut server = WriteTimeoutStream::new(stream, activity);
        let began = Instant::now();
        let slow = tokio::spawn(take(client, at_once, every));
        let written = server.write_all(&vec![7; bytes]).await;
        slow.abort();
        (written, began.elapsed())
    }

    async fn take(mut client: DuplexStream, at_once: usize, every: Duration) {
        let mut taken = vec![0; at_once];
        loop {
            tokio::time::sleep(every).await;
            client.read_exact(&mut taken).await.unwrap();
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_cut() {
        for phase in [Phase::Answering, Phase::Streaming] {
            let (written, took) = answer(phase, 4096, 1, 40 * SECOND).await;
            assert_eq!((written.unwrap_err().kind(), took.as_secs()), (io::ErrorKind::TimedOut, 30));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_an_answer_byte_by_byte_is_cut_too() {
        let (written, took) = answer(Phase::Answering, 4096, 1, 29 * SECOND).await;
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(took < 40 * SECOND, "{took:?}");
        let (written, _) = answer(Phase::Streaming, 1030, 1, 29 * SECOND).await;
        written.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_on_a_slow_line_gets_a_long_answer() {
        let (written, took) = answer(Phase::Answering, 4 << 20, 1024, SECOND / 20).await;
        written.unwrap();
        assert!(took > 200 * SECOND, "{took:?}");
    }
}
