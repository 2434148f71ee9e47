//! What tickets are found by, after an upgrade.

use entity::ticket;
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement};
use secondline::store::{Database, search};

async fn documents(db: &Database) -> Vec<(String, String)> {
    let sql = match db.get_database_backend() {
        DbBackend::Postgres => "SELECT staff::text, client::text FROM ticket_search ORDER BY ticket_id",
        _ => {
            "SELECT staff.words, client.words FROM ticket_search_staff AS staff \
             JOIN ticket_search_client AS client ON client.rowid = staff.rowid ORDER BY staff.rowid"
        }
    };
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    rows.iter().map(|row| (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap())).collect()
}

/// The documents of an upgraded database are those that this version writes.
pub async fn are_as_written_anew(db: &Database, what: &str) {
    let upgraded = documents(db).await;
    let tickets = ticket::Entity::find().all(db).await.unwrap();
    assert_eq!(upgraded.len(), tickets.len(), "{what}");
    let tx = db.begin().await.unwrap();
    for ticket in tickets {
        search::refresh(&tx, ticket.id).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(documents(db).await, upgraded, "{what}");
}
