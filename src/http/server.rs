//! Accepts connections and speaks HTTP/1.1 on them, each within its bounds of time, number and memory.
//!
//! HTTP/2 is not spoken: what one connection may ask for at once, and how little of it a client may take, would need bounds of
//! its own. A proxy before the server may speak it to browsers. Knows nothing of GraphQL. Example: a connection is accepted, gets
//! a place of the [`limiter`], has ten seconds for the head of its first request, and after each answer 75 for the next one.

mod activity;
mod body;
mod files;
mod limiter;
mod pace;
mod stream;
mod write_timeout;

use std::{convert::Infallible, io, io::Write, net::SocketAddr, pin::pin, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use hyper::{body::Incoming, server::conn::http1, service::Service as _};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use self::{
    body::{AnswerBody, RequestBody},
    limiter::{ConnectionLimiter, ConnectionPermit, Limits},
    stream::ConnectionStream,
};
pub(super) use self::{limiter::ConnectionHandle, pace::Pace};
use super::{
    HttpState,
    answer::{self, Code},
};

/// The head of a request, most of which may be the document of a GET; and what is written at once. Unknown clients can have the
/// server keep as much for each of their connections.
const BUFFER: usize = 32 * 1024;
/// The system takes so much that it cannot send yet, in place of megabytes: what a client does not take shall wait here, where it
/// is counted.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 * 1024;
/// Once the server stops, a head that has begun to come may go on for so long.
const LAST_HEAD_WITHIN: Duration = Duration::from_secs(1);
/// Where the system accepts nothing, as when it has no file descriptors left, it is asked again after this.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// The log says so often that no connection can be accepted, or that some are refused.
const WARN_EVERY: Duration = Duration::from_secs(30);
/// What a connection that gets no place is told; it may not hear it.
const NO_PLACE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\nretry-after: 1\r\n\r\n";
/// The only paths that are answered on connections beyond the limit.
const HEALTH: [&str; 2] = ["/healthz", "/readyz"];

/// Serves everything at an address until it is stopped, and then until all requests under way are answered. WebSockets are not
/// waited for. Aborting the task cuts all connections.
pub fn serve(state: HttpState, listener: TcpListener, stop: CancellationToken) -> JoinHandle<()> {
    let capacity = files::capacity(state.settings.database_connections);
    let limiter = ConnectionLimiter::new(Limits::new(capacity, state.settings.behind_proxy));
    let server = Server { router: super::router(state), limiter, stop };
    tokio::spawn(async move { server.run(listener).await })
}

/// Answers on connections beyond the limit whoever asks for the server's health, and tells others that it is full.
pub(super) async fn refuse_when_full(request: Request, next: Next) -> Response {
    let is_spare = request.extensions().get::<ConnectionHandle>().is_some_and(ConnectionHandle::is_spare);
    if is_spare && !HEALTH.contains(&request.uri().path()) {
        let message = "there are as many connections as there may be, or as your address may have; try again";
        return answer::error(Code::Unavailable, message).into_response();
    }
    next.run(request).await
}

struct Server {
    router: Router,
    limiter: ConnectionLimiter,
    stop: CancellationToken,
}

impl Server {
    async fn run(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        let mut warned_at: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => match self.limiter.admit(peer.ip()) {
                    Some(permit) => drop(connections.spawn(self.connection(stream, peer, permit))),
                    None => refuse(stream),
                },
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if warned_at.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
                        warned_at = Some(Instant::now());
                        tracing::warn!(error = &error as &dyn std::error::Error, "no connection can be accepted now");
                    }
                    self.limiter.shrink();
                    sleep(ACCEPT_AGAIN_AFTER).await;
                }
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    fn connection(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        permit: ConnectionPermit,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (connection, stop) = (permit.handle(), self.stop.clone());
        let router = TowerToHyperService::new(self.router.clone());
        let answering = connection.clone();
        let service =
            hyper::service::service_fn(move |request| answer(router.clone(), answering.clone(), peer, request));
        prepare(&stream);
        let mut http = http1::Builder::new();
        http.max_buf_size(BUFFER).header_read_timeout(None).keep_alive(!connection.is_spare());
        let io = TokioIo::new(ConnectionStream::new(stream, permit));
        let http = http.serve_connection(io, service).with_upgrades();
        async move { watch(http, &connection, &stop).await }
    }
}

/// Serves a connection until it ends, is displaced, or no head of a request comes in time.
async fn watch<S>(
    http: http1::UpgradeableConnection<TokioIo<ConnectionStream>, S>,
    connection: &ConnectionHandle,
    stop: &CancellationToken,
) where
    S: hyper::service::HttpService<Incoming, ResBody = AnswerBody>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut http = pin!(http);
    let activity = connection.activity();
    let mut is_stopping = false;
    // Looked at again when it may be over, and not whenever it is put off: that is at each request.
    let mut head_deadline = pin!(sleep_until(activity.head_deadline().unwrap_or_else(Instant::now)));
    loop {
        tokio::select! {
            biased;
            () = connection.displaced() => return,
            ended = http.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(error = &error as &dyn std::error::Error, "a connection broke");
                }
                return;
            }
            () = stop.cancelled(), if !is_stopping => {
                is_stopping = true;
                http.as_mut().graceful_shutdown();
                head_deadline.as_mut().reset(Instant::now() + LAST_HEAD_WITHIN);
            }
            () = &mut head_deadline => {
                let now = Instant::now();
                match activity.head_deadline() {
                    Some(deadline) if is_stopping || deadline <= now => return,
                    deadline => head_deadline.as_mut().reset(deadline.unwrap_or(now + activity::NEXT_HEAD_WITHIN)),
                }
            }
        }
    }
}

async fn answer(
    router: TowerToHyperService<Router>,
    connection: ConnectionHandle,
    peer: SocketAddr,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<AnswerBody>, Infallible> {
    connection.activity().begin_request();
    let mut request = request.map(|body| Body::new(RequestBody::new(body, connection.clone())));
    request.extensions_mut().insert(ConnectInfo(peer));
    request.extensions_mut().insert(connection.clone());
    let response = router.call(request).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        connection.activity().upgrade();
    } else if response.headers().get(header::CONTENT_TYPE).is_some_and(|of| of == "text/event-stream") {
        connection.activity().begin_stream();
    }
    Ok(response.map(|body| AnswerBody::new(body, connection)))
}

/// Sets what the system does with what is sent. Where that fails, small messages wait, or more memory is needed.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT);
}

/// Tells a connection that there is no place for it, as far as that can be done at once, and closes it.
fn refuse(stream: TcpStream) {
    let _ = stream.into_std().and_then(|mut stream| stream.write(NO_PLACE));
}

/// Whether a connection broke before it was accepted, which says nothing of the next one.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
