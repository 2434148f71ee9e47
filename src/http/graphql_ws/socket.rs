//! One WebSocket: the state machine of `graphql-transport-ws`.
//!
//! A connection says who it is once (`connection_init`), then asks for operations, each under an id of its own, until either
//! side ends it. Everything that the protocol does not allow ends it with the protocol's own code.

use std::{pin::pin, time::Duration};

use async_graphql::{ServerError, Value};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::{
    SinkExt, StreamExt,
    stream::{BoxStream, SplitSink},
};
use serde_json::{Map, Value as Json};
use tokio::time::{Instant, interval_at, sleep};
use tokio_stream::StreamMap;

use super::message::{ClientMessage, ServerMessage};
use crate::http::{
    HttpState,
    answer::{self, Body, Code},
    auth::{self, Identified},
    in_flight::BytePermit,
    operation::{self, Said},
    params::Fields,
    server::ConnectionHandle,
    streams::StreamPermit,
};

/// A client says who it is at once.
const INIT_WITHIN: Duration = Duration::from_secs(10);
/// Proxies close connections that are silent for a minute.
const PING_EVERY: Duration = Duration::from_secs(25);
/// A client answers a close frame at once.
const FAREWELL: Duration = Duration::from_secs(2);
/// What a client goes on sending is not read after a message that is too long; closing at once would cut off why.
const LINGER: Duration = Duration::from_millis(500);
/// Operations that run at once on one connection: a front end has one for each thing on its page.
const OPERATIONS: usize = 100;
/// The code of RFC 6455 for a message that is too long.
const TOO_LONG: u16 = 1009;
/// A close frame has room for 123 bytes.
const REASON_LIMIT: usize = 120;

/// Why a connection ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// With a code and a reason.
    Close(u16, String),
    /// The client is gone, and nobody is there to be told.
    Gone,
}

type Step = Result<(), End>;

/// An open connection.
pub(super) struct Socket {
    state: HttpState,
    sink: SplitSink<WebSocket, Message>,
    /// Who it is, once it was said.
    identified: Option<Identified>,
    /// From the headers of the connection, for clients that can send some.
    introduced: Identified,
    permit: StreamPermit,
    /// What its connection is told, where there is one.
    connection: Option<ConnectionHandle>,
    /// How long its longest message was: the library keeps as much memory.
    longest: BytePermit,
    operations: StreamMap<String, BoxStream<'static, Said>>,
    request_id: String,
}

/// What is known when a connection becomes a socket.
pub(super) struct Opening {
    /// Who opens it, as far as the headers say.
    pub(super) introduced: Identified,
    /// Its place.
    pub(super) permit: StreamPermit,
    /// Its connection, where there is one.
    pub(super) connection: Option<ConnectionHandle>,
    /// The id of the request that opens it.
    pub(super) request_id: String,
}

/// Serves a connection until either side ends it.
pub(super) async fn serve(socket: WebSocket, state: HttpState, opening: Opening) {
    let (sink, mut incoming) = socket.split();
    let end_sockets = state.end_sockets.clone();
    let service = state.api.service().clone();
    let mut displaced = Box::pin(displaced(opening.connection.clone()));
    let mut socket = Socket::new(sink, state, opening);
    let mut init_deadline = pin!(sleep(INIT_WITHIN));
    let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    let mut heard = true;
    // Replaced once the connection has said who it is.
    let mut out_of_force = Box::pin(Identified::default().out_of_force(service.clone()));

    let end = loop {
        let was_known = socket.identified.is_some();
        let step = tokio::select! {
            biased;
            () = end_sockets.cancelled() => Err(close(1001, "the server shuts down")),
            () = &mut out_of_force => Err(close(4403, "Forbidden: the token or its rights have changed")),
            () = &mut displaced => Err(close(1013, "Too many connections")),
            Some((id, said)) = socket.operations.next(), if !socket.operations.is_empty() => {
                socket.tell(&id, said).await
            }
            message = incoming.next() => {
                heard = true;
                socket.hear(message).await
            }
            () = &mut init_deadline, if !was_known => Err(close(4408, "Connection initialisation timeout")),
            _ = ping.tick() => match std::mem::replace(&mut heard, false) {
                true => socket.send(Message::Ping(Default::default())).await,
                false => Err(End::Gone),
            },
        };
        if let Err(end) = step {
            break end;
        }
        if let (false, Some(identified)) = (was_known, &socket.identified) {
            out_of_force = Box::pin(identified.clone().out_of_force(service.clone()));
        }
    };
    let is_unread = matches!(end, End::Close(TOO_LONG, _));
    if let End::Close(code, mut reason) = end {
        reason.truncate(reason.floor_char_boundary(REASON_LIMIT));
        let frame = CloseFrame { code, reason: reason.into() };
        // A client that does not take it is gone.
        let _ = tokio::time::timeout(FAREWELL, socket.sink.send(Message::Close(Some(frame)))).await;
    }
    // Closing before the client has answered would cut the frame off, and closing without a word its own.
    let _ = tokio::time::timeout(FAREWELL, async {
        let _ = socket.sink.close().await;
        while let Some(Ok(_)) = incoming.next().await {}
        if is_unread {
            sleep(LINGER).await;
        }
    })
    .await;
}

/// Ends once another connection is given the place of this one.
async fn displaced(connection: Option<ConnectionHandle>) {
    match connection {
        Some(connection) => connection.displaced().await,
        None => std::future::pending().await,
    }
}

impl Socket {
    fn new(sink: SplitSink<WebSocket, Message>, state: HttpState, opening: Opening) -> Self {
        let Opening { introduced, permit, connection, request_id } = opening;
        let longest = state.answers.permit(introduced.caller.principal());
        let operations = StreamMap::new();
        Self { state, sink, identified: None, introduced, permit, connection, longest, operations, request_id }
    }

    async fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Step {
        if let Some(connection) = &self.connection {
            connection.end_message();
        }
        match message {
            Some(Ok(Message::Text(text))) => match ClientMessage::read(&text) {
                Ok(message) => self.act(message).await,
                Err(problem) => Err(close(4400, problem)),
            },
            Some(Ok(Message::Binary(_))) => Err(close(4400, "Invalid message: send text")),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_))) | None => Err(End::Gone),
            // Too long, or not of the WebSocket protocol.
            Some(Err(_)) => Err(close(TOO_LONG, "the message is too long, or no message")),
        }
    }

    async fn act(&mut self, message: ClientMessage) -> Step {
        match message {
            ClientMessage::ConnectionInit { payload } => self.init(&payload.unwrap_or_default()).await,
            ClientMessage::Ping { payload } => self.say(ServerMessage::Pong { payload }).await,
            ClientMessage::Pong { .. } => Ok(()),
            ClientMessage::Subscribe { id, payload } => self.subscribe(id, payload).await,
            ClientMessage::Complete { id } => {
                self.operations.remove(&id);
                Ok(())
            }
        }
    }

    async fn init(&mut self, payload: &Map<String, Json>) -> Step {
        if self.identified.is_some() {
            return Err(close(4429, "Too many initialisation requests"));
        }
        let identified = match auth::credentials(payload) {
            None => self.introduced.clone(),
            Some(credentials) => {
                let identified = self.introduced.with(&self.state, credentials.as_deref()).await;
                identified.map_err(|error| match error.code() {
                    Code::Unauthenticated | Code::Forbidden => close(4403, "Forbidden"),
                    _ => close(1013, "Try again later"),
                })?
            }
        };
        let principal = identified.caller.principal();
        if !self.permit.identify(principal) {
            return Err(close(1013, "Too many connections"));
        }
        identified.own(self.connection.as_ref());
        self.longest = self.state.answers.permit(principal);
        self.identified = Some(identified);
        self.say(ServerMessage::ConnectionAck).await
    }

    async fn subscribe(&mut self, id: String, payload: Fields) -> Step {
        let Some(identified) = &self.identified else { return Err(close(4401, "Unauthorized")) };
        if self.operations.contains_key(&id) {
            return Err(close(4409, format!("Subscriber for {id} already exists")));
        }
        let params = payload.read().map_err(|problem| close(4400, format!("Invalid message: {problem}")))?;
        if self.operations.len() >= OPERATIONS {
            let message = format!("a connection carries out at most {OPERATIONS} operations at once; complete some");
            let mut error = ServerError::new(message, None);
            error.extensions.get_or_insert_default().set("code", Value::from(Code::TooMany.word()));
            return self.say(ServerMessage::Error { id: &id, payload: &[error] }).await;
        }
        match self.state.api.admit(params, &identified.caller) {
            Ok(admitted) => {
                let said = operation::run(&self.state, admitted, &identified.caller, &self.request_id);
                self.operations.insert(id, said);
                Ok(())
            }
            Err(refused) => self.say(ServerMessage::Error { id: &id, payload: &[*refused.error] }).await,
        }
    }

    async fn tell(&mut self, id: &str, said: Said) -> Step {
        match said {
            Said::Next(response) => self.say(ServerMessage::Next { id, payload: Body(&response) }).await,
            Said::Refused(errors) => {
                self.operations.remove(id);
                self.say(ServerMessage::Error { id, payload: &errors }).await
            }
            Said::Complete => {
                self.operations.remove(id);
                self.say(ServerMessage::Complete { id }).await
            }
        }
    }

    async fn say(&mut self, message: ServerMessage<'_>) -> Step {
        let text = answer::text(&message);
        if !self.longest.extend_to(text.len()) {
            return Err(close(1013, operation::TOO_SLOW));
        }
        self.send(Message::text(text)).await
    }

    /// Sends a message, and waits until the client takes it: nothing more is made for it meanwhile.
    async fn send(&mut self, message: Message) -> Step {
        match tokio::time::timeout(operation::TAKE_WITHIN, self.sink.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(close(1013, operation::TOO_SLOW)),
        }
    }
}

fn close(code: u16, reason: impl Into<String>) -> End {
    End::Close(code, reason.into())
}
