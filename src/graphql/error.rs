//! Errors of the API: `userErrors` for what a caller can mend, top-level errors with `extensions.code` for the rest.
//!
//! [`ApiError`] has no `Display`, so that a stray `?` on another error does not compile instead of leaking its text.

use std::sync::Arc;

use async_graphql::{Enum, Error, ErrorExtensions, SimpleObject};

use crate::{
    domain::refusal::{Code, Problem},
    service::ServiceError,
    store::StoreError,
};

/// What kind of problem a `userErrors` entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Code")]
pub enum UserErrorCode {
    /// A field that the stage requires is not known; one entry per field.
    MissingFields,
    /// The process has no such move from the ticket's stage, or this cannot be done in it.
    WrongStage,
    /// The caller's role does not allow it.
    NotAllowed,
    /// It needs a reason.
    ReasonRequired,
    /// Somebody changed it since it was read.
    StaleVersion,
    /// A text is blank.
    Blank,
    /// A text is too long.
    TooLong,
    /// A value is not of the form it must have.
    Invalid,
    /// A promised date is over already.
    DateInPast,
    /// The input names something that does not exist, or that the caller may not see.
    Unknown,
    /// Something with this name, address or id exists already.
    AlreadyExists,
    /// A question to the client is unanswered already.
    ClarificationOpen,
    /// There is no unanswered question to the client.
    NoClarification,
    /// The ticket has as many of these as it may have.
    LimitReached,
}

/// Something that the caller can mend. Nothing was changed.
#[derive(Clone, Debug, SimpleObject)]
pub struct UserError {
    /// What kind of problem it is.
    pub code: UserErrorCode,
    /// What is wrong and what to do, for a person.
    pub message: String,
    /// The path in the mutation's input, such as `facts.targetUrl`; null for the request as a whole.
    pub field: Option<String>,
}

impl From<Problem> for UserError {
    fn from(problem: Problem) -> Self {
        Self { code: problem.code.into(), message: problem.message, field: problem.field }
    }
}

/// A top-level error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    code: &'static str,
    message: String,
    /// From where a subscription goes on.
    cursor: Option<String>,
}

impl ApiError {
    /// The request has no token.
    pub fn unauthenticated() -> Self {
        Self::new("UNAUTHENTICATED", "this needs a token: send it as “Authorization: Bearer …”")
    }

    /// There is no such thing, or the caller may not see it: the same answer for both.
    pub fn not_found(what: &str) -> Self {
        Self::new("NOT_FOUND", format!("there is no such {what}"))
    }

    /// An argument is not what it must be.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self::new("BAD_INPUT", message)
    }

    /// The caller's role does not allow it.
    pub fn forbidden(why: &str) -> Self {
        Self::new("FORBIDDEN", why)
    }

    /// A fault of ours.
    pub fn internal() -> Self {
        Self::new("INTERNAL", "something went wrong on our side; the request id finds it in the logs")
    }

    /// The subscriber takes events more slowly than they come.
    pub fn lagged() -> Self {
        let message = "you take events too slowly, and the subscription ends; resume from your cursor: nothing is lost";
        Self::new("LAGGED", message)
    }

    /// The caller has not the rights any more that it had when it subscribed.
    pub fn rights_changed() -> Self {
        let message =
            "your token is not valid any more, or gives other rights; authenticate, and resume from your cursor";
        Self::new("UNAUTHENTICATED", message)
    }

    /// It is not known yet, just after a start.
    pub fn not_yet(message: &str) -> Self {
        Self::new("UNAVAILABLE", message)
    }

    /// The same, of a subscription that can go on from a cursor.
    #[must_use]
    pub fn resumable(self, cursor: Option<String>) -> Self {
        Self { cursor, ..self }
    }

    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), cursor: None }
    }

    fn of_store(error: &StoreError) -> Self {
        if let StoreError::Busy(_) = error {
            let message = "too many of your requests wait for each other in the database; send fewer at a time";
            return Self::new("RATE_LIMITED", message);
        }
        let chain = error as &dyn std::error::Error;
        if error.is_unavailable() {
            tracing::warn!(error = chain, "the database is not available");
            return Self::new("UNAVAILABLE", "the database is not available; try again in a moment");
        }
        tracing::error!(error = chain, "the store failed");
        Self::internal()
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        Self::new(error.message).extend_with(|_, extensions| {
            extensions.set("code", error.code);
            if let Some(cursor) = error.cursor {
                extensions.set("cursor", cursor);
            }
        })
    }
}

impl From<&ServiceError> for ApiError {
    fn from(error: &ServiceError) -> Self {
        match error {
            ServiceError::Refused(refusal) => Self::bad_input(refusal.to_string()),
            ServiceError::NotFound(what) => Self::not_found(what),
            ServiceError::Forbidden(why) => Self::forbidden(why),
            ServiceError::MissingScope(_) => Self::forbidden(&error.to_string()),
            ServiceError::IssuerUnavailable(_) => Self::new("UNAVAILABLE", "not available now; try again in a moment"),
            ServiceError::Store(error) => Self::of_store(error),
            ServiceError::Attachments(error) => {
                tracing::error!(error = error as &dyn std::error::Error, "the attachment store failed");
                Self::new("UNAVAILABLE", "not available now; try again in a moment")
            }
        }
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        Self::from(&error)
    }
}

impl From<Arc<ServiceError>> for ApiError {
    fn from(error: Arc<ServiceError>) -> Self {
        Self::from(error.as_ref())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::of_store(&error)
    }
}

/// What a mutation answers: the object, or what the caller must mend.
pub fn payload<T, P>(result: Result<T, ServiceError>) -> Result<P, ApiError>
where
    P: From<(Option<T>, Vec<UserError>)>,
{
    match result {
        Ok(object) => Ok((Some(object), Vec::new()).into()),
        Err(ServiceError::Refused(refusal)) => Ok((None, refusal.0.into_iter().map(UserError::from).collect()).into()),
        Err(error @ (ServiceError::Forbidden(_) | ServiceError::MissingScope(_))) => {
            let problem = match error {
                ServiceError::Forbidden(why) => Problem::of(Code::NotAllowed, why),
                error => Problem::of(Code::NotAllowed, error.to_string()),
            };
            Ok((None, vec![problem.into()]).into())
        }
        Err(error) => Err(error.into()),
    }
}
