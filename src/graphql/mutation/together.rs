//! Mutations of working together on a ticket: comments, watchers, links, attachments.

use async_graphql::{Context, ID, InputObject, Object};
use entity::{
    id::{CommentId, PersonId},
    vocab::Visibility,
};
use uuid::Uuid;

use crate::{
    graphql::{
        context::{actor, service},
        error::{ApiError, payload},
        id::{self, parse_reference},
        mutation::payloads,
        types::{comment::Comment, ticket::Ticket},
    },
    service::comments::NewComment,
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

payloads! {
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
    async fn add_comment(&self, context: &Context<'_>, input: AddCommentInput) -> Result<AddCommentPayload, ApiError> {
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
        input: EditCommentInput,
    ) -> Result<EditCommentPayload, ApiError> {
        let id: CommentId = id::parse(&input.comment_id, "comment")?;
        payload(service(context)?.edit_comment(actor(context)?, id, &input.body).await.map(Comment))
    }

    /// Deletes the words of a comment; who deleted it when stays. For its author and administrators.
    async fn delete_comment(
        &self,
        context: &Context<'_>,
        input: DeleteCommentInput,
    ) -> Result<DeleteCommentPayload, ApiError> {
        let id: CommentId = id::parse(&input.comment_id, "comment")?;
        payload(service(context)?.delete_comment(actor(context)?, id).await.map(Comment))
    }

    /// Watches a ticket: its comments, stages and closing are mailed to you, as far as you may see them.
    async fn watch_ticket(
        &self,
        context: &Context<'_>,
        input: WatchTicketInput,
    ) -> Result<WatchTicketPayload, ApiError> {
        let id = id::ticket(context, &input.ticket_id).await?;
        let person = input.person_id.map(|id| parse_reference::<PersonId>(&id));
        payload(service(context)?.watch_ticket(actor(context)?, id, person).await.map(Ticket::from))
    }

    /// Watches a ticket no more.
    async fn unwatch_ticket(
        &self,
        context: &Context<'_>,
        input: UnwatchTicketInput,
    ) -> Result<UnwatchTicketPayload, ApiError> {
        let id = id::ticket(context, &input.ticket_id).await?;
        let person = input.person_id.map(|id| parse_reference::<PersonId>(&id));
        payload(service(context)?.unwatch_ticket(actor(context)?, id, person).await.map(Ticket::from))
    }
}
