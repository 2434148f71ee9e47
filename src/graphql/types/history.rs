//! What happened to tickets.

use std::{fmt, str::FromStr, sync::Arc};

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::{
    id::{AccessTokenId, ParseIdError},
    ticket_event,
    vocab::{
        ActorKind, AlertLevel, DeEscalationReason, EventKind, LinkRelation, MoveKind, NoticeKind, PauseReason, Stage,
        TicketField,
    },
};
use uuid::Uuid;

use crate::{
    domain::event::{self, EventData},
    graphql::{
        context::{is_internal, loaders},
        error::ApiError,
        event_cursor::EventCursor,
        types::{
            attachment::Attachment,
            comment::Comment,
            directory::{Contact, Person},
            sla::SlaAlert,
            ticket::Ticket,
        },
    },
    service::{feed::Heard, queries::WithNames},
    store::{
        self,
        page::{Position, SortKey},
        tickets::TicketView,
    },
};

/// The id of an event: its place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventId(pub i64);

impl EventId {
    /// What the text form starts with.
    pub const PREFIX: &'static str = "ticket_event";
}

impl fmt::Display for EventId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}_{}", Self::PREFIX, self.0)
    }
}

impl FromStr for EventId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let (prefix, place) = text.rsplit_once('_').ok_or(ParseIdError)?;
        let is_place = prefix == Self::PREFIX && place.bytes().all(|byte| byte.is_ascii_digit());
        place.parse().ok().filter(|_| is_place).map(Self).ok_or(ParseIdError)
    }
}

/// One thing that happened to a ticket.
pub struct TicketEvent {
    event: WithNames<ticket_event::Model>,
    data: EventData,
    /// The ticket, where it came with the event.
    ticket: Option<Arc<TicketView>>,
}

/// A fact before and after, as people read it.
#[derive(SimpleObject)]
pub struct FieldChange {
    /// Which fact.
    field: TicketField,
    /// What it was; null for not known.
    before: Option<String>,
    /// What it is; null for not known.
    after: Option<String>,
}

impl TicketEvent {
    /// Where it stands in the history of its ticket.
    pub fn position(&self) -> Position {
        Position::new(SortKey::Number(self.event.row.id), Uuid::nil())
    }

    /// The event as staff see it, or as a contact does; none where a contact does not see it at all.
    pub fn visible(event: WithNames<ticket_event::Model>, is_internal: bool) -> Result<Option<Self>, ApiError> {
        let data = store::events::data(&event.row)?;
        let data = if is_internal { Some(data) } else { event::for_client(event.row.kind, &data) };
        Ok(data.map(|data| Self { event, data, ticket: None }))
    }

    /// An event as a subscriber hears it; none where they do not see it at all.
    pub fn of_event(heard: &Heard, is_internal: bool) -> Result<Option<Self>, ApiError> {
        let event = Self::visible(heard.event.clone(), is_internal)?;
        Ok(event.map(|event| Self { ticket: Some(Arc::clone(&heard.ticket)), ..event }))
    }
}

/// One thing that happened to a ticket.
#[Object]
impl TicketEvent {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        EventId(self.event.row.id).to_string().into()
    }

    /// Where it stands in the log of all events: `ticketEvents(after: …)` goes on from here.
    async fn cursor(&self) -> String {
        EventCursor(self.event.row.id).to_string()
    }

    /// What kind of thing.
    async fn kind(&self) -> EventKind {
        self.event.row.kind
    }

    /// When it happened.
    async fn happened_at(&self) -> DateTime<Utc> {
        self.event.row.happened_at
    }

    /// What kind of actor did it.
    async fn actor_kind(&self) -> ActorKind {
        self.event.row.actor_kind
    }

    /// The member of staff who did it.
    async fn person(&self) -> Option<Person> {
        self.event.person.clone().map(Person::from)
    }

    /// The contact who did it.
    async fn contact(&self) -> Option<Contact> {
        self.event.contact.clone().map(Contact)
    }

    /// What the integration is called that did it. Null for contacts.
    async fn integration_name(&self, context: &Context<'_>) -> Result<Option<String>, ApiError> {
        match self.event.row.actor_id {
            Some(id) if self.event.row.actor_kind == ActorKind::Integration && is_internal(context)? => {
                Ok(loaders(context)?.load_one(AccessTokenId(id)).await?)
            }
            _ => Ok(None),
        }
    }

    /// The facts that changed.
    async fn changes(&self) -> Vec<FieldChange> {
        let changes = self.data.changes.iter().cloned();
        changes.map(|change| FieldChange { field: change.field, before: change.before, after: change.after }).collect()
    }

    /// The move that was made. Null for contacts where it led back.
    async fn move_kind(&self) -> Option<MoveKind> {
        self.data.move_kind
    }

    /// The stage before the move.
    async fn from_stage(&self) -> Option<Stage> {
        self.data.from_stage
    }

    /// The stage after the move, or the one that an alert is about.
    async fn to_stage(&self) -> Option<Stage> {
        self.data.to_stage
    }

    /// The pipeline of a transfer.
    async fn pipeline(&self) -> Option<&str> {
        self.data.pipeline.as_deref()
    }

    /// Why, in the actor's words.
    async fn reason(&self) -> Option<&str> {
        self.data.reason.as_deref()
    }

    /// Why a ticket was de-escalated.
    async fn de_escalation_reasons(&self) -> &[DeEscalationReason] {
        &self.data.de_escalation_reasons
    }

    /// The question, the answer, or the reasons of a proposed priority.
    async fn text(&self) -> Option<&str> {
        self.data.text.as_deref()
    }

    /// How far an alert has climbed.
    async fn alert_level(&self) -> Option<AlertLevel> {
        self.data.alert_level
    }

    /// The alert that was raised.
    async fn alert(&self, context: &Context<'_>) -> Result<Option<SlaAlert>, ApiError> {
        let Some(id) = self.data.alert_id else { return Ok(None) };
        Ok(loaders(context)?.load_one(id).await?.map(SlaAlert::from))
    }

    /// Why the clock stands still, or stood.
    async fn pause_reason(&self) -> Option<PauseReason> {
        self.data.pause_reason
    }

    /// What the mail was about that did not reach the client.
    async fn notice_kind(&self) -> Option<NoticeKind> {
        self.data.notice_kind
    }

    /// Until when the clock, or alerts, wait.
    async fn until(&self) -> Option<DateTime<Utc>> {
        self.data.until
    }

    /// The due time before a manager set another one.
    async fn due_before(&self) -> Option<DateTime<Utc>> {
        self.data.due_before
    }

    /// The due time that a manager set, or that the clock gave when they gave it back.
    async fn due_after(&self) -> Option<DateTime<Utc>> {
        self.data.due_after
    }

    /// How it relates to the other ticket that it was linked to, or unlinked from.
    async fn link_relation(&self) -> Option<LinkRelation> {
        self.data.relation
    }

    /// The other ticket, as it is now.
    async fn other_ticket(&self, context: &Context<'_>) -> Result<Option<Ticket>, ApiError> {
        let Some(id) = self.data.other_ticket_id else { return Ok(None) };
        Ok(loaders(context)?.load_one(id).await?.map(Ticket::from))
    }

    /// The comment, as it is now.
    async fn comment(&self, context: &Context<'_>) -> Result<Option<Comment>, ApiError> {
        let Some(id) = self.data.comment_id else { return Ok(None) };
        Ok(loaders(context)?.load_one(id).await?.map(Comment))
    }

    /// The file, as it is now; null when it was removed.
    async fn attachment(&self, context: &Context<'_>) -> Result<Option<Attachment>, ApiError> {
        let Some(id) = self.data.attachment_id else { return Ok(None) };
        Ok(loaders(context)?.load_one(id).await?.map(Attachment))
    }

    /// The ticket, as it is now.
    async fn ticket(&self, context: &Context<'_>) -> Result<Option<Ticket>, ApiError> {
        match &self.ticket {
            Some(ticket) => Ok(Some(ticket.as_ref().clone().into())),
            None => Ok(loaders(context)?.load_one(self.event.row.ticket_id).await?.map(Ticket::from)),
        }
    }
}
