//! What tickets are found by: per ticket one document for staff and one for the client's contacts.
//!
//! PostgreSQL keeps them as `tsvector`, SQLite as FTS5 tables whose rows have the tickets' numbers. Both hold the words that
//! `domain::search` cuts, so that both find the same, and a caller's text is never search syntax. The words for contacts stand under
//! their company. Example: whoever changes a text of a ticket calls [`refresh`] in the same transaction.

use ::entity::{
    id::{CompanyId, TicketId},
    ticket,
};
use sea_orm::{
    ConnectionTrait, DbBackend, EntityTrait, QuerySelect, Statement, Value,
    sea_query::{Expr, SimpleExpr},
};

use crate::{
    domain::search::{Search, word_of, words, words_of},
    store::{Result, comments},
};

/// The texts of a ticket.
struct Texts {
    number: i64,
    company: CompanyId,
    /// What the client's contacts may find.
    for_all: Vec<String>,
    /// What only staff may find.
    for_staff: Vec<String>,
}

/// Writes both documents of a ticket anew, from its texts as they are in this transaction, which holds the ticket.
pub async fn refresh(db: &impl ConnectionTrait, ticket: TicketId) -> Result<()> {
    let Some(Texts { number, company, for_all, for_staff }) = texts(db, ticket).await? else { return Ok(()) };
    let client = words_of(company, for_all.iter().map(String::as_str)).join(" ");
    let staff = words(for_all.iter().chain(&for_staff).map(String::as_str)).join(" ");
    let backend = db.get_database_backend();
    let statements: Vec<(_, Vec<Value>)> = match backend {
        DbBackend::Postgres => vec![(
            "INSERT INTO ticket_search (ticket_id, staff, client) VALUES \
             ($1, array_to_tsvector(string_to_array($2, ' ')), array_to_tsvector(string_to_array($3, ' '))) \
             ON CONFLICT (ticket_id) DO UPDATE SET staff = excluded.staff, client = excluded.client",
            vec![ticket.into(), staff.into(), client.into()],
        )],
        _ => vec![
            (
                "INSERT OR REPLACE INTO ticket_search_staff (rowid, words) VALUES (?, ?)",
                vec![number.into(), staff.into()],
            ),
            (
                "INSERT OR REPLACE INTO ticket_search_client (rowid, words) VALUES (?, ?)",
                vec![number.into(), client.into()],
            ),
        ],
    };
    for (sql, values) in statements {
        db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    }
    Ok(())
}

/// The texts that a ticket is found by: **the one place where they come together**.
async fn texts(db: &impl ConnectionTrait, ticket: TicketId) -> Result<Option<Texts>> {
    use ticket::Column::{CompanyId as Company, Description, Number, StepsToReproduce, Subject};
    let row = ticket::Entity::find_by_id(ticket)
        .select_only()
        .columns([Number, Company, Subject, Description, StepsToReproduce])
        .into_tuple::<(i64, CompanyId, String, String, Option<String>)>()
        .one(db)
        .await?;
    let Some((number, company, subject, description, steps)) = row else { return Ok(None) };
    let (of_all_comments, of_client_comments) = comments::texts_of(db, ticket).await?;
    let for_all = [Some(subject), Some(description), steps, Some(of_client_comments)].into_iter().flatten().collect();
    Ok(Some(Texts { number, company, for_all, for_staff: vec![of_all_comments] }))
}

/// The tickets that a search finds, over a selection of tickets: by what staff may find, or by what the contacts of one company may. A
/// key finds its ticket as well.
pub(super) fn condition(search: &Search, within: Option<CompanyId>, backend: DbBackend) -> SimpleExpr {
    let words: Vec<_> = search.words.iter().map(|word| within.map_or(word.clone(), |id| word_of(id, word))).collect();
    let Some((last, others)) = words.split_last() else { return Expr::cust("1 = 0") };
    let number = search.number.unwrap_or(0);
    match backend {
        DbBackend::Postgres => {
            let document = if within.is_none() { "staff" } else { "client" };
            let query: String = others.iter().map(|word| format!("'{word}' & ")).collect();
            let sql = format!(
                "\"ticket\".\"id\" IN (SELECT ticket_id FROM ticket_search WHERE {document} @@ CAST($1 AS tsquery) \
                 UNION ALL SELECT named.id FROM ticket AS named WHERE named.number = $2)"
            );
            Expr::cust_with_values(sql, [Value::from(format!("{query}'{last}':*")), number.into()])
        }
        _ => {
            let table = if within.is_none() { "ticket_search_staff" } else { "ticket_search_client" };
            let query: String = others.iter().map(|word| format!("\"{word}\" AND ")).collect();
            let sql = format!(
                "\"ticket\".\"number\" IN (SELECT rowid FROM {table} WHERE {table} MATCH ? UNION ALL SELECT ?)"
            );
            Expr::cust_with_values(sql, [Value::from(format!("{query}\"{last}\"*")), number.into()])
        }
    }
}
