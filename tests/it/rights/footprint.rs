//! Everything that the database holds, to see whether somebody left a trace.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::support::TestApp;

/// What changes with every request, whoever sends it: when a token was used last.
const UNSTABLE: &str = "access_token";

/// The rows of each table, as one text.
pub async fn footprint(app: &TestApp) -> BTreeMap<String, String> {
    let names = match app.db.get_database_backend() {
        DbBackend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'",
        _ => "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'",
    };
    let mut found = BTreeMap::new();
    for table in texts(app, names).await.into_iter().filter(|table| table != UNSTABLE) {
        let rows = match app.db.get_database_backend() {
            DbBackend::Sqlite => {
                let columns = format!("SELECT name FROM pragma_table_info('{table}')");
                let columns = texts(app, &columns).await.into_iter().map(|column| format!("quote(\"{column}\")"));
                let row = columns.collect::<Vec<_>>().join(" || ',' || ");
                format!(
                    "SELECT coalesce(group_concat(line, x'0a'), '') FROM (SELECT {row} AS line FROM \"{table}\" ORDER BY line)"
                )
            }
            _ => format!("SELECT coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '') FROM \"{table}\" t"),
        };
        let rows = texts(app, &rows).await.pop().unwrap_or_default();
        found.insert(table, rows);
    }
    assert!(found.contains_key("ticket") && found.contains_key("audit_entry"), "{:?}", found.keys());
    found
}

/// The first column of what a statement finds.
async fn texts(app: &TestApp, statement: &str) -> Vec<String> {
    let statement = Statement::from_string(app.db.get_database_backend(), statement);
    let rows = app.db.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}
