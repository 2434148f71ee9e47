//! The application as a server in this process: listening, with its follower of events.
//!
//! Example: `let server = listen(&app).await;`, then `Socket::open(server.addr, token).await`.

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use secondline::{service::Service, store};
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::TestApp;

/// Whatever takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(15);

/// A server, until it is dropped.
pub struct Listening {
    pub addr: SocketAddr,
    _stop: DropGuard,
    _follower: DropGuard,
}

/// Lets the application listen and follow the log of events.
pub async fn listen(app: &TestApp) -> Listening {
    serve(&app.service, app.router.clone()).await
}

/// Lets a router listen, and its service follow the log of events.
pub async fn serve(service: &Service, router: Router) -> Listening {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let until_then = stop.clone();
    let served = axum::serve(listener, router).with_graceful_shutdown(until_then.cancelled_owned());
    tokio::spawn(async move { served.await });
    Listening { addr, _stop: stop.drop_guard(), _follower: follow(service).await }
}

/// Follows the log of events for a server until the guard is dropped.
pub async fn follow(service: &Service) -> DropGuard {
    let stop = begin_to_follow(service);
    until("the log is followed", async || service.log_position().is_some()).await;
    stop
}

/// The same, without waiting until it has begun.
pub fn begin_to_follow(service: &Service) -> DropGuard {
    let stop = CancellationToken::new();
    let (follower, until_then) = (service.clone(), stop.clone());
    tokio::spawn(async move { follower.follow_events(until_then).await });
    stop.drop_guard()
}

/// Waits until subscribers have been told of everything that happened.
pub async fn all_is_told(app: &TestApp) {
    let last = store::event_log::highest(&app.db).await.unwrap();
    until("the log is told on", async || app.service.log_position() >= Some(last)).await;
}

/// Waits until it is so.
pub async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
