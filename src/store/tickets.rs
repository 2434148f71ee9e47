//! Tickets: one row joined with its company, contact, subtype and assignee.

use std::collections::HashMap;

use ::entity::{
    company, contact, counter,
    id::{CompanyId, TicketId},
    person, stage_visit, ticket,
    ticket::{DeEscalationReasons, Sentences},
    ticket_subtype,
    vocab::Stage,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, ExprTrait, IntoActiveModel,
    IntoSimpleExpr, JoinType, QueryFilter, QueryOrder, QuerySelect, QueryTrait, RelationDef, RelationTrait, Select,
    SelectFive, Statement, TopologyStar,
    sea_query::{Expr, LockType},
};

use crate::{
    domain::{
        facts::{Facts, Subtype},
        process::OPEN,
        ticket::{Assignee, Company, Contact, Ticket},
    },
    store::{
        Result, StoreError,
        criteria::Criterion,
        page::{Keyset, Page, Window},
        ticket_order::TicketOrder,
    },
};

/// Which tickets a caller asks for; what is absent does not restrict.
#[derive(Clone, Debug, Default)]
pub struct TicketFilter {
    /// Only this company's: the scope of a contact.
    pub scope: Option<CompanyId>,
    /// What the caller asks for; all of it must hold.
    pub criteria: Vec<Criterion>,
}

type Joined =
    SelectFive<ticket::Entity, company::Entity, contact::Entity, ticket_subtype::Entity, person::Entity, TopologyStar>;
type Row = (
    ticket::Model,
    Option<company::Model>,
    Option<contact::Model>,
    Option<ticket_subtype::Model>,
    Option<person::Model>,
);

fn joined(selection: Select<ticket::Entity>) -> Joined {
    selection
        .find_also_related(company::Entity)
        .find_also(ticket::Entity, contact::Entity)
        .find_also(ticket::Entity, ticket_subtype::Entity)
        .find_also(ticket::Entity, person::Entity)
}

/// A ticket with the rows that it was joined with, so that front ends need not ask for them again.
#[derive(Clone, Debug)]
pub struct TicketView {
    pub ticket: Ticket,
    pub company: company::Model,
    pub contact: contact::Model,
    pub assignee: Option<person::Model>,
}

/// The ticket with this id, if the scope contains it.
pub async fn find(db: &impl ConnectionTrait, scope: Option<CompanyId>, id: TicketId) -> Result<Option<TicketView>> {
    let selection = ticket::Entity::visible_to(scope).filter(ticket::COLUMN.id.eq(id));
    joined(selection).one(db).await?.map(from_row).transpose()
}

/// The ticket with this number, if the scope contains it.
pub async fn find_by_number(
    db: &impl ConnectionTrait,
    scope: Option<CompanyId>,
    number: i64,
) -> Result<Option<TicketView>> {
    let selection = ticket::Entity::visible_to(scope).filter(ticket::COLUMN.number.eq(number));
    joined(selection).one(db).await?.map(from_row).transpose()
}

/// Some tickets, by id.
pub async fn find_many(
    db: &impl ConnectionTrait,
    scope: Option<CompanyId>,
    ids: &[TicketId],
) -> Result<HashMap<TicketId, TicketView>> {
    let selection = ticket::Entity::visible_to(scope).filter(ticket::COLUMN.id.is_in(ids.iter().copied()));
    let rows = joined(selection).all(db).await?;
    rows.into_iter().map(|row| from_row(row).map(|view| (view.ticket.id, view))).collect()
}

/// The ticket, held until the transaction ends. On SQLite the transaction itself holds the whole database.
///
/// `NO KEY UPDATE` lets the SLA scan, which holds a visit of the ticket, write rows that reference it meanwhile.
pub async fn lock(db: &impl ConnectionTrait, scope: Option<CompanyId>, id: TicketId) -> Result<Option<Ticket>> {
    if db.get_database_backend() == DbBackend::Postgres {
        let row = ticket::Entity::find_by_id(id).select_only().column(ticket::Column::Id);
        row.lock(LockType::NoKeyUpdate).into_tuple::<TicketId>().one(db).await?;
    }
    Ok(find(db, scope, id).await?.map(|view| view.ticket))
}

/// A page of tickets.
pub async fn page(
    db: &impl ConnectionTrait,
    filter: &TicketFilter,
    orders: &[TicketOrder],
    window: Window,
) -> Result<Page<TicketView>> {
    let id = Expr::col((ticket::Entity, ticket::Column::Id));
    let keyset = Keyset { sortings: orders.iter().map(TicketOrder::sorting).collect(), id, window };
    let selection = selection(db, filter);
    let rows = keyset.apply(joined(selection.clone())).all(db).await?;
    let tickets = rows.into_iter().map(from_row).collect::<Result<Vec<_>>>()?;
    keyset.page(db, selection, tickets).await
}

/// How many tickets the filter finds.
pub async fn count(db: &impl ConnectionTrait, filter: &TicketFilter) -> Result<u64> {
    super::page::count(db, selection(db, filter)).await
}

/// How many tickets stand in each stage.
pub async fn count_by_stage(db: &impl ConnectionTrait, filter: &TicketFilter) -> Result<HashMap<Stage, u64>> {
    let counts = selection(db, filter)
        .select_only()
        .column(ticket::Column::Stage)
        .column_as(ticket::COLUMN.id.count(), "count")
        .group_by(ticket::Column::Stage)
        .into_tuple::<(Stage, i64)>()
        .all(db)
        .await?;
    Ok(counts.into_iter().map(|(stage, count)| (stage, u64::try_from(count).unwrap_or(0))).collect())
}

/// Lets retries of one filing come one after the other: the second finds the ticket that the first made.
pub async fn lock_id(db: &impl ConnectionTrait, TicketId(id): TicketId) -> Result<()> {
    if db.get_database_backend() == DbBackend::Postgres {
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0))";
        let lock = Statement::from_sql_and_values(DbBackend::Postgres, sql, [id.into()]);
        db.query_one_raw(lock).await?;
    }
    Ok(())
}

/// The next number of a human key. One may be left out where a filing fails after it took one.
pub async fn next_number(db: &impl ConnectionTrait) -> Result<i64> {
    if db.get_database_backend() == DbBackend::Postgres {
        let next = Statement::from_string(DbBackend::Postgres, "SELECT nextval('ticket_number')");
        let row = db.query_one_raw(next).await?.ok_or_else(|| DbErr::RecordNotFound("a ticket number".to_owned()))?;
        return Ok(row.try_get_by_index(0)?);
    }
    let counters = counter::Entity::update_many()
        .col_expr(counter::Column::Value, Expr::col(counter::Column::Value).add(1))
        .filter(counter::COLUMN.name.eq("ticket"))
        .exec_with_returning(db)
        .await?;
    let missing = || StoreError::Statement(DbErr::RecordNotFound("the ticket counter is missing".to_owned()));
    counters.first().map(|counter| counter.value).ok_or_else(missing)
}

/// Stores a new ticket.
pub async fn insert(db: &impl ConnectionTrait, ticket: &Ticket) -> Result<()> {
    ticket::Entity::insert(to_row(ticket).into_active_model()).exec_without_returning(db).await?;
    Ok(())
}

/// Stores a changed ticket and counts its version up.
///
/// # Errors
/// `Stale` when the stored version is not the one it was made from.
pub async fn save(db: &impl ConnectionTrait, ticket: &mut Ticket) -> Result<()> {
    let read_version = ticket.version;
    let row = ticket::Model { version: read_version + 1, ..to_row(ticket) };
    let result = ticket::Entity::update_many()
        .set(row.into_active_model().reset_all())
        .filter(ticket::COLUMN.id.eq(ticket.id))
        .filter(ticket::COLUMN.version.eq(read_version))
        .exec(db)
        .await?;
    if result.rows_affected != 1 {
        return Err(StoreError::Stale);
    }
    ticket.version = read_version + 1;
    Ok(())
}

fn selection(db: &impl ConnectionTrait, filter: &TicketFilter) -> Select<ticket::Entity> {
    let backend = db.get_database_backend();
    let selection = ticket::Entity::visible_to(filter.scope).join(JoinType::LeftJoin, open_visit());
    filter.criteria.iter().fold(selection, |selection, criterion| selection.filter(criterion.condition(backend)))
}

/// Those of rows about tickets whose ticket the scope contains.
pub(super) fn of_tickets_in<E: EntityTrait>(
    rows: Select<E>,
    ticket: impl ColumnTrait,
    scope: Option<CompanyId>,
) -> Select<E> {
    if scope.is_none() {
        return rows;
    }
    let visible = ticket::Entity::visible_to(scope).select_only().column(ticket::Column::Id).into_query();
    rows.filter(ticket.into_simple_expr().in_subquery(visible))
}

/// The visit that a ticket has not left; none for one that is closed.
fn open_visit() -> RelationDef {
    stage_visit::Relation::Ticket
        .def()
        .rev()
        .on_condition(|_, visit| Expr::col((visit, stage_visit::Column::LeftAt)).is_null().into())
}

fn from_row((row, company, contact, subtype, assignee): Row) -> Result<TicketView> {
    let (Some(company), Some(contact), Some(subtype)) = (company, contact, subtype) else {
        return Err(StoreError::corrupt("ticket", "its company, contact or subtype is missing"));
    };
    let facts = Facts {
        subject: row.subject,
        description: row.description,
        category: row.category,
        subtype: subtype_from_row(subtype),
        severity: row.severity,
        acceptance_criteria: row.acceptance_criteria,
        target_url: row.target_url,
        steps_to_reproduce: row.steps_to_reproduce,
        ops_can_reproduce: row.ops_can_reproduce,
        affects_other_clients: row.affects_other_clients,
        client_target_date: row.client_target_date,
        platform: row.platform,
        browser: row.browser,
        operating_system: row.operating_system,
        app_version: row.app_version,
        workaround: row.workaround,
        estimated_delivery_date: row.estimated_delivery_date,
        priority: row.priority,
        pull_request: row.pull_request,
        pull_request_merged_at: row.pull_request_merged_at,
        resolution_notes: row.resolution_notes,
    };
    let ticket = Ticket {
        id: row.id,
        number: row.number,
        version: row.version,
        source: row.source,
        level_one_reference: row.level_one_reference,
        company: Company { id: company.id, name: company.name.clone(), tier: company.tier },
        contact: Contact {
            id: contact.id,
            name: contact.name.clone(),
            email: contact.email.clone(),
            locale: contact.locale.clone(),
            time_zone: contact.time_zone.clone(),
        },
        assignee: assignee.as_ref().map(|person| Assignee { id: person.id, name: person.name.clone() }),
        created_by_kind: row.created_by_kind,
        created_by_id: row.created_by_id,
        stage: row.stage,
        closed_from: row.closed_from,
        closed_at: row.closed_at,
        first_resolved_at: row.first_resolved_at,
        transferred_to: row.transferred_to,
        de_escalation_count: row.de_escalation_count,
        de_escalation_reasons: row.de_escalation_reasons.unwrap_or_default().0,
        proposed_priority: row.proposed_priority,
        proposed_priority_reasons: row.proposed_priority_reasons.unwrap_or_default().0,
        promised_delivery_date: row.promised_delivery_date,
        first_promised_date: row.first_promised_date,
        delivered_on: row.delivered_on,
        facts,
        created_at: row.created_at,
        updated_at: row.updated_at,
    };
    Ok(TicketView { ticket, company, contact, assignee })
}

/// A subtype's row, as the rules see it.
pub fn subtype_from_row(row: ticket_subtype::Model) -> Subtype {
    Subtype { id: row.id, category: row.category, name: row.name, archived: row.archived_at.is_some() }
}

fn to_row(ticket: &Ticket) -> ticket::Model {
    let facts = ticket.facts.clone();
    ticket::Model {
        id: ticket.id,
        number: ticket.number,
        version: ticket.version,
        source: ticket.source,
        level_one_reference: ticket.level_one_reference.clone(),
        company_id: ticket.company.id,
        contact_id: ticket.contact.id,
        assignee_id: ticket.assignee.as_ref().map(|person| person.id),
        created_by_kind: ticket.created_by_kind,
        created_by_id: ticket.created_by_id,
        stage: ticket.stage,
        closed_from: ticket.closed_from,
        closed_at: ticket.closed_at,
        first_resolved_at: ticket.first_resolved_at,
        transferred_to: ticket.transferred_to.clone(),
        de_escalation_count: ticket.de_escalation_count,
        de_escalation_reasons: Some(DeEscalationReasons(ticket.de_escalation_reasons.clone())),
        proposed_priority: ticket.proposed_priority,
        proposed_priority_reasons: Some(Sentences(ticket.proposed_priority_reasons.clone())),
        promised_delivery_date: ticket.promised_delivery_date,
        first_promised_date: ticket.first_promised_date,
        delivered_on: ticket.delivered_on,
        subject: facts.subject,
        description: facts.description,
        category: facts.category,
        subtype_id: facts.subtype.id,
        severity: facts.severity,
        acceptance_criteria: facts.acceptance_criteria,
        target_url: facts.target_url,
        steps_to_reproduce: facts.steps_to_reproduce,
        ops_can_reproduce: facts.ops_can_reproduce,
        affects_other_clients: facts.affects_other_clients,
        client_target_date: facts.client_target_date,
        platform: facts.platform,
        browser: facts.browser,
        operating_system: facts.operating_system,
        app_version: facts.app_version,
        workaround: facts.workaround,
        estimated_delivery_date: facts.estimated_delivery_date,
        priority: facts.priority,
        pull_request: facts.pull_request,
        pull_request_merged_at: facts.pull_request_merged_at,
        resolution_notes: facts.resolution_notes,
        created_at: ticket.created_at,
        updated_at: ticket.updated_at,
    }
}

/// The ids and numbers of the first tickets after a number, in order; of the open ones only where that is asked.
pub async fn numbers_after(
    db: &impl ConnectionTrait,
    number: i64,
    only_open: bool,
    limit: u64,
) -> Result<Vec<(TicketId, i64)>> {
    let mut selection = ticket::Entity::find()
        .select_only()
        .column(ticket::Column::Id)
        .column(ticket::Column::Number)
        .filter(ticket::COLUMN.number.gt(number))
        .order_by_asc(ticket::Column::Number)
        .limit(limit);
    if only_open {
        selection = selection.filter(ticket::COLUMN.stage.is_in(OPEN));
    }
    Ok(selection.into_tuple().all(db).await?)
}
