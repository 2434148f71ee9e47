//! What subscribers hear, live. Rights are checked for each event.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Subscription as Subscribable};
use entity::{id::TicketId, ticket_event, vocab::EventKind};
use futures_util::{Stream, StreamExt, future};
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};

use crate::{
    domain::actor::{Action, Actor, may},
    graphql::{
        context::{actor, service},
        error::ApiError,
        filter::SlaAlertFilter,
        id,
        types::{history::TicketEvent, sla::SlaAlert},
    },
    service::Service,
    store::{self, alerts::AlertCriterion},
};

/// The subscriptions.
#[derive(Debug)]
pub struct Subscription;

/// Which events.
#[derive(Debug, Default, InputObject)]
struct TicketEventFilter {
    /// Of this ticket, by id or key.
    ticket_id: Option<ID>,
    /// Of these kinds.
    kinds: Option<Vec<EventKind>>,
}

type Heard = Result<Arc<ticket_event::Model>, BroadcastStreamRecvError>;

/// The subscriptions.
#[Subscribable]
impl Subscription {
    /// What happens to tickets that you may see, from now on.
    async fn ticket_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which events.")] filter: Option<TicketEventFilter>,
    ) -> Result<impl Stream<Item = Result<TicketEvent, ApiError>> + use<>, ApiError> {
        if !may(actor(context)?, Action::SeeTickets) {
            return Err(ApiError::forbidden("this token lacks the scope tickets:read"));
        }
        let TicketEventFilter { ticket_id, kinds } = filter.unwrap_or_default();
        let ticket = match ticket_id {
            Some(ticket) => Some(id::ticket(context, &ticket).await?),
            None => None,
        };
        let (service, actor) = (service(context)?.clone(), actor(context)?.clone());
        let wanted = move |event: &ticket_event::Model| {
            ticket.is_none_or(|ticket| ticket == event.ticket_id)
                && kinds.as_ref().is_none_or(|kinds| kinds.contains(&event.kind))
        };
        Ok(heard(&service, wanted).filter_map(move |event| visible_event(service.clone(), actor.clone(), event)))
    }

    /// SLA alerts as they are raised, from now on. For staff.
    async fn sla_alerts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which alerts.")] filter: Option<SlaAlertFilter>,
    ) -> Result<impl Stream<Item = Result<SlaAlert, ApiError>> + use<>, ApiError> {
        if !may(actor(context)?, Action::SeeInternals) {
            return Err(ApiError::forbidden("SLA alerts are for staff"));
        }
        let filter: Arc<[AlertCriterion]> = filter.unwrap_or_default().criteria(context).await?.into();
        let (service, actor) = (service(context)?.clone(), actor(context)?.clone());
        let wanted = |event: &ticket_event::Model| event.kind == EventKind::SlaAlertRaised;
        Ok(heard(&service, wanted)
            .filter_map(move |event| alert(service.clone(), actor.clone(), Arc::clone(&filter), event)))
    }
}

/// The wanted events from now on. A subscriber that fell behind hears so, and then the stream ends.
fn heard<Wanted>(service: &Service, wanted: Wanted) -> impl Stream<Item = Heard> + Send + use<Wanted>
where
    Wanted: Fn(&ticket_event::Model) -> bool + Send + 'static,
{
    BroadcastStream::new(service.subscribe())
        .scan(false, |has_lagged, event| {
            let ended = *has_lagged;
            *has_lagged = event.is_err();
            future::ready((!ended).then_some(event))
        })
        .filter(move |event| future::ready(event.as_ref().map_or(true, |event| wanted(event))))
}

async fn visible_event(service: Service, actor: Actor, event: Heard) -> Option<Result<TicketEvent, ApiError>> {
    let Ok(event) = event else { return Some(Err(ApiError::lagged())) };
    if !actor.is_internal() {
        let ticket: TicketId = event.ticket_id;
        match service.ticket(&actor, ticket).await {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(error) => return Some(Err(error.into())),
        }
    }
    match service.named_event(event.as_ref().clone()).await {
        Ok(event) => TicketEvent::visible(event?, actor.is_internal()).transpose(),
        Err(error) => Some(Err(error.into())),
    }
}

async fn alert(
    service: Service,
    actor: Actor,
    filter: Arc<[AlertCriterion]>,
    event: Heard,
) -> Option<Result<SlaAlert, ApiError>> {
    let Ok(event) = event else { return Some(Err(ApiError::lagged())) };
    let id = match store::events::data(&event) {
        Ok(data) => data.alert_id?,
        Err(error) => return Some(Err(error.into())),
    };
    match service.alerts_by_id(&actor, &[id]).await {
        Ok(mut alerts) => {
            let alert = alerts.remove(&id).filter(|alert| filter.iter().all(|criterion| criterion.holds(alert)));
            alert.map(|alert| Ok(SlaAlert(alert)))
        }
        Err(error) => Some(Err(error.into())),
    }
}
