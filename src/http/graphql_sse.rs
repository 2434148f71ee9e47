//! `/graphql` with `Accept: text/event-stream`: the “distinct connections mode” of GraphQL over Server-Sent Events, for
//! networks that break WebSockets.
//!
//! Each answer is an event `next`; an event `complete` ends the stream. What is wrong with a document is told as `next` too,
//! for a browser that reads events tells its page nothing of other answers. A client that takes no events is told at last that it
//! is too slow.

use std::{convert::Infallible, time::Duration};

use async_graphql::Response as GraphqlResponse;
use axum::{
    body::{Body, Bytes},
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures_util::{Stream, StreamExt, stream};
use tokio::{
    sync::mpsc::{self, error::SendTimeoutError},
    time::{Instant, interval_at, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tracing::Instrument;

use crate::{
    graphql::admission::{Admitted, Reason, Refused},
    http::{
        HttpState,
        answer::{self, Code, ErrorAnswer, Media},
        auth::Identified,
        operation::{self, Said},
    },
};

/// Proxies close connections that are silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(12);
/// A comment, which no client hears of.
const STILL_HERE: Bytes = Bytes::from_static(b":\n\n");

/// Answers an operation with a stream of events. It ends as a WebSocket does: at shutdown, and with the caller's token.
pub(super) fn answer(
    state: HttpState,
    admitted: Admitted,
    identified: Identified,
    id: &str,
) -> Result<Response, ErrorAnswer> {
    let principal = identified.caller.principal();
    let Some(permit) = state.streams.open(principal) else {
        return Err(answer::error(Code::TooMany, "you have too many streams open; close some"));
    };
    let said = operation::run(&state, admitted, &identified.caller, id);
    let over = {
        let state = state.clone();
        async move {
            tokio::select! {
                () = state.end_sockets.cancelled() => {}
                () = identified.out_of_force(state.api.service().clone()) => {}
            }
        }
    };
    let answers = state.answers.clone();
    let counted = move |event| answers.counted(principal, event);
    let events = said.flat_map(|said| stream::iter(told(said))).map(counted).take_until(Box::pin(over));
    let (sender, waiting) = mpsc::channel(1);
    let answers = state.answers.clone();
    let room = async move || answers.room(principal).await;
    let is_slow = state.sockets.spawn(hand_over(events, room, sender).in_current_span());
    let farewell = stream::once(is_slow).flat_map(|is_slow| match is_slow {
        Ok(true) => stream::iter(told(operation::too_slow())),
        _ => stream::iter(Vec::new()),
    });
    let events = ReceiverStream::new(waiting).chain(farewell.map(Bytes::from)).map(move |event| {
        let _ = &permit;
        event
    });
    Ok(streamed(events))
}

/// Hands the events over one by one, as the client takes them; says whether it was too slow. Nothing else would notice: of a
/// connection that takes nothing, nothing is asked.
async fn hand_over(
    mut events: impl Stream<Item = Bytes> + Unpin,
    room: impl AsyncFn(),
    client: mpsc::Sender<Bytes>,
) -> bool {
    loop {
        if timeout(operation::TAKE_WITHIN, room()).await.is_err() {
            return true;
        }
        let event = tokio::select! {
            biased;
            () = client.closed() => return false,
            event = events.next() => event,
        };
        let Some(event) = event else { return false };
        match client.send_timeout(event, operation::TAKE_WITHIN).await {
            Ok(()) => {}
            Err(SendTimeoutError::Timeout(_)) => return true,
            Err(SendTimeoutError::Closed(_)) => return false,
        }
    }
}

/// Answers a request that is not carried out.
pub(super) fn refused(refused: Refused) -> Response {
    match refused.reason {
        // Nothing of a document is wrong: the caller shall wait.
        Reason::TooMuch { .. } => answer::refused(refused, Media::Json),
        _ => streamed(stream::iter(told(Said::Refused(vec![*refused.error]))).map(Bytes::from)),
    }
}

fn streamed(events: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let silence = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
    let events = tokio_stream::StreamExt::timeout_repeating(events, silence)
        .map(|event| Ok::<_, Infallible>(event.unwrap_or(STILL_HERE)));
    ([(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")], Body::from_stream(events)).into_response()
}

fn told(said: Said) -> Vec<String> {
    let complete = || event("complete", "");
    match said {
        Said::Next(response) => vec![next(&response)],
        Said::Refused(errors) => vec![next(&GraphqlResponse::from_errors(errors)), complete()],
        Said::Complete => vec![complete()],
    }
}

fn next(response: &GraphqlResponse) -> String {
    event("next", &format!(" {}", answer::text(&answer::Body(response))))
}

/// An event with one line of data, even an empty one: a browser hears of no others. axum's events have none then.
fn event(name: &str, data: &str) -> String {
    format!("event: {name}\ndata:{data}\n\n")
}
