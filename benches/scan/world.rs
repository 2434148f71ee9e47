//! A database, the service over it, and a clock that stands still until the next tickets are to be due.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use entity::{notice, sla_alert, stage_visit, ticket_event};
use sea_orm::{ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement, metric::Info};
use secondline::{
    clock::Clock,
    delivery::mail::{Mailbox, Mailer},
    notice::Site,
    service::{Service, deliver::MailRoute},
    store::{Database, connection},
};
use tempfile::TempDir;

/// How much later than the one before a ticket was filed, and reaches its levels.
pub const STEP: TimeDelta = TimeDelta::milliseconds(5);
/// Connections of the service: jobs use one each.
const CONNECTIONS: u32 = 4;
/// Where a PostgreSQL is, as for the tests.
const POSTGRES_URL: &str = "SECONDLINE_TEST_POSTGRES_URL";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl fmt::Display for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// A statement, and how long it took.
pub type Timed = (Statement, Duration);

/// Counts the statements of a connection, and keeps them where that is asked.
#[derive(Default)]
pub struct Recorder {
    count: AtomicUsize,
    keeps: AtomicBool,
    kept: Mutex<Vec<Timed>>,
}

impl Recorder {
    fn note(&self, info: &Info<'_>) {
        self.count.fetch_add(1, Ordering::Relaxed);
        if self.keeps.load(Ordering::Relaxed) {
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).push((info.statement.clone(), info.elapsed));
        }
    }

    /// How many statements the work runs.
    pub async fn count<T>(&self, work: impl Future<Output = T>) -> (T, usize) {
        let before = self.count.load(Ordering::Relaxed);
        let done = work.await;
        (done, self.count.load(Ordering::Relaxed) - before)
    }

    /// The statements that the work runs.
    pub async fn record<T>(&self, work: impl Future<Output = T>) -> (T, Vec<Timed>) {
        self.keeps.store(true, Ordering::Relaxed);
        let done = work.await;
        self.keeps.store(false, Ordering::Relaxed);
        (done, std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// The rows that a scan wrote, beside the visits that it changed.
pub struct Written {
    pub alerts: Vec<sla_alert::Model>,
    pub events: Vec<ticket_event::Model>,
    pub notices: Vec<notice::Model>,
}

impl Written {
    pub const fn rows(&self) -> usize {
        self.alerts.len() + self.events.len() + self.notices.len()
    }
}

/// A database full of open tickets.
pub struct World {
    pub engine: Engine,
    /// How many tickets are open.
    pub open: usize,
    pub url: String,
    pub db: Database,
    pub clock: Clock,
    pub service: Service,
    pub recorder: Arc<Recorder>,
    /// When the first ticket reaches its first level.
    pub first_level_at: DateTime<Utc>,
    mail: MailRoute,
    folder: TempDir,
    /// The server and the name of the database on it, where it must be dropped.
    on_server: Option<(String, String)>,
    /// How many tickets have reached their first level.
    passed: usize,
}

impl World {
    /// An empty database of the engine; none where no server is named.
    pub async fn create(engine: Engine, open: usize) -> anyhow::Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let (url, on_server) = match engine {
            Engine::Sqlite => (format!("sqlite:{}", folder.path().join("scan.db").display()), None),
            Engine::Postgres => {
                let Some(server) = std::env::var(POSTGRES_URL).ok().filter(|url| !url.is_empty()) else {
                    return Ok(None);
                };
                let name = format!("secondline_bench_{}", std::process::id());
                on_server(&server, &format!("CREATE DATABASE {name}")).await?;
                let mut url = url::Url::parse(&server)?;
                url.set_path(&name);
                (url.to_string(), Some((server, name)))
            }
        };
        let db = connection::open(&url, CONNECTIONS).await?;
        let recorder = Arc::new(Recorder::default());
        let notes = Arc::clone(&recorder);
        db.set_metric_callback(move |info| notes.note(info));
        // A Monday, shortly after the working day of the default calendar has begun.
        let clock = Clock::manual("2026-06-01T09:00:01Z".parse()?);
        let mail = MailRoute {
            mailer: Arc::new(Mailer::folder(folder.path().join("mail"))),
            from: Mailbox::parse("Secondline <support@secondline.example>")?,
            site: Site {
                product_name: "Secondline".to_owned(),
                public_url: None,
                mail_host: "secondline.example".to_owned(),
            },
        };
        let service = Service::new(db.clone(), clock.clone(), Vec::new());
        let first_level_at = clock.now();
        Ok(Some(Self {
            engine,
            open,
            url,
            db,
            clock,
            service,
            recorder,
            first_level_at,
            mail,
            folder,
            on_server,
            passed: 0,
        }))
    }

    /// Lets time pass until so many more tickets are due.
    pub fn pass(&mut self, due: usize) -> anyhow::Result<()> {
        self.passed += due;
        ensure!(self.passed < self.counting(), "too few tickets are open for so many to be due, so often");
        let last = i32::try_from(self.passed.saturating_sub(1))?;
        self.clock.set(self.first_level_at + STEP * last);
        Ok(())
    }

    /// Tickets whose clocks count; those of the others are paused.
    pub const fn counting(&self) -> usize {
        self.open - self.open / 20
    }

    /// The visits that are due, in their order. Read before anything is measured, they are in memory for all alike.
    pub async fn due(&self) -> anyhow::Result<Vec<stage_visit::Model>> {
        Ok(stage_visit::Entity::find()
            .filter(stage_visit::COLUMN.next_alert_at.lte(self.clock.now()))
            .order_by_asc(stage_visit::Column::NextAlertAt)
            .all(&self.db)
            .await?)
    }

    pub async fn last_event(&self) -> anyhow::Result<i64> {
        let last = ticket_event::Entity::find().select_only().column_as(ticket_event::COLUMN.id.max(), "last");
        Ok(last.into_tuple::<Option<i64>>().one(&self.db).await?.flatten().unwrap_or(0))
    }

    /// What was written at this time, and after this event.
    pub async fn written(&self, after: i64) -> anyhow::Result<Written> {
        let now = self.clock.now();
        let alerts = sla_alert::Entity::find().filter(sla_alert::COLUMN.detected_at.eq(now));
        let events = ticket_event::Entity::find().filter(ticket_event::COLUMN.id.gt(after));
        let notices = notice::Entity::find().filter(notice::COLUMN.created_at.eq(now));
        Ok(Written {
            alerts: alerts.all(&self.db).await?,
            events: events.all(&self.db).await?,
            notices: notices.all(&self.db).await?,
        })
    }

    /// One run of a job; how much it did.
    pub async fn run(&self, job: &str) -> anyhow::Result<usize> {
        Ok(match job {
            "scan" => self.service.sla_scan().await?.visits,
            "deliver" => self.service.deliver(&self.mail).await?.sent,
            "follow" => self.service.follow_all_changes().await?,
            "wake" => self.service.wake_clocks().await?,
            _ => anyhow::bail!("there is no job {job}"),
        })
    }

    /// Removes the database.
    pub async fn remove(self) -> anyhow::Result<()> {
        self.db.close().await?;
        if let Some((server, name)) = self.on_server {
            on_server(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await?;
        }
        self.folder.close().context("the folder of the database could not be removed")
    }
}

async fn on_server(server: &str, sql: &str) -> anyhow::Result<()> {
    let db = sea_orm::Database::connect(server).await?;
    db.execute_unprepared(sql).await?;
    Ok(db.close().await?)
}
