//! `/graphql` with `Accept: text/event-stream`: the “distinct connections mode” of GraphQL over Server-Sent Events, for
//! networks that break WebSockets.
//!
//! Each answer is an event `next`; an event `complete` ends the stream. What is wrong with a document is told as `next` too,
//! for a browser that reads events tells its page nothing of other answers.

use std::{convert::Infallible, time::Duration};

use async_graphql::Response as GraphqlResponse;
use axum::response::{
    IntoResponse, Response, Sse,
    sse::{Event, KeepAlive},
};
use futures_util::{Stream, StreamExt, stream};

use crate::{
    graphql::admission::{Admitted, Reason, Refused},
    http::{
        HttpState,
        answer::{self, Body, Code, ErrorAnswer, Media},
        auth::Identified,
        operation::{self, Said},
    },
};

/// Proxies close connections that are silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(12);

/// Answers an operation with a stream of events. It ends as a WebSocket does: at shutdown, and with the caller's token.
pub(super) fn answer(
    state: HttpState,
    admitted: Admitted,
    identified: Identified,
    id: &str,
) -> Result<Response, ErrorAnswer> {
    let principal = identified.caller.principal();
    let Some(held) = state.connections.hold(principal) else {
        return Err(answer::error(Code::TooMany, "you hold too many connections; close some"));
    };
    let running = state.sockets.token();
    let said = operation::run(&state, admitted, &identified.caller, id);
    let over = async move {
        tokio::select! {
            () = state.end_sockets.cancelled() => {}
            () = identified.out_of_force(state.api.service()) => {}
        }
    };
    let events = said.flat_map(|said| stream::iter(told(said))).take_until(Box::pin(over)).map(move |event| {
        let _ = (&held, &running);
        Ok(event)
    });
    Ok(streamed(events))
}

/// Answers a request that is not carried out.
pub(super) fn refused(refused: Refused) -> Response {
    match refused.reason {
        // Nothing of a document is wrong: the caller shall wait.
        Reason::TooMuch { .. } => answer::refused(refused, Media::Json),
        _ => streamed(stream::iter(told(Said::Refused(vec![*refused.error]))).map(Ok)),
    }
}

fn streamed(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

fn told(said: Said) -> Vec<Event> {
    // A browser hears only of events that have data.
    let complete = || Event::default().event("complete").data("");
    match said {
        Said::Next(response) => vec![next(&response)],
        Said::Refused(errors) => vec![next(&GraphqlResponse::from_errors(errors)), complete()],
        Said::Complete => vec![complete()],
    }
}

fn next(response: &GraphqlResponse) -> Event {
    Event::default().event("next").data(answer::text(&Body(response)))
}
