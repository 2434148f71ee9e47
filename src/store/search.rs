//! What tickets are found by: per ticket one document for staff and one for the client's contacts.
//!
//! PostgreSQL keeps them as `tsvector`, SQLite as an FTS5 table whose rows have the tickets' numbers. Both hold the words that
//! `domain::search` cuts, so that both find the same, and a caller's text is never search syntax. Example: whoever changes
//! a text of a ticket calls [`refresh`] in the same transaction.

use ::entity::{id::TicketId, ticket};
use sea_orm::{
    ConnectionTrait, DbBackend, EntityTrait, QuerySelect, Statement, Value,
    sea_query::{Expr, SimpleExpr},
};

use crate::{
    domain::search::{Search, words},
    store::{Result, comments},
};

/// The texts of a ticket.
struct Texts {
    number: i64,
    /// What the client's contacts may find.
    for_all: Vec<String>,
    /// What only staff may find.
    for_staff: Vec<String>,
}

/// Writes both documents of a ticket anew, from its texts as they are in this transaction, which holds the ticket.
pub async fn refresh(db: &impl ConnectionTrait, ticket: TicketId) -> Result<()> {
    let Some(Texts { number, for_all, for_staff }) = texts(db, ticket).await? else { return Ok(()) };
    let client = words(for_all.iter().map(String::as_str)).join(" ");
    let staff = words(for_all.iter().chain(&for_staff).map(String::as_str)).join(" ");
    let backend = db.get_database_backend();
    let (sql, key): (_, Value) = match backend {
        DbBackend::Postgres => (
            "INSERT INTO ticket_search (ticket_id, staff, client) VALUES \
             ($1, array_to_tsvector(string_to_array($2, ' ')), array_to_tsvector(string_to_array($3, ' '))) \
             ON CONFLICT (ticket_id) DO UPDATE SET staff = excluded.staff, client = excluded.client",
            ticket.into(),
        ),
        _ => ("INSERT OR REPLACE INTO ticket_search (rowid, staff, client) VALUES (?, ?, ?)", number.into()),
    };
    db.execute_raw(Statement::from_sql_and_values(backend, sql, [key, staff.into(), client.into()])).await?;
    Ok(())
}

/// The texts that a ticket is found by: **the one place where they come together**.
async fn texts(db: &impl ConnectionTrait, ticket: TicketId) -> Result<Option<Texts>> {
    use ticket::Column::{Description, Number, StepsToReproduce, Subject};
    let row = ticket::Entity::find_by_id(ticket)
        .select_only()
        .columns([Number, Subject, Description, StepsToReproduce])
        .into_tuple::<(i64, String, String, Option<String>)>()
        .one(db)
        .await?;
    let Some((number, subject, description, steps)) = row else { return Ok(None) };
    let (of_all_comments, of_client_comments) = comments::texts_of(db, ticket).await?;
    let for_all = [Some(subject), Some(description), steps, Some(of_client_comments)].into_iter().flatten().collect();
    Ok(Some(Texts { number, for_all, for_staff: vec![of_all_comments] }))
}

/// The tickets that a search finds, over a selection of tickets. A key finds its ticket as well.
pub(super) fn condition(search: &Search, by_staff: bool, backend: DbBackend) -> SimpleExpr {
    let Some((last, others)) = search.words.split_last() else { return Expr::cust("1 = 0") };
    let document = if by_staff { "staff" } else { "client" };
    let number = search.number.unwrap_or(0);
    match backend {
        DbBackend::Postgres => {
            let query: String = others.iter().map(|word| format!("'{word}' & ")).collect();
            let sql = format!(
                "\"ticket\".\"id\" IN (SELECT ticket_id FROM ticket_search WHERE {document} @@ CAST($1 AS tsquery) \
                 UNION ALL SELECT named.id FROM ticket AS named WHERE named.number = $2)"
            );
            Expr::cust_with_values(sql, [Value::from(format!("{query}'{last}':*")), number.into()])
        }
        _ => {
            let query: String = others.iter().map(|word| format!("\"{word}\" AND ")).collect();
            let sql = "\"ticket\".\"number\" IN (SELECT rowid FROM ticket_search WHERE ticket_search MATCH ? \
                       UNION ALL SELECT ?)";
            Expr::cust_with_values(sql, [Value::from(format!("{document} : ({query}\"{last}\"*)")), number.into()])
        }
    }
}
