//! `GET /graphql/ws`: operations over a WebSocket, as the protocol `graphql-transport-ws` has it.

mod message;
mod socket;

use axum::{
    Extension,
    extract::{FromRequestParts, Request, State, WebSocketUpgrade},
    http::{header::SEC_WEBSOCKET_PROTOCOL, request::Parts},
    response::{IntoResponse, Response},
};
use tracing::Instrument;

use self::socket::Opening;
use crate::{
    graphql::admission::Principal,
    http::{
        HttpState,
        answer::{self, Code, ErrorAnswer},
        auth, graphql_http, origin,
        request_id::RequestId,
    },
};

/// The one subprotocol. Its predecessor, `graphql-ws`, is refused.
const PROTOCOL: &str = "graphql-transport-ws";

/// What each side of a socket reads or writes at once. Reading touches as much memory even if nothing comes.
const BUFFER: usize = 4 * 1024;

/// Takes up a WebSocket.
pub(super) async fn handle(
    State(state): State<HttpState>,
    Extension(RequestId(id)): Extension<RequestId>,
    request: Request,
) -> Response {
    match accept(state, request, &id).await {
        Ok(response) => response,
        Err(error) => error.with_request_id(&id).into_response(),
    }
}

async fn accept(state: HttpState, request: Request, id: &str) -> Result<Response, ErrorAnswer> {
    let (mut parts, _) = request.into_parts();
    if !origin::is_welcome(&parts.headers, &state.settings.allowed_origins) {
        return Err(answer::error(Code::Forbidden, "pages of this origin may not connect; see --allowed-origin"));
    }
    let bad = |message: &str| answer::error(Code::BadRequest, message);
    if !offers_protocol(&parts) {
        return Err(bad("open a WebSocket with the subprotocol graphql-transport-ws"));
    }
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &state)
        .await
        .map_err(|_| bad("this is the address of a WebSocket"))?;
    let introduced = auth::identify(&state, &parts).await?;
    let permit = match introduced.caller.principal() {
        principal @ Principal::Known(_) => state.streams.open(principal),
        Principal::Unknown(address) => state.streams.arrive(address),
    };
    let permit = permit.ok_or_else(|| answer::error(Code::TooMany, "you have too many streams open; close some"))?;
    let connection = parts.extensions.get().cloned();
    let sockets = state.sockets.clone();
    let span = tracing::Span::current();
    let opening = Opening { introduced, permit, connection, request_id: id.to_owned() };
    Ok(upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_message_size(graphql_http::BODY_LIMIT)
        .max_frame_size(graphql_http::BODY_LIMIT)
        .on_upgrade(move |socket| sockets.track_future(socket::serve(socket, state, opening)).instrument(span)))
}

fn offers_protocol(parts: &Parts) -> bool {
    let offers = parts.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    offers.flat_map(|value| value.split(',')).any(|offer| offer.trim() == PROTOCOL)
}
