//! An operation on a connection that stays open: what it says until it is complete, over a WebSocket or an event stream.

use std::time::Duration;

use async_graphql::{Response, ServerError, Value, parser::types::OperationType};
use futures_util::{
    StreamExt, future,
    stream::{self, BoxStream},
};

use crate::{
    graphql::{Caller, admission::Admitted, never_ran},
    http::{
        HttpState,
        answer::{self, Code, ErrorAnswer, with_request_id},
        concurrency, work,
    },
};

/// A client that takes nothing of what is said for so long is cut. Nothing more is made for it meanwhile.
pub(super) const TAKE_WITHIN: Duration = Duration::from_secs(10);
/// What it is told, where it can be told anything.
pub(super) const TOO_SLOW: &str = "LAGGED: you take messages too slowly; connect again and resume from your cursor";

/// What a caller hears who does not take what was answered before.
const TOO_MUCH_IN_FLIGHT: &str = "too many answers wait for you to take them; read those first";

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

/// Carries out a query or a mutation to its end, once it is the caller's turn. Nothing of it is carried out, and the error says why,
/// where the caller does not take the answers that it has, or has too many requests under way.
pub(super) async fn execute(state: &HttpState, admitted: &Admitted, caller: &Caller) -> Result<Response, &'static str> {
    let principal = caller.principal();
    let _turn = state.turns.wait(principal).await.ok_or(concurrency::TOO_MANY)?;
    if !state.answers.has_room(principal) {
        return Err(TOO_MUCH_IN_FLIGHT);
    }
    Ok(state.api.execute(admitted, caller).await)
}

/// What is answered then.
pub(super) fn too_many(why: &'static str) -> ErrorAnswer {
    answer::error(Code::TooMany, why)
}

/// Carries out an operation. Subscriptions end when they are dropped; everything else is carried out whether or not the
/// client stays.
pub(super) fn run(state: &HttpState, admitted: Admitted, caller: &Caller, id: &str) -> BoxStream<'static, Said> {
    let responses = if admitted.kind() == OperationType::Subscription {
        state.api.subscribe(admitted, caller)
    } else {
        let (state, caller) = (state.clone(), caller.clone());
        let requests = state.requests.clone();
        let refused = |why| Response::from_errors(vec![error(why, Code::TooMany.word())]);
        let executing = async move { execute(&state, &admitted, &caller).await.unwrap_or_else(refused) };
        let answer = async move { work::run(&requests, executing).await.unwrap_or_else(unfinished) };
        stream::once(answer).boxed()
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

fn unfinished(why: work::Unfinished) -> Response {
    let (code, message) = why.told();
    Response::from_errors(vec![error(message, code.word())])
}

fn error(message: &str, code: &str) -> ServerError {
    let mut error = ServerError::new(message, None);
    error.extensions.get_or_insert_default().set("code", Value::from(code));
    error
}
