//! Composition: configuration → database, clock, mailer → service → schema, router, jobs; and their ordered end.
//!
//! May import everything but `main` and `cli`. Example: [`App::start`] answers once requests are accepted, and
//! [`RunningApp::stop`] ends it so that nothing under way is lost. Tests start it on port 0 with a clock of their own.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::Clock,
    config::{Checked, Config, ConfigError, hide_passwords},
    delivery::attachments::{AttachmentKey, AttachmentStore},
    http::{self, HttpState},
    jobs::{self, Schedules, Tools},
    notice::Site,
    private_files::{self, Sharing},
    service::{Service, attachments::Attachments, deliver::MailRoute},
    store::{
        Database,
        connection::{self, DatabaseLock, SchemaState},
    },
};

/// Whatever hangs, the process ends within this time, less than orchestrators wait before they kill: Kubernetes 30 s. The steps
/// below have less each, and together.
const STOP_TIMEOUT: Duration = Duration::from_secs(25);
/// Requests take milliseconds, and runs of jobs look at the token that stops them; one that takes longer than this hangs.
const WORK_TIMEOUT: Duration = Duration::from_secs(12);
/// A socket that does not take its last message within this time is cut.
const SOCKETS_TIMEOUT: Duration = Duration::from_secs(4);
/// The log of events is followed by short statements.
const FEED_TIMEOUT: Duration = Duration::from_secs(2);
/// A mail server that does not take leave is left without.
const MAILER_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections that are still out then are cut.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(3);

/// What a mail's footer calls this.
const PRODUCT_NAME: &str = "Secondline";
/// What to say where an older version meets a newer schema.
const NEWER_SCHEMA: &str = "a newer version of Secondline made this database's schema; run that version";

/// Who runs the jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jobs {
    /// The scheduler.
    Scheduled,
    /// A test, by calling the service.
    ByHand,
}

/// Starts the server.
#[derive(Debug)]
pub struct App;

/// The server, accepting requests.
pub struct RunningApp {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Keeps a restore away from the database as long as this runs.
    _lock: DatabaseLock,
    service: Service,
    mail: MailRoute,
    server: JoinHandle<()>,
    jobs: Option<jobs::Jobs>,
    follower: TaskTracker,
    api: HttpState,
    stop_server: CancellationToken,
    stop_follower: CancellationToken,
    drain: Duration,
}

impl App {
    /// Starts the server on the machine's clock, with its jobs.
    pub async fn start(config: &Config) -> Result<RunningApp> {
        Self::start_with(config, Clock::System, Jobs::Scheduled).await
    }

    /// Starts the server.
    pub async fn start_with(config: &Config, clock: Clock, who_runs_jobs: Jobs) -> Result<RunningApp> {
        let checked = config.check()?;
        // First, for it fails for the most trivial reason.
        let listener = listen(config.listen).await?;
        let lock = lock_database(&checked.database_url)?;
        connection::wait_for_server(&checked.database_url, Duration::from_secs(config.database.wait_for_database))
            .await
            .with_context(|| unreachable_database(&checked.database_url))?;
        let db = open_database(&checked.database_url, config).await?;
        let service = Service::new(db, clock, checked.pipelines.clone());
        let attachments = attachments(config, &checked, &service).await?;
        let mut service = service.with_attachments(attachments);
        if let Some(provider) = config.oidc.provider().map_err(ConfigError)? {
            service = service.with_provider(provider);
        }
        service.ensure_reference_data(config.time_zone).await.context("the reference data cannot be stored")?;
        warn_of_what_others_read(config, &checked.database_url);
        warn_of_addresses(&service).await;
        if checked.mail_in_clear {
            tracing::warn!("mails are sent in clear, as smtp+plain:// asks for");
        }
        let api = HttpState::new(service, checked.policy.clone(), checked.settings.clone());
        RunningApp::begin(config, mail_route(checked), api, (listener, lock), who_runs_jobs).await
    }
}

impl RunningApp {
    async fn begin(
        config: &Config,
        mail: MailRoute,
        api: HttpState,
        (listener, lock): (TcpListener, DatabaseLock),
        who_runs_jobs: Jobs,
    ) -> Result<Self> {
        let addr = listener.local_addr().context("the listening address cannot be read")?;
        let stop_follower = CancellationToken::new();
        let follower = TaskTracker::new();
        let service = api.api.service().clone();
        follower.spawn({
            let (service, stop) = (service.reserved(), stop_follower.clone());
            async move { service.follow_events(stop).await }
        });
        let jobs = match who_runs_jobs {
            Jobs::ByHand => None,
            Jobs::Scheduled => {
                let tools = Tools {
                    service: service.reserved(),
                    mail: mail.clone(),
                    health: api.health.clone(),
                    stop: CancellationToken::new(),
                };
                let schedules =
                    Schedules { sla_scan: config.sla_scan_schedule.clone(), deliver: config.deliver_schedule.clone() };
                Some(jobs::start(tools, &schedules).await.context("the jobs cannot be scheduled")?)
            }
        };
        let stop_server = CancellationToken::new();
        let server = http::serve(api.clone(), listener, stop_server.clone());
        tracing::info!(http.address = %addr, "listening");
        let drain = Duration::from_secs(config.drain);
        Ok(Self { addr, _lock: lock, service, mail, server, jobs, follower, api, stop_server, stop_follower, drain })
    }

    /// The use cases behind the server.
    pub const fn service(&self) -> &Service {
        &self.service
    }

    /// How mail leaves.
    pub const fn mail(&self) -> &MailRoute {
        &self.mail
    }

    /// Answers when the server ended without being told to, which it never should.
    pub async fn failed(&mut self) -> anyhow::Error {
        match (&mut self.server).await {
            Ok(()) => anyhow::anyhow!("the server ended"),
            Err(error) => anyhow::Error::new(error).context("the server ended"),
        }
    }

    /// Tells load balancers for the configured time, then ends everything within 25 s.
    pub async fn stop(self) {
        if !self.drain.is_zero() {
            self.api.health.drain();
            tracing::info!(
                drain_seconds = self.drain.as_secs(),
                "stopping: /readyz says so, requests are still accepted"
            );
            tokio::time::sleep(self.drain).await;
        }
        if tokio::time::timeout(STOP_TIMEOUT, self.stop_in_order()).await.is_err() {
            tracing::error!("not everything ended in time; the rest is cut");
        }
        tracing::info!("stopped");
    }

    /// Accepts no more, ends the sockets, finishes the requests and the jobs, closes mail and database; in this order.
    async fn stop_in_order(mut self) {
        tracing::info!("stopping: no more requests are accepted");
        self.api.health.drain();
        self.stop_server.cancel();
        // Before the requests are waited for: an event stream is a request that has no end of its own.
        self.api.end_sockets.cancel();
        self.api.sockets.close();
        self.api.requests.close();
        let requests = async {
            // An idle connection ends at once, one with a request after its answer.
            let _ = (&mut self.server).await;
            self.api.requests.wait().await;
        };
        let jobs = async {
            if let Some(jobs) = self.jobs.take() {
                jobs.stop().await;
            }
        };
        let (requests, jobs) =
            tokio::join!(tokio::time::timeout(WORK_TIMEOUT, requests), tokio::time::timeout(WORK_TIMEOUT, jobs));
        if requests.is_err() {
            tracing::error!("some requests did not end in time and are cut");
            self.server.abort();
        }
        if jobs.is_err() {
            tracing::error!("a job did not end in time and is cut");
        }
        in_time("the WebSockets", SOCKETS_TIMEOUT, self.api.sockets.wait()).await;
        self.stop_follower.cancel();
        self.follower.close();
        in_time("following the log of events", FEED_TIMEOUT, self.follower.wait()).await;
        in_time("the connections to the mail server", MAILER_TIMEOUT, self.mail.mailer.close()).await;
        in_time("the connections to the database", DATABASE_TIMEOUT, self.service.close()).await;
    }
}

/// Waits for one step of the end, so long at most.
async fn in_time(what: &str, limit: Duration, step: impl Future<Output = ()>) {
    if tokio::time::timeout(limit, step).await.is_err() {
        tracing::warn!("{what} did not end in time and are cut");
    }
}

/// Warns of folders and files that others on this machine can use. They were there before, and stay as somebody made them.
fn warn_of_what_others_read(config: &Config, database_url: &str) {
    let mut places = connection::files(database_url);
    let folder = places.first().and_then(|file| file.parent()).filter(|folder| !folder.as_os_str().is_empty());
    places.extend(folder.map(Path::to_path_buf));
    if config.mail.smtp_url.is_none() {
        places.push(config.mail_dir());
    }
    if config.attachments.attachment_url.is_none() {
        places.push(config.attachment_dir());
    }
    for path in places {
        let Some(mode) = private_files::wider(&path) else { continue };
        let advice = if path.is_dir() { "chmod 700" } else { "chmod 600" };
        tracing::warn!(
            path = %path.display(),
            mode = format!("{mode:04o}"),
            advice,
            "others on this machine can use what is kept here"
        );
    }
}

/// Warns of mail addresses that an earlier version took and this one would not. They hinder no start.
async fn warn_of_addresses(service: &Service) {
    match service.address_problems().await {
        Ok(problems) if problems.is_empty() => {}
        Ok(problems) => tracing::warn!(
            addresses = problems.len(),
            "stored mail addresses need a look, see `secondline directory check`"
        ),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "stored mail addresses cannot be checked")
        }
    }
}

/// Where files are kept.
async fn attachments(config: &Config, checked: &Checked, service: &Service) -> Result<Attachments> {
    let store = match &config.attachments.attachment_url {
        Some(url) => AttachmentStore::bucket(url),
        None => AttachmentStore::folder(&config.attachment_dir()),
    };
    let key = match &checked.attachment_key {
        Some(key) => AttachmentKey::new(key.expose().as_bytes()),
        None => service.attachment_key().await.context("the key for attachments cannot be stored")?,
    };
    let store = store.context("the place for attachments cannot be used; see --attachment-dir and --attachment-url")?;
    Ok(Attachments { store, key, limit: config.attachments.attachment_limit })
}

fn mail_route(checked: Checked) -> MailRoute {
    let Checked { mailer, mail_from, public_url, .. } = checked;
    let mail_host = mail_from.host().to_owned();
    let site = Site { product_name: PRODUCT_NAME.to_owned(), public_url, mail_host };
    MailRoute { mailer, from: mail_from, site }
}

/// Opens the database for a command; its schema must be one that this version works on.
pub async fn open_current(url: &str, max_connections: u32) -> Result<Database> {
    if !connection::exists(url) {
        bail!("there is no database at {} yet; run `secondline migrate` first", hide_passwords(url));
    }
    let db = open(url, max_connections).await?;
    match connection::schema_state(&db).await? {
        SchemaState::Current | SchemaState::NewerCompatible => Ok(db),
        SchemaState::Old => bail!("the database's schema is older than this version's; run `secondline migrate` first"),
        SchemaState::Newer => bail!(NEWER_SCHEMA),
    }
}

/// Opens the database, making it where it is a file, and brings its schema up to date.
pub async fn open_migrated(url: &str, max_connections: u32) -> Result<Database> {
    let db = open(url, max_connections).await?;
    match connection::schema_state(&db).await? {
        SchemaState::Current => {}
        SchemaState::NewerCompatible => {
            tracing::warn!("a newer version made the database's schema; this one works on it until it is replaced");
        }
        SchemaState::Old => {
            connection::migrate(url).await.context("the database's schema cannot be brought up to date")?;
            tracing::info!("the database's schema was brought up to date");
        }
        SchemaState::Newer => bail!(NEWER_SCHEMA),
    }
    Ok(db)
}

/// Whether the address is free, for whoever has long work to do before starting.
pub async fn check_address(addr: SocketAddr) -> Result<()> {
    listen(addr).await.map(drop)
}

/// Keeps a restore away from the database from now on.
fn lock_database(url: &str) -> Result<DatabaseLock> {
    let locked = connection::lock(url, Sharing::Shared).unwrap_or_else(|error| {
        // Where the place cannot be used at all, opening the database says so.
        tracing::warn!(error = &error as &dyn std::error::Error, "the database cannot be locked against a restore");
        Some(DatabaseLock::none())
    });
    locked.with_context(|| format!("a backup is being restored to {}; start again once it is", hide_passwords(url)))
}

async fn open_database(url: &str, config: &Config) -> Result<Database> {
    let connections = config.database.database_connections;
    if config.no_migrate { open_current(url, connections).await } else { open_migrated(url, connections).await }
}

async fn open(url: &str, max_connections: u32) -> Result<Database> {
    connection::open(url, max_connections).await.with_context(|| unreachable_database(url))
}

fn unreachable_database(url: &str) -> String {
    format!("the database {} cannot be opened; is it there, and does DATABASE_URL name it?", hide_passwords(url))
}

async fn listen(addr: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(addr).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("{addr} is taken by another program; choose another port, such as --listen {}", other(addr))
        }
        _ => anyhow::Error::new(error).context(format!("cannot listen on {addr}; choose another --listen")),
    })
}

/// Another address to try.
fn other(mut addr: SocketAddr) -> SocketAddr {
    addr.set_port(addr.port().checked_add(1).unwrap_or(0));
    addr
}
