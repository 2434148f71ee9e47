//! A network between the program and its database that can go silent: it takes every byte and answers none.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// A proxy before a server, on a port of its own; it ends with the test's runtime.
pub struct Proxy {
    pub addr: SocketAddr,
    network: Arc<Network>,
}

#[derive(Default)]
struct Network {
    is_silent: AtomicBool,
    /// How often it went silent: connections of before never speak again.
    times: AtomicU32,
}

impl Network {
    fn carries(&self, since: u32) -> bool {
        !self.is_silent.load(Ordering::SeqCst) && self.times.load(Ordering::SeqCst) == since
    }
}

impl Proxy {
    /// Starts a proxy before the server of a PostgreSQL URL; the URL that leads through it.
    pub async fn before(url: &str) -> (Self, String) {
        let proxy = Self::listen(([127, 0, 0, 1], 0).into(), url).await;
        let through = at(url, proxy.addr);
        (proxy, through)
    }

    /// The same, at an address.
    pub async fn listen(addr: SocketAddr, url: &str) -> Self {
        let url = url::Url::parse(url).unwrap();
        let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind(addr).await.unwrap();
        let proxy = Self { addr: listener.local_addr().unwrap(), network: Arc::default() };
        let network = Arc::clone(&proxy.network);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, server.clone(), Arc::clone(&network)));
            }
        });
        proxy
    }

    /// From now on nothing is answered, on connections old and new.
    pub fn go_silent(&self) {
        self.network.is_silent.store(true, Ordering::SeqCst);
        self.network.times.fetch_add(1, Ordering::SeqCst);
    }

    /// New connections are carried again; those of before stay silent.
    pub fn speak(&self) {
        self.network.is_silent.store(false, Ordering::SeqCst);
    }
}

/// The URL of a database as reached at another address.
pub fn at(url: &str, addr: SocketAddr) -> String {
    let mut url = url::Url::parse(url).unwrap();
    url.set_host(Some(&addr.ip().to_string())).unwrap();
    url.set_port(Some(addr.port())).unwrap();
    url.to_string()
}

async fn connect(client: TcpStream, server: String, network: Arc<Network>) {
    let since = network.times.load(Ordering::SeqCst);
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::join!(
        carry(from_client, to_server, since, Arc::clone(&network)),
        carry(from_server, to_client, since, network)
    );
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, since: u32, network: Arc<Network>) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if network.carries(since) && to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
