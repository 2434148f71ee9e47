//! A connection as its HTTP sees it: it is cut where its client takes too little, keeps its place as long as it is open, and reads
//! what is left before it closes.
//!
//! To close while bytes of the client wait unread, or are on their way, makes the system answer with a reset, which throws away
//! what the client has not read yet: it would see a broken connection in place of, say, the 415 that its upload was answered with.
//! So the rest is read and forgotten, up to a limit, once the answer is written.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use super::{limiter::ConnectionPermit, write_timeout::WriteTimeoutStream};

/// What is not read within this time is not read.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// The largest file that may be attached unless a deployment says otherwise, and more.
const DRAIN_LIMIT: usize = 16 << 20;
/// So much is read at once.
const DRAINED_AT_ONCE: usize = 64 << 10;
/// And so often, until others have their turn.
const READS_IN_TURN: usize = 8;

/// A connection's stream.
#[derive(Debug)]
pub(super) struct ConnectionStream {
    stream: WriteTimeoutStream<TcpStream>,
    permit: ConnectionPermit,
    draining: Option<Drain>,
}

#[derive(Debug)]
struct Drain {
    deadline: Pin<Box<Sleep>>,
    left: usize,
}

impl ConnectionStream {
    pub(super) fn new(stream: TcpStream, permit: ConnectionPermit) -> Self {
        let stream = WriteTimeoutStream::new(stream, permit.activity().clone());
        Self { stream, permit, draining: None }
    }
}

impl AsyncRead for ConnectionStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        if self.permit.activity().receive(into.filled().len() - before) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(io::Error::other("too long a message of somebody who is not known")))
    }
}

impl AsyncWrite for ConnectionStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.draining.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            if !this.permit.activity().is_unread() {
                return Poll::Ready(Ok(()));
            }
        }
        let drain =
            this.draining.get_or_insert_with(|| Drain { deadline: Box::pin(sleep(DRAIN_TIMEOUT)), left: DRAIN_LIMIT });
        drain.poll(context, &mut this.stream).map(Ok)
    }
}

impl Drain {
    /// Reads until nothing more comes or may come.
    fn poll(&mut self, context: &mut Context<'_>, stream: &mut WriteTimeoutStream<TcpStream>) -> Poll<()> {
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let mut bytes = [MaybeUninit::uninit(); DRAINED_AT_ONCE];
        for _ in 0..READS_IN_TURN {
            let mut bytes = ReadBuf::uninit(&mut bytes);
            let is_read = ready!(Pin::new(&mut *stream).poll_read(context, &mut bytes)).is_ok();
            match self.left.checked_sub(bytes.filled().len()) {
                Some(left) if is_read && !bytes.filled().is_empty() => self.left = left,
                _ => return Poll::Ready(()),
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
