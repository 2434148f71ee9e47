//! An operation on a connection that stays open: what it says until it is complete, over a WebSocket or an event stream.

use std::time::Duration;

use async_graphql::{Response, ServerError, Value, parser::types::OperationType};
use futures_util::{
    StreamExt, future,
    stream::{self, BoxStream},
};
use tracing::Instrument;

use crate::{
    graphql::{Caller, admission::Admitted, never_ran},
    http::{
        HttpState,
        answer::{Code, with_request_id},
    },
};

/// A client that takes nothing of what is said for so long is cut. Nothing more is made for it meanwhile.
pub(super) const TAKE_WITHIN: Duration = Duration::from_secs(10);
/// What it is told, where it can be told anything.
pub(super) const TOO_SLOW: &str = "LAGGED: you take messages too slowly; connect again and resume from your cursor";

/// What an operation says.
#[derive(Debug)]
pub(super) enum Said {
    /// An answer: the only one of a query or a mutation, one for each event of a subscription.
    Next(Box<Response>),
    /// It is not carried out. Nothing follows.
    Refused(Vec<ServerError>),
    /// Nothing follows.
    Complete,
}

/// Carries out an operation. Subscriptions end when they are dropped; everything else runs to its end in a task of its own.
pub(super) fn run(state: &HttpState, admitted: Admitted, caller: &Caller, id: &str) -> BoxStream<'static, Said> {
    let responses = if admitted.kind() == OperationType::Subscription {
        state.api.subscribe(admitted, caller)
    } else {
        let (api, caller) = (state.api.clone(), caller.clone());
        let work = async move { api.execute(&admitted, &caller).await };
        let done = state.requests.spawn(work.in_current_span());
        stream::once(async move { done.await.unwrap_or_else(|_| internal()) }).boxed()
    };
    let id = id.to_owned();
    let said = responses.map(move |mut response| {
        with_request_id(&mut response, &id);
        if never_ran(&response) { Said::Refused(response.errors) } else { Said::Next(Box::new(response)) }
    });
    let mut over = false;
    said.chain(stream::once(future::ready(Said::Complete)))
        .take_while(move |said| {
            let goes_on = !over;
            over |= matches!(said, Said::Refused(_));
            future::ready(goes_on)
        })
        .boxed()
}

/// What a client hears at last that was too slow.
pub(super) fn too_slow() -> Said {
    Said::Refused(vec![error(TOO_SLOW, "LAGGED")])
}

/// The panic itself was logged where it happened.
fn internal() -> Response {
    Response::from_errors(vec![error("something went wrong here; it was logged", Code::Internal.word())])
}

fn error(message: &str, code: &str) -> ServerError {
    let mut error = ServerError::new(message, None);
    error.extensions.get_or_insert_default().set("code", Value::from(code));
    error
}
