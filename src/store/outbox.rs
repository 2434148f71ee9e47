//! Sending what waits in the outbox: claims, leases and what becomes of them; and what failed.

use ::entity::{
    id::{ContactId, NoticeId, PersonId},
    notice,
    vocab::NoticeState,
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait, ExprTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select,
    sea_query::{Expr, Func, LockBehavior, LockType, SimpleExpr},
};
use uuid::Uuid;

use crate::{
    domain::outbox::{LEASE, LONGEST_WAIT, SKEW},
    store::{Result, connection::is_unavailable, page},
};

/// Claims up to `limit` notices whose turn has come, until `leased_until`, for the holder of `lease`; in one statement.
pub async fn claim(
    db: &impl ConnectionTrait,
    now: DateTime<Utc>,
    leased_until: DateTime<Utc>,
    lease: Uuid,
    limit: u64,
) -> Result<Claimed> {
    let leased = notice::COLUMN.leased_until;
    let is_free = leased.is_null().or(leased.lt(now)).or(leased.gt(now + LEASE + SKEW));
    let mut due = notice::Entity::find()
        .select_only()
        .column(notice::Column::Id)
        .filter(notice::COLUMN.state.eq(NoticeState::Queued))
        .filter(notice::COLUMN.next_attempt_at.lte(now))
        .filter(is_free)
        .order_by_asc(notice::Column::NextAttemptAt)
        .order_by_asc(notice::Column::Id)
        .limit(limit);
    if db.get_database_backend() == DbBackend::Postgres {
        due = due.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    }
    let claimed = notice::Entity::update_many()
        .col_expr(notice::Column::LeasedUntil, Expr::val(leased_until))
        .col_expr(notice::Column::Lease, Expr::val(lease))
        .col_expr(notice::Column::Attempts, Expr::col(notice::Column::Attempts).add(1))
        .filter(Expr::col(notice::Column::Id).in_subquery(due.into_query()))
        .exec_with_returning(db)
        .await;
    let mut claimed = match claimed {
        Ok(notices) => Claimed { notices, unreadable: Vec::new() },
        Err(error) => claimed_one_by_one(db, lease, error).await?,
    };
    claimed.notices.sort_by_key(|notice| notice.id);
    Ok(claimed)
}

/// What was claimed.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// The notices, oldest first.
    pub notices: Vec<notice::Model>,
    /// Those whose row cannot be read.
    pub unreadable: Vec<NoticeId>,
}

/// Reads claimed notices each by itself: one row that cannot be read must not keep the others from being sent.
async fn claimed_one_by_one(db: &impl ConnectionTrait, lease: Uuid, error: DbErr) -> Result<Claimed> {
    let ids = notice::Entity::find().select_only().column(notice::Column::Id).filter(notice::COLUMN.lease.eq(lease));
    let ids = ids.into_tuple::<NoticeId>().all(db).await?;
    if ids.is_empty() {
        // Nothing was claimed: the database was not able to.
        return Err(error.into());
    }
    let mut claimed = Claimed::default();
    for id in ids {
        match notice::Entity::find_by_id(id).one(db).await {
            Ok(notice) => claimed.notices.extend(notice),
            Err(error) if is_unavailable(&error) => return Err(error.into()),
            Err(_) => claimed.unreadable.push(id),
        }
    }
    Ok(claimed)
}

/// Keeps what a lease holds for longer.
pub async fn renew(db: &impl ConnectionTrait, lease: Uuid, leased_until: DateTime<Utc>) -> Result<()> {
    notice::Entity::update_many()
        .col_expr(notice::Column::LeasedUntil, Expr::val(leased_until))
        .filter(notice::COLUMN.lease.eq(lease))
        .filter(notice::COLUMN.state.eq(NoticeState::Queued))
        .exec(db)
        .await?;
    Ok(())
}

/// Lets go of what a lease still holds: its turn is now, and no attempt was made.
pub async fn release(db: &impl ConnectionTrait, lease: Uuid, now: DateTime<Utc>) -> Result<u64> {
    let released = notice::Entity::update_many()
        .col_expr(notice::Column::LeasedUntil, Expr::val(None::<DateTime<Utc>>))
        .col_expr(notice::Column::Lease, Expr::val(None::<Uuid>))
        .col_expr(notice::Column::Attempts, Expr::col(notice::Column::Attempts).sub(1))
        .col_expr(notice::Column::NextAttemptAt, Expr::val(now))
        .col_expr(notice::Column::DecidedAt, Expr::val(now))
        .filter(notice::COLUMN.lease.eq(lease))
        .filter(notice::COLUMN.state.eq(NoticeState::Queued))
        .exec(db)
        .await?;
    Ok(released.rows_affected)
}

/// Returns true if a notice waits by a clock that was set since, as `domain::outbox::waits` says.
pub async fn is_any_misdated(db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<bool> {
    Ok(page::exists(db, misdated(NoticeState::Queued, now)).await?
        || page::exists(db, misdated(NoticeState::Held, now)).await?)
}

/// Lets queued notices that wait by such a clock be due; answers how many.
pub async fn mend_waits(db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<u64> {
    let mended = notice::Entity::update_many()
        .col_expr(notice::Column::NextAttemptAt, Expr::val(now))
        .col_expr(notice::Column::DecidedAt, Expr::val(now))
        .filter(is_misdated(NoticeState::Queued, now))
        .exec(db)
        .await?;
    Ok(mended.rows_affected)
}

/// The held notices that wait by such a clock, held until the transaction ends.
pub async fn lock_misdated(db: &impl ConnectionTrait, now: DateTime<Utc>, limit: u64) -> Result<Vec<notice::Model>> {
    let mut selection = misdated(NoticeState::Held, now).order_by_asc(notice::Column::Id).limit(limit);
    if db.get_database_backend() == DbBackend::Postgres {
        selection = selection.lock(LockType::Update);
    }
    Ok(selection.all(db).await?)
}

fn misdated(state: NoticeState, now: DateTime<Utc>) -> Select<notice::Entity> {
    notice::Entity::find().filter(is_misdated(state, now))
}

/// What is held waits for working hours, which may be days ahead; what was tried, for no longer than the longest wait.
fn is_misdated(state: NoticeState, now: DateTime<Utc>) -> Condition {
    let too_long = (state == NoticeState::Queued).then(|| notice::COLUMN.next_attempt_at.gt(now + LONGEST_WAIT));
    let why = Condition::any().add(decided_at().gt(now + SKEW)).add_option(too_long);
    Condition::all().add(notice::COLUMN.state.eq(state)).add(notice::COLUMN.next_attempt_at.gt(now)).add(why)
}

/// Lets a held notice wait until another instant, with another reason.
pub async fn hold_until(
    db: &impl ConnectionTrait,
    id: NoticeId,
    until: DateTime<Utc>,
    detail: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    notice::Entity::update_many()
        .col_expr(notice::Column::NextAttemptAt, Expr::val(until))
        .col_expr(notice::Column::DecidedAt, Expr::val(now))
        .col_expr(notice::Column::Detail, Expr::val(detail))
        .filter(notice::COLUMN.id.eq(id))
        .filter(notice::COLUMN.state.eq(NoticeState::Held))
        .exec(db)
        .await?;
    Ok(())
}

/// When what a notice waits for was decided.
fn decided_at() -> SimpleExpr {
    Func::coalesce([Expr::col(notice::Column::DecidedAt), Expr::col(notice::Column::CreatedAt)]).into()
}

/// What became of a claimed notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The mail server took it.
    Sent,
    /// Not yet; try again then.
    Retry { at: DateTime<Utc>, detail: String },
    /// Its recipient was refused for good, which may be a mistake; try again then.
    Refused { at: DateTime<Utc>, detail: String },
    /// It was not tried; its turn comes then.
    Released { at: DateTime<Utc> },
    /// Never.
    Failed { detail: String },
    /// No longer true.
    Cancelled { detail: String },
}

/// Settles a claimed notice; says whether the claim still held.
pub async fn settle(
    db: &impl ConnectionTrait,
    id: NoticeId,
    lease: Uuid,
    now: DateTime<Utc>,
    settlement: Settlement,
) -> Result<bool> {
    let update = notice::Entity::update_many()
        .col_expr(notice::Column::LeasedUntil, Expr::val(None::<DateTime<Utc>>))
        .col_expr(notice::Column::Lease, Expr::val(None::<Uuid>))
        .col_expr(notice::Column::DecidedAt, Expr::val(now))
        .filter(notice::COLUMN.id.eq(id))
        .filter(notice::COLUMN.lease.eq(lease));
    let state = |state: NoticeState| Expr::val(state);
    let update = match settlement {
        Settlement::Sent => update
            .col_expr(notice::Column::State, state(NoticeState::Sent))
            .col_expr(notice::Column::SentAt, Expr::val(now))
            .col_expr(notice::Column::Detail, Expr::val(None::<String>)),
        Settlement::Retry { at, detail } => update
            .col_expr(notice::Column::NextAttemptAt, Expr::val(at))
            .col_expr(notice::Column::Detail, Expr::val(detail)),
        Settlement::Refused { at, detail } => update
            .col_expr(notice::Column::NextAttemptAt, Expr::val(at))
            .col_expr(notice::Column::Refusals, Expr::col(notice::Column::Refusals).add(1))
            .col_expr(notice::Column::Detail, Expr::val(detail)),
        Settlement::Released { at } => update
            .col_expr(notice::Column::NextAttemptAt, Expr::val(at))
            .col_expr(notice::Column::Attempts, Expr::col(notice::Column::Attempts).sub(1)),
        Settlement::Failed { detail } => update
            .col_expr(notice::Column::State, state(NoticeState::Failed))
            .col_expr(notice::Column::Detail, Expr::val(detail)),
        Settlement::Cancelled { detail } => update
            .col_expr(notice::Column::State, state(NoticeState::Cancelled))
            .col_expr(notice::Column::Detail, Expr::val(detail)),
    };
    Ok(update.exec(db).await?.rows_affected == 1)
}

/// Which failed notices are to be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// One.
    One(NoticeId),
    /// All that were given up at an instant or later; none for whenever that was.
    Since(Option<DateTime<Utc>>),
    /// Those to an address, in whichever case its ASCII letters are written.
    To(String),
}

/// Up to `limit` failed notices after an id, with whom they go to.
pub async fn failed(
    db: &impl ConnectionTrait,
    which: &Failed,
    after: Option<NoticeId>,
    limit: u64,
) -> Result<Vec<(NoticeId, Option<ContactId>, Option<PersonId>)>> {
    let mut selection = notice::Entity::find()
        .select_only()
        .columns([notice::Column::Id, notice::Column::ContactId, notice::Column::PersonId])
        .filter(notice::COLUMN.state.eq(NoticeState::Failed))
        .order_by_asc(notice::Column::Id)
        .limit(limit);
    selection = match which {
        Failed::One(id) => selection.filter(notice::COLUMN.id.eq(*id)),
        Failed::Since(None) => selection,
        Failed::Since(Some(since)) => selection.filter(decided_at().gte(*since)),
        Failed::To(address) => {
            let folded = Func::lower(Expr::col(notice::Column::ToAddress));
            selection.filter(Expr::expr(folded).eq(address.to_ascii_lowercase()))
        }
    };
    if let Some(after) = after {
        selection = selection.filter(notice::COLUMN.id.gt(after));
    }
    Ok(selection.into_tuple().all(db).await?)
}

/// How many notices were given up at an instant or later.
pub async fn failures_since(db: &impl ConnectionTrait, since: DateTime<Utc>) -> Result<u64> {
    let failed = notice::Entity::find()
        .filter(notice::COLUMN.state.eq(NoticeState::Failed))
        .filter(notice::COLUMN.decided_at.gte(since));
    page::count(db, failed).await
}

/// Queues a failed notice again, from its first attempt on, to the name and address that its recipient has now; says whether it
/// had failed.
pub async fn requeue(
    db: &impl ConnectionTrait,
    id: NoticeId,
    recipient: Option<(String, String)>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let mut update = notice::Entity::update_many()
        .col_expr(notice::Column::State, Expr::val(NoticeState::Queued))
        .col_expr(notice::Column::Attempts, Expr::val(0))
        .col_expr(notice::Column::Refusals, Expr::val(0))
        .col_expr(notice::Column::NextAttemptAt, Expr::val(now))
        .col_expr(notice::Column::DecidedAt, Expr::val(now))
        .filter(notice::COLUMN.id.eq(id))
        .filter(notice::COLUMN.state.eq(NoticeState::Failed));
    if let Some((name, address)) = recipient {
        update = update
            .col_expr(notice::Column::ToName, Expr::val(name))
            .col_expr(notice::Column::ToAddress, Expr::val(address));
    }
    Ok(update.exec(db).await?.rows_affected == 1)
}
