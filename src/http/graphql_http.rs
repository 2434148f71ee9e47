//! `POST /graphql`: one JSON request, one JSON answer.
//!
//! Every request is carried out in a task of its own that runs to its end: dropping one half way, as a client that goes away
//! would, can leave a connection inside an open transaction (see the sqlx trap in `DEPENDENCIES.md`).

#[cfg(test)]
mod tests;

use std::time::Duration;

use async_graphql::{Request as GraphqlRequest, Response as GraphqlResponse, Value, Variables};
use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use serde_json::{Value as Json, json};
use tracing::Instrument;

use crate::{
    graphql,
    http::{
        HttpState,
        answer::{self, Code, ErrorAnswer, Media},
        auth,
        request_id::RequestId,
    },
    service::audit::Origin,
};

/// A hundred times a large query; a ticket with every text at its limit fits.
const BODY_LIMIT: usize = 256 * 1024;
/// Nobody needs longer to send so little, but somebody may try to hold connections.
const BODY_TIME: Duration = Duration::from_secs(15);

/// Requests take milliseconds. Where the database hangs without breaking the connection, callers shall not hang too.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Answers one GraphQL request.
pub(super) async fn handle(
    State(state): State<HttpState>,
    Extension(RequestId(id)): Extension<RequestId>,
    request: Request,
) -> Response {
    let media = accepted(request.headers());
    match answer_to(state, request).await {
        Ok(response) => render(response, media, &id),
        Err(error) => error.with_request_id(&id).in_media(media).into_response(),
    }
}

/// Answers any other method.
pub(super) async fn only_post() -> ErrorAnswer {
    answer::error(StatusCode::METHOD_NOT_ALLOWED, Code::MethodNotAllowed, "send GraphQL requests by POST")
}

async fn answer_to(state: HttpState, request: Request) -> Result<GraphqlResponse, ErrorAnswer> {
    let (parts, body) = request.into_parts();
    check_content_type(&parts.headers)?;
    let body = tokio::time::timeout(BODY_TIME, read(body)).await.unwrap_or_else(|_| {
        Err(answer::error(StatusCode::REQUEST_TIMEOUT, Code::TooSlow, "the request's body did not arrive in time"))
    })?;
    let request = parse(&body)?;
    let origin = parts.extensions.get::<Origin>().cloned().unwrap_or_default();
    let requests = state.requests.clone();
    let work = async move {
        let caller = auth::caller(&state.service, &parts.headers).await?.map(|session| session.actor);
        let service = state.service.on_behalf_of(origin);
        Ok(graphql::execute(&state.schema, &service, caller, request.data(service.clone())).await)
    };
    let done = tokio::time::timeout(ANSWER_WITHIN, requests.spawn(work.in_current_span()));
    match done.await {
        Ok(Ok(answer)) => answer,
        // The panic itself was logged where it happened, with the request id.
        Ok(Err(_)) => Err(answer::internal()),
        Err(_) => {
            tracing::error!("a request takes too long; it goes on without its caller");
            let message = "this takes too long; it may still be carried out, so look before you try again";
            Err(answer::error(StatusCode::GATEWAY_TIMEOUT, Code::Unavailable, message))
        }
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), ErrorAnswer> {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (media, parameters) = sent.split_once(';').unwrap_or((sent, ""));
    let charset = parameters.split(';').filter_map(|parameter| parameter.split_once('=')).find_map(|(name, value)| {
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    });
    let is_utf8 = charset.is_none_or(|charset| matches!(charset.as_str(), "utf-8" | "utf8"));
    if media.trim().eq_ignore_ascii_case("application/json") && is_utf8 {
        return Ok(());
    }
    let message = "send the request as `Content-Type: application/json`, in UTF-8";
    Err(answer::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::UnsupportedMediaType, message))
}

async fn read(body: Body) -> Result<Bytes, ErrorAnswer> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| bad("the request's body broke off"))?;
        if bytes.len() + chunk.len() > BODY_LIMIT {
            let message = format!("a request has at most {} KiB", BODY_LIMIT / 1024);
            return Err(answer::error(StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge, message));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

/// Reads `{"query", "operationName", "variables", "extensions"}`; other fields mean nothing and are let pass.
fn parse(body: &[u8]) -> Result<GraphqlRequest, ErrorAnswer> {
    let sent: Json = serde_json::from_slice(body).map_err(|error| bad(format!("the body is not JSON: {error}")))?;
    let mut fields = match sent {
        Json::Object(fields) => fields,
        Json::Array(_) => return Err(bad("the body holds several requests; send one at a time")),
        _ => return Err(bad("the body must be a JSON object with a `query`")),
    };
    let Some(Json::String(query)) = fields.remove("query") else {
        return Err(bad("`query` is missing, or not a string"));
    };
    let mut request = GraphqlRequest::new(query);
    match fields.remove("operationName") {
        None | Some(Json::Null) => {}
        Some(Json::String(name)) => request = request.operation_name(name),
        Some(_) => return Err(bad("`operationName` must be a string")),
    }
    match fields.remove("variables") {
        None | Some(Json::Null) => {}
        Some(variables @ Json::Object(_)) => request = request.variables(Variables::from_json(variables)),
        Some(_) => return Err(bad("`variables` must be an object")),
    }
    match fields.remove("extensions") {
        None | Some(Json::Null | Json::Object(_)) => Ok(request),
        Some(_) => Err(bad("`extensions` must be an object")),
    }
}

fn bad(message: impl Into<String>) -> ErrorAnswer {
    answer::error(StatusCode::BAD_REQUEST, Code::BadRequest, message)
}

/// The media type to answer with: the newer one whenever the caller names it.
fn accepted(headers: &HeaderMap) -> Media {
    let names_newer = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let is_refused = parts.any(|part| part.strip_prefix("q=").and_then(|q| q.parse().ok()) == Some(0.0_f32));
            media.eq_ignore_ascii_case("application/graphql-response+json") && !is_refused
        });
    if names_newer { Media::GraphqlResponse } else { Media::Json }
}

fn render(mut response: GraphqlResponse, media: Media, id: &str) -> Response {
    for error in &mut response.errors {
        if let Some(extensions) = &mut error.extensions
            && extensions.get("code") == Some(&Value::from(Code::Internal.word()))
        {
            extensions.set("requestId", id);
        }
    }
    let never_ran = is_request_error(&response);
    let status = match (never_ran, media) {
        (true, Media::GraphqlResponse) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    // A request that did not run has no `data`, not even null.
    let body = if never_ran {
        serde_json::to_vec(&json!({ "errors": response.errors }))
    } else {
        serde_json::to_vec(&response)
    };
    match body {
        Ok(body) => (status, [(header::CONTENT_TYPE, media.header())], body).into_response(),
        Err(error) => {
            tracing::error!(error = %error, "a response could not be written as JSON");
            answer::internal().with_request_id(id).in_media(media).into_response()
        }
    }
}

/// Whether the request did not parse or validate: errors without a place in the answer, and no data.
fn is_request_error(response: &GraphqlResponse) -> bool {
    !response.errors.is_empty()
        && response.data == Value::Null
        && response.errors.iter().all(|error| error.path.is_empty())
}
