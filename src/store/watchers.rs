//! Who watches tickets.

use ::entity::{
    id::{ContactId, PersonId, TicketId},
    ticket_watcher,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, sea_query::OnConflict,
};

use crate::store::Result;

/// The watchers of some tickets, the first ones first.
pub async fn of_many(db: &impl ConnectionTrait, tickets: &[TicketId]) -> Result<Vec<ticket_watcher::Model>> {
    Ok(ticket_watcher::Entity::find()
        .filter(ticket_watcher::COLUMN.ticket_id.is_in(tickets.iter().copied()))
        .order_by_asc(ticket_watcher::Column::AddedAt)
        .order_by_asc(ticket_watcher::Column::Id)
        .all(db)
        .await?)
}

/// Lets somebody watch; who watches already goes on.
pub async fn add(db: &impl ConnectionTrait, row: ticket_watcher::Model) -> Result<()> {
    ticket_watcher::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(db)
        .await?;
    Ok(())
}

/// Ends a person's watch; says whether they watched.
pub async fn remove_person(db: &impl ConnectionTrait, ticket: TicketId, person: PersonId) -> Result<bool> {
    let result = ticket_watcher::Entity::delete_many()
        .filter(ticket_watcher::COLUMN.ticket_id.eq(ticket))
        .filter(ticket_watcher::COLUMN.person_id.eq(person))
        .exec(db)
        .await?;
    Ok(result.rows_affected == 1)
}

/// Ends a contact's watch; says whether they watched.
pub async fn remove_contact(db: &impl ConnectionTrait, ticket: TicketId, contact: ContactId) -> Result<bool> {
    let result = ticket_watcher::Entity::delete_many()
        .filter(ticket_watcher::COLUMN.ticket_id.eq(ticket))
        .filter(ticket_watcher::COLUMN.contact_id.eq(contact))
        .exec(db)
        .await?;
    Ok(result.rows_affected == 1)
}
