//! Queries of anything with an id.

use std::{hash::Hash, str::FromStr, sync::Arc};

use async_graphql::{Context, ID, Object, dataloader::Loader};
use entity::id::{
    AttachmentId, AuditEntryId, CalendarId, ClarificationId, CommentId, CompanyId, ContactId, NoticeId, PersonId,
    SlaAlertId, SlaPolicyId, StageVisitId, TicketId, TicketSubtypeId,
};
use futures_util::future::try_join_all;

use crate::{
    domain::actor::{Action, may},
    graphql::{
        connection::LARGEST_PAGE,
        context::{actor, loaders, service},
        error::ApiError,
        loader::Loaders,
        types::{
            Node,
            attachment::Attachment,
            audit::AuditEntry,
            comment::Comment,
            directory::{Company, Contact, TicketSubtype},
            history::{EventId, TicketEvent},
            policy::{Calendar, SlaPolicy},
            sla::StageVisit,
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
        find(context, &id).await
    }

    /// Things with ids, in the order of the ids. Null where there is none that you may see.
    async fn nodes(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The opaque ids, at most 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>, ApiError> {
        if u64::try_from(ids.len()).map_or(true, |count| count > LARGEST_PAGE) {
            return Err(ApiError::bad_input(format!("ask for at most {LARGEST_PAGE} ids at a time")));
        }
        try_join_all(ids.iter().map(|id| find(context, id))).await
    }
}

/// What has the id, read in batches. A text that is no id names nothing.
async fn find(context: &Context<'_>, id: &ID) -> Result<Option<Node>, ApiError> {
    let actor = actor(context)?;
    let prefix = id.rsplit_once('_').map_or("", |(prefix, _)| prefix);
    if needed(prefix).is_some_and(|action| !may(actor, action)) {
        return Ok(None);
    }
    Ok(match prefix {
        TicketId::PREFIX => load::<TicketId>(context, id).await?.map(|ticket| Node::Ticket(ticket.into())),
        CompanyId::PREFIX => load::<CompanyId>(context, id).await?.map(|row| Node::Company(Company(row))),
        ContactId::PREFIX => load::<ContactId>(context, id).await?.map(|row| Node::Contact(Contact(row))),
        AttachmentId::PREFIX => load::<AttachmentId>(context, id).await?.map(|view| Node::Attachment(Attachment(view))),
        CommentId::PREFIX => load::<CommentId>(context, id).await?.map(|view| Node::Comment(Comment(view))),
        ClarificationId::PREFIX => {
            load::<ClarificationId>(context, id).await?.map(|row| Node::Clarification(row.into()))
        }
        TicketSubtypeId::PREFIX => load::<TicketSubtypeId>(context, id)
            .await?
            .map(|row| Node::TicketSubtype(TicketSubtype(store::tickets::subtype_from_row(row)))),
        EventId::PREFIX => match load::<EventId>(context, id).await? {
            Some(event) => {
                TicketEvent::visible(event, actor.is_internal())?.map(|event| Node::TicketEvent(Box::new(event)))
            }
            None => None,
        },
        _ if actor.is_internal() => internal(context, prefix, id).await?,
        _ => None,
    })
}

/// What one must be allowed to do to see what has ids of this kind; nothing for subtypes, which everybody can list.
fn needed(prefix: &str) -> Option<Action> {
    let action = match prefix {
        TicketSubtypeId::PREFIX => return None,
        TicketId::PREFIX | AttachmentId::PREFIX | ClarificationId::PREFIX | CommentId::PREFIX | EventId::PREFIX => {
            Action::SeeTickets
        }
        CompanyId::PREFIX | ContactId::PREFIX => Action::SeeClients,
        PersonId::PREFIX => Action::SeePeople,
        NoticeId::PREFIX => Action::SeeNotices,
        AuditEntryId::PREFIX => Action::ReadAudit,
        _ => Action::SeeInternals,
    };
    Some(action)
}

/// What only staff see by its id.
async fn internal(context: &Context<'_>, prefix: &str, id: &ID) -> Result<Option<Node>, ApiError> {
    Ok(match prefix {
        PersonId::PREFIX => load::<PersonId>(context, id).await?.map(|row| Node::Person(row.into())),
        SlaAlertId::PREFIX => load::<SlaAlertId>(context, id).await?.map(|row| Node::SlaAlert(row.into())),
        NoticeId::PREFIX => load::<NoticeId>(context, id).await?.map(|row| Node::Notice(row.into())),
        AuditEntryId::PREFIX => load::<AuditEntryId>(context, id).await?.map(|row| Node::AuditEntry(AuditEntry(row))),
        CalendarId::PREFIX => load::<CalendarId>(context, id).await?.map(|row| Node::Calendar(Calendar(row))),
        StageVisitId::PREFIX => {
            let now = service(context)?.clock().now();
            load::<StageVisitId>(context, id).await?.map(|visit| Node::StageVisit(StageVisit::read(visit, now)))
        }
        SlaPolicyId::PREFIX => load::<SlaPolicyId>(context, id)
            .await?
            .map(|(policy, calendar)| Node::SlaPolicy(SlaPolicy { policy, calendar })),
        _ => None,
    })
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
