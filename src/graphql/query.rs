//! What front ends ask.

use std::{hash::Hash, str::FromStr, sync::Arc};

use async_graphql::{Context, ID, Object, SimpleObject, dataloader::Loader};
use entity::{
    id::{
        AttachmentId, CalendarId, CommentId, CompanyId, ContactId, NoticeId, PersonId, SlaAlertId, SlaPolicyId,
        TicketId, TicketSubtypeId,
    },
    vocab::{Category, Stage, Team},
};
use uuid::Uuid;

use crate::{
    domain::{actor::Actor, process, ticket::parse_key},
    graphql::{
        connection::{Listing, listing, page_request},
        context::{actor, is_internal, loaders, service},
        error::ApiError,
        filter::{NoticesFilter, OrderDirection, SlaAlertFilter, TicketFilter, TicketOrder, TicketOrderField},
        id,
        loader::Loaders,
        types::{
            Node,
            attachment::Attachment,
            comment::Comment,
            directory::{Company, Contact, Person, TicketSubtype},
            notice::Notice,
            policy::{Calendar, SlaPolicy},
            process::Process,
            sla::SlaAlert,
            ticket::Ticket,
        },
    },
    service::{
        ServiceError,
        queries::{Counted, PlacedTicket, TicketQuery},
    },
    store::{
        self,
        alerts::AlertFilter,
        criteria::{Comparison, Criterion},
        notices::NoticeFilter,
        page::{Page, Position, SortKey},
    },
};

/// The order of the board's columns.
const BY_DUE_TIME: TicketOrder = TicketOrder { field: TicketOrderField::SlaDueAt, direction: OrderDirection::Asc };
/// The order of tickets when the caller does not say: the latest first.
const LATEST_FIRST: TicketOrder = TicketOrder { field: TicketOrderField::Number, direction: OrderDirection::Desc };
const BY_NAME: &str = "name";
const BY_TIME: &str = "-time";

/// The queries.
#[derive(Debug)]
pub struct Query;

/// Who asks.
#[derive(SimpleObject)]
pub struct Viewer {
    /// The member of staff; null for a contact.
    person: Option<Person>,
    /// The contact; null for staff.
    contact: Option<Contact>,
}

/// An open stage with its tickets.
#[derive(SimpleObject)]
pub struct BoardColumn {
    /// The stage.
    stage: Stage,
    /// The team that owns it.
    owner_team: Option<Team>,
    /// How many tickets stand in it.
    count: u64,
    /// The first of them, the next due first. Go on with `tickets`, ordered by `SLA_DUE_AT` ascending.
    tickets: Listing<Ticket>,
}

/// The queries.
#[Object]
impl Query {
    /// Who you are.
    async fn viewer(&self, context: &Context<'_>) -> Result<Viewer, ApiError> {
        let loaders = loaders(context)?;
        Ok(match actor(context)? {
            Actor::Person(staff) => {
                Viewer { person: loaders.load_one(staff.id).await?.map(Person::from), contact: None }
            }
            Actor::Contact { id, .. } => Viewer { person: None, contact: loaders.load_one(*id).await?.map(Contact) },
            Actor::System => Viewer { person: None, contact: None },
        })
    }

    /// The process: stages, what each requires, transitions. Needs no token.
    async fn process(&self, context: &Context<'_>) -> Result<Process, ApiError> {
        Ok(Process { pipelines: service(context)?.pipelines().to_vec() })
    }

    /// A ticket, by its id or by its key. Null where there is none that you may see.
    async fn ticket(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The opaque id.")] id: Option<ID>,
        #[graphql(desc = "The human key, such as `L2-123`.")] key: Option<String>,
    ) -> Result<Option<Ticket>, ApiError> {
        let actor = actor(context)?;
        let service = service(context)?;
        let ticket = match (id, key) {
            (Some(id), None) => match id.parse() {
                Ok(id) => service.ticket(actor, id).await?,
                Err(_) => None,
            },
            (None, Some(key)) => match parse_key(&key) {
                Some(number) => service.ticket_by_number(actor, number).await?,
                None => None,
            },
            _ => return Err(ApiError::bad_input("give either id or key")),
        };
        Ok(ticket.map(Ticket::from))
    }

    /// Tickets, the latest first unless ordered otherwise.
    async fn tickets(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which tickets.")] filter: Option<TicketFilter>,
        #[graphql(desc = "How they are sorted.")] order_by: Option<TicketOrder>,
        #[graphql(desc = "How many, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "The cursor before the page.")] after: Option<String>,
    ) -> Result<Listing<Ticket>, ApiError> {
        let actor = actor(context)?;
        let service = service(context)?;
        let order_by = order_by.unwrap_or(LATEST_FIRST);
        if order_by.field == TicketOrderField::SlaDueAt && !actor.is_internal() {
            return Err(ApiError::bad_input("SLA_DUE_AT is for staff to sort by"));
        }
        let (sort, order, name) = order_by.read();
        let criteria = filter.unwrap_or_default().criteria(service.clock().now(), actor.is_internal())?;
        let page = page_request(name, first, after.as_deref())?;
        let has_previous = page.after.is_some();
        let counted = Counted::Tickets(criteria.clone());
        let with_clocks = actor.is_internal() && asks_for_clocks(context);
        let found = service.tickets(actor, TicketQuery { criteria, sort, order, page, with_clocks }).await?;
        Ok(tickets_listing(found, name, counted, has_previous, with_clocks))
    }

    /// Every open stage with its count and its first tickets, the next due first.
    async fn board(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many tickets of each stage, from 1 to 100; 50 by default.")] first: Option<i32>,
    ) -> Result<Vec<BoardColumn>, ApiError> {
        let (.., name) = BY_DUE_TIME.read();
        let first = page_request(name, first, None)?.first;
        let columns = service(context)?.board(actor(context)?, first).await?;
        Ok(columns
            .into_iter()
            .map(|column| {
                let counted = Counted::Tickets(vec![Criterion::Stage(Comparison::Eq(column.stage))]);
                BoardColumn {
                    stage: column.stage,
                    owner_team: process::stage(column.stage).owner,
                    count: column.count,
                    tickets: tickets_listing(column.tickets, name, counted, false, true),
                }
            })
            .collect())
    }

    /// Client companies, by name. A contact sees their own.
    async fn companies(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "The cursor before the page.")] after: Option<String>,
    ) -> Result<Listing<Company>, ApiError> {
        let page = page_request(BY_NAME, first, after.as_deref())?;
        let has_previous = page.after.is_some();
        let found = service(context)?.companies(actor(context)?, page).await?;
        Ok(listing(found, BY_NAME, Counted::Companies, has_previous, |row| {
            (by_name(&row.name, row.id.0), Company(row))
        }))
    }

    /// Clients' people, by name. A contact sees those of their own company.
    async fn contacts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of this company only.")] company_id: Option<ID>,
        #[graphql(desc = "How many, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "The cursor before the page.")] after: Option<String>,
    ) -> Result<Listing<Contact>, ApiError> {
        let company: Option<CompanyId> = company_id.map(|id| id::parse_reference(&id));
        let page = page_request(BY_NAME, first, after.as_deref())?;
        let has_previous = page.after.is_some();
        let found = service(context)?.contacts(actor(context)?, company, page).await?;
        Ok(listing(found, BY_NAME, Counted::Contacts(company), has_previous, |row| {
            (by_name(&row.name, row.id.0), Contact(row))
        }))
    }

    /// Staff, by name. For staff.
    async fn people(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "The cursor before the page.")] after: Option<String>,
    ) -> Result<Listing<Person>, ApiError> {
        let page = page_request(BY_NAME, first, after.as_deref())?;
        let has_previous = page.after.is_some();
        let found = service(context)?.people(actor(context)?, page).await?;
        Ok(listing(found, BY_NAME, Counted::People, has_previous, |row| {
            (by_name(&row.person.name, row.person.id.0), Person::from(row))
        }))
    }

    /// The subtypes of each category.
    async fn ticket_subtypes(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of this category only.")] category: Option<Category>,
        #[graphql(desc = "Archived ones too.", default)] include_archived: bool,
    ) -> Result<Vec<TicketSubtype>, ApiError> {
        actor(context)?;
        let rows = service(context)?.ticket_subtypes(category, include_archived).await?;
        Ok(rows.into_iter().map(|row| TicketSubtype(store::tickets::subtype_from_row(row))).collect())
    }

    /// The SLA policy of each stage, in the order of the process. For staff.
    async fn sla_policies(&self, context: &Context<'_>) -> Result<Vec<SlaPolicy>, ApiError> {
        let rows = service(context)?.sla_policies(actor(context)?).await?;
        Ok(rows.into_iter().map(|(policy, calendar)| SlaPolicy { policy, calendar }).collect())
    }

    /// The working calendars, by name. For staff.
    async fn calendars(&self, context: &Context<'_>) -> Result<Vec<Calendar>, ApiError> {
        Ok(service(context)?.calendars(actor(context)?).await?.into_iter().map(Calendar).collect())
    }

    /// SLA alerts, the latest first. For staff.
    async fn sla_alerts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which alerts.")] filter: Option<SlaAlertFilter>,
        #[graphql(desc = "How many, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "The cursor before the page.")] after: Option<String>,
    ) -> Result<Listing<SlaAlert>, ApiError> {
        let filter = AlertFilter::from(filter.unwrap_or_default());
        let page = page_request(BY_TIME, first, after.as_deref())?;
        let has_previous = page.after.is_some();
        let found = service(context)?.alerts(actor(context)?, &filter, page).await?;
        Ok(listing(found, BY_TIME, Counted::Alerts(filter), has_previous, |row| {
            (Position { key: SortKey::Instant(row.detected_at), id: row.id.0 }, SlaAlert(row))
        }))
    }

    /// The ledger of mails, the latest first. For staff.
    async fn notices(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which notices.")] filter: Option<NoticesFilter>,
        #[graphql(desc = "How many, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "The cursor before the page.")] after: Option<String>,
    ) -> Result<Listing<Notice>, ApiError> {
        let filter = NoticeFilter::from(filter.unwrap_or_default());
        let page = page_request(BY_TIME, first, after.as_deref())?;
        let has_previous = page.after.is_some();
        let found = service(context)?.notices(actor(context)?, &filter, page).await?;
        Ok(listing(found, BY_TIME, Counted::Notices(filter), has_previous, |row| {
            (Position { key: SortKey::Instant(row.row.created_at), id: row.row.id.0 }, Notice::from(row))
        }))
    }

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
            AttachmentId::PREFIX => {
                Ok(load::<AttachmentId>(context, &id).await?.map(|view| Node::Attachment(Attachment(view))))
            }
            CommentId::PREFIX => Ok(load::<CommentId>(context, &id).await?.map(|view| Node::Comment(Comment(view)))),
            TicketSubtypeId::PREFIX => subtype_node(context, &id).await,
            _ if is_internal => internal_node(context, prefix, &id).await,
            _ => Ok(None),
        }
    }
}

/// Whether a list of tickets is asked for their clocks, which are then read with it.
fn asks_for_clocks(context: &Context<'_>) -> bool {
    let ahead = context.look_ahead();
    ahead.field("nodes").field("sla").exists() || ahead.field("edges").field("node").field("sla").exists()
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

fn by_name(name: &str, id: Uuid) -> Position {
    Position { key: SortKey::Text(name.to_owned()), id }
}

fn tickets_listing(
    page: Page<PlacedTicket>,
    order: &'static str,
    counted: Counted,
    has_previous: bool,
    with_clocks: bool,
) -> Listing<Ticket> {
    listing(page, order, counted, has_previous, |placed| {
        let PlacedTicket { view, visit, position } = placed;
        (position, if with_clocks { Ticket::with_visit(view, visit) } else { Ticket::from(view) })
    })
}
