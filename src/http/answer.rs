//! What a request is answered with: the status, the media type and the headers, decided here and nowhere else.
//!
//! The statuses are those of the GraphQL-over-HTTP specification. Answers of the transport itself are in GraphQL's shape too:
//! `{"errors": [{"message", "extensions": {"code"}}]}`.

use async_graphql::{Response as GraphqlResponse, Value as GraphqlValue};
use axum::{
    http::{self, HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};

use crate::graphql::{
    admission::{Charge, Reason, Refused},
    never_ran,
};

/// What went wrong, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// The request is not what the protocol asks for.
    BadRequest,
    /// The body is longer than a request may be.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// The body is of another media type.
    UnsupportedMediaType,
    /// Another method is asked for.
    MethodNotAllowed,
    /// The path is unknown.
    NotFound,
    /// The token that was sent is not valid.
    Unauthenticated,
    /// The page that asks is not one that may, or the token is valid and of nobody who is known here.
    Forbidden,
    /// Whoever asks holds too many connections.
    TooMany,
    /// The database does not answer, or not now.
    Unavailable,
    /// It takes longer than anybody waits.
    TimedOut,
    /// A fault of ours.
    Internal,
}

impl Code {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::TooLarge => "PAYLOAD_TOO_LARGE",
            Self::TooSlow => "REQUEST_TIMEOUT",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::NotFound => "NOT_FOUND",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::TooMany => "RATE_LIMITED",
            Self::Unavailable | Self::TimedOut => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It was carried out, perhaps with errors.
    Answered,
    /// It never ran, for this reason.
    NeverRan(Reason),
    /// It never reached the API.
    Stopped(Code),
}

/// The status of an answer. A caller that accepts only `application/json` learns from the body, not from the status, whether
/// the document was valid; that is how the specification keeps old clients working.
const fn status(outcome: Outcome, media: Media) -> StatusCode {
    match (outcome, media) {
        (Outcome::Answered, _) | (Outcome::NeverRan(Reason::Invalid | Reason::NoDocument), Media::Json) => {
            StatusCode::OK
        }
        (Outcome::NeverRan(Reason::Invalid | Reason::NoDocument | Reason::TooLarge), _) => StatusCode::BAD_REQUEST,
        (Outcome::NeverRan(Reason::TooMuch { .. }), _) => StatusCode::TOO_MANY_REQUESTS,
        (Outcome::Stopped(code), _) => code.status(),
    }
}

/// The two media types of GraphQL answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/graphql-response+json`: the status says what became of the request.
    GraphqlResponse,
    /// `application/json`: every well-formed GraphQL request is answered with 200.
    Json,
}

impl Media {
    const fn header(self) -> HeaderValue {
        match self {
            Self::GraphqlResponse => HeaderValue::from_static("application/graphql-response+json; charset=utf-8"),
            Self::Json => HeaderValue::from_static("application/json; charset=utf-8"),
        }
    }
}

/// An answer of the transport.
#[derive(Debug)]
pub(super) struct ErrorAnswer {
    code: Code,
    message: String,
    request_id: Option<String>,
    media: Media,
}

/// An error that stops a request before it is carried out.
pub(super) fn error(code: Code, message: impl Into<String>) -> ErrorAnswer {
    ErrorAnswer { code, message: message.into(), request_id: None, media: Media::Json }
}

/// What a caller is told of a fault of ours.
pub(super) const INTERNAL: &str = "something went wrong here; it was logged";

/// A fault of ours, of which nothing but the request id is told.
pub(super) fn internal() -> ErrorAnswer {
    error(Code::Internal, INTERNAL)
}

impl ErrorAnswer {
    pub(super) const fn code(&self) -> Code {
        self.code
    }

    /// The same, with the request id that leads to the log.
    pub(super) fn with_request_id(self, id: &str) -> Self {
        Self { request_id: Some(id.to_owned()), ..self }
    }

    /// The same, in the media type that the caller accepts.
    pub(super) fn in_media(self, media: Media) -> Self {
        Self { media, ..self }
    }

    fn body(&self) -> Value {
        let mut extensions = json!({ "code": self.code.word() });
        if let (Some(id), Some(fields)) = (&self.request_id, extensions.as_object_mut()) {
            fields.insert("requestId".to_owned(), id.as_str().into());
        }
        json!({ "errors": [{ "message": self.message, "extensions": extensions }] })
    }
}

impl IntoResponse for ErrorAnswer {
    fn into_response(self) -> Response {
        let status = status(Outcome::Stopped(self.code), self.media);
        let mut response =
            (status, [(header::CONTENT_TYPE, self.media.header())], self.body().to_string()).into_response();
        let extra = match self.code {
            Code::Unauthenticated => Some((header::WWW_AUTHENTICATE, "Bearer")),
            Code::MethodNotAllowed => Some((header::ALLOW, "GET, POST")),
            Code::Unavailable | Code::TooMany => Some((header::RETRY_AFTER, "1")),
            _ => None,
        };
        if let Some((name, value)) = extra {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// The answer to a request that was carried out, or that the library found invalid.
pub(super) fn answered(
    mut response: GraphqlResponse,
    charge: Charge,
    media: Media,
    id: &str,
) -> http::Response<String> {
    let outcome = if never_ran(&response) { Outcome::NeverRan(Reason::Invalid) } else { Outcome::Answered };
    with_request_id(&mut response, id);
    let mut answer = rendered(&response, outcome, media);
    tell_charge(answer.headers_mut(), charge);
    answer
}

/// The answer to a request that is not carried out.
pub(super) fn refused(refused: Refused, media: Media) -> Response {
    let Refused { reason, error } = refused;
    let mut answer = rendered(&GraphqlResponse::from_errors(vec![*error]), Outcome::NeverRan(reason), media);
    if let Reason::TooMuch { retry_after, charge } = reason {
        tell_charge(answer.headers_mut(), charge);
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs() + 1));
    }
    answer.into_response()
}

/// The body of an answer. A request that did not run has no `data`, not even null.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body<'a>(pub(super) &'a GraphqlResponse);

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !never_ran(self.0) {
            return self.0.serialize(serializer);
        }
        let mut body = serializer.serialize_map(Some(1))?;
        body.serialize_entry("errors", &self.0.errors)?;
        body.end()
    }
}

/// What an answer looks like on the wire.
pub(super) fn text(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "an answer could not be written as JSON");
        internal().body().to_string()
    })
}

/// Notes the request id at each fault of ours.
pub(super) fn with_request_id(response: &mut GraphqlResponse, id: &str) {
    for error in &mut response.errors {
        if let Some(extensions) = &mut error.extensions
            && extensions.get("code") == Some(&GraphqlValue::from(Code::Internal.word()))
        {
            extensions.set("requestId", id);
        }
    }
}

fn rendered(response: &GraphqlResponse, outcome: Outcome, media: Media) -> http::Response<String> {
    let mut answer = http::Response::new(text(&Body(response)));
    *answer.status_mut() = status(outcome, media);
    answer.headers_mut().insert(header::CONTENT_TYPE, media.header());
    answer
}

fn tell_charge(headers: &mut HeaderMap, charge: Charge) {
    let Charge { cost, limit, remaining, reset_at } = charge;
    for (name, value) in [
        ("x-ratelimit-cost", cost),
        ("x-ratelimit-limit", limit),
        ("x-ratelimit-remaining", remaining),
        ("x-ratelimit-reset", u64::try_from(reset_at.timestamp()).unwrap_or_default()),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}
