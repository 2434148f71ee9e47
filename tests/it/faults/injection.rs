//! What goes wrong, one thing after the other.

use std::{fmt, net::SocketAddr, path::PathBuf, process::Command, time::Duration};

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    fire::Dice,
    support::{
        TestApp,
        proxy::Proxy,
        server::{self, Server},
        smtp::{Reply, SmtpSink},
    },
};

/// Between two faults, and how long one lasts at most.
const PAUSE_MS: u64 = 1_500;
const LASTS_MS: u64 = 4_000;
/// What a server may still need once all faults are over; more than a notice that was claimed may wait.
const RECOVERS_WITHIN: Duration = Duration::from_secs(120);
/// Mails that one moment of the mail server concerns.
const MAILS: usize = 12;
/// Where Debian keeps the library that tells a process another time, and what the process is told at first.
const FAKE_TIME: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"];
const TRUE_TIME: &str = "+0";
const WRONG_TIMES: [&str; 3] = ["+2h", "-1h", "+26h"];

#[derive(Clone, Copy, Debug)]
enum Fault {
    Kill,
    Stop,
    /// SQLite: no room for another page. PostgreSQL: every connection is cut.
    Storage,
    /// PostgreSQL: bytes are taken and nothing is answered.
    Silence,
    Mail,
    Clock,
}

const FAULTS: [Fault; 6] = [Fault::Kill, Fault::Mail, Fault::Storage, Fault::Clock, Fault::Silence, Fault::Stop];

/// How often each thing went wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    kills: usize,
    stops: usize,
    storage: usize,
    silences: usize,
    mail: usize,
    clock: usize,
}

impl Counts {
    pub fn total(&self) -> usize {
        self.kills + self.stops + self.storage + self.silences + self.mail + self.clock
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, stops, storage, silences, mail, clock } = self;
        write!(
            formatter,
            "{kills} kills, {stops} stops, {storage} full disks or cut connections, {silences} silent databases, \
             {mail} moments of the mail server, {clock} wrong times"
        )
    }
}

/// The server and everything around it that can fail.
pub struct Injector {
    server: Option<Server>,
    url: String,
    smtp: SmtpSink,
    proxy: Option<Proxy>,
    /// The file that the process takes its time from; `None` where it has the machine's.
    time: Option<PathBuf>,
    address: watch::Sender<SocketAddr>,
    dice: Dice,
    counts: Counts,
    _folder: tempfile::TempDir,
}

impl Injector {
    pub async fn start(app: &TestApp) -> Self {
        let smtp = SmtpSink::start().await;
        let (proxy, url) = match app.db.get_database_backend() {
            DbBackend::Postgres => {
                let (proxy, url) = Proxy::before(&app.database.url).await;
                (Some(proxy), url)
            }
            _ => (None, app.database.url.clone()),
        };
        let folder = tempfile::tempdir().unwrap();
        let has_fake_time = FAKE_TIME.iter().any(|library| std::path::Path::new(library).exists());
        let time = has_fake_time.then(|| folder.path().join("time"));
        if let Some(file) = &time {
            std::fs::write(file, TRUE_TIME).unwrap();
        }
        let server = launch(&url, &smtp, time.as_ref()).await;
        let address = watch::Sender::new(server.addr);
        let (dice, counts) = (Dice::new(7), Counts::default());
        Self { server: Some(server), url, smtp, proxy, time, address, dice, counts, _folder: folder }
    }

    /// Where the server is.
    pub fn address(&self) -> watch::Receiver<SocketAddr> {
        self.address.subscribe()
    }

    pub async fn inject_until(&mut self, until: Instant) {
        for fault in FAULTS.into_iter().cycle() {
            if Instant::now() >= until {
                return;
            }
            sleep(Duration::from_millis(self.dice.below(PAUSE_MS))).await;
            let lasts = Duration::from_millis(200 + self.dice.below(LASTS_MS));
            match fault {
                Fault::Kill => self.end(true).await,
                Fault::Stop => self.end(false).await,
                Fault::Storage => self.fail_storage(lasts).await,
                Fault::Silence => self.silence(lasts).await,
                Fault::Mail => self.fail_mail(),
                Fault::Clock => self.set_clock(lasts).await,
            }
        }
    }

    async fn end(&mut self, at_once: bool) {
        let server = self.server.take().unwrap();
        if at_once {
            self.counts.kills += 1;
            server.kill();
        } else {
            self.counts.stops += 1;
            let status = tokio::task::spawn_blocking(move || server.terminate()).await.unwrap();
            assert_eq!(status.code(), Some(0), "it stops in order");
        }
        let server = launch(&self.url, &self.smtp, self.time.as_ref()).await;
        self.address.send_replace(server.addr);
        self.server = Some(server);
    }

    async fn fail_storage(&mut self, lasts: Duration) {
        self.counts.storage += 1;
        if self.proxy.is_some() {
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                       WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'secondline'";
            let db = sea_orm::Database::connect(&self.url).await.unwrap();
            db.query_all_raw(Statement::from_string(DbBackend::Postgres, cut)).await.unwrap();
            db.close().await.unwrap();
            return;
        }
        let path = self.url.strip_prefix("sqlite:").unwrap();
        let size = |suffix: &str| std::fs::metadata(format!("{path}{suffix}")).map_or(0, |file| file.len());
        self.allow_file_size(&(size("").max(size("-wal")) + 20_000).to_string());
        sleep(lasts).await;
        self.allow_file_size("unlimited");
    }

    /// Allows the server's files so many bytes, as a disk that is full, or has room again.
    fn allow_file_size(&self, bytes: &str) {
        let process = self.server.as_ref().unwrap().process_id().to_string();
        let limit = format!("--fsize={bytes}:unlimited");
        assert!(Command::new("prlimit").args(["--pid", &process, &limit]).status().unwrap().success());
    }

    async fn silence(&mut self, lasts: Duration) {
        let Some(proxy) = &self.proxy else { return };
        self.counts.silences += 1;
        proxy.go_silent();
        sleep(lasts).await;
        proxy.speak();
    }

    fn fail_mail(&mut self) {
        self.counts.mail += 1;
        let moments = [
            Reply::Refuse(451, "4.3.0 later"),
            Reply::RefuseAtData(452, "4.3.1 disk full"),
            Reply::DropAfterData,
            Reply::Hang,
            Reply::Refuse(550, "5.7.1 not today"),
        ];
        let moment = &moments[self.counts.mail % moments.len()];
        let times = if matches!(moment, Reply::Hang) { 1 } else { MAILS };
        self.smtp.script(std::iter::repeat_n(moment.clone(), times));
    }

    async fn set_clock(&mut self, lasts: Duration) {
        let Some(file) = &self.time else { return };
        std::fs::write(file, WRONG_TIMES[self.counts.clock % WRONG_TIMES.len()]).unwrap();
        self.counts.clock += 1;
        sleep(lasts).await;
        std::fs::write(file, TRUE_TIME).unwrap();
    }

    /// Ends all faults and waits until the server says that it can work.
    pub async fn recover(&mut self) {
        self.smtp.forget_script();
        let began = Instant::now();
        let client = server::http_client();
        loop {
            let url = format!("http://{}/readyz", *self.address.borrow());
            match client.get(url).send().await {
                Ok(answer) if answer.status().is_success() => return,
                answer => assert!(began.elapsed() < RECOVERS_WITHIN, "not ready again: {answer:?}"),
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Sends again what was refused for good, as an operator would, lets nothing wait for its next try, and waits until all
    /// is sent.
    pub async fn deliver_everything(&self, app: &TestApp) {
        let began = Instant::now();
        let waiting = "SELECT count(*) FROM notice WHERE state IN ('QUEUED', 'FAILED')";
        loop {
            let (retried, _, said) = crate::support::commands::run_on(app, &["outbox", "retry", "--all"]);
            assert!(retried, "{said}");
            let expedite = "UPDATE notice SET next_attempt_at = '2026-01-01T00:00:00+00:00' \
                            WHERE state = 'QUEUED' AND attempts > 0";
            app.db.execute_unprepared(expedite).await.unwrap();
            let statement = Statement::from_string(app.db.get_database_backend(), waiting);
            let count: i64 = app.db.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap();
            if count == 0 {
                return;
            }
            assert!(began.elapsed() < RECOVERS_WITHIN, "{count} notices still wait");
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// Kills the server; what went wrong, and what the mail server took.
    pub fn stop(self) -> (Counts, SmtpSink) {
        (self.counts, self.smtp)
    }
}

async fn launch(url: &str, smtp: &SmtpSink, time: Option<&PathBuf>) -> Server {
    // A signal would end the process where the limit of its files is met; a full disk sends none.
    let mut before = "trap '' XFSZ".to_owned();
    if let (Some(file), Some(library)) = (time, FAKE_TIME.iter().find(|library| std::path::Path::new(library).exists()))
    {
        before += &format!(
            "; export LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE={} FAKETIME_NO_CACHE=1 \
             FAKETIME_DONT_FAKE_MONOTONIC=1",
            file.display()
        );
    }
    let (url, smtp) = (url.to_owned(), smtp.url());
    let starting = tokio::task::spawn_blocking(move || {
        let options = [
            ("--smtp-url", smtp.as_str()),
            ("--deliver-schedule", "*/1 * * * * *"),
            ("--cost-per-minute", "100000000"),
        ];
        Server::start_after(&before, &url, &options)
    });
    starting.await.unwrap()
}
