//! Batched reads of other tables: one statement (or three, for clocks) per field and request, however many rows.

use std::{collections::HashMap, hash::Hash, sync::Arc, time::Duration};

use async_graphql::dataloader::{DataLoader, Loader};
use entity::{
    clarification, company, contact,
    id::{AccessTokenId, CompanyId, ContactId, PersonId, SlaAlertId, TicketId},
    notice, sla_alert, ticket_event,
};
use futures_util::future::BoxFuture;
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    domain::{actor::Actor, visit::Visit},
    service::{Service, ServiceError, queries::WithNames},
    store::{directory::PersonWithTeams, tickets::TicketView},
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

impl Loader<AccessTokenId> for Loaders {
    type Value = String;
    type Error = Arc<ServiceError>;

    async fn load(&self, keys: &[AccessTokenId]) -> Loaded<AccessTokenId, String> {
        Ok(self.service.integrations_by_id(&self.actor, keys).await?)
    }
}

fn grouped<K: Eq + Hash, V>(rows: Vec<V>, key: impl Fn(&V) -> K) -> HashMap<K, Vec<V>> {
    let mut groups: HashMap<K, Vec<V>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}
