//! What people say about a ticket, as a connection that costs the same for one ticket and for a page of them.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use entity::{
    id::TicketId,
    vocab::{ActorKind, Visibility},
};

use crate::{
    graphql::{
        connection::{Connection, KeyKind, ListOrder, Paging, connection as connected},
        context::{is_internal, loaders},
        error::ApiError,
        loader::{AttachmentsOfComment, CommentCountOf, CommentsOf},
        types::{
            attachment::Attachment,
            directory::{Contact, Person},
            ticket::Ticket,
        },
    },
    service::comments::CommentView,
    store::{
        comments::Stretch,
        page::{Page, Position, SortKey},
    },
};

/// A page of comments.
pub type CommentConnection = Connection<Comment, CommentTotal>;

/// The total number of comments, counted only when asked for.
pub struct CommentTotal(TicketId);

/// The total number of comments, counted only when asked for.
#[Object]
impl CommentTotal {
    /// How many there are on all pages.
    async fn total_count(&self, context: &Context<'_>) -> Result<i64, ApiError> {
        Ok(loaders(context)?.load_one(CommentCountOf(self.0)).await?.unwrap_or(0))
    }
}

/// What somebody said about a ticket.
pub struct Comment(pub CommentView);

/// What somebody said about a ticket. A deleted comment stays as a tombstone without its words.
#[Object]
impl Comment {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        self.0.row.id.to_string().into()
    }

    /// The ticket.
    async fn ticket(&self, context: &Context<'_>) -> Result<Option<Ticket>, ApiError> {
        Ok(loaders(context)?.load_one(self.0.row.ticket_id).await?.map(Ticket::from))
    }

    /// Who reads it.
    async fn visibility(&self) -> Visibility {
        self.0.row.visibility
    }

    /// What it says; null when it was deleted.
    async fn body(&self) -> Option<&str> {
        self.0.row.body.as_deref()
    }

    /// What kind of actor wrote it.
    async fn author_kind(&self) -> ActorKind {
        self.0.row.author_kind
    }

    /// What its author is called.
    async fn author_name(&self) -> &str {
        self.0.author.name()
    }

    /// The member of staff who wrote it. Null for contacts, who see the name.
    async fn person(&self, context: &Context<'_>) -> Result<Option<Person>, ApiError> {
        Ok(if is_internal(context)? { self.0.author.person.clone().map(Person::from) } else { None })
    }

    /// The contact who wrote it.
    async fn contact(&self) -> Option<Contact> {
        self.0.author.contact.clone().map(Contact)
    }

    /// Whether it answered a question to the client; such a comment stays as it is.
    async fn is_answer(&self) -> bool {
        self.0.row.clarification_id.is_some()
    }

    /// Its files, oldest first.
    async fn attachments(&self, context: &Context<'_>) -> Result<Vec<Attachment>, ApiError> {
        let files = loaders(context)?.load_one(AttachmentsOfComment(self.0.row.id)).await?.unwrap_or_default();
        Ok(files.into_iter().map(Attachment).collect())
    }

    /// When it was written.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.row.created_at
    }

    /// When it was changed last.
    async fn edited_at(&self) -> Option<DateTime<Utc>> {
        self.0.row.edited_at
    }

    /// When it was deleted.
    async fn deleted_at(&self) -> Option<DateTime<Utc>> {
        self.0.row.deleted_at
    }

    /// What whoever deleted it is called.
    async fn deleted_by_name(&self) -> Option<&str> {
        self.0.deleted_by.as_ref().map(|doer| doer.name())
    }
}

/// The page of a ticket's comments.
pub async fn connection(
    context: &Context<'_>,
    ticket: TicketId,
    paging: &Paging,
) -> Result<CommentConnection, ApiError> {
    let order = ListOrder::by("comment", KeyKind::Instant);
    let stretch = Stretch::from(paging.window(context, &order)?);
    let page = loaders(context)?.load_one(CommentsOf(ticket, stretch)).await?.unwrap_or_else(Page::empty);
    Ok(connected(page, &order, CommentTotal(ticket), |view: CommentView| {
        (Position::new(SortKey::Instant(view.row.created_at), view.row.id.0), Comment(view))
    }))
}
