//! Files of tickets.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::vocab::{AttachmentState, Visibility};

use crate::{
    graphql::{
        context::{loaders, service},
        error::ApiError,
        types::{comment::Comment, ticket::Ticket},
    },
    service::attachments::{AttachmentView, Upload},
};

/// A file of a ticket, such as a screenshot.
pub struct Attachment(pub AttachmentView);

/// A file of a ticket, such as a screenshot.
#[Object]
impl Attachment {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        self.0.row.id.to_string().into()
    }

    /// The ticket.
    async fn ticket(&self, context: &Context<'_>) -> Result<Option<Ticket>, ApiError> {
        Ok(loaders(context)?.load_one(self.0.row.ticket_id).await?.map(Ticket::from))
    }

    /// The comment that it illustrates.
    async fn comment(&self, context: &Context<'_>) -> Result<Option<Comment>, ApiError> {
        let Some(id) = self.0.row.comment_id else { return Ok(None) };
        Ok(loaders(context)?.load_one(id).await?.map(Comment))
    }

    /// Its name.
    async fn file_name(&self) -> &str {
        &self.0.row.file_name
    }

    /// Its media type.
    async fn content_type(&self) -> &str {
        &self.0.row.content_type
    }

    /// Its size, in bytes.
    async fn size(&self) -> i64 {
        self.0.row.size
    }

    /// Who sees it.
    async fn visibility(&self) -> Visibility {
        self.0.row.visibility
    }

    /// Where it stands.
    async fn state(&self) -> AttachmentState {
        self.0.row.state
    }

    /// What whoever uploads it is called.
    async fn uploader_name(&self) -> &str {
        self.0.uploader.name()
    }

    /// When its upload was allowed.
    async fn requested_at(&self) -> DateTime<Utc> {
        self.0.row.requested_at
    }

    /// When it was uploaded and checked.
    async fn ready_at(&self) -> Option<DateTime<Utc>> {
        self.0.row.ready_at
    }

    /// Where to download it, relative to this server, for 15 minutes; null until it is ready.
    async fn url(&self, context: &Context<'_>) -> Result<Option<String>, ApiError> {
        Ok(service(context)?.download_url(&self.0.row))
    }
}

/// How an upload is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum UploadMethod {
    /// HTTP PUT, with the file as the body.
    Put,
}

/// A header that must be sent with an upload.
#[derive(SimpleObject)]
pub struct UploadHeader {
    /// The header's name.
    name: String,
    /// Its value.
    value: String,
}

/// Where and how to send a file, once.
#[derive(SimpleObject)]
pub struct UploadTarget {
    /// The HTTP method.
    method: UploadMethod,
    /// The address; one that begins with `/` is on this server.
    url: String,
    /// The headers to send.
    headers: Vec<UploadHeader>,
    /// Until when.
    expires_at: DateTime<Utc>,
    /// Whether to call `completeUpload` afterwards, because the file does not come to this server.
    must_complete: bool,
}

impl From<Upload> for UploadTarget {
    fn from(upload: Upload) -> Self {
        let headers = upload.headers.into_iter().map(|(name, value)| UploadHeader { name, value });
        Self {
            method: UploadMethod::Put,
            url: upload.url,
            headers: headers.collect(),
            expires_at: upload.expires_at,
            must_complete: upload.must_complete,
        }
    }
}
