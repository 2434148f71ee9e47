//! The append-only audit log: rows are written and read, and changed only to erase what was deleted where it stood.

use std::collections::HashMap;

use ::entity::{
    audit_entry, contact,
    id::AuditEntryId,
    person,
    vocab::{ActorKind, AuditAction},
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, Order, QueryFilter, Select,
    sea_query::{Expr, Query, SimpleExpr},
};
use uuid::Uuid;

use crate::store::{
    Result,
    page::{Keyset, Page, Window, count as counted, fetch},
};

/// What stands in an entry for words that were deleted where they stood.
pub const ERASED: &str = "[erased]";

/// Which entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this person, contact or token.
    pub actor: Option<Uuid>,
    /// Of one of these actions.
    pub actions: Option<Vec<AuditAction>>,
    /// About the thing with this opaque id.
    pub target: Option<String>,
    /// At this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Before this instant.
    pub to: Option<DateTime<Utc>>,
}

/// Appends an entry. Where it says no name, a person or contact is named as they are called now.
pub async fn append(db: &impl ConnectionTrait, entry: audit_entry::Model) -> Result<()> {
    let name = match (entry.actor_name, entry.actor_kind, entry.actor_id) {
        (None, ActorKind::Person, Some(id)) => subquery(
            Query::select()
                .column(person::Column::Name)
                .from(person::Entity)
                .and_where(person::Column::Id.eq(id))
                .take(),
        ),
        (None, ActorKind::Contact, Some(id)) => subquery(
            Query::select()
                .column(contact::Column::Name)
                .from(contact::Entity)
                .and_where(contact::Column::Id.eq(id))
                .take(),
        ),
        (name, ..) => Expr::val(name),
    };
    let row = [
        (audit_entry::Column::Id, Expr::val(entry.id.0)),
        (audit_entry::Column::At, Expr::val(entry.at)),
        (audit_entry::Column::ActorKind, Expr::val(entry.actor_kind.word())),
        (audit_entry::Column::ActorId, Expr::val(entry.actor_id)),
        (audit_entry::Column::ActorName, name),
        (audit_entry::Column::Action, Expr::val(entry.action.word())),
        (audit_entry::Column::Target, Expr::val(entry.target)),
        (audit_entry::Column::Before, Expr::val(entry.before)),
        (audit_entry::Column::After, Expr::val(entry.after)),
        (audit_entry::Column::Address, Expr::val(entry.address)),
        (audit_entry::Column::RequestId, Expr::val(entry.request_id)),
    ];
    let (columns, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
    let insert = Query::insert().into_table(audit_entry::Entity).columns(columns).values_panic(values).take();
    db.execute(&insert).await?;
    Ok(())
}

/// Erases one member, such as `body`, from the entries about some things.
pub async fn erase(db: &impl ConnectionTrait, targets: &[String], member: &str) -> Result<()> {
    let (sql, path, erased) = match db.get_database_backend() {
        // The last argument says that what is not there stays away.
        DbBackend::Postgres => (
            "jsonb_set({column}, CAST($1 AS text[]), CAST($2 AS jsonb), false)",
            format!("{{{member}}}"),
            format!("\"{ERASED}\""),
        ),
        _ => ("json_replace({column}, ?, ?)", format!("$.{member}"), ERASED.to_owned()),
    };
    let without =
        |column: &str| Expr::cust_with_values(sql.replace("{column}", column), [path.clone(), erased.clone()]);
    audit_entry::Entity::update_many()
        .col_expr(audit_entry::Column::Before, without("before"))
        .col_expr(audit_entry::Column::After, without("after"))
        .filter(audit_entry::COLUMN.target.is_in(targets.iter().map(String::as_str)))
        .exec(db)
        .await?;
    Ok(())
}

/// A page of the log, by time.
pub async fn page(
    db: &impl ConnectionTrait,
    filter: &AuditFilter,
    order: Order,
    window: Window,
) -> Result<Page<audit_entry::Model>> {
    let column = |column: audit_entry::Column| Expr::col((audit_entry::Entity, column));
    let key = column(audit_entry::Column::At);
    let keyset = Keyset::by(key, order, column(audit_entry::Column::Id), window);
    fetch(db, selection(filter), &keyset).await
}

/// Some entries, by id.
pub async fn by_id(
    db: &impl ConnectionTrait,
    ids: &[AuditEntryId],
) -> Result<HashMap<AuditEntryId, audit_entry::Model>> {
    let rows = audit_entry::Entity::find().filter(audit_entry::COLUMN.id.is_in(ids.iter().copied())).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// How many entries there are.
pub async fn count(db: &impl ConnectionTrait, filter: &AuditFilter) -> Result<u64> {
    counted(db, selection(filter)).await
}

fn selection(filter: &AuditFilter) -> Select<audit_entry::Entity> {
    let mut selection = audit_entry::Entity::find();
    if let Some(actor) = filter.actor {
        selection = selection.filter(audit_entry::Column::ActorId.eq(actor));
    }
    if let Some(actions) = &filter.actions {
        selection = selection.filter(audit_entry::COLUMN.action.is_in(actions.iter().copied()));
    }
    if let Some(target) = &filter.target {
        selection = selection.filter(audit_entry::COLUMN.target.eq(target.as_str()));
    }
    if let Some(from) = filter.from {
        selection = selection.filter(audit_entry::COLUMN.at.gte(from));
    }
    if let Some(to) = filter.to {
        selection = selection.filter(audit_entry::COLUMN.at.lt(to));
    }
    selection
}

fn subquery(select: sea_orm::sea_query::SelectStatement) -> SimpleExpr {
    SimpleExpr::SubQuery(None, Box::new(select.into()))
}
