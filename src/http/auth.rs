//! Who asks: a bearer token becomes a [`Session`].
//!
//! No token is fine here, for the schema decides what needs a caller. A token that was sent and is not valid is answered at once.

use axum::http::{HeaderMap, StatusCode, header::AUTHORIZATION};

use crate::{
    http::answer::{self, Code, ErrorAnswer},
    logging::chain,
    service::{Service, ServiceError, sessions::Session},
};

/// The scheme of RFC 6750.
const SCHEME: &str = "bearer";

/// Who sent these headers; none without a token.
pub(super) async fn caller(service: &Service, headers: &HeaderMap) -> Result<Option<Session>, ErrorAnswer> {
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    match (sent.next(), sent.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => session(service, value.to_str().map_err(|_| refused())?).await.map(Some),
        (Some(_), Some(_)) => Err(refused()),
    }
}

/// Who sent this `Bearer …`.
pub(super) async fn session(service: &Service, credentials: &str) -> Result<Session, ErrorAnswer> {
    let secret = bearer(credentials).ok_or_else(refused)?;
    match service.authenticate(secret).await {
        Ok(session) => session.ok_or_else(refused),
        Err(error) => Err(failure(&error)),
    }
}

fn bearer(credentials: &str) -> Option<&str> {
    let (scheme, secret) = credentials.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| secret.trim()).filter(|secret| !secret.is_empty())
}

fn refused() -> ErrorAnswer {
    let message = "the token is not valid: it is unknown, expired or revoked; send `Authorization: Bearer <token>`";
    answer::error(StatusCode::UNAUTHORIZED, Code::Unauthenticated, message)
}

fn failure(error: &ServiceError) -> ErrorAnswer {
    if error.is_unavailable() {
        tracing::warn!(error = chain(error), "a token cannot be checked now");
        return answer::error(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, "not available now; try again");
    }
    if let ServiceError::Forbidden(why) = error {
        return answer::error(StatusCode::FORBIDDEN, Code::Forbidden, *why);
    }
    tracing::error!(error = chain(error), "a token could not be checked");
    answer::internal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bearer_credentials_are_read() {
        assert_eq!(bearer("Bearer secondline_x"), Some("secondline_x"));
        assert_eq!(bearer("bearer  secondline_x "), Some("secondline_x"));
        for credentials in ["", "Bearer", "Bearer ", "Basic YTpi", "secondline_x"] {
            assert_eq!(bearer(credentials), None, "{credentials}");
        }
    }
}
