//! Cuts connections whose client takes nothing of what is sent: it would hold the answer, and what makes it, for ever.
//!
//! A client that is slow but takes something now and then is not cut.

use std::{
    future::{Ready, ready},
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum_server::accept::Accept;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// A phone that changes networks comes back sooner.
const TAKE_WITHIN: Duration = Duration::from_secs(30);

/// Takes up connections that are cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct CutStalled;

impl<S> Accept<TcpStream, S> for CutStalled {
    type Stream = Cut<TcpStream>;
    type Service = S;
    type Future = Ready<io::Result<(Self::Stream, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(Ok((Cut { stream, deadline: None }, service)))
    }
}

/// A stream that fails when nothing could be written for too long.
#[derive(Debug)]
pub(super) struct Cut<S> {
    stream: S,
    /// When it is cut, while something waits to be written.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Cut<S> {
    fn in_time<T>(&mut self, context: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.deadline = None;
            return done;
        }
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(TAKE_WITHIN)));
        deadline.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Cut<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.in_time(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.in_time(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.in_time(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.in_time(context, shut)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Cut<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_cut_and_one_that_takes_a_little_is_not() {
        let (client, stream) = duplex(16);
        let mut server = Cut { stream, deadline: None };
        let slow = tokio::spawn(async move {
            let mut client = client;
            for _ in 0..10 {
                sleep(TAKE_WITHIN * 9 / 10).await;
                client.read_exact(&mut [0; 16]).await.unwrap();
            }
            client
        });
        server.write_all(&[7; 160]).await.unwrap();
        let _client = slow.await.unwrap();
        let error = server.write_all(&[7; 160]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
