//! Queries of tickets.

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::vocab::{Stage, Team};

use crate::{
    domain::{process, ticket::parse_key},
    graphql::{
        connection::{Listing, listing, page_request},
        context::{actor, service},
        error::ApiError,
        filter::{OrderDirection, TicketFilter, TicketOrder, TicketOrderField},
        types::ticket::Ticket,
    },
    service::queries::{Counted, PlacedTicket, TicketQuery},
    store::{
        criteria::{Comparison, Criterion},
        page::Page,
    },
};

/// The order of the board's columns.
const BY_DUE_TIME: TicketOrder = TicketOrder { field: TicketOrderField::SlaDueAt, direction: OrderDirection::Asc };
/// The order of tickets when the caller does not say: the latest first.
const LATEST_FIRST: TicketOrder = TicketOrder { field: TicketOrderField::Number, direction: OrderDirection::Desc };

/// Queries of tickets.
#[derive(Debug, Default)]
pub struct TicketQueries;

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

/// Queries of tickets.
#[Object]
impl TicketQueries {
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
}

/// Whether a list of tickets is asked for their clocks, which are then read with it.
fn asks_for_clocks(context: &Context<'_>) -> bool {
    let ahead = context.look_ahead();
    ahead.field("nodes").field("sla").exists() || ahead.field("edges").field("node").field("sla").exists()
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
