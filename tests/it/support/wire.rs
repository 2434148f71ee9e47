//! The application as `serve` offers it, and a client that speaks HTTP by hand, as no library does.
//!
//! Example: `let server = serve(&app);`, `let mut wire = Wire::connect(server.addr).await;`, `wire.send("GET / HTTP/1.1\r\n…")`.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use secondline::{
    graphql::admission::Policy,
    http::{HttpState, Settings},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::TestApp;

/// A test that waits longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server in this process, until it is dropped.
pub struct Serving {
    pub addr: SocketAddr,
    pub stop: CancellationToken,
    pub served: JoinHandle<()>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Serves the application with its bounds of connections.
pub async fn serve(app: &TestApp) -> Serving {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let state = HttpState::new(app.service.clone(), Policy::default(), Settings::default());
    Serving { addr, served: secondline::http::serve(state, listener, stop.clone()), stop }
}

/// A connection.
pub struct Wire {
    stream: TcpStream,
}

impl Wire {
    pub async fn connect(addr: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(addr).await.unwrap() }
    }

    /// Connects from another address of this machine.
    pub async fn connect_from(source: [u8; 4], addr: SocketAddr) -> std::io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(IpAddr::from(source), 0))?;
        Ok(Self { stream: socket.connect(addr).await? })
    }

    /// Connects with hardly any room for what the other side sends.
    pub async fn connect_narrow(addr: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self { stream: socket.connect(addr).await.unwrap() }
    }

    /// Sends all of it, as far as the other side takes it.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await.expect("nothing is taken");
    }

    /// The status of the next answer; none where the connection ends without one. Reads no more than its head.
    pub async fn status(&mut self) -> Option<u16> {
        let head = self.until(b"\r\n\r\n").await?;
        head.split(' ').nth(1)?.parse().ok()
    }

    /// The next answer as text, whose length must be announced.
    pub async fn answer(&mut self) -> Option<(u16, String)> {
        let head = self.until(b"\r\n\r\n").await?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        timeout(PATIENCE, self.stream.read_exact(&mut body)).await.expect("waited in vain for an answer").ok()?;
        Some((status, String::from_utf8(body).unwrap()))
    }

    async fn until(&mut self, end: &[u8]) -> Option<String> {
        let mut read = Vec::new();
        while !read.ends_with(end) {
            let byte = timeout(PATIENCE, self.stream.read_u8()).await.expect("waited in vain for an answer");
            read.push(byte.ok()?);
        }
        String::from_utf8(read).ok()
    }

    /// Whether the connection is closed within some time, with or without a word.
    pub async fn is_closed(&mut self, within: Duration) -> bool {
        let end = async {
            let mut bytes = [0; 1024];
            while self.stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
        };
        timeout(within, end).await.is_ok()
    }
}
