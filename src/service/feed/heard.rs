//! An event with what its subscribers ask of it, read once for all of them.

use std::{collections::HashMap, sync::Arc};

use entity::{id::TicketId, sla_alert, ticket_event, vocab::EventKind};

use crate::{
    service::{
        Result, Service,
        queries::{WithNames, doer},
    },
    store::{self, tickets::TicketView},
};

/// An event, as it is told.
#[derive(Debug)]
pub struct Heard {
    /// The event, with whoever did it.
    pub event: WithNames<ticket_event::Model>,
    /// The ticket, as it was when the event was read: with the event's change, and perhaps later ones.
    pub ticket: Arc<TicketView>,
    /// The alert that was raised.
    pub alert: Option<sla_alert::Model>,
}

impl Heard {
    /// The event's place in the log.
    pub const fn id(&self) -> i64 {
        self.event.row.id
    }
}

impl Service {
    /// The events with everything that is told of them: a handful of statements, however many events.
    pub(super) async fn heard(&self, events: Vec<ticket_event::Model>) -> Result<Vec<Arc<Heard>>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let mut tickets: Vec<_> = events.iter().map(|event| event.ticket_id).collect();
        tickets.sort();
        tickets.dedup();
        let tickets = store::tickets::find_many(&self.db, None, &tickets).await?;
        let tickets: HashMap<TicketId, _> = tickets.into_iter().map(|(id, view)| (id, Arc::new(view))).collect();
        let mut raised = HashMap::new();
        for event in events.iter().filter(|event| event.kind == EventKind::SlaAlertRaised) {
            match store::events::data(event) {
                Ok(data) => raised.extend(data.alert_id.map(|alert| (event.id, alert))),
                // It must not keep everybody from all that follows.
                Err(error) => tracing::error!(event.id, error = &error as &dyn std::error::Error, "an event is broken"),
            }
        }
        let alerts = match raised.is_empty() {
            true => HashMap::new(),
            false => store::alerts::by_id(&self.db, &Vec::from_iter(raised.values().copied())).await?,
        };
        let told = self.with_names(events, doer).await?.into_iter().filter_map(|event| {
            let alert = raised.get(&event.row.id).and_then(|id| alerts.get(id).cloned());
            // An event refers to its ticket, which the database would not delete.
            let ticket = Arc::clone(tickets.get(&event.row.ticket_id)?);
            Some(Arc::new(Heard { event, ticket, alert }))
        });
        Ok(told.collect())
    }
}
