//! A database of the version before, brought up to date in place.

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};

use crate::support::{Engine, TestDatabase, each_engine};

/// The migration whose work is looked at.
const IDENTITY_TRUST: &str = "m20261128_000003_identity_trust";

/// What is the same number in every id of its kind.
fn id(number: u32) -> String {
    format!("{number:032x}")
}

/// How the database writes an id.
fn literal(db: &DatabaseConnection, number: u32) -> String {
    match db.get_database_backend() {
        DbBackend::Postgres => format!("'{}'", id(number)),
        _ => format!("X'{}'", id(number)),
    }
}

/// A database with the schema of the version before, whose rows need not refer to others.
async fn old(engine: Engine) -> Option<(TestDatabase, tempfile::TempDir, DatabaseConnection)> {
    let database = TestDatabase::create(engine).await?;
    let folder = tempfile::tempdir().unwrap();
    let url = match engine {
        Engine::Sqlite => format!("sqlite:{}?mode=rwc", folder.path().join("old.db").display()),
        Engine::Postgres => database.url.clone(),
    };
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await.unwrap();
    let prepare = match engine {
        Engine::Sqlite => "PRAGMA foreign_keys = OFF",
        Engine::Postgres => "DROP SCHEMA public CASCADE; CREATE SCHEMA public; SET session_replication_role = replica",
    };
    db.execute_unprepared(prepare).await.unwrap();
    let before = Migrator::migrations().iter().position(|migration| migration.name() == IDENTITY_TRUST).unwrap();
    Migrator::up(&db, Some(u32::try_from(before).unwrap())).await.unwrap();
    Some((database, folder, db))
}

async fn insert(db: &DatabaseConnection, table: &str, row: &[(&str, String)]) {
    let columns: Vec<_> = row.iter().map(|(column, _)| *column).collect();
    let values: Vec<_> = row.iter().map(|(_, value)| value.as_str()).collect();
    let sql = format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), values.join(", "));
    db.execute_unprepared(&sql).await.unwrap();
}

fn text(text: &str) -> String {
    format!("'{text}'")
}

async fn comment(db: &DatabaseConnection, number: u32, is_deleted: bool) {
    let at = text("2026-06-01T09:00:00+00:00");
    let (body, deleted_at) =
        if is_deleted { ("NULL".to_owned(), at.clone()) } else { (text("kept words"), "NULL".to_owned()) };
    let row = [
        ("id", literal(db, number)),
        ("ticket_id", literal(db, 1)),
        ("visibility", text("CLIENT")),
        ("author_kind", text("SYSTEM")),
        ("body", body),
        ("created_at", at),
        ("deleted_at", deleted_at),
    ];
    insert(db, "comment", &row).await;
}

async fn entry(db: &DatabaseConnection, number: u32, action: &str, target: &str, before: Value, after: Value) {
    let side = |side: Value| if side.is_null() { "NULL".to_owned() } else { text(&side.to_string()) };
    let row = [
        ("id", literal(db, number)),
        ("at", text("2026-06-01T09:00:00+00:00")),
        ("actor_kind", text("SYSTEM")),
        ("action", text(action)),
        ("target", text(target)),
        ("before", side(before)),
        ("after", side(after)),
    ];
    insert(db, "audit_entry", &row).await;
}

async fn notice(db: &DatabaseConnection, number: u32, comment: u32, body: &str) {
    let content = json!({ "ticket_key": "L2-1", "facts": { "kind": "COMMENT_ADDED", "body": body, "author": "Eve" } });
    let at = text("2026-06-01T09:00:00+00:00");
    let mut row = vec![
        ("id", literal(db, number)),
        ("comment_id", literal(db, comment)),
        ("person_id", literal(db, 1)),
        ("content", text(&content.to_string())),
        ("dedupe_key", text(&number.to_string())),
        ("kind", text("COMMENT_ADDED")),
        ("state", text("SENT")),
        ("attempts", "1".to_owned()),
    ];
    row.extend(["next_attempt_at", "created_at"].map(|column| (column, at.clone())));
    row.extend(["to_name", "to_address", "locale", "time_zone"].map(|column| (column, text("x"))));
    insert(db, "notice", &row).await;
}

/// The JSON of a column, by the order of the ids.
async fn column(db: &DatabaseConnection, table: &str, column: &str) -> Vec<Value> {
    let sql = format!("SELECT {column} FROM {table} ORDER BY id");
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index::<Option<Value>>(0).unwrap().unwrap_or_default()).collect()
}

each_engine! {
    async fn old_words_are_erased_and_contacts_stay_active(engine) {
    let Some((_database, _folder, db)) = old(engine).await else { return };
    let row = [
        ("id", literal(&db, 1)),
        ("company_id", literal(&db, 1)),
        ("version", "1".to_owned()),
        ("created_at", text("2026-06-01T09:00:00+00:00")),
    ];
    let row: Vec<_> =
        row.into_iter().chain(["name", "email", "locale", "time_zone"].map(|column| (column, text("x")))).collect();
    insert(&db, "contact", &row).await;
    let (deleted, kept) = (11, 12);
    comment(&db, deleted, true).await;
    comment(&db, kept, false).await;
    let [of_deleted, of_kept] = [deleted, kept].map(|number| format!("comment_{}", id(number)));
    let file = |number: u32| format!("attachment_{}", id(number));
    let words = |body: &str| json!({ "body": body });
    let named = |comment: &str| json!({ "fileName": "secret.png", "commentId": comment });
    entry(&db, 1, "COMMENT_ADD", &of_deleted, Value::Null, words("secret")).await;
    entry(&db, 2, "COMMENT_DELETE", &of_deleted, words("secret"), words("x")).await;
    entry(&db, 3, "COMMENT_ADD", &of_kept, Value::Null, words("kept words")).await;
    entry(&db, 4, "ATTACHMENT_REQUEST", &file(21), Value::Null, named(&of_deleted)).await;
    entry(&db, 5, "ATTACHMENT_UPLOAD", &file(22), Value::Null, json!({ "fileName": "secret.png", "size": 7 })).await;
    entry(&db, 6, "ATTACHMENT_DELETE", &file(22), json!({ "fileName": "secret.png" }), json!({})).await;
    entry(&db, 7, "ATTACHMENT_UPLOAD", &file(23), Value::Null, named(&of_kept)).await;
    entry(&db, 8, "COMPANY_CREATE", "company_1", Value::Null, json!({ "name": "Acme" })).await;
    notice(&db, 31, deleted, "secret").await;
    notice(&db, 32, kept, "kept words").await;

    Migrator::up(&db, None).await.unwrap();

    let erased = json!("[erased]");
    let after = column(&db, "audit_entry", "after").await;
    let before = column(&db, "audit_entry", "before").await;
    assert_eq!(after[0], json!({ "body": erased }));
    assert_eq!((&before[1], &after[1]), (&json!({ "body": erased }), &json!({ "body": erased })));
    assert_eq!(after[2], words("kept words"));
    assert_eq!(after[3], json!({ "fileName": erased, "commentId": of_deleted }));
    assert_eq!(after[4], json!({ "fileName": erased, "size": 7 }));
    assert_eq!((&before[5], &after[5]), (&json!({ "fileName": erased }), &json!({})));
    assert_eq!(after[6], named(&of_kept));
    assert_eq!((&before[7], &after[7]), (&Value::Null, &json!({ "name": "Acme" })));
    let contents = column(&db, "notice", "content").await;
    assert_eq!(contents[0]["facts"], json!({ "kind": "COMMENT_ADDED", "body": "", "author": "Eve" }));
    assert_eq!(contents[1]["facts"]["body"], "kept words");
    let sql = "SELECT count(*) FROM contact WHERE active";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    assert_eq!(rows[0].try_get_by_index::<i64>(0).unwrap(), 1);
    }
}
