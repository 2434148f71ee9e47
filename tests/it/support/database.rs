//! A fresh, migrated database for each test, cloned from a template that is made once per run.

use std::{
    io::Write,
    path::PathBuf,
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
};

use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use secondline::{
    clock::Clock,
    service::Service,
    store::{self, connection},
};
use tempfile::TempDir;
use tokio::sync::{Mutex, OnceCell};

use super::START;

/// The engine that a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A database that goes away with the test.
pub struct TestDatabase {
    pub url: String,
    _folder: Option<TempDir>,
    postgres_name: Option<String>,
}

static SQLITE_TEMPLATE: OnceCell<(TempDir, PathBuf)> = OnceCell::const_new();
static POSTGRES_TEMPLATE: OnceCell<String> = OnceCell::const_new();
static CREATING: Mutex<()> = Mutex::const_new(());
static NUMBER: AtomicU32 = AtomicU32::new(0);

impl TestDatabase {
    /// A database of the engine, or none where PostgreSQL is not to be tested.
    pub async fn create(engine: Engine) -> Option<Self> {
        match engine {
            Engine::Sqlite => Some(Self::sqlite().await),
            Engine::Postgres => Some(Self::postgres(&postgres_url()?).await),
        }
    }

    /// A database of the engine without a schema, or none where PostgreSQL is not to be tested.
    pub async fn create_empty(engine: Engine) -> Option<Self> {
        match engine {
            Engine::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let url = sqlite_url(&folder.path().join("test.db"));
                Some(Self { url, _folder: Some(folder), postgres_name: None })
            }
            Engine::Postgres => Some(Self::postgres_from(&postgres_url()?, "template0").await),
        }
    }

    async fn sqlite() -> Self {
        let (_, template) = SQLITE_TEMPLATE
            .get_or_init(|| async {
                let folder = tempfile::tempdir().unwrap();
                let file = folder.path().join("template.db");
                let db = prepare(&sqlite_url(&file)).await;
                db.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
                db.close().await.unwrap();
                (folder, file)
            })
            .await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("test.db");
        std::fs::copy(template, &file).unwrap();
        Self { url: sqlite_url(&file), _folder: Some(folder), postgres_name: None }
    }

    async fn postgres(server: &str) -> Self {
        let template = POSTGRES_TEMPLATE
            .get_or_init(|| async {
                drop_leftovers(server).await;
                let name = format!("secondline_template_{}", std::process::id());
                on_server(server, &[format!("DROP DATABASE IF EXISTS {name}"), format!("CREATE DATABASE {name}")])
                    .await;
                prepare(&database_url(server, &name)).await.close().await.unwrap();
                name
            })
            .await;
        Self::postgres_from(server, template).await
    }

    async fn postgres_from(server: &str, template: &str) -> Self {
        let name = format!("secondline_test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
        let _one_at_a_time = CREATING.lock().await;
        on_server(server, &[format!("CREATE DATABASE {name} TEMPLATE {template}")]).await;
        Self { url: database_url(server, &name), _folder: None, postgres_name: Some(name) }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (Some(name), Some(server)) = (self.postgres_name.take(), postgres_url()) else { return };
        let drop = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(on_server(&server, &[format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")]));
        });
        let _ = drop.join();
    }
}

/// Makes a database that a server could start on.
async fn prepare(url: &str) -> store::Database {
    connection::migrate(url).await.unwrap();
    let db = connection::open(url, 2).await.unwrap();
    let service = Service::new(db.clone(), Clock::manual(*START), Vec::new());
    service.ensure_reference_data(chrono_tz::UTC).await.unwrap();
    db
}

/// Runs statements on a server or database, on a connection of their own.
pub async fn on_server(server: &str, statements: &[String]) {
    let db = Database::connect(server).await.unwrap();
    for statement in statements {
        db.execute_unprepared(statement).await.unwrap();
    }
    db.close().await.unwrap();
}

/// Drops the databases of runs that have ended; their names hold the number of their process.
async fn drop_leftovers(server: &str) {
    let db = Database::connect(server).await.unwrap();
    let names = "SELECT datname FROM pg_database WHERE datname ~ '^secondline_(template|test)_'";
    for row in db.query_all_raw(Statement::from_string(DbBackend::Postgres, names)).await.unwrap() {
        let name: String = row.try_get_by_index(0).unwrap();
        let process = name.split('_').nth(2).unwrap_or_default();
        if std::path::Path::new("/proc/self").exists() && !std::path::Path::new("/proc").join(process).exists() {
            // Another run may do the same at this moment.
            let _ = db.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name}")).await;
        }
    }
    db.close().await.unwrap();
}

fn sqlite_url(file: &std::path::Path) -> String {
    format!("sqlite:{}", file.display())
}

fn database_url(server: &str, name: &str) -> String {
    let mut url = url::Url::parse(server).unwrap();
    url.set_path(name);
    url.to_string()
}

/// The server that the tests may use. Says so, past the test harness, when none is named.
pub fn postgres_url() -> Option<String> {
    static SAID: Once = Once::new();
    let url = std::env::var("SECONDLINE_TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty());
    if url.is_none() {
        assert!(
            std::env::var_os("SECONDLINE_TEST_REQUIRE_POSTGRES").is_none(),
            "PostgreSQL must be tested: set SECONDLINE_TEST_POSTGRES_URL"
        );
        SAID.call_once(|| {
            let advice = "NOT TESTED ON POSTGRESQL: set SECONDLINE_TEST_POSTGRES_URL, such as \
                          postgres://postgres@127.0.0.1:5432/postgres\n";
            let _ = std::io::stderr().write_all(advice.as_bytes());
        });
    }
    url
}
