//! Files by their signed addresses: PUT takes one in, GET hands one out so that no browser runs it.

use std::time::Duration;

use axum::{
    Error,
    body::{Body, Bytes},
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    http::{
        HttpState,
        answer::{self, Code, ErrorAnswer},
        auth,
        server::Pace,
        work::{self, Unfinished},
    },
    logging::chain,
    service::{AttachmentError, ServiceError, attachments::Granted},
};

/// Once the server stops, an upload may go on for so long.
const LAST_UPLOAD_WITHIN: Duration = Duration::from_secs(5);

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
    receive(&state, granted(&id, signed), &parts, body).await.unwrap_or_else(IntoResponse::into_response)
}

async fn receive(
    state: &HttpState,
    granted: Option<Granted>,
    parts: &Parts,
    body: Body,
) -> Result<Response, ErrorAnswer> {
    let granted = granted.ok_or_else(|| failed(&ServiceError::NotFound("upload")))?;
    let stranger = auth::stranger(state, parts);
    let service = state.api.service_for(&stranger);
    let (asked, of) = (service.clone(), granted.clone());
    let uploader = finished(work::run(&state.requests, async move { asked.uploader(&of).await }).await)?;
    // Before anything is written, and while the client is there: it may have gone when its turn comes.
    let permit = state.transfers.upload(uploader, stranger.address).await?;
    let bytes = paced(body, state.end_sockets.clone());
    // Whether or not its client still waits, and for as long as the file may take to come.
    let receiving = async move {
        let _permit = permit;
        service.receive_upload(&granted, bytes).await
    };
    let received = state.requests.spawn(receiving.in_current_span()).await;
    finished(received.map_err(|_| Unfinished::Panicked))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The bytes of an upload, as long as they come quickly enough and the server goes on.
fn paced(body: Body, stop: CancellationToken) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    let stopped = Box::pin(async move {
        stop.cancelled().await;
        sleep(LAST_UPLOAD_WITHIN).await;
    });
    let from = (body.into_data_stream(), stopped, Pace::default());
    stream::unfold(from, async |(mut parts, mut stopped, mut pace)| {
        let began = Instant::now();
        let part = tokio::select! {
            part = timeout(pace.patience(), parts.next()) => part.unwrap_or_else(|late| Some(Err(Error::new(late))))?,
            () = &mut stopped => Err(Error::new("the server stops")),
        };
        pace.record(began.elapsed(), part.as_ref().map_or(0, Bytes::len));
        Some((part, (parts, stopped, pace)))
    })
}

/// Hands out the file of a signed address.
pub(super) async fn get(
    State(state): State<HttpState>,
    Path(id): Path<String>,
    signed: Result<Query<Signed>, QueryRejection>,
    parts: Parts,
) -> Response {
    hand_out(&state, granted(&id, signed), &parts).await.unwrap_or_else(IntoResponse::into_response)
}

async fn hand_out(state: &HttpState, granted: Option<Granted>, parts: &Parts) -> Result<Response, ErrorAnswer> {
    let granted = granted.ok_or_else(|| failed(&ServiceError::NotFound("attachment")))?;
    let permit = state.transfers.download(auth::stranger(state, parts).address).await?;
    let service = state.api.service().clone();
    let download = finished(work::run(&state.requests, async move { service.download(&granted).await }).await)?;
    let bytes = download.bytes.map(move |part| {
        let _ = &permit;
        part
    });
    let mut response = Body::from_stream(bytes).into_response();
    let headers = response.headers_mut();
    let text = |value: &str| HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static("attachment"));
    headers.insert(CONTENT_TYPE, text(&download.row.content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(download.row.size));
    headers.insert(CONTENT_DISPOSITION, text(&disposition(&download.row.file_name)));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(response)
}

/// What work came to, as an answer.
fn finished<T>(done: Result<Result<T, ServiceError>, Unfinished>) -> Result<T, ErrorAnswer> {
    done?.map_err(|error| failed(&error))
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

fn failed(error: &ServiceError) -> ErrorAnswer {
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
            (Code::BadRequest, "the upload was interrupted, or came too slowly; send it again")
        }
        error if error.is_unavailable() => {
            tracing::error!(error = chain(error), "an attachment could not be served for now");
            (Code::Unavailable, "not available now; try again")
        }
        error => {
            tracing::error!(error = chain(error), "an attachment could not be served");
            return answer::internal();
        }
    };
    answer::error(code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How many bytes of an upload that sends some now and then are taken in, whether all of them are, and how long that takes.
    async fn upload(parts: usize, size: usize, every: Duration, stop: CancellationToken) -> (usize, bool, Duration) {
        let began = Instant::now();
        let parts = stream::unfold(0, move |sent| async move {
            sleep(every).await;
            (sent < parts).then(|| (Ok::<_, Error>(vec![7; size]), sent + 1))
        });
        let mut bytes = Box::pin(paced(Body::from_stream(parts), stop));
        let mut taken = 0;
        while let Some(part) = bytes.next().await {
            match part {
                Ok(part) => taken += part.len(),
                Err(_) => return (taken, false, began.elapsed()),
            }
        }
        (taken, true, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_must_go_on_and_be_quick_enough_in_all() {
        let never = CancellationToken::new();
        let (taken, is_whole, took) = upload(1000, 1, 20 * SECOND, never.clone()).await;
        assert!(!is_whole && taken == 1 && took < 31 * SECOND, "{taken} bytes in {took:?}");
        let (_, is_whole, took) = upload(2, 1 << 20, 31 * SECOND, never.clone()).await;
        assert!(!is_whole && took.as_secs() == 30, "{took:?}");
        let (taken, is_whole, took) = upload(600, 20 << 10, SECOND, never).await;
        assert!(is_whole && taken == 600 * (20 << 10) && took > 600 * SECOND, "{taken} bytes in {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_does_not_keep_the_server_from_stopping() {
        let stop = CancellationToken::new();
        stop.cancel();
        let (_, is_whole, took) = upload(600, 20 << 10, SECOND, stop).await;
        assert!(!is_whole && took <= LAST_UPLOAD_WITHIN, "{took:?}");
    }

    #[test]
    fn a_file_name_cannot_end_the_header() {
        assert_eq!(
            disposition("a \"b\"\r\nX: ü.png"),
            "attachment; filename*=UTF-8''a%20%22b%22%0D%0AX%3A%20%C3%BC.png"
        );
    }
}
