//! Answers of the transport itself, all in GraphQL's shape: `{"errors": [{"message", "extensions": {"code"}}]}`.

use axum::{
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

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
    /// The token is valid, and of nobody who may use it here.
    Forbidden,
    /// The token that was sent is not valid.
    Unauthenticated,
    /// The database does not answer, or not now.
    Unavailable,
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
            Self::Forbidden => "FORBIDDEN",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
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
    pub(super) const fn header(self) -> HeaderValue {
        match self {
            Self::GraphqlResponse => HeaderValue::from_static("application/graphql-response+json; charset=utf-8"),
            Self::Json => HeaderValue::from_static("application/json; charset=utf-8"),
        }
    }
}

/// An answer of the transport.
#[derive(Debug)]
pub(super) struct ErrorAnswer {
    status: StatusCode,
    code: Code,
    message: String,
    request_id: Option<String>,
    media: Media,
}

/// An error that stops a request before it is carried out.
pub(super) fn error(status: StatusCode, code: Code, message: impl Into<String>) -> ErrorAnswer {
    ErrorAnswer { status, code, message: message.into(), request_id: None, media: Media::Json }
}

/// A fault of ours, of which nothing but the request id is told.
pub(super) fn internal() -> ErrorAnswer {
    error(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "something went wrong here; it was logged")
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
        use axum::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
        let mut response =
            (self.status, [(CONTENT_TYPE, self.media.header())], self.body().to_string()).into_response();
        let extra = match self.code {
            Code::Unauthenticated => Some((WWW_AUTHENTICATE, "Bearer")),
            Code::MethodNotAllowed => Some((ALLOW, "POST")),
            Code::Unavailable => Some((RETRY_AFTER, "1")),
            _ => None,
        };
        if let Some((name, value)) = extra {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
