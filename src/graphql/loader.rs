//! Batched reads of other tables: one statement (or three, for clocks) per field and request, however many rows.

use std::{collections::HashMap, hash::Hash, sync::Arc, time::Duration};

use async_graphql::dataloader::{DataLoader, Loader};
use entity::{
    audit_entry, calendar, calendar_version, clarification, company, contact,
    id::{
        AccessTokenId, AttachmentId, AuditEntryId, CalendarId, ClarificationId, CommentId, CompanyId, ContactId,
        NoticeId, PersonId, SlaAlertId, SlaPolicyId, StageVisitId, TicketId, TicketSubtypeId,
    },
    notice, sla_alert, sla_policy, sla_policy_version, ticket_event, ticket_subtype, ticket_watcher,
};
use futures_util::future::BoxFuture;
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    domain::{actor::Actor, visit::Visit},
    graphql::types::history::EventId,
    service::{
        Service, ServiceError, attachments::AttachmentView, comments::CommentView, links::LinkView, queries::WithNames,
    },
    store::{comments::Stretch, directory::PersonWithTeams, events::EventWindow, page::Page, tickets::TicketView},
};

/// Reads for one caller.
#[derive(Debug)]
pub struct Loaders {
    service: Service,
    actor: Actor,
}

/// A batch that is ready to be read.
pub type Batch = BoxFuture<'static, ()>;

impl Loaders {
    /// Loaders whose batches whoever carries out the request reads between its steps: see `super::execute`.
    pub fn stepwise(service: Service, actor: Actor, batches: UnboundedSender<Batch>) -> DataLoader<Self> {
        let hand_over = move |batch: Batch| {
            // Nobody takes it only when nobody waits for it any more.
            let _ = batches.send(batch);
        };
        DataLoader::new(Self { service, actor }, hand_over).delay(Duration::ZERO)
    }
}

/// The visit that a ticket has not left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpenVisitOf(pub TicketId);
/// All visits of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VisitsOf(pub TicketId);
/// A part of the history of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventsOf(pub TicketId, pub EventWindow);
/// The alerts of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AlertsOf(pub TicketId);
/// The notices of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NoticesOf(pub TicketId);
/// The notices that tell an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NoticesOfAlert(pub SlaAlertId);
/// A stretch of the comments of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommentsOf(pub TicketId, pub Stretch);
/// How many comments a ticket has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommentCountOf(pub TicketId);
/// The files of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttachmentsOf(pub TicketId);
/// The files of a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttachmentsOfComment(pub CommentId);
/// The links of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinksOf(pub TicketId);
/// The watchers of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WatchersOf(pub TicketId);
/// The questions to the client of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClarificationsOf(pub TicketId);

/// The versions of a policy, the latest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PolicyVersionsOf(pub SlaPolicyId);
/// The versions of a calendar, the latest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CalendarVersionsOf(pub CalendarId);

type Loaded<K, V> = Result<HashMap<K, V>, Arc<ServiceError>>;

impl Loader<OpenVisitOf> for Loaders {
    type Value = Arc<Visit>;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[OpenVisitOf]) -> Loaded<OpenVisitOf, Arc<Visit>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let visits = self.service.open_visits(&self.actor, &ids).await?;
        Ok(visits.into_iter().map(|(id, visit)| (OpenVisitOf(id), Arc::new(visit))).collect())
    }
}

impl Loader<VisitsOf> for Loaders {
    type Value = Vec<Visit>;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[VisitsOf]) -> Loaded<VisitsOf, Vec<Visit>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(grouped(self.service.visits(&self.actor, &ids).await?, |visit| VisitsOf(visit.ticket_id)))
    }
}

impl Loader<PolicyVersionsOf> for Loaders {
    type Value = Vec<sla_policy_version::Model>;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[PolicyVersionsOf]) -> Loaded<PolicyVersionsOf, Vec<sla_policy_version::Model>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(grouped(self.service.policy_versions(&self.actor, &ids).await?, |row| PolicyVersionsOf(row.policy_id)))
    }
}

impl Loader<CalendarVersionsOf> for Loaders {
    type Value = Vec<calendar_version::Model>;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[CalendarVersionsOf]) -> Loaded<CalendarVersionsOf, Vec<calendar_version::Model>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(grouped(self.service.calendar_versions(&self.actor, &ids).await?, |row| CalendarVersionsOf(row.calendar_id)))
    }
}

impl Loader<EventsOf> for Loaders {
    type Value = Page<WithNames<ticket_event::Model>>;
    type Error = Arc<ServiceError>;

    /// One read per window; the tickets of a page have all the same one.
    async fn load(&self, keys: &[EventsOf]) -> Loaded<EventsOf, Page<WithNames<ticket_event::Model>>> {
        let mut tickets: HashMap<EventWindow, Vec<TicketId>> = HashMap::new();
        for EventsOf(ticket, window) in keys {
            tickets.entry(*window).or_default().push(*ticket);
        }
        let mut pages = HashMap::new();
        for (window, tickets) in tickets {
            let found = self.service.events(&self.actor, &tickets, window).await?;
            pages.extend(found.into_iter().map(|(ticket, page)| (EventsOf(ticket, window), page)));
        }
        Ok(pages)
    }
}

impl Loader<AlertsOf> for Loaders {
    type Value = Vec<sla_alert::Model>;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[AlertsOf]) -> Loaded<AlertsOf, Vec<sla_alert::Model>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(grouped(self.service.alerts_of(&self.actor, &ids).await?, |alert| AlertsOf(alert.ticket_id)))
    }
}

impl Loader<NoticesOf> for Loaders {
    type Value = Vec<WithNames<notice::Model>>;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[NoticesOf]) -> Loaded<NoticesOf, Vec<WithNames<notice::Model>>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = self.service.notices_of(&self.actor, &ids).await?;
        Ok(grouped_by(rows, |notice| notice.row.ticket_id.map(NoticesOf)))
    }
}

impl Loader<NoticesOfAlert> for Loaders {
    type Value = Vec<WithNames<notice::Model>>;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[NoticesOfAlert]) -> Loaded<NoticesOfAlert, Vec<WithNames<notice::Model>>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = self.service.notices_of_alerts(&self.actor, &ids).await?;
        Ok(grouped_by(rows, |notice| notice.row.alert_id.map(NoticesOfAlert)))
    }
}

impl Loader<ClarificationsOf> for Loaders {
    type Value = Vec<WithNames<clarification::Model>>;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[ClarificationsOf]) -> Loaded<ClarificationsOf, Vec<WithNames<clarification::Model>>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(grouped(self.service.clarifications(&ids).await?, |question| ClarificationsOf(question.row.ticket_id)))
    }
}

impl Loader<CommentsOf> for Loaders {
    type Value = Page<CommentView>;
    type Error = Arc<ServiceError>;

    /// One read per stretch; the tickets of a page have all the same one.
    async fn load(&self, keys: &[CommentsOf]) -> Loaded<CommentsOf, Page<CommentView>> {
        let mut tickets: HashMap<Stretch, Vec<TicketId>> = HashMap::new();
        for CommentsOf(ticket, stretch) in keys {
            tickets.entry(*stretch).or_default().push(*ticket);
        }
        let mut pages = HashMap::new();
        for (stretch, tickets) in tickets {
            let found = self.service.comments_of(&self.actor, &tickets, &stretch).await?;
            pages.extend(found.into_iter().map(|(ticket, page)| (CommentsOf(ticket, stretch), page)));
        }
        Ok(pages)
    }
}

impl Loader<CommentCountOf> for Loaders {
    type Value = i64;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[CommentCountOf]) -> Loaded<CommentCountOf, i64> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let counts = self.service.comment_counts(&self.actor, &ids).await?;
        Ok(counts.into_iter().map(|(id, count)| (CommentCountOf(id), count)).collect())
    }
}

impl Loader<AttachmentsOf> for Loaders {
    type Value = Vec<AttachmentView>;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[AttachmentsOf]) -> Loaded<AttachmentsOf, Vec<AttachmentView>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(grouped(self.service.attachments_of(&self.actor, &ids).await?, |file| AttachmentsOf(file.row.ticket_id)))
    }
}

impl Loader<AttachmentsOfComment> for Loaders {
    type Value = Vec<AttachmentView>;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[AttachmentsOfComment]) -> Loaded<AttachmentsOfComment, Vec<AttachmentView>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let files = self.service.attachments_of_comments(&self.actor, &ids).await?;
        Ok(grouped_by(files, |file| file.row.comment_id.map(AttachmentsOfComment)))
    }
}

impl Loader<AttachmentId> for Loaders {
    type Value = AttachmentView;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[AttachmentId]) -> Loaded<AttachmentId, AttachmentView> {
        let files = self.service.attachments_by_id(&self.actor, keys).await?;
        Ok(files.into_iter().map(|file| (file.row.id, file)).collect())
    }
}

impl Loader<LinksOf> for Loaders {
    type Value = Vec<LinkView>;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[LinksOf]) -> Loaded<LinksOf, Vec<LinkView>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(grouped(self.service.links(&self.actor, &ids).await?, |link| LinksOf(link.ticket_id)))
    }
}

impl Loader<WatchersOf> for Loaders {
    type Value = Vec<WithNames<ticket_watcher::Model>>;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[WatchersOf]) -> Loaded<WatchersOf, Vec<WithNames<ticket_watcher::Model>>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(grouped(self.service.watchers(&self.actor, &ids).await?, |watcher| WatchersOf(watcher.row.ticket_id)))
    }
}

/// Rows by their ids, as one function of the service finds them.
macro_rules! by_id {
    ($($id:ty => $value:ty: $function:ident($($actor:ident)?),)+) => {$(
        impl Loader<$id> for Loaders {
            type Value = $value;
            type Error = Arc<ServiceError>;

            async fn load(&self, keys: &[$id]) -> Loaded<$id, $value> {
                Ok(self.service.$function($(&self.$actor,)? keys).await?)
            }
        }
    )+};
}

by_id! {
    TicketId => TicketView: tickets_by_id(actor),
    CompanyId => company::Model: companies_by_id(actor),
    ContactId => contact::Model: contacts_by_id(actor),
    PersonId => PersonWithTeams: people_by_id(),
    TicketSubtypeId => ticket_subtype::Model: ticket_subtypes_by_id(),
    ClarificationId => WithNames<clarification::Model>: clarifications_by_id(actor),
    StageVisitId => Visit: visits_by_id(actor),
    SlaAlertId => sla_alert::Model: alerts_by_id(actor),
    NoticeId => WithNames<notice::Model>: notices_by_id(actor),
    CalendarId => calendar::Model: calendars_by_id(actor),
    CommentId => CommentView: comments_by_id(actor),
    AuditEntryId => audit_entry::Model: audit_entries_by_id(actor),
    SlaPolicyId => (sla_policy::Model, calendar::Model): sla_policies_by_id(actor),
}

impl Loader<EventId> for Loaders {
    type Value = WithNames<ticket_event::Model>;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[EventId]) -> Loaded<EventId, WithNames<ticket_event::Model>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let events = self.service.events_by_id(&self.actor, &ids).await?;
        Ok(events.into_iter().map(|(id, event)| (EventId(id), event)).collect())
    }
}

impl Loader<AccessTokenId> for Loaders {
    type Value = String;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[AccessTokenId]) -> Loaded<AccessTokenId, String> {
        Ok(self.service.integrations_by_id(&self.actor, keys).await?)
    }
}

fn grouped<K: Eq + Hash, V>(rows: Vec<V>, key: impl Fn(&V) -> K) -> HashMap<K, Vec<V>> {
    grouped_by(rows, |row| Some(key(row)))
}

/// The rows that have a key, by it.
fn grouped_by<K: Eq + Hash, V>(rows: Vec<V>, key: impl Fn(&V) -> Option<K>) -> HashMap<K, Vec<V>> {
    let mut groups: HashMap<K, Vec<V>> = HashMap::new();
    for row in rows {
        if let Some(key) = key(&row) {
            groups.entry(key).or_default().push(row);
        }
    }
    groups
}
