//! Who asks: a bearer token becomes a `Session`.
//!
//! No token is fine here, for the schema decides what needs a caller. A token that was sent and is not valid is answered at once.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
};
use serde_json::{Map, Value as Json};

use crate::{
    graphql::{
        Caller,
        admission::{FAILED_TOKEN, Principal, Refused},
    },
    http::{
        HttpState,
        answer::{self, Code, ErrorAnswer},
        request_id::RequestId,
        server::ConnectionHandle,
    },
    logging::chain,
    service::{Service, ServiceError},
};

/// The scheme of RFC 6750.
const SCHEME: &str = "bearer";
/// What proxies tell of the address that they were asked from; the last entry is the nearest proxy's.
const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// Who asks, and for how long that holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Identified {
    /// Who.
    pub(super) caller: Caller,
}

/// A caller of whom nothing is known but where they are.
pub(super) fn stranger(state: &HttpState, parts: &Parts) -> Caller {
    let request_id = parts.extensions.get::<RequestId>().map(|RequestId(id)| id.clone());
    Caller { session: None, address: address(state, parts), request_id }
}

/// Charges what was looked at and refused. Where nothing is left to pay with, that is answered instead.
pub(super) fn charge_refused(state: &HttpState, principal: Principal, cost: u64) -> Result<(), ErrorAnswer> {
    let overdrawn = |refused: Refused| answer::error(Code::TooMany, refused.error.message);
    state.api.charge_refused(principal, cost).map_err(overdrawn)
}

/// Who sent this request; nobody without a token.
pub(super) async fn identify(state: &HttpState, parts: &Parts) -> Result<Identified, ErrorAnswer> {
    let nobody = Identified { caller: stranger(state, parts) };
    let mut sent = parts.headers.get_all(AUTHORIZATION).iter();
    match (sent.next(), sent.next()) {
        (None, _) => Ok(nobody),
        (Some(value), None) => {
            let identified = nobody.with(state, value.to_str().ok()).await?;
            identified.own(parts.extensions.get());
            Ok(identified)
        }
        (Some(_), Some(_)) => nobody.in_vain(state, refused()),
    }
}

impl Identified {
    /// Whoever these credentials belong to, from the same place; none for credentials of no use.
    pub(super) async fn with(&self, state: &HttpState, credentials: Option<&str>) -> Result<Self, ErrorAnswer> {
        let Some(secret) = credentials.and_then(bearer) else { return self.in_vain(state, refused()) };
        match state.api.service().authenticate(secret).await {
            Ok(Some(session)) => Ok(Self { caller: Caller { session: Some(session), ..self.caller.clone() } }),
            Ok(None) => self.in_vain(state, refused()),
            Err(error @ ServiceError::Forbidden(_)) => self.in_vain(state, failure(&error)),
            Err(error) => Err(failure(&error)),
        }
    }

    /// The refusal of a token that was looked up in vain, for which its address pays. Others at the address whose tokens are valid do
    /// not: they are never kept out by it.
    fn in_vain(&self, state: &HttpState, refusal: ErrorAnswer) -> Result<Self, ErrorAnswer> {
        charge_refused(state, Principal::of_address(self.caller.address), FAILED_TOKEN)?;
        Err(refusal)
    }

    /// From now on, the connection is the caller's, if anybody's.
    pub(super) fn own(&self, connection: Option<&ConnectionHandle>) {
        if let (Some(connection), Principal::Known(id)) = (connection, self.caller.principal()) {
            connection.identify(id);
        }
    }

    /// Ends once the token is revoked or expired, or gives other rights than it did. Without a token, never.
    pub(super) async fn out_of_force(self, service: Service) {
        match self.caller.session {
            Some(session) => service.revoked(session).await,
            None => std::future::pending().await,
        }
    }
}

/// The credentials in the payload of `connection_init`: `{"Authorization": "Bearer …"}` or `{"token": "…"}`; `Some(None)` for
/// ones of no use.
pub(super) fn credentials(payload: &Map<String, Json>) -> Option<Option<String>> {
    let field =
        |wanted: &str| payload.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value);
    if let Some(value) = field("authorization") {
        return Some(value.as_str().map(str::to_owned));
    }
    let token = field("token")?.as_str();
    Some(token.map(|token| if token.contains(' ') { token.to_owned() } else { format!("Bearer {token}") }))
}

/// The address that asks: the connection's, or the one that the nearest proxy names where there is a proxy.
fn address(state: &HttpState, parts: &Parts) -> Option<IpAddr> {
    let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    if state.settings.behind_proxy { forwarded(&parts.headers).or(connected) } else { connected }
}

fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get_all(X_FORWARDED_FOR).iter().next_back()?.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

fn bearer(credentials: &str) -> Option<&str> {
    let (scheme, secret) = credentials.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| secret.trim()).filter(|secret| !secret.is_empty())
}

fn refused() -> ErrorAnswer {
    let message = "the token is not valid: it is unknown, expired or revoked; send `Authorization: Bearer <token>`";
    answer::error(Code::Unauthenticated, message)
}

fn failure(error: &ServiceError) -> ErrorAnswer {
    if error.is_unavailable() {
        tracing::warn!(error = chain(error), "a token cannot be checked now");
        return answer::error(Code::Unavailable, "not available now; try again");
    }
    if let ServiceError::Forbidden(why) = error {
        return answer::error(Code::Forbidden, *why);
    }
    tracing::error!(error = chain(error), "a token could not be checked");
    answer::internal()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_bearer_credentials_are_read() {
        assert_eq!(bearer("Bearer secondline_x"), Some("secondline_x"));
        assert_eq!(bearer("bearer  secondline_x "), Some("secondline_x"));
        for credentials in ["", "Bearer", "Bearer ", "Basic YTpi", "secondline_x"] {
            assert_eq!(bearer(credentials), None, "{credentials}");
        }
    }

    #[test]
    fn tokens_are_found_in_any_case_and_under_either_name() {
        let found = |payload: Json| credentials(payload.as_object().unwrap());
        let bearer = Some(Some("Bearer secondline_x".to_owned()));
        assert_eq!(found(json!({ "Authorization": "Bearer secondline_x" })), bearer);
        assert_eq!(found(json!({ "authorization": "Bearer secondline_x", "token": "other" })), bearer);
        assert_eq!(found(json!({ "token": "secondline_x" })), bearer);
        assert_eq!(found(json!({ "token": "Bearer secondline_x" })), bearer);
        assert_eq!(found(json!({ "authorization": 7 })), Some(None));
        for none in [json!({}), json!({ "other": "x" })] {
            assert_eq!(found(none), None);
        }
    }

    #[test]
    fn the_nearest_proxy_says_who_asked_it() {
        let mut headers = HeaderMap::new();
        assert_eq!(forwarded(&headers), None);
        headers.append(X_FORWARDED_FOR, HeaderValue::from_static("10.9.9.9, 203.0.113.7"));
        assert_eq!(forwarded(&headers), Some("203.0.113.7".parse().unwrap()));
        headers.append(X_FORWARDED_FOR, HeaderValue::from_static("2001:db8::1"));
        assert_eq!(forwarded(&headers), Some("2001:db8::1".parse().unwrap()));
    }
}
