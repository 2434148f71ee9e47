//! The opaque ids of the API. A ticket can be named by its key as well, wherever its id is asked for.

use std::str::FromStr;

use async_graphql::{Context, ID};
use entity::id::TicketId;
use uuid::Uuid;

use crate::{
    domain::ticket::parse_key,
    graphql::{
        context::{actor, service},
        error::ApiError,
    },
};

/// Reads an id that an input refers to. A text that is no such id becomes the id of nothing, which the service refuses with
/// the field that it stands in.
pub fn parse_reference<Id: FromStr + From<Uuid>>(id: &ID) -> Id {
    id.parse().unwrap_or_else(|_| Uuid::nil().into())
}

/// The ticket that an id or a key such as `L2-123` names; a text that is neither names nothing, as an unknown id does.
pub async fn ticket(context: &Context<'_>, id: &ID) -> Result<TicketId, ApiError> {
    let Some(number) = parse_key(id) else { return Ok(parse_reference(id)) };
    let ticket = service(context)?.ticket_by_number(actor(context)?, number).await?;
    ticket.map(|view| view.ticket.id).ok_or_else(|| ApiError::not_found("ticket"))
}
