//! Databases that earlier versions wrote are brought up to date in place, also by a process that is killed in the midst of it.

mod identity_trust;
mod search_documents;

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use secondline::{
    clock::Clock,
    domain::actor::Actor,
    service::Service,
    store::{
        Database,
        connection::{self, SchemaState},
    },
};

use crate::support::{Engine, TestDatabase, database::on_server, each_engine};

/// When the fixtures were made; the demo's tickets lie before it.
const MADE_AT: &str = "2026-11-27T14:00:00Z";
/// Starts that are killed after so long at most, in CI; by hand `SECONDLINE_KILLS=100`.
const KILLED_WITHIN: Duration = Duration::from_millis(300);
const KILLS: u64 = 12;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrades")
}

/// The fixtures of an engine, oldest first.
fn fixtures(engine: Engine) -> Vec<PathBuf> {
    let ending = match engine {
        Engine::Sqlite => ".sqlite.gz",
        Engine::Postgres => ".postgres.sql.gz",
    };
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = files.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    found.sort();
    found
}

fn unpacked(file: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

/// A database with what a fixture holds; none where PostgreSQL is not to be tested.
async fn restored(engine: Engine, file: &Path) -> Option<TestDatabase> {
    let database = TestDatabase::create_empty(engine).await?;
    match engine {
        Engine::Sqlite => std::fs::write(database.url.strip_prefix("sqlite:").unwrap(), unpacked(file)).unwrap(),
        Engine::Postgres => on_server(&database.url, &[String::from_utf8(unpacked(file)).unwrap()]).await,
    }
    Some(database)
}

/// The columns of all tables, and the indexes.
async fn shape(db: &Database) -> BTreeSet<String> {
    let sql = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable \
             FROM information_schema.columns WHERE table_schema = 'public' \
             UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' \
             UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
             WHERE connamespace = 'public'::regnamespace"
        }
        _ => {
            "SELECT t.name || '.' || c.name || ' ' || c.type || ' ' || c.\"notnull\" \
             FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table' \
             UNION ALL SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
        }
    };
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Opens an upgraded database, and works on it.
async fn works(database: &TestDatabase, what: &str) {
    let db = connection::open(&database.url, 4).await.unwrap();
    assert_eq!(connection::schema_state(&db).await.unwrap(), SchemaState::Current, "{what}");
    let made_at: DateTime<Utc> = MADE_AT.parse().unwrap();
    let clock = Clock::manual(made_at);
    let service = Service::new(db.clone(), clock.clone(), Vec::new());
    service.ensure_reference_data(chrono_tz::UTC).await.unwrap();
    let verify = async |when: &str| {
        let report = service.verify_clocks(&Actor::System, None).await.unwrap();
        assert!(report.verified > 0, "{what} {when}");
        assert!(report.drifts.is_empty(), "{what} {when}: {:#?}", report.drifts);
    };
    verify("as it is").await;
    clock.advance(TimeDelta::days(7));
    assert!(service.sla_scan().await.unwrap().raised > 0, "{what}: clocks go on");
    verify("after a week").await;
    db.close().await.unwrap();
}

async fn is_upgraded(engine: Engine) {
    for file in fixtures(engine) {
        let Some(database) = restored(engine, &file).await else { return };
        let what = file.display().to_string();
        connection::migrate(&database.url).await.unwrap();
        let fresh = TestDatabase::create(engine).await.unwrap();
        let (db, expected) =
            (connection::open(&database.url, 2).await.unwrap(), connection::open(&fresh.url, 2).await.unwrap());
        assert_eq!(
            shape(&db).await,
            shape(&expected).await,
            "{what}: the schema of an upgrade is that of a fresh start"
        );
        search_documents::are_as_written_anew(&db, &what).await;
        works(&database, &what).await;
    }
}

each_engine! {
    async fn databases_of_earlier_versions_are_upgraded(engine) {
        is_upgraded(engine).await;
    }
}

/// Runs `secondline migrate`, killed after a while, if it has not ended by then.
fn migrate(url: &str, killed_after: Option<Duration>) -> bool {
    let mut process = Command::new(env!("CARGO_BIN_EXE_secondline"))
        .arg("migrate")
        .env("DATABASE_URL", url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    if let Some(after) = killed_after {
        std::thread::sleep(after);
        process.kill().unwrap();
    }
    process.wait().unwrap().success()
}

fn kills() -> u64 {
    std::env::var("SECONDLINE_KILLS").map_or(KILLS, |kills| kills.parse().unwrap())
}

/// Kills migrations of a database that `make` makes, at moments spread over the time that one takes; then lets one run to its end.
async fn survives_kills(engine: Engine, make: impl AsyncFn() -> Option<TestDatabase>) {
    let kills = kills();
    for kill in 0..kills {
        let Some(database) = make().await else { return };
        let after = KILLED_WITHIN * u32::try_from(kill).unwrap() / u32::try_from(kills).unwrap();
        tokio::task::block_in_place(|| migrate(&database.url, Some(after)));
        assert!(
            tokio::task::block_in_place(|| migrate(&database.url, None)),
            "{engine:?}: bricked by a kill after {after:?}"
        );
        let db = connection::open(&database.url, 2).await.unwrap();
        assert_eq!(connection::schema_state(&db).await.unwrap(), SchemaState::Current);
        db.close().await.unwrap();
    }
}

each_engine! {
    async fn a_first_start_that_is_killed_can_be_tried_again(engine) {
        survives_kills(engine, async || TestDatabase::create_empty(engine).await).await;
    }
}

each_engine! {
    async fn an_upgrade_that_is_killed_can_be_tried_again(engine) {
        let file = fixtures(engine).remove(0);
        survives_kills(engine, async || restored(engine, &file).await).await;
    }
}

each_engine! {
    async fn processes_that_start_at_once_on_an_empty_database_migrate_it_once(engine) {
        for _ in 0..3 {
            let Some(database) = TestDatabase::create_empty(engine).await else { return };
            let starts: Vec<_> = (0..4)
                .map(|_| {
                    let url = database.url.clone();
                    tokio::task::spawn_blocking(move || migrate(&url, None))
                })
                .collect();
            for start in starts {
                assert!(start.await.unwrap(), "{engine:?}");
            }
        }
    }
}

/// The schema says that versions from `oldest_reader` on may work on it, beside a migration that this version does not know.
async fn from_the_future(engine: Engine, oldest_reader: &str) -> Option<(TestDatabase, SchemaState)> {
    let database = TestDatabase::create(engine).await?;
    let db = connection::open(&database.url, 2).await.unwrap();
    for sql in [
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_future', 0)".to_owned(),
        format!("UPDATE schema_range SET oldest_reader = '{oldest_reader}'"),
    ] {
        db.execute_unprepared(&sql).await.unwrap();
    }
    let state = connection::schema_state(&db).await.unwrap();
    db.close().await.unwrap();
    Some((database, state))
}

each_engine! {
    async fn an_old_replica_works_on_a_newer_schema_within_its_range(engine) {
        let Some((_database, state)) = from_the_future(engine, migration::OLDEST_READER).await else { return };
        assert_eq!(state, SchemaState::NewerCompatible);
        let (_database, state) = from_the_future(engine, "m29990101_000001_future").await.unwrap();
        assert_eq!(state, SchemaState::Newer);
    }
}

/// Writes the fixtures of this version; see `tests/upgrades/README.md`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes files, by hand"]
async fn write_fixtures() {
    let name = std::env::var("FIXTURE").expect("FIXTURE names the issue that has landed");
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = TestDatabase::create(engine).await.expect("both databases are at hand");
        let db = connection::open(&database.url, 4).await.unwrap();
        secondline::demo::seed(db.clone(), MADE_AT.parse().unwrap()).await.unwrap();
        let (file, bytes) = match engine {
            Engine::Sqlite => {
                let copy = tempfile::tempdir().unwrap();
                let copy = copy.path().join("copy.db");
                db.execute_unprepared(&format!("VACUUM INTO '{}'", copy.display())).await.unwrap();
                (format!("{name}.sqlite.gz"), std::fs::read(copy).unwrap())
            }
            Engine::Postgres => {
                let arguments = ["--no-owner", "--no-privileges", "--rows-per-insert=200"];
                let dump = Command::new("pg_dump").args(arguments).arg(&database.url).output().unwrap();
                let text = String::from_utf8(dump.stdout).unwrap();
                // Commands of psql, with which newer versions guard a dump.
                let lines = text.lines().filter(|line| !line.starts_with('\\'));
                (format!("{name}.postgres.sql.gz"), lines.collect::<Vec<_>>().join("\n").into_bytes())
            }
        };
        let mut packed = GzEncoder::new(std::fs::File::create(folder().join(file)).unwrap(), Compression::best());
        packed.write_all(&bytes).unwrap();
        packed.finish().unwrap();
    }
}
