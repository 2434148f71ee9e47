//! Queries of anything with an id.

use std::{hash::Hash, str::FromStr, sync::Arc};

use async_graphql::{Context, ID, Object, dataloader::Loader};
use entity::id::{
    CalendarId, CompanyId, ContactId, NoticeId, PersonId, SlaAlertId, SlaPolicyId, TicketId, TicketSubtypeId,
};

use crate::{
    graphql::{
        context::{actor, is_internal, loaders, service},
        error::ApiError,
        id,
        loader::Loaders,
        types::{
            Node,
            directory::{Company, Contact, TicketSubtype},
            policy::{Calendar, SlaPolicy},
            sla::SlaAlert,
        },
    },
    service::ServiceError,
    store,
};

/// Queries of anything with an id.
#[derive(Debug, Default)]
pub struct NodeQueries;

/// Queries of anything with an id.
#[Object]
impl NodeQueries {
    /// Anything with an id. Null where there is none that you may see.
    async fn node(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The opaque id.")] id: ID,
    ) -> Result<Option<Node>, ApiError> {
        let is_internal = is_internal(context)?;
        let prefix = id.rsplit_once('_').map_or("", |(prefix, _)| prefix);
        match prefix {
            TicketId::PREFIX => Ok(load::<TicketId>(context, &id).await?.map(|ticket| Node::Ticket(ticket.into()))),
            CompanyId::PREFIX => Ok(load::<CompanyId>(context, &id).await?.map(|row| Node::Company(Company(row)))),
            ContactId::PREFIX => Ok(load::<ContactId>(context, &id).await?.map(|row| Node::Contact(Contact(row)))),
            TicketSubtypeId::PREFIX => subtype_node(context, &id).await,
            _ if is_internal => internal_node(context, prefix, &id).await,
            _ => Ok(None),
        }
    }
}

/// What only staff see by its id.
async fn internal_node(context: &Context<'_>, prefix: &str, id: &ID) -> Result<Option<Node>, ApiError> {
    let (service, actor) = (service(context)?, actor(context)?);
    Ok(match prefix {
        PersonId::PREFIX => load::<PersonId>(context, id).await?.map(|row| Node::Person(row.into())),
        SlaAlertId::PREFIX => load::<SlaAlertId>(context, id).await?.map(|row| Node::SlaAlert(SlaAlert(row))),
        NoticeId::PREFIX => match id.parse() {
            Ok(id) => service.notice(actor, id).await?.map(|row| Node::Notice(row.into())),
            Err(_) => None,
        },
        CalendarId::PREFIX => match id.parse() {
            Ok(id) => service.calendar(actor, id).await?.map(|row| Node::Calendar(Calendar(row))),
            Err(_) => None,
        },
        SlaPolicyId::PREFIX => {
            let wanted: SlaPolicyId = id::parse_reference(id);
            let policies = service.sla_policies(actor).await?.into_iter();
            policies
                .map(|(policy, calendar)| SlaPolicy { policy, calendar })
                .find(|found| found.policy.id == wanted)
                .map(Node::SlaPolicy)
        }
        _ => None,
    })
}

async fn subtype_node(context: &Context<'_>, id: &ID) -> Result<Option<Node>, ApiError> {
    let Ok(id) = id.parse() else { return Ok(None) };
    let row = service(context)?.ticket_subtype(id).await?;
    Ok(row.map(|row| Node::TicketSubtype(TicketSubtype(store::tickets::subtype_from_row(row)))))
}

/// What a loader finds for the id; a text that is no such id names nothing.
async fn load<K>(context: &Context<'_>, id: &ID) -> Result<Option<<Loaders as Loader<K>>::Value>, ApiError>
where
    K: FromStr + Clone + Eq + Hash + Send + Sync + 'static,
    Loaders: Loader<K, Error = Arc<ServiceError>>,
{
    match id.parse::<K>() {
        Ok(key) => Ok(loaders(context)?.load_one(key).await?),
        Err(_) => Ok(None),
    }
}
