//! Composition: configuration → database, clock, mailer → service → schema, router, jobs; and their ordered end.
//!
//! May import everything but `main` and `cli`. Example: [`App::start`] answers once requests are accepted, and
//! [`RunningApp::stop`] ends it so that nothing under way is lost. Tests start it on port 0 with a clock of their own.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};
use sea_orm::DatabaseConnection;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::Clock,
    config::{Checked, Config, ConfigError, hide_passwords},
    delivery::attachments::{AttachmentKey, AttachmentStore},
    http::{self, HttpState},
    jobs::{self, Schedules, Tools},
    notice::Site,
    service::{Service, attachments::Attachments, deliver::MailRoute},
    store::connection::{self, SchemaState},
};

/// Requests take milliseconds; one that takes longer than this hangs.
const REQUESTS_WITHIN: Duration = Duration::from_secs(20);
/// A socket that does not take its last message within this time is cut.
const SOCKETS_WITHIN: Duration = Duration::from_secs(5);
/// A mail server that hangs in every phase holds a mail for some 30 s.
const JOBS_WITHIN: Duration = Duration::from_secs(45);

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
    service: Service,
    mail: MailRoute,
    server: JoinHandle<()>,
    jobs: Option<jobs::Jobs>,
    follower: TaskTracker,
    api: HttpState,
    stop_server: CancellationToken,
    stop_follower: CancellationToken,
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
        let db = open_database(&checked.database_url, config).await?;
        let service = Service::new(db, clock, checked.pipelines.clone());
        let attachments = attachments(config, &checked, &service).await?;
        let mut service = service.with_attachments(attachments);
        if let Some(provider) = config.oidc.provider().map_err(ConfigError)? {
            service = service.with_provider(provider);
        }
        service.ensure_reference_data(config.time_zone).await.context("the reference data cannot be stored")?;
        if checked.mail_in_clear {
            tracing::warn!("mails are sent in clear, as smtp+plain:// asks for");
        }
        let api = HttpState::new(service, checked.policy.clone(), checked.settings.clone());
        RunningApp::begin(config, mail_route(checked), api, listener, who_runs_jobs).await
    }
}

impl RunningApp {
    async fn begin(
        config: &Config,
        mail: MailRoute,
        api: HttpState,
        listener: TcpListener,
        who_runs_jobs: Jobs,
    ) -> Result<Self> {
        let addr = listener.local_addr().context("the listening address cannot be read")?;
        let stop_follower = CancellationToken::new();
        let follower = TaskTracker::new();
        let service = api.api.service().clone();
        follower.spawn({
            let (service, stop) = (service.clone(), stop_follower.clone());
            async move { service.follow_events(stop).await }
        });
        let jobs = match who_runs_jobs {
            Jobs::ByHand => None,
            Jobs::Scheduled => {
                let tools = Tools { service: service.clone(), mail: mail.clone(), stop: CancellationToken::new() };
                let schedules =
                    Schedules { sla_scan: config.sla_scan_schedule.clone(), deliver: config.deliver_schedule.clone() };
                Some(jobs::start(tools, &schedules).await.context("the jobs cannot be scheduled")?)
            }
        };
        let stop_server = CancellationToken::new();
        let server = http::serve(api.clone(), listener, stop_server.clone());
        tracing::info!(http.address = %addr, "listening");
        Ok(Self { addr, service, mail, server, jobs, follower, api, stop_server, stop_follower })
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

    /// Accepts no more, ends the sockets, finishes the requests and the jobs, closes mail and database; in this order.
    pub async fn stop(mut self) {
        tracing::info!("stopping: no more requests are accepted");
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
        if tokio::time::timeout(REQUESTS_WITHIN, requests).await.is_err() {
            tracing::error!("some requests did not end in time and are cut");
            self.server.abort();
        }
        if tokio::time::timeout(SOCKETS_WITHIN, self.api.sockets.wait()).await.is_err() {
            tracing::warn!("some WebSockets did not end in time and are cut");
        }
        if let Some(jobs) = self.jobs.take()
            && !jobs.stop(JOBS_WITHIN).await
        {
            tracing::error!("a job did not end in time and is cut");
        }
        self.stop_follower.cancel();
        self.follower.close();
        self.follower.wait().await;
        self.mail.mailer.close().await;
        self.service.close().await;
        tracing::info!("stopped");
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

/// Opens the database for a command; its schema must be this version's.
pub async fn open_current(url: &str, max_connections: u32) -> Result<DatabaseConnection> {
    if !connection::exists(url) {
        bail!("there is no database at {} yet; run `secondline migrate` first", hide_passwords(url));
    }
    let db = open(url, max_connections).await?;
    require_current(&db).await?;
    Ok(db)
}

/// Opens the database, making it where it is a file, and brings its schema up to date.
pub async fn open_migrated(url: &str, max_connections: u32) -> Result<DatabaseConnection> {
    let db = open(url, max_connections).await?;
    match connection::schema_state(&db).await? {
        SchemaState::Current => {}
        SchemaState::Old => {
            connection::migrate(&db).await.context("the database's schema cannot be brought up to date")?;
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

async fn open_database(url: &str, config: &Config) -> Result<DatabaseConnection> {
    let connections = config.database.database_connections;
    if config.no_migrate { open_current(url, connections).await } else { open_migrated(url, connections).await }
}

async fn open(url: &str, max_connections: u32) -> Result<DatabaseConnection> {
    connection::open(url, max_connections).await.with_context(|| {
        format!("the database {} cannot be opened; is it there, and does DATABASE_URL name it?", hide_passwords(url))
    })
}

async fn require_current(db: &DatabaseConnection) -> Result<()> {
    match connection::schema_state(db).await? {
        SchemaState::Current => Ok(()),
        SchemaState::Old => bail!("the database's schema is not this version's; run `secondline migrate` first"),
        SchemaState::Newer => bail!(NEWER_SCHEMA),
    }
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
