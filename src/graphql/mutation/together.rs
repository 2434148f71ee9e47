//! Mutations of working together on a ticket: comments, watchers, links, attachments.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::{
    id::{AttachmentId, CommentId, PersonId},
    vocab::{LinkKind, Visibility},
};
use uuid::Uuid;

use crate::{
    graphql::{
        context::{actor, service},
        error::{ApiError, UserError, payload},
        id::{self, parse_reference},
        mutation::payloads,
        types::{
            attachment::{Attachment, UploadTarget},
            comment::Comment,
            ticket::Ticket,
        },
    },
    service::{
        attachments::{AttachmentView, NewAttachment, Upload},
        comments::NewComment,
    },
};

/// Mutations of working together on a ticket.
#[derive(Debug, Default)]
pub struct TogetherMutations;

/// A comment to be added.
#[derive(Debug, InputObject)]
struct AddCommentInput {
    /// An id that you made, so that a retry is the same comment.
    id: Option<Uuid>,
    /// The ticket, by id or key.
    ticket_id: ID,
    /// What to say.
    body: String,
    /// Who reads it: staff only when staff leave it out. What contacts say is always visible to the client.
    visibility: Option<Visibility>,
}

/// A comment to be changed.
#[derive(Debug, InputObject)]
struct EditCommentInput {
    /// The comment.
    comment_id: ID,
    /// What it says from now on.
    body: String,
}

/// A comment to be deleted.
#[derive(Debug, InputObject)]
struct DeleteCommentInput {
    /// The comment.
    comment_id: ID,
}

/// A ticket to be watched.
#[derive(Debug, InputObject)]
struct WatchTicketInput {
    /// The ticket, by id or key.
    ticket_id: ID,
    /// Another member of staff who shall watch it: a manager's or an administrator's right. You, when left out.
    person_id: Option<ID>,
}

/// A ticket to be watched no more.
#[derive(Debug, InputObject)]
struct UnwatchTicketInput {
    /// The ticket, by id or key.
    ticket_id: ID,
    /// Another member of staff who shall not watch it: a manager's or an administrator's right. You, when left out.
    person_id: Option<ID>,
}

/// Two tickets to be linked.
#[derive(Debug, InputObject)]
struct LinkTicketsInput {
    /// The duplicate, or the effect, by id or key.
    ticket_id: ID,
    /// The original, or the cause, by id or key.
    other_ticket_id: ID,
    /// How the first one relates to the other one.
    kind: LinkKind,
}

/// A link to be removed.
#[derive(Debug, InputObject)]
struct UnlinkTicketsInput {
    /// The duplicate, or the effect, by id or key.
    ticket_id: ID,
    /// The original, or the cause, by id or key.
    other_ticket_id: ID,
    /// How the first one relates to the other one.
    kind: LinkKind,
}

/// A file to be uploaded.
#[derive(Debug, InputObject)]
struct RequestUploadInput {
    /// The ticket, by id or key.
    ticket_id: ID,
    /// The comment that it illustrates.
    comment_id: Option<ID>,
    /// Its name, without folders. Where it does not end as files of the media type do, such an ending is added: `page.html` of plain
    /// text becomes `page.html.txt`. What is invisible in it is dropped.
    file_name: String,
    /// Its media type: a picture (PNG, JPEG, GIF, WebP), PDF, plain text or MP4.
    content_type: String,
    /// Its size, in bytes.
    size: i64,
    /// Who sees it: as its comment, or staff only when staff leave it out. What contacts attach is visible to the client.
    visibility: Option<Visibility>,
}

/// A file that was uploaded.
#[derive(Debug, InputObject)]
struct CompleteUploadInput {
    /// The file.
    attachment_id: ID,
}

/// A file to be deleted.
#[derive(Debug, InputObject)]
struct DeleteAttachmentInput {
    /// The file.
    attachment_id: ID,
}

/// What `requestUpload` answers.
#[derive(SimpleObject)]
struct RequestUploadPayload {
    /// The file, which is not there yet; null when refused.
    attachment: Option<Attachment>,
    /// Where to send it; null when refused.
    upload: Option<UploadTarget>,
    /// What to mend; empty when it was done.
    user_errors: Vec<UserError>,
}

impl From<(Option<(AttachmentView, Upload)>, Vec<UserError>)> for RequestUploadPayload {
    fn from((allowed, user_errors): (Option<(AttachmentView, Upload)>, Vec<UserError>)) -> Self {
        let (attachment, upload) = allowed.unzip();
        Self { attachment: attachment.map(Attachment), upload: upload.map(UploadTarget::from), user_errors }
    }
}

payloads! {
    /// What `completeUpload` answers.
    CompleteUploadPayload {
        /// The file; null when refused.
        attachment: Attachment
    }
    /// What `deleteAttachment` answers.
    DeleteAttachmentPayload {
        /// The file that was; null when refused.
        attachment: Attachment
    }
    /// What `addComment` answers.
    AddCommentPayload {
        /// The comment; null when refused.
        comment: Comment
    }
    /// What `editComment` answers.
    EditCommentPayload {
        /// The comment; null when refused.
        comment: Comment
    }
    /// What `deleteComment` answers.
    DeleteCommentPayload {
        /// What is left of the comment; null when refused.
        comment: Comment
    }
    /// What `watchTicket` answers.
    WatchTicketPayload {
        /// The ticket; null when refused.
        ticket: Ticket
    }
    /// What `linkTickets` answers.
    LinkTicketsPayload {
        /// The first ticket; null when refused.
        ticket: Ticket
    }
    /// What `unlinkTickets` answers.
    UnlinkTicketsPayload {
        /// The first ticket; null when refused.
        ticket: Ticket
    }
    /// What `unwatchTicket` answers.
    UnwatchTicketPayload {
        /// The ticket; null when refused.
        ticket: Ticket
    }
}

/// Mutations of working together on a ticket.
#[Object]
impl TogetherMutations {
    /// Comments on a ticket. A contact's comment answers the question to the client that is open, and the clock goes on.
    async fn add_comment(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A comment to be added.")] input: AddCommentInput,
    ) -> Result<AddCommentPayload, ApiError> {
        let new = NewComment {
            id: input.id,
            ticket_id: id::ticket(context, &input.ticket_id).await?,
            body: input.body,
            visibility: input.visibility,
        };
        payload(service(context)?.add_comment(actor(context)?, new).await.map(Comment))
    }

    /// Changes the words of a comment. For its author and administrators.
    async fn edit_comment(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A comment to be changed.")] input: EditCommentInput,
    ) -> Result<EditCommentPayload, ApiError> {
        let id: CommentId = id::parse_reference(&input.comment_id);
        payload(service(context)?.edit_comment(actor(context)?, id, &input.body).await.map(Comment))
    }

    /// Deletes the words of a comment; who deleted it when stays. For its author and administrators.
    async fn delete_comment(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A comment to be deleted.")] input: DeleteCommentInput,
    ) -> Result<DeleteCommentPayload, ApiError> {
        let id: CommentId = id::parse_reference(&input.comment_id);
        payload(service(context)?.delete_comment(actor(context)?, id).await.map(Comment))
    }

    /// Watches a ticket: its comments, stages and closing are mailed to you, as far as you may see them.
    async fn watch_ticket(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A ticket to be watched.")] input: WatchTicketInput,
    ) -> Result<WatchTicketPayload, ApiError> {
        let id = id::ticket(context, &input.ticket_id).await?;
        let person = input.person_id.map(|id| parse_reference::<PersonId>(&id));
        payload(service(context)?.watch_ticket(actor(context)?, id, person).await.map(Ticket::from))
    }

    /// Links a ticket to another one. A ticket is not linked to itself, twice, or in a circle.
    async fn link_tickets(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Two tickets to be linked.")] input: LinkTicketsInput,
    ) -> Result<LinkTicketsPayload, ApiError> {
        let from = id::ticket(context, &input.ticket_id).await?;
        let to = id::ticket(context, &input.other_ticket_id).await?;
        payload(service(context)?.link_tickets(actor(context)?, from, to, input.kind).await.map(Ticket::from))
    }

    /// Removes the link of a ticket to another one.
    async fn unlink_tickets(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A link to be removed.")] input: UnlinkTicketsInput,
    ) -> Result<UnlinkTicketsPayload, ApiError> {
        let from = id::ticket(context, &input.ticket_id).await?;
        let to = id::ticket(context, &input.other_ticket_id).await?;
        payload(service(context)?.unlink_tickets(actor(context)?, from, to, input.kind).await.map(Ticket::from))
    }

    /// Allows the upload of a file: send it once, within 15 minutes, to the address that is answered.
    async fn request_upload(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A file to be uploaded.")] input: RequestUploadInput,
    ) -> Result<RequestUploadPayload, ApiError> {
        let new = NewAttachment {
            ticket_id: id::ticket(context, &input.ticket_id).await?,
            comment_id: input.comment_id.map(|id| parse_reference::<CommentId>(&id)),
            file_name: input.file_name,
            content_type: input.content_type,
            size: input.size,
            visibility: input.visibility,
        };
        payload(service(context)?.request_upload(actor(context)?, new).await)
    }

    /// Says that a file was uploaded, where `upload { mustComplete }` asks for it; its size and type are then checked.
    async fn complete_upload(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A file that was uploaded.")] input: CompleteUploadInput,
    ) -> Result<CompleteUploadPayload, ApiError> {
        let id: AttachmentId = id::parse_reference(&input.attachment_id);
        payload(service(context)?.complete_upload(actor(context)?, id).await.map(Attachment))
    }

    /// Deletes a file. For its uploader and administrators.
    async fn delete_attachment(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A file to be deleted.")] input: DeleteAttachmentInput,
    ) -> Result<DeleteAttachmentPayload, ApiError> {
        let id: AttachmentId = id::parse_reference(&input.attachment_id);
        payload(service(context)?.delete_attachment(actor(context)?, id).await.map(Attachment))
    }

    /// Watches a ticket no more.
    async fn unwatch_ticket(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A ticket to be watched no more.")] input: UnwatchTicketInput,
    ) -> Result<UnwatchTicketPayload, ApiError> {
        let id = id::ticket(context, &input.ticket_id).await?;
        let person = input.person_id.map(|id| parse_reference::<PersonId>(&id));
        payload(service(context)?.unwatch_ticket(actor(context)?, id, person).await.map(Ticket::from))
    }
}
