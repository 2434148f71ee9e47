//! Batched reads of other tables: one statement (or three, for clocks) per field and request, however many rows.

use std::{collections::HashMap, hash::Hash, sync::Arc, time::Duration};

use async_graphql::dataloader::{DataLoader, Loader};
use entity::{
    clarification, company, contact,
    id::{AttachmentId, CommentId, CompanyId, ContactId, PersonId, SlaAlertId, TicketId},
    notice, sla_alert, ticket_event, ticket_watcher,
};
use futures_util::future::BoxFuture;
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    domain::{actor::Actor, visit::Visit},
    service::{
        Service, ServiceError, attachments::AttachmentView, comments::CommentView, links::LinkView, queries::WithNames,
    },
    store::{comments::Stretch, directory::PersonWithTeams, tickets::TicketView},
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
    /// Loaders whose batches whoever carries out the request reads between its steps: see [`super::execute`].
    pub fn stepwise(service: Service, actor: Actor, batches: UnboundedSender<Batch>) -> DataLoader<Self> {
        let hand_over = move |batch: Batch| {
            // Nobody takes it only when nobody waits for it any more.
            let _ = batches.send(batch);
        };
        DataLoader::new(Self { service, actor }, hand_over).delay(Duration::ZERO)
    }

    /// Loaders that read their batches by themselves, for the events of a socket.
    pub fn batching(service: Service, actor: Actor) -> DataLoader<Self> {
        DataLoader::new(Self { service, actor }, tokio::spawn)
    }
}

/// The visit that a ticket has not left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpenVisitOf(pub TicketId);
/// All visits of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VisitsOf(pub TicketId);
/// The history of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventsOf(pub TicketId);
/// The alerts of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AlertsOf(pub TicketId);
/// The notices of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NoticesOf(pub TicketId);
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

type Loaded<K, V> = Result<HashMap<K, V>, Arc<ServiceError>>;

impl Loader<TicketId> for Loaders {
    type Value = TicketView;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[TicketId]) -> Loaded<TicketId, TicketView> {
        Ok(self.service.tickets_by_id(&self.actor, keys).await?)
    }
}

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

impl Loader<EventsOf> for Loaders {
    type Value = Vec<WithNames<ticket_event::Model>>;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[EventsOf]) -> Loaded<EventsOf, Vec<WithNames<ticket_event::Model>>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(grouped(self.service.events(&ids).await?, |event| EventsOf(event.row.ticket_id)))
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
        Ok(grouped(self.service.notices_of(&self.actor, &ids).await?, |notice| NoticesOf(notice.row.ticket_id)))
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
    type Value = Vec<CommentView>;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[CommentsOf]) -> Loaded<CommentsOf, Vec<CommentView>> {
        let mut tickets: HashMap<Stretch, Vec<TicketId>> = HashMap::new();
        for CommentsOf(ticket, stretch) in keys {
            tickets.entry(*stretch).or_default().push(*ticket);
        }
        let mut loaded = HashMap::new();
        for (stretch, tickets) in tickets {
            let comments = self.service.comments_of(&self.actor, &tickets, &stretch).await?;
            loaded.extend(grouped(comments, |comment| CommentsOf(comment.row.ticket_id, stretch)));
        }
        Ok(loaded)
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

impl Loader<CommentId> for Loaders {
    type Value = CommentView;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[CommentId]) -> Loaded<CommentId, CommentView> {
        Ok(self.service.comments_by_id(&self.actor, keys).await?)
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
        let mut files: HashMap<_, Vec<_>> = HashMap::new();
        for file in self.service.attachments_of_comments(&self.actor, &ids).await? {
            if let Some(comment) = file.row.comment_id {
                files.entry(AttachmentsOfComment(comment)).or_default().push(file);
            }
        }
        Ok(files)
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

impl Loader<PersonId> for Loaders {
    type Value = PersonWithTeams;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[PersonId]) -> Loaded<PersonId, PersonWithTeams> {
        Ok(self.service.people_by_id(keys).await?)
    }
}

impl Loader<ContactId> for Loaders {
    type Value = contact::Model;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[ContactId]) -> Loaded<ContactId, contact::Model> {
        Ok(self.service.contacts_by_id(&self.actor, keys).await?)
    }
}

impl Loader<CompanyId> for Loaders {
    type Value = company::Model;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[CompanyId]) -> Loaded<CompanyId, company::Model> {
        Ok(self.service.companies_by_id(&self.actor, keys).await?)
    }
}

impl Loader<SlaAlertId> for Loaders {
    type Value = sla_alert::Model;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[SlaAlertId]) -> Loaded<SlaAlertId, sla_alert::Model> {
        Ok(self.service.alerts_by_id(&self.actor, keys).await?)
    }
}

fn grouped<K: Eq + Hash, V>(rows: Vec<V>, key: impl Fn(&V) -> K) -> HashMap<K, Vec<V>> {
    let mut groups: HashMap<K, Vec<V>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}
