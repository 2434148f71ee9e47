//! Notices: those that wait, and the ledger of those that were told. Sending them is `store::outbox`.

use std::collections::HashMap;

use ::entity::{
    clarification, comment,
    id::{ClarificationId, CommentId, ContactId, NoticeId, PersonId, SlaAlertId, StageVisitId, TicketId},
    notice, stage_visit, ticket,
    vocab::{NoticeKind, NoticeState, Stage},
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, IntoSimpleExpr, JoinType, Order,
    QueryFilter, QueryOrder, QuerySelect, RelationTrait, Select,
    sea_query::{Expr, LockType, OnConflict},
};

use crate::{
    domain::{
        notice::{NoticeContent, VisitState},
        process::OPEN,
    },
    store::{
        ROWS, Result, StoreError,
        criteria::{Comparison, compare},
        page::{Keyset, Page, Window, fetch},
    },
};

/// One thing that a caller asks of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeCriterion {
    Ticket(Comparison<TicketId>),
    State(Comparison<NoticeState>),
    Kind(Comparison<NoticeKind>),
    Contact(Comparison<ContactId>),
    Person(Comparison<PersonId>),
    CreatedAt(Comparison<DateTime<Utc>>),
}

/// Which notices a caller asks for: those that meet every criterion.
pub type NoticeFilter = Vec<NoticeCriterion>;

/// Puts notices into the outbox. One that is there already, by its dedupe key, is not put twice.
pub async fn enqueue(db: &impl ConnectionTrait, notices: Vec<notice::Model>) -> Result<()> {
    for some in notices.chunks(ROWS) {
        notice::Entity::insert_many(some.iter().cloned().map(IntoActiveModel::into_active_model))
            .on_conflict(OnConflict::column(notice::Column::DedupeKey).do_nothing().to_owned())
            .exec_without_returning(db)
            .await?;
    }
    Ok(())
}

/// One notice.
pub async fn find(db: &impl ConnectionTrait, id: NoticeId) -> Result<Option<notice::Model>> {
    Ok(notice::Entity::find_by_id(id).one(db).await?)
}

/// Some notices.
pub async fn by_id(db: &impl ConnectionTrait, ids: &[NoticeId]) -> Result<Vec<notice::Model>> {
    Ok(notice::Entity::find().filter(notice::COLUMN.id.is_in(ids.iter().copied())).all(db).await?)
}

/// All notices of some tickets, oldest first.
pub async fn of_many(db: &impl ConnectionTrait, tickets: &[TicketId]) -> Result<Vec<notice::Model>> {
    Ok(notice::Entity::find()
        .filter(notice::COLUMN.ticket_id.is_in(tickets.iter().copied()))
        .order_by_asc(notice::Column::Id)
        .all(db)
        .await?)
}

/// The notices that tell some alerts, oldest first.
pub async fn of_alerts(db: &impl ConnectionTrait, alerts: &[SlaAlertId]) -> Result<Vec<notice::Model>> {
    Ok(notice::Entity::find()
        .filter(notice::COLUMN.alert_id.is_in(alerts.iter().copied()))
        .order_by_asc(notice::Column::Id)
        .all(db)
        .await?)
}

/// The oldest notices in a state, or in any.
pub async fn list(db: &impl ConnectionTrait, state: Option<NoticeState>, limit: u64) -> Result<Vec<notice::Model>> {
    let mut selection = notice::Entity::find().order_by_asc(notice::Column::Id).limit(limit);
    if let Some(state) = state {
        selection = selection.filter(notice::COLUMN.state.eq(state));
    }
    Ok(selection.all(db).await?)
}

/// Whether the turn of a held notice has come.
pub async fn is_any_held(db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<bool> {
    super::page::exists(db, held(now)).await
}

/// The notices whose recipients work now, held until the transaction ends, the longest due first.
pub async fn lock_held(db: &impl ConnectionTrait, now: DateTime<Utc>, limit: u64) -> Result<Vec<notice::Model>> {
    let mut selection = held(now);
    selection = selection.order_by_asc(notice::Column::NextAttemptAt).order_by_asc(notice::Column::Id).limit(limit);
    if db.get_database_backend() == DbBackend::Postgres {
        selection = selection.lock(LockType::Update);
    }
    Ok(selection.all(db).await?)
}

fn held(now: DateTime<Utc>) -> Select<notice::Entity> {
    let waits = notice::COLUMN.state.eq(NoticeState::Held);
    let held = notice::Entity::find().filter(waits).filter(notice::COLUMN.next_attempt_at.lte(now));
    // What another version wrote that knows more kinds is left to it: it must not keep the others from leaving.
    held.filter(notice::COLUMN.kind.is_in(NoticeKind::all()))
}

/// Puts held notices among those whose turn has come.
pub async fn let_go(db: &impl ConnectionTrait, ids: &[NoticeId]) -> Result<()> {
    settle_held(db, ids, NoticeState::Queued, None, None).await
}

/// Cancels held notices.
pub async fn cancel_held(db: &impl ConnectionTrait, ids: &[NoticeId], why: &str) -> Result<()> {
    settle_held(db, ids, NoticeState::Cancelled, None, Some(why)).await
}

/// Lets a digest tell held notices.
pub async fn tell_in(db: &impl ConnectionTrait, ids: &[NoticeId], digest: NoticeId, why: &str) -> Result<()> {
    settle_held(db, ids, NoticeState::Digested, Some(digest), Some(why)).await
}

async fn settle_held(
    db: &impl ConnectionTrait,
    ids: &[NoticeId],
    state: NoticeState,
    digest: Option<NoticeId>,
    detail: Option<&str>,
) -> Result<()> {
    for some in ids.chunks(ROWS) {
        notice::Entity::update_many()
            .col_expr(notice::Column::State, Expr::val(state))
            .col_expr(notice::Column::DigestId, Expr::val(digest))
            .col_expr(notice::Column::Detail, Expr::val(detail))
            .filter(notice::COLUMN.id.is_in(some.iter().copied()))
            .exec(db)
            .await?;
    }
    Ok(())
}

/// Lets nothing about a ticket wait any longer.
pub async fn hasten(db: &impl ConnectionTrait, ticket: TicketId, now: DateTime<Utc>) -> Result<()> {
    notice::Entity::update_many()
        .col_expr(notice::Column::NextAttemptAt, Expr::val(now))
        .col_expr(notice::Column::DecidedAt, Expr::val(now))
        .filter(notice::COLUMN.ticket_id.eq(ticket))
        .filter(notice::COLUMN.state.eq(NoticeState::Held))
        .exec(db)
        .await?;
    Ok(())
}

/// What the visits show that notices are about.
pub async fn visit_states(
    db: &impl ConnectionTrait,
    visits: &[StageVisitId],
) -> Result<HashMap<StageVisitId, VisitState>> {
    type Instant = Option<DateTime<Utc>>;
    let mut states = HashMap::new();
    for some in visits.chunks(ROWS) {
        let rows = stage_visit::Entity::find()
            .select_only()
            .column(stage_visit::Column::Id)
            .column(stage_visit::Column::LeftAt)
            .column(stage_visit::Column::DueAt)
            .column(stage_visit::Column::AcknowledgedAt)
            .column(stage_visit::Column::ExcusedAt)
            .filter(stage_visit::COLUMN.id.is_in(some.iter().copied()))
            .into_tuple::<(StageVisitId, Instant, Instant, Instant, Instant)>()
            .all(db)
            .await?;
        let acknowledged: Vec<_> =
            rows.iter().filter(|(_, _, _, acknowledged_at, _)| acknowledged_at.is_some()).map(|row| row.0).collect();
        // The lowest comes first, so that the highest stays.
        let acknowledged = super::alerts::acknowledged(db, &acknowledged).await?;
        let levels: HashMap<_, _> = acknowledged.iter().map(|alert| (alert.visit_id, alert.level)).collect();
        states.extend(rows.into_iter().map(|(id, left_at, due_at, acknowledged_at, excused_at)| {
            let state = VisitState {
                is_left: left_at.is_some(),
                due_at,
                acknowledged: acknowledged_at.and_then(|_| levels.get(&id).copied()),
                is_excused: excused_at.is_some(),
            };
            (id, state)
        }));
    }
    Ok(states)
}

/// Whether a question still waits for its answer, on a ticket that is open.
pub async fn question_is_open(db: &impl ConnectionTrait, question: ClarificationId) -> Result<bool> {
    let selection = clarification::Entity::find()
        .filter(clarification::COLUMN.id.eq(question))
        .filter(clarification::COLUMN.answered_at.is_null())
        .join(JoinType::InnerJoin, clarification::Relation::Ticket.def())
        .filter(ticket::COLUMN.stage.is_in(OPEN));
    super::page::exists(db, selection).await
}

/// Erases the words of a comment from the notices that tell of it. Those that were not sent yet are cancelled when their turn
/// comes.
pub async fn erase_comment(db: &impl ConnectionTrait, comment: CommentId) -> Result<()> {
    let erased = match db.get_database_backend() {
        DbBackend::Postgres => "jsonb_set(content, '{facts,body}', '\"\"', false)",
        _ => "json_replace(content, '$.facts.body', '')",
    };
    notice::Entity::update_many()
        .col_expr(notice::Column::Content, Expr::cust(erased))
        .filter(notice::COLUMN.comment_id.eq(comment))
        .exec(db)
        .await?;
    Ok(())
}

/// Whether a comment was not deleted.
pub async fn comment_stands(db: &impl ConnectionTrait, comment: CommentId) -> Result<bool> {
    let selection = comment::Entity::find().filter(comment::COLUMN.id.eq(comment));
    super::page::exists(db, selection.filter(comment::COLUMN.deleted_at.is_null())).await
}

/// The assignee of a ticket.
pub async fn assignee_of(db: &impl ConnectionTrait, ticket: TicketId) -> Result<Option<PersonId>> {
    let row = ticket::Entity::find_by_id(ticket).select_only().column(ticket::Column::AssigneeId);
    Ok(row.into_tuple::<Option<PersonId>>().one(db).await?.flatten())
}

/// The stage of a ticket.
pub async fn stage_of(db: &impl ConnectionTrait, ticket: TicketId) -> Result<Option<Stage>> {
    let row = ticket::Entity::find_by_id(ticket).select_only().column(ticket::Column::Stage);
    Ok(row.into_tuple::<Stage>().one(db).await?)
}

/// Whether a ticket's contact was sent anything before this notice, so that this one continues a thread.
pub async fn continues_thread(db: &impl ConnectionTrait, notice: &notice::Model) -> Result<bool> {
    let earlier = notice::Entity::find()
        .filter(notice::COLUMN.ticket_id.eq(notice.ticket_id))
        .filter(notice::COLUMN.to_address.eq(notice.to_address.clone()))
        .filter(notice::COLUMN.state.eq(NoticeState::Sent));
    super::page::exists(db, earlier).await
}

/// What a notice says, from its row.
pub fn content(row: &notice::Model) -> Result<NoticeContent> {
    serde_json::from_value(row.content.clone()).map_err(|error| StoreError::corrupt("notice", error))
}

/// A page of the ledger, the latest first.
pub async fn page(
    db: &impl ConnectionTrait,
    filter: &[NoticeCriterion],
    window: Window,
) -> Result<Page<notice::Model>> {
    let created_at = Expr::col((notice::Entity, notice::Column::CreatedAt));
    let id = Expr::col((notice::Entity, notice::Column::Id));
    let keyset = Keyset::by(created_at, Order::Desc, id, window);
    fetch(db, selection(filter), &keyset).await
}

/// How many notices the filter finds.
pub async fn count(db: &impl ConnectionTrait, filter: &[NoticeCriterion]) -> Result<u64> {
    super::page::count(db, selection(filter)).await
}

impl NoticeCriterion {
    fn condition(&self) -> Condition {
        match self {
            Self::Ticket(ticket) => compare(notice::COLUMN.ticket_id.into_simple_expr(), ticket),
            Self::State(state) => compare(notice::COLUMN.state.into_simple_expr(), state),
            Self::Kind(kind) => compare(notice::COLUMN.kind.into_simple_expr(), kind),
            Self::Contact(contact) => compare(notice::COLUMN.contact_id.into_simple_expr(), contact),
            Self::Person(person) => compare(notice::COLUMN.person_id.into_simple_expr(), person),
            Self::CreatedAt(at) => compare(notice::COLUMN.created_at.into_simple_expr(), at),
        }
    }
}

fn selection(filter: &[NoticeCriterion]) -> Select<notice::Entity> {
    filter.iter().fold(notice::Entity::find(), |selection, criterion| selection.filter(criterion.condition()))
}
