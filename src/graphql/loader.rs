//! Batched reads of other tables: one statement (or three, for clocks) per field and request, however many rows.

use std::{collections::HashMap, hash::Hash, sync::Arc, time::Duration};

use async_graphql::dataloader::{DataLoader, Loader};
use entity::{
    calendar, clarification, company, contact,
    id::{
        AccessTokenId, CalendarId, ClarificationId, CompanyId, ContactId, NoticeId, PersonId, SlaAlertId, SlaPolicyId,
        StageVisitId, TicketId, TicketSubtypeId,
    },
    notice, sla_alert, sla_policy, ticket_event, ticket_subtype,
};
use futures_util::future::BoxFuture;
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    domain::{actor::Actor, visit::Visit},
    graphql::types::history::EventId,
    service::{Service, ServiceError, queries::WithNames},
    store::{directory::PersonWithTeams, events::EventWindow, page::Page, tickets::TicketView},
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
/// A part of the history of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventsOf(pub TicketId, pub EventWindow);
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
    let mut groups: HashMap<K, Vec<V>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}
