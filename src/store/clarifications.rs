//! Questions to clients.

use ::entity::{
    clarification,
    id::{ClarificationId, CompanyId, ContactId, TicketId},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};

use crate::store::{Result, StoreError, tickets::of_tickets_in};

/// The question of a ticket that is not answered yet.
pub async fn open_of(db: &impl ConnectionTrait, ticket: TicketId) -> Result<Option<clarification::Model>> {
    Ok(clarification::Entity::find()
        .filter(clarification::COLUMN.ticket_id.eq(ticket))
        .filter(clarification::COLUMN.answered_at.is_null())
        .one(db)
        .await?)
}

/// The tickets of the questions that a contact has not answered.
pub async fn tickets_waiting_for(db: &impl ConnectionTrait, contact: ContactId) -> Result<Vec<TicketId>> {
    Ok(clarification::Entity::find()
        .select_only()
        .column(clarification::Column::TicketId)
        .filter(clarification::COLUMN.contact_id.eq(contact))
        .filter(clarification::COLUMN.answered_at.is_null())
        .order_by_asc(clarification::Column::TicketId)
        .into_tuple()
        .all(db)
        .await?)
}

/// All questions of some tickets, oldest first.
pub async fn of_many(db: &impl ConnectionTrait, tickets: &[TicketId]) -> Result<Vec<clarification::Model>> {
    Ok(clarification::Entity::find()
        .filter(clarification::COLUMN.ticket_id.is_in(tickets.iter().copied()))
        .order_by_asc(clarification::Column::AskedAt)
        .order_by_asc(clarification::Column::Id)
        .all(db)
        .await?)
}

/// Some questions about tickets that the scope contains.
pub async fn by_id(
    db: &impl ConnectionTrait,
    scope: Option<CompanyId>,
    ids: &[ClarificationId],
) -> Result<Vec<clarification::Model>> {
    let questions = clarification::Entity::find().filter(clarification::COLUMN.id.is_in(ids.iter().copied()));
    Ok(of_tickets_in(questions, clarification::Column::TicketId, scope).all(db).await?)
}

/// Stores a new question.
pub async fn insert(db: &impl ConnectionTrait, row: clarification::Model) -> Result<()> {
    clarification::Entity::insert(row.into_active_model()).exec_without_returning(db).await?;
    Ok(())
}

/// Stores an answer.
pub async fn save(db: &impl ConnectionTrait, row: clarification::Model) -> Result<()> {
    let result = clarification::Entity::update_many()
        .filter(clarification::COLUMN.id.eq(row.id))
        .filter(clarification::COLUMN.answered_at.is_null())
        .set(row.into_active_model().reset_all())
        .exec(db)
        .await?;
    if result.rows_affected == 1 { Ok(()) } else { Err(StoreError::Stale) }
}
