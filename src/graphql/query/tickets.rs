//! Queries of tickets.

use async_graphql::{ComplexObject, Context, ID, Object, OneofObject, SimpleObject};
use entity::vocab::{Stage, Team};

use crate::{
    domain::{process, search::Search, ticket::parse_key},
    graphql::{
        connection::{ListOrder, Listing, Paging, listing},
        context::{actor, is_internal, service},
        error::ApiError,
        filter::{TicketFilter, TicketOrder, read_orders},
        types::ticket::Ticket,
    },
    service::queries::{Counted, PlacedTicket, TicketQuery},
    store::{
        criteria::{Comparison, Criterion},
        page::Page,
    },
};

/// Characters of a search: more than anybody types.
const SEARCH_LIMIT: usize = 200;

/// Queries of tickets.
#[derive(Debug, Default)]
pub struct TicketQueries;

/// What names a ticket: exactly one of these.
#[derive(Debug, OneofObject)]
enum TicketByInput {
    /// The opaque id.
    Id(ID),
    /// The human key, such as `L2-123`, in any case.
    Key(String),
}

/// An open stage with its tickets.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct BoardColumn {
    /// The stage.
    stage: Stage,
    /// The team that owns it.
    owner_team: Option<Team>,
    /// How many tickets stand in it.
    count: u64,
}

/// An open stage with its tickets.
#[ComplexObject]
impl BoardColumn {
    /// Its tickets, the next due first. `tickets`, filtered by the stage and ordered by `SLA_DUE_AT`, has the same cursors.
    async fn tickets(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many of the first, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many of the last, from 1 to 100, instead of `first`.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Listing<Ticket>, ApiError> {
        let criteria = vec![Criterion::Stage(Comparison::Eq(self.stage))];
        page_of_tickets(context, criteria, &[TicketOrder::BY_DUE_TIME], &Paging { first, after, last, before }).await
    }
}

/// Queries of tickets.
#[Object]
impl TicketQueries {
    /// A ticket, by its id or by its key. Null where there is none that you may see.
    async fn ticket(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which ticket.")] by: Option<TicketByInput>,
        #[graphql(desc = "The opaque id.", deprecation = "Use by { id }. Removed on 2027-06-01.")] id: Option<ID>,
        #[graphql(desc = "The human key.", deprecation = "Use by { key }. Removed on 2027-06-01.")] key: Option<String>,
    ) -> Result<Option<Ticket>, ApiError> {
        let actor = actor(context)?;
        let service = service(context)?;
        let ticket = match (by, id.map(TicketByInput::Id), key.map(TicketByInput::Key)) {
            (Some(by), None, None) | (None, Some(by), None) | (None, None, Some(by)) => by,
            _ => return Err(ApiError::bad_input("say which ticket, once: by { id } or by { key }")),
        };
        let ticket = match ticket {
            TicketByInput::Id(id) => match id.parse() {
                Ok(id) => service.ticket(actor, id).await?,
                Err(_) => None,
            },
            TicketByInput::Key(key) => match parse_key(&key) {
                Some(number) => service.ticket_by_number(actor, number).await?,
                None => None,
            },
        };
        Ok(ticket.map(Ticket::from))
    }

    /// Tickets, the latest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection, a filter, an order and a search")]
    async fn tickets(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which tickets.")] filter: Option<TicketFilter>,
        #[graphql(
            desc = "Words of the subject, the description, the steps to reproduce or a comment, all of which must be \
                          there, or a key. The last word may be the beginning of one."
        )]
        search: Option<String>,
        #[graphql(desc = "How they are sorted: by up to three fields, the first first.")] order_by: Option<
            Vec<TicketOrder>,
        >,
        #[graphql(desc = "How many of the first, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many of the last, from 1 to 100, instead of `first`.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Listing<Ticket>, ApiError> {
        let is_internal = is_internal(context)?;
        let mut criteria = filter.unwrap_or_default().criteria(service(context)?.clock().now(), is_internal)?;
        if let Some(text) = search.filter(|text| !text.trim().is_empty()) {
            if text.chars().count() > SEARCH_LIMIT {
                return Err(ApiError::bad_input(format!("a search has at most {SEARCH_LIMIT} characters")));
            }
            let within = actor(context)?.company_scope();
            criteria.push(Criterion::Found { search: Search::parse(&text), within });
        }
        let paging = Paging { first, after, last, before };
        page_of_tickets(context, criteria, &order_by.unwrap_or_default(), &paging).await
    }

    /// Every open stage with its count and its tickets. For staff.
    async fn board(&self, context: &Context<'_>) -> Result<Vec<BoardColumn>, ApiError> {
        let stages = service(context)?.board(actor(context)?).await?;
        let column = |(stage, count)| BoardColumn { stage, owner_team: process::stage(stage).owner, count };
        Ok(stages.into_iter().map(column).collect())
    }
}

/// A page of the tickets that meet the criteria, with their clocks where those are asked for.
async fn page_of_tickets(
    context: &Context<'_>,
    criteria: Vec<Criterion>,
    orders: &[TicketOrder],
    paging: &Paging,
) -> Result<Listing<Ticket>, ApiError> {
    let actor = actor(context)?;
    let (orders, order) = read_orders(orders, actor.is_internal())?;
    let window = paging.window(context, &order)?;
    let counted = Counted::Tickets(criteria.clone());
    let with_clocks = actor.is_internal() && asks_for_clocks(context);
    let query = TicketQuery { criteria, orders, window, with_clocks };
    let found = service(context)?.tickets(actor, query).await?;
    Ok(tickets_listing(found, &order, counted, with_clocks))
}

/// Whether a list of tickets is asked for their clocks, which are then read with it.
fn asks_for_clocks(context: &Context<'_>) -> bool {
    let ahead = context.look_ahead();
    ahead.field("nodes").field("sla").exists() || ahead.field("edges").field("node").field("sla").exists()
}

fn tickets_listing(
    page: Page<PlacedTicket>,
    order: &ListOrder,
    counted: Counted,
    with_clocks: bool,
) -> Listing<Ticket> {
    listing(page, order, counted, |placed| {
        let PlacedTicket { view, visit, position } = placed;
        (position, if with_clocks { Ticket::with_visit(view, visit) } else { Ticket::from(view) })
    })
}
