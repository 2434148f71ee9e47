//! The query of where the log of events stands.

use async_graphql::{Context, Object};

use crate::{
    domain::actor::{Action, may},
    graphql::{
        context::{actor, begins_at},
        error::ApiError,
        event_cursor::EventCursor,
    },
};

/// The query of where the log of events stands.
#[derive(Debug, Default)]
pub struct EventQueries;

/// The query of where the log of events stands.
#[Object]
impl EventQueries {
    /// Where the log of events stood before anything else of this request was read: `ticketEvents` and `slaAlerts` with this as
    /// `after` tell everything that the request does not show yet.
    async fn event_cursor(&self, context: &Context<'_>) -> Result<String, ApiError> {
        if !may(actor(context)?, Action::SeeTickets) {
            return Err(ApiError::forbidden("this token lacks the scope tickets:read"));
        }
        let place = begins_at(context).ok_or_else(|| ApiError::not_yet("the log of events is not read yet; try again"));
        Ok(EventCursor(place?).to_string())
    }
}
