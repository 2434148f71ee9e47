//! `/graphql`: one request by `POST` or, where it only reads, by `GET`; one answer, or a stream of events.
//!
//! Every request is carried out in a task of its own: a client that goes away does not undo what it asked for.

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use async_graphql::parser::types::OperationType;
use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;

use crate::{
    graphql::admission::{Admitted, Params, of_reading},
    http::{
        HttpState,
        answer::{self, Code, ErrorAnswer, Media},
        auth::{self, Identified},
        graphql_sse,
        in_flight::BytePermit,
        operation, params,
        request_id::RequestId,
        work,
    },
};

/// A hundred times a large query; a ticket with every text at its limit fits.
pub(super) const BODY_LIMIT: usize = 256 * 1024;
/// What a body may have before it is counted: every connection has as much for its head anyway.
const UNCOUNTED: usize = 8 * 1024;
/// Nobody needs longer to send so little, but somebody may try to hold connections.
const BODY_TIME: Duration = Duration::from_secs(15);

/// Answers one GraphQL request.
pub(super) async fn handle(
    State(state): State<HttpState>,
    Extension(RequestId(id)): Extension<RequestId>,
    request: Request,
) -> Response {
    let accepted = Accepted::of(request.headers());
    match respond(state, request, accepted, &id).await {
        Ok(response) => response,
        Err(error) => error.with_request_id(&id).in_media(accepted.media).into_response(),
    }
}

async fn respond(state: HttpState, request: Request, accepted: Accepted, id: &str) -> Result<Response, ErrorAnswer> {
    let is_get = request.method() == Method::GET;
    let (parts, params) = read_request(&state, request).await?;
    // The token is looked up in a task of its own too, for it asks the database.
    let caller = {
        let state = state.clone();
        work::run(&state.requests.clone(), async move { auth::identify(&state, &parts).await }).await??
    };
    let admitted = match state.api.admit(params, &caller.caller) {
        Ok(admitted) => admitted,
        Err(refused) if accepted.only_events => return Ok(graphql_sse::refused(refused)),
        Err(refused) => return Ok(answer::refused(refused, accepted.media)),
    };
    match admitted.kind() {
        OperationType::Mutation if is_get => {
            Err(answer::error(Code::MethodNotAllowed, "GET only reads: send mutations by POST"))
        }
        OperationType::Subscription if accepted.events => graphql_sse::answer(state, admitted, caller, id),
        OperationType::Subscription => {
            let message = "subscribe over a WebSocket at /graphql/ws, or send `Accept: text/event-stream`";
            Err(answer::error(Code::BadRequest, message))
        }
        _ if accepted.only_events => graphql_sse::answer(state, admitted, caller, id),
        _ => execute(state, admitted, caller, accepted.media, id).await,
    }
}

async fn execute(
    state: HttpState,
    admitted: Admitted,
    identified: Identified,
    media: Media,
    id: &str,
) -> Result<Response, ErrorAnswer> {
    let (charge, principal) = (admitted.charge(), identified.caller.principal());
    let (requests, answers) = (state.requests.clone(), state.answers.clone());
    let executing = async move { operation::execute(&state, &admitted, &identified.caller).await };
    let response = work::run(&requests, executing).await?.map_err(operation::too_many)?;
    Ok(answers.counted_answer(principal, answer::answered(response, charge, media, id)))
}

/// What a request says: its head, and its fields.
async fn read_request(
    state: &HttpState,
    request: Request,
) -> Result<(Arc<axum::http::request::Parts>, Params), ErrorAnswer> {
    let (parts, body) = request.into_parts();
    let params = match parts.method {
        Method::GET => params::from_url(parts.uri.query().unwrap_or_default()),
        Method::POST => {
            check_content(&parts.headers)?;
            check_length(&parts.headers)?;
            let permit = state.bodies.permit(auth::stranger(state, &parts).principal());
            let body = tokio::time::timeout(BODY_TIME, read(body, permit)).await;
            let body = body
                .unwrap_or_else(|_| Err(answer::error(Code::TooSlow, "the request's body did not arrive in time")))?;
            let params = params::from_body(&body);
            if params.is_err() {
                auth::charge_refused(state, auth::stranger(state, &parts).principal(), of_reading(body.len()))?;
            }
            params
        }
        _ => return Err(answer::error(Code::MethodNotAllowed, "send GraphQL requests by POST, or queries by GET")),
    };
    Ok((Arc::new(parts), params.map_err(|problem| answer::error(Code::BadRequest, problem))?))
}

fn check_content(headers: &HeaderMap) -> Result<(), ErrorAnswer> {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (media, parameters) = sent.split_once(';').unwrap_or((sent, ""));
    let charset = parameters.split(';').filter_map(|parameter| parameter.split_once('=')).find_map(|(name, value)| {
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    });
    let is_utf8 = charset.is_none_or(|charset| matches!(charset.as_str(), "utf-8" | "utf8"));
    if !media.trim().eq_ignore_ascii_case("application/json") || !is_utf8 {
        let message = "send the request as `Content-Type: application/json`, in UTF-8";
        return Err(answer::error(Code::UnsupportedMediaType, message));
    }
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(answer::error(Code::UnsupportedMediaType, "send the body as it is, not compressed"));
    }
    Ok(())
}

/// Refuses at once what announces itself as too long.
fn check_length(headers: &HeaderMap) -> Result<(), ErrorAnswer> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match announced.map(usize::try_from) {
        Some(Ok(length)) if length <= BODY_LIMIT => Ok(()),
        None => Ok(()),
        Some(_) => Err(too_large()),
    }
}

fn too_large() -> ErrorAnswer {
    answer::error(Code::TooLarge, format!("a request has at most {} KiB", BODY_LIMIT / 1024))
}

async fn read(body: Body, mut permit: BytePermit) -> Result<Bytes, ErrorAnswer> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| answer::error(Code::BadRequest, "the request's body broke off"))?;
        if bytes.len() + chunk.len() > BODY_LIMIT {
            return Err(too_large());
        }
        if bytes.len() + chunk.len() > UNCOUNTED && !permit.try_extend(chunk.len()) {
            return Err(answer::error(Code::TooMany, "too many large requests come at once; send one after the other"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

/// What the caller takes for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Accepted {
    /// The media type of a single answer: the newer one whenever the caller names it.
    media: Media,
    /// Whether a stream of events is welcome.
    events: bool,
    /// Whether nothing else is.
    only_events: bool,
}

impl Accepted {
    fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let named: Vec<String> = values
            .flat_map(|value| value.split(','))
            .filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let media = parts.next().unwrap_or_default().to_ascii_lowercase();
                let is_refused =
                    parts.any(|part| part.strip_prefix("q=").and_then(|q| q.parse().ok()) == Some(0.0_f32));
                (!is_refused && !media.is_empty()).then_some(media)
            })
            .collect();
        let names = |wanted: &str| named.iter().any(|media| media == wanted);
        let newer = names("application/graphql-response+json");
        let events = names("text/event-stream");
        let single = newer || ["application/json", "application/*", "*/*"].into_iter().any(names);
        let media = if newer { Media::GraphqlResponse } else { Media::Json };
        Self { media, events, only_events: events && !single }
    }
}
