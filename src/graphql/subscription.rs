//! What subscribers hear: what they missed, then what happens. Rights are checked for each event.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Subscription as Subscribable};
use entity::vocab::EventKind;
use futures_util::{Stream, StreamExt, future, stream};

use crate::{
    domain::actor::{Action, may},
    graphql::{
        admission::Toll,
        context::{actor, begins_at, service, session, toll},
        error::ApiError,
        event_cursor::EventCursor,
        filter::SlaAlertFilter,
        id,
        types::{history::TicketEvent, sla::SlaAlert},
    },
    service::feed::{Heard, Lost, Subscriber, Why},
    store::{alerts::AlertCriterion, criteria::Comparison, event_log::LogFilter},
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

/// The subscriptions. Each event is told once, in order, with its `cursor`; a subscription that ends can go on from the last one.
#[Subscribable]
impl Subscription {
    /// What happens to tickets that you may see: everything after `after`, or from now on.
    async fn ticket_events(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "Tell first what happened after this: the `cursor` of the last event that you heard, or `eventCursor`."
        )]
        after: Option<String>,
        #[graphql(desc = "Which events.")] filter: Option<TicketEventFilter>,
    ) -> Result<impl Stream<Item = Result<TicketEvent, ApiError>> + use<>, ApiError> {
        if !may(actor(context)?, Action::SeeTickets) {
            return Err(ApiError::forbidden("this token lacks the scope tickets:read"));
        }
        let is_internal = actor(context)?.is_internal();
        let TicketEventFilter { ticket_id, kinds } = filter.unwrap_or_default();
        let ticket = match ticket_id {
            Some(ticket) => Some(id::ticket(context, &ticket).await?),
            None => None,
        };
        let filter = LogFilter { ticket, kinds, for_client: !is_internal, ..LogFilter::default() };
        let subscriber = subscribe(context, after, filter).await?;
        Ok(told(subscriber, toll(context)?, move |heard| TicketEvent::of_event(&heard, is_internal)))
    }

    /// SLA alerts as they are raised: everything after `after`, or from now on. For staff.
    async fn sla_alerts(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "Tell first what was raised after this: the `cursor` of the last alert that you heard, or `eventCursor`."
        )]
        after: Option<String>,
        #[graphql(desc = "Which alerts.")] filter: Option<SlaAlertFilter>,
    ) -> Result<impl Stream<Item = Result<SlaAlert, ApiError>> + use<>, ApiError> {
        if !may(actor(context)?, Action::SeeInternals) {
            return Err(ApiError::forbidden("SLA alerts are for staff"));
        }
        let criteria = filter.unwrap_or_default().criteria(context).await?;
        let ticket = criteria.iter().find_map(|criterion| match criterion {
            AlertCriterion::Ticket(Comparison::Eq(ticket)) => Some(*ticket),
            _ => None,
        });
        let kinds = Some(vec![EventKind::SlaAlertRaised]);
        let subscriber = subscribe(context, after, LogFilter { ticket, kinds, ..LogFilter::default() }).await?;
        Ok(told(subscriber, toll(context)?, move |heard| {
            let wanted = |alert: &SlaAlert| criteria.iter().all(|criterion| criterion.holds(alert.row()));
            Ok(SlaAlert::of_event(heard).filter(wanted))
        }))
    }
}

async fn subscribe(context: &Context<'_>, after: Option<String>, filter: LogFilter) -> Result<Subscriber, ApiError> {
    let session = session(context)?;
    let from = match after {
        Some(cursor) => Some(EventCursor::read("after", &cursor)?.0),
        None => begins_at(context),
    };
    let filter = LogFilter { scope: session.actor.company_scope(), ..filter };
    Ok(service(context)?.subscribe(session.clone(), from, filter).await?)
}

/// What a subscriber is told of what it hears. When it hears no more, the last thing says why, and from where to go on.
fn told<T>(
    subscriber: Subscriber,
    toll: Toll,
    tell: impl Fn(Arc<Heard>) -> Result<Option<T>, ApiError> + Send + 'static,
) -> impl Stream<Item = Result<T, ApiError>> {
    let heard = stream::unfold(Some((subscriber, toll)), |hearing| async {
        let (mut subscriber, toll) = hearing?;
        subscriber.came_back();
        toll.pay().await;
        match subscriber.next().await {
            Ok(heard) => Some((Ok(heard), Some((subscriber, toll)))),
            Err(lost) => Some((Err(ended(lost)), None)),
        }
    });
    heard.filter_map(move |heard| future::ready(heard.and_then(&tell).transpose()))
}

fn ended(lost: Lost) -> ApiError {
    let error = match lost.why {
        Why::TooSlow => ApiError::lagged(),
        Why::RightsChanged => ApiError::rights_changed(),
        Why::Failed(error) => error.into(),
    };
    error.resumable(lost.position.map(|place| EventCursor(place).to_string()))
}
