//! `GET /graphql/ws`: subscriptions over a WebSocket, as `graphql-transport-ws` says.
//!
//! async-graphql-axum speaks the protocol; this file adds what it lacks: a token in `connection_init`, pings, the protocol's
//! close codes, an end at shutdown, and queries and mutations that run in tasks of their own, as over HTTP, so that a client
//! that goes away cannot break one off.

mod executor;

#[cfg(test)]
mod tests;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_graphql::{Data, http::ALL_WEBSOCKET_PROTOCOLS};
use async_graphql_axum::{GraphQLProtocol, GraphQLWebSocket};
use axum::{
    extract::{
        FromRequestParts, Request, State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    http::{HeaderValue, StatusCode, header::SEC_WEBSOCKET_PROTOCOL, request::Parts},
    response::{IntoResponse, Response},
};
use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use serde_json::Value;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::PollSender;
use tracing::Instrument;

use self::executor::{Caller, SocketExecutor};
use crate::{
    domain::actor::Actor,
    graphql,
    http::{
        HttpState,
        answer::{self, Code, ErrorAnswer},
        auth,
    },
    service::Service,
};

/// The one subprotocol; the first of async-graphql's list, which ends with its legacy predecessor.
const PROTOCOL: &str = "graphql-transport-ws";
/// As for a request's body.
const MESSAGE_LIMIT: usize = 256 * 1024;
/// Proxies close connections that are silent for a minute.
const PING_EVERY: Duration = Duration::from_secs(25);
/// A client sends `connection_init` at once.
const INIT_WITHIN: Duration = Duration::from_secs(10);
/// A client that takes nothing for so long is gone.
const SEND_WITHIN: Duration = Duration::from_secs(10);
/// Messages that wait for a slow client before its subscriptions wait too.
const BACKLOG: usize = 32;

/// What a refused `connection_init` is called between here and [`translated`].
const FORBIDDEN: &str = "Forbidden";
/// The same, when the database did not answer.
const UNAVAILABLE: &str = "Try again later";

/// Takes up a WebSocket.
pub(super) async fn handle(State(state): State<HttpState>, request: Request) -> Response {
    match accept(state, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn accept(state: HttpState, request: Request) -> Result<Response, ErrorAnswer> {
    let (mut parts, _) = request.into_parts();
    let bad = |message: &str| answer::error(StatusCode::BAD_REQUEST, Code::BadRequest, message);
    if !offers_protocol(&parts) {
        return Err(bad("open a WebSocket with the subprotocol graphql-transport-ws"));
    }
    // The extractors below shall agree on this one, whatever else was offered.
    parts.headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &state)
        .await
        .map_err(|_| bad("this is the address of a WebSocket"))?;
    let protocol =
        GraphQLProtocol::from_request_parts(&mut parts, &state).await.map_err(|_| bad("the subprotocol is unknown"))?;
    let caller = auth::caller(&state.service, &parts.headers).await?.map(|session| session.actor);
    let sockets = state.sockets.clone();
    let span = tracing::Span::current();
    Ok(upgrade
        .protocols(ALL_WEBSOCKET_PROTOCOLS)
        .max_message_size(MESSAGE_LIMIT)
        .max_frame_size(MESSAGE_LIMIT)
        .on_upgrade(move |socket| sockets.track_future(serve(socket, state, protocol, caller)).instrument(span)))
}

fn offers_protocol(parts: &Parts) -> bool {
    let offers = parts.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    offers.flat_map(|value| value.split(',')).any(|offer| offer.trim() == PROTOCOL)
}

/// Serves one connection until either side ends it.
async fn serve(socket: WebSocket, state: HttpState, protocol: GraphQLProtocol, caller: Option<Actor>) {
    let (mut sink, stream) = socket.split();
    let (outgoing, mut outbox) = mpsc::channel::<Message>(BACKLOG);
    let heard = Arc::new(AtomicBool::new(true));
    let initialised = Arc::new(AtomicBool::new(false));
    let end = state.end_sockets.clone();

    let incoming = {
        let heard = Arc::clone(&heard);
        stream.inspect(move |_| heard.store(true, Ordering::Relaxed))
    };
    let on_init = {
        let (service, initialised) = (state.service.clone(), Arc::clone(&initialised));
        move |payload| async move {
            let data = session(&service, caller, &payload).await?;
            initialised.store(true, Ordering::Relaxed);
            Ok(data)
        }
    };
    let session =
        GraphQLWebSocket::new_with_pair(PollSender::new(outgoing), incoming, SocketExecutor::new(state), protocol)
            .on_connection_init(on_init)
            .serve();
    let mut session = pin!(session);
    let mut ping = tokio::time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    let mut init_deadline = pin!(tokio::time::sleep(INIT_WITHIN));
    let mut waits_for_init = true;

    let last = loop {
        let message = tokio::select! {
            () = end.cancelled() => break Some(close(1001, "the server shuts down")),
            () = &mut session => break None,
            () = &mut init_deadline, if waits_for_init => {
                if !initialised.load(Ordering::Relaxed) {
                    break Some(close(4408, "Connection initialisation timeout"));
                }
                waits_for_init = false;
                continue;
            }
            _ = ping.tick() => {
                if !heard.swap(false, Ordering::Relaxed) {
                    break None;
                }
                Message::Ping(Default::default())
            }
            Some(message) = outbox.recv() => message,
        };
        if !send(&mut sink, message).await {
            return;
        }
    };
    // What the session said before it ended, its close code among it.
    while let Ok(message) = outbox.try_recv() {
        if !send(&mut sink, message).await {
            return;
        }
    }
    if let Some(last) = last {
        send(&mut sink, last).await;
    }
}

/// Sends a message; says whether the client took it.
async fn send(sink: &mut SplitSink<WebSocket, Message>, message: Message) -> bool {
    matches!(tokio::time::timeout(SEND_WITHIN, sink.send(translated(message))).await, Ok(Ok(())))
}

/// The data of a connection, from the payload of its `connection_init`; a token there goes before one in the headers.
async fn session(service: &Service, caller: Option<Actor>, payload: &Value) -> async_graphql::Result<Data> {
    let caller = match credentials(payload) {
        None => caller,
        Some(None) => return Err(FORBIDDEN.into()),
        Some(Some(credentials)) => {
            let session = auth::session(service, &credentials).await.map_err(|error| match error.code() {
                Code::Unauthenticated => FORBIDDEN,
                _ => UNAVAILABLE,
            })?;
            Some(session.actor)
        }
    };
    let mut data = graphql::socket_data(service, caller.clone());
    data.insert(Caller(caller));
    Ok(data)
}

/// The credentials in a payload: `{"Authorization": "Bearer …"}` or `{"token": "…"}`; `Some(None)` for ones of no use.
fn credentials(payload: &Value) -> Option<Option<String>> {
    let fields = payload.as_object()?;
    let field =
        |wanted: &str| fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value);
    if let Some(value) = field("authorization") {
        return Some(value.as_str().map(str::to_owned));
    }
    let token = field("token")?.as_str();
    Some(token.map(|token| if token.contains(' ') { token.to_owned() } else { format!("Bearer {token}") }))
}

/// async-graphql's close codes, as the protocol has them.
fn translated(message: Message) -> Message {
    let Message::Close(Some(frame)) = message else { return message };
    match (frame.code, frame.reason.as_str()) {
        (1002, FORBIDDEN) => close(4403, FORBIDDEN),
        (1002, UNAVAILABLE) => close(1013, UNAVAILABLE),
        (1002, _) => close(4400, "Invalid message"),
        (1011, _) => close(4401, "Unauthorized"),
        _ => Message::Close(Some(frame)),
    }
}

fn close(code: u16, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame { code, reason: reason.into() }))
}
