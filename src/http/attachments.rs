//! Files by their signed addresses: PUT takes one in, GET hands one out so that no browser runs it.

use std::time::Duration;

use axum::{
    Error,
    body::Body,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tokio_stream::StreamExt;
use tracing::Instrument;

use crate::{
    http::{
        HttpState,
        answer::{self, Code},
        auth,
    },
    logging::chain,
    service::{AttachmentError, ServiceError, attachments::Granted},
};

/// A client sends the next part of a file at once; one that does not wants to hold the connection.
const PART_WITHIN: Duration = Duration::from_secs(30);

/// The signed part of an address.
#[derive(Debug, Deserialize)]
pub(super) struct Signed {
    expires: i64,
    signature: String,
}

/// Takes in the file of a signed address.
pub(super) async fn put(
    State(state): State<HttpState>,
    Path(id): Path<String>,
    signed: Result<Query<Signed>, QueryRejection>,
    parts: Parts,
    body: Body,
) -> Response {
    let Some(granted) = granted(&id, signed) else { return failed(&ServiceError::NotFound("upload")) };
    let service = auth::stranger(&state, &parts).service(state.api.service());
    let bytes =
        body.into_data_stream().timeout(PART_WITHIN).map(|part| part.unwrap_or_else(|late| Err(Error::new(late))));
    let work = async move { service.receive_upload(&granted, bytes).await };
    match to_its_end(&state, work).await {
        Some(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Some(Err(error)) => failed(&error),
        None => answer::internal().into_response(),
    }
}

/// Hands out the file of a signed address.
pub(super) async fn get(
    State(state): State<HttpState>,
    Path(id): Path<String>,
    signed: Result<Query<Signed>, QueryRejection>,
) -> Response {
    let Some(granted) = granted(&id, signed) else { return failed(&ServiceError::NotFound("attachment")) };
    let service = state.api.service().clone();
    let download = match to_its_end(&state, async move { service.download(&granted).await }).await {
        Some(Ok(download)) => download,
        Some(Err(error)) => return failed(&error),
        None => return answer::internal().into_response(),
    };
    let mut response = Body::from_stream(download.bytes).into_response();
    let headers = response.headers_mut();
    let text = |value: &str| HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static("attachment"));
    headers.insert(CONTENT_TYPE, text(&download.row.content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(download.row.size));
    headers.insert(CONTENT_DISPOSITION, text(&disposition(&download.row.file_name)));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// Carries work out whether or not its client still waits; none where it panicked, which was logged.
async fn to_its_end<T: Send + 'static>(state: &HttpState, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    state.requests.spawn(work.in_current_span()).await.ok()
}

/// What an address grants; none where it is no address of a file.
fn granted(id: &str, signed: Result<Query<Signed>, QueryRejection>) -> Option<Granted> {
    let Query(Signed { expires, signature }) = signed.ok()?;
    Some(Granted { id: id.parse().ok()?, expires, signature })
}

/// The file name as RFC 6266 and RFC 8187 spell it.
fn disposition(file_name: &str) -> String {
    let mut encoded = String::new();
    for byte in file_name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("attachment; filename*=UTF-8''{encoded}")
}

fn failed(error: &ServiceError) -> Response {
    let (code, message) = match error {
        ServiceError::NotFound(_) => (Code::NotFound, "there is no such file, or it was uploaded already"),
        ServiceError::Forbidden(why) => (Code::Forbidden, *why),
        ServiceError::Attachments(AttachmentError::WrongSize) => {
            (Code::TooLarge, "send exactly as many bytes as you announced")
        }
        ServiceError::Attachments(AttachmentError::WrongType) => {
            (Code::UnsupportedMediaType, "the file is not of the type that you announced")
        }
        ServiceError::Attachments(AttachmentError::Interrupted) => {
            (Code::BadRequest, "the upload was interrupted; send it again")
        }
        error if error.is_unavailable() => (Code::Unavailable, "not available now; try again"),
        error => {
            tracing::error!(error = chain(error), "an attachment could not be served");
            return answer::internal().into_response();
        }
    };
    answer::error(code, message).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_cannot_end_the_header() {
        assert_eq!(
            disposition("a \"b\"\r\nX: ü.png"),
            "attachment; filename*=UTF-8''a%20%22b%22%0D%0AX%3A%20%C3%BC.png"
        );
    }
}
