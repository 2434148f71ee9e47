//! The ledger: what was told to whom.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use entity::{
    notice,
    vocab::{NoticeKind, NoticeState},
};

use crate::graphql::{
    context::loaders,
    error::ApiError,
    types::{
        directory::{Contact, Person},
        ticket::Ticket,
    },
};

/// One mail to one recipient.
pub struct Notice(pub notice::Model);

/// One mail to one recipient.
#[Object]
impl Notice {
    /// The opaque id; its UUID is the local part of the mail's Message-ID.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// What it is about.
    async fn kind(&self) -> NoticeKind {
        self.0.kind
    }

    /// Where it stands on its way.
    async fn state(&self) -> NoticeState {
        self.0.state
    }

    /// The contact it goes to; null where it goes to staff.
    async fn contact(&self, context: &Context<'_>) -> Result<Option<Contact>, ApiError> {
        let Some(id) = self.0.contact_id else { return Ok(None) };
        Ok(loaders(context)?.load_one(id).await?.map(Contact))
    }

    /// The member of staff it goes to; null where it goes to a contact.
    async fn person(&self, context: &Context<'_>) -> Result<Option<Person>, ApiError> {
        let Some(id) = self.0.person_id else { return Ok(None) };
        Ok(loaders(context)?.load_one(id).await?.map(Person::from))
    }

    /// The address it goes to, as it was when the notice was written.
    async fn to_address(&self) -> &str {
        &self.0.to_address
    }

    /// How often it was tried.
    async fn attempts(&self) -> i32 {
        self.0.attempts
    }

    /// When it is tried next; null once it is settled.
    async fn next_attempt_at(&self) -> Option<DateTime<Utc>> {
        (self.0.state == NoticeState::Queued).then_some(self.0.next_attempt_at)
    }

    /// Why it waits, failed, or was cancelled.
    async fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// When it was written, with the change that it tells.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When the mail server took it over.
    async fn sent_at(&self) -> Option<DateTime<Utc>> {
        self.0.sent_at
    }

    /// The ticket.
    async fn ticket(&self, context: &Context<'_>) -> Result<Option<Ticket>, ApiError> {
        Ok(loaders(context)?.load_one(self.0.ticket_id).await?.map(Ticket::from))
    }
}
