//! What people say about a ticket, as a connection that costs the same for one ticket and for a page of them.

use async_graphql::{
    Context, ID, Object,
    connection::{Connection, Edge, EmptyFields},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use entity::{
    id::{CommentId, TicketId},
    vocab::{ActorKind, Visibility},
};

use crate::{
    graphql::{
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
    store::{comments::Stretch, page::is_comparable},
};

/// Comments of a page when the caller does not say.
const DEFAULT_PAGE: i32 = 50;
/// Comments of a page at most.
const LARGEST_PAGE: i32 = 100;
/// The first part of a cursor.
const CURSOR_KIND: &str = "1:comment";

/// A page of comments.
pub type CommentConnection = Connection<String, Comment, CommentTotal, EmptyFields>;

/// The page that a caller asks for.
pub struct CommentPage {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

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
    page: CommentPage,
) -> Result<CommentConnection, ApiError> {
    let stretch = page.stretch()?;
    let limit = usize::try_from(stretch.limit).unwrap_or(usize::MAX);
    let mut found = loaders(context)?.load_one(CommentsOf(ticket, stretch)).await?.unwrap_or_default();
    let has_more = found.len() > limit;
    if stretch.from_end {
        found.drain(..found.len().saturating_sub(limit));
    } else {
        found.truncate(limit);
    }
    let (has_previous, has_next) =
        if stretch.from_end { (has_more, stretch.before.is_some()) } else { (stretch.after.is_some(), has_more) };
    let mut connection = Connection::with_additional_fields(has_previous, has_next, CommentTotal(ticket));
    connection.edges.extend(found.into_iter().map(|view| Edge::new(cursor(&view), Comment(view))));
    Ok(connection)
}

impl CommentPage {
    fn stretch(&self) -> Result<Stretch, ApiError> {
        let (limit, from_end) = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(ApiError::bad_input("give first or last, not both")),
            (None, Some(last)) => (last, true),
            (first, None) => (first.unwrap_or(DEFAULT_PAGE), false),
        };
        if !(1..=LARGEST_PAGE).contains(&limit) {
            let name = if from_end { "last" } else { "first" };
            return Err(ApiError::bad_input(format!("{name} must be from 1 to {LARGEST_PAGE}")));
        }
        Ok(Stretch {
            after: self.after.as_deref().map(read).transpose()?,
            before: self.before.as_deref().map(read).transpose()?,
            from_end,
            limit: u64::from(limit.unsigned_abs()),
        })
    }
}

fn cursor(view: &CommentView) -> String {
    let parts = (CURSOR_KIND, view.row.created_at, view.row.id);
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&parts).unwrap_or_default())
}

fn read(cursor: &str) -> Result<(DateTime<Utc>, CommentId), ApiError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
    let parts: Option<(String, DateTime<Utc>, CommentId)> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    match parts {
        Some((kind, at, id)) if kind == CURSOR_KIND && is_comparable(at) => Ok((at, id)),
        _ => Err(ApiError::bad_input("this is not a cursor of a ticket's comments; start from the first page")),
    }
}
