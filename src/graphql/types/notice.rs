//! The ledger: what was told to whom.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use entity::{
    notice,
    vocab::{NoticeKind, NoticeState},
};

use crate::{
    graphql::{
        context::loaders,
        error::ApiError,
        types::{
            directory::{Contact, Person},
            sla::SlaAlert,
            ticket::Ticket,
        },
    },
    service::queries::WithNames,
};

/// One mail to one recipient.
pub struct Notice(Box<WithNames<notice::Model>>);

impl From<WithNames<notice::Model>> for Notice {
    fn from(notice: WithNames<notice::Model>) -> Self {
        Self(Box::new(notice))
    }
}

/// One mail to one recipient.
#[Object]
impl Notice {
    /// The opaque id; its UUID is the local part of the mail's Message-ID.
    pub async fn id(&self) -> ID {
        self.0.row.id.to_string().into()
    }

    /// What it is about.
    async fn kind(&self) -> NoticeKind {
        self.0.row.kind
    }

    /// Where it stands on its way.
    async fn state(&self) -> NoticeState {
        self.0.row.state
    }

    /// The contact it goes to; null where it goes to staff.
    async fn contact(&self) -> Option<Contact> {
        self.0.contact.clone().map(Contact)
    }

    /// The member of staff it goes to; null where it goes to a contact.
    async fn person(&self) -> Option<Person> {
        self.0.person.clone().map(Person::from)
    }

    /// The address it goes to, as it was when the notice was written.
    async fn to_address(&self) -> &str {
        &self.0.row.to_address
    }

    /// How often it was tried.
    async fn attempts(&self) -> i32 {
        self.0.row.attempts
    }

    /// When it is tried next; null once it is settled.
    async fn next_attempt_at(&self) -> Option<DateTime<Utc>> {
        let waits = matches!(self.0.row.state, NoticeState::Held | NoticeState::Queued);
        waits.then_some(self.0.row.next_attempt_at)
    }

    /// Why it waits, failed, was cancelled, or was told in a digest.
    async fn detail(&self) -> Option<&str> {
        self.0.row.detail.as_deref()
    }

    /// When it was written, with the change that it tells.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.row.created_at
    }

    /// When the mail server took it over.
    async fn sent_at(&self) -> Option<DateTime<Utc>> {
        self.0.row.sent_at
    }

    /// The ticket; null where it is about several.
    async fn ticket(&self, context: &Context<'_>) -> Result<Option<Ticket>, ApiError> {
        let Some(id) = self.0.row.ticket_id else { return Ok(None) };
        Ok(loaders(context)?.load_one(id).await?.map(Ticket::from))
    }

    /// The alert that it tells; null where it tells something else. The alerts of a digest are told by the notices in it.
    async fn alert(&self, context: &Context<'_>) -> Result<Option<SlaAlert>, ApiError> {
        let Some(id) = self.0.row.alert_id else { return Ok(None) };
        Ok(loaders(context)?.load_one(id).await?.map(SlaAlert::from))
    }

    /// The digest that was sent in its place.
    async fn digest(&self, context: &Context<'_>) -> Result<Option<Self>, ApiError> {
        let Some(id) = self.0.row.digest_id else { return Ok(None) };
        Ok(loaders(context)?.load_one(id).await?.map(Self::from))
    }
}
