//! Backups of the real program: taken under load, verified, restored, changed, cut off.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use secondline::{
    graphql::admission::Policy,
    http::{HttpState, Settings},
    private_files::{Lock, Sharing},
};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::ServiceExt;

use crate::support::{
    Engine, TestApp,
    commands::{run_on, without_settings},
    each_database,
    server::{Server, graphql, http_client},
};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01";
/// Clients that write while a backup is taken.
const WRITERS: usize = 4;
/// Writes that must be acknowledged before it is, and before the writers stop afterwards.
const WRITES: usize = 40;
const PATIENCE: Duration = Duration::from_secs(60);
/// Backups that are killed, each a little later than the one before.
const KILLED: u32 = 24;

const FILE: &str = "mutation($input: CreateTicketInput!) { done: createTicket(input: $input) { ticket { id key } } }";
const UPLOAD: &str = "mutation($input: RequestUploadInput!) { done: requestUpload(input: $input) { upload { url } } }";
const ASK: &str = "mutation($input: AskClientInput!) { done: askClient(input: $input) { ticket { key } } }";

/// A folder with everything that a deployment keeps, but for its database.
struct Places {
    parent: tempfile::TempDir,
}

impl Places {
    fn new() -> Self {
        Self { parent: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.parent.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

/// What the program does: whether it went well, and all that it said.
fn program(url: Option<&str>, arguments: &[&str]) -> (bool, String) {
    let mut command = without_settings();
    if let Some(url) = url {
        command.env("DATABASE_URL", url);
    }
    let output = command.args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn backup(app: &TestApp, files: &str, mails: &str, to: &str) -> (bool, String) {
    let options = ["backup", "--attachment-dir", files, "--mail-dir", mails, to];
    program(Some(&app.database.url), &options)
}

fn verify(backup: &str) -> (bool, String) {
    program(None, &["backup", "verify", backup])
}

fn restore(backup: &str, data_dir: &str, more: &[&str]) -> (bool, String) {
    program(None, &[&["restore", "--data-dir", data_dir], more, &[backup]].concat())
}

fn all_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(all_in(&path));
        }
        found.push(path);
    }
    found
}

/// Files tickets, each with a screenshot and a question that is mailed, until told to stop.
async fn write(app: &TestApp, server: &Server, acknowledged: &Mutex<Vec<String>>, stop: &AtomicBool) {
    let client = http_client();
    let token = &app.cast.operations.token;
    while !stop.load(Ordering::SeqCst) {
        let input = json!({ "input": app.filing().await });
        let answer = server.graphql(&client, token, FILE, input).await.unwrap();
        let ticket = &answer["data"]["done"]["ticket"];
        let id = &ticket["id"];
        let file = json!({ "ticketId": id, "fileName": "a.png", "contentType": "image/png", "size": PNG.len() });
        let answer = server.graphql(&client, token, UPLOAD, json!({ "input": file })).await.unwrap();
        let url = answer["data"]["done"]["upload"]["url"].as_str().unwrap_or_else(|| panic!("{answer}"));
        let sent = client.put(format!("http://{}{url}", server.addr)).body(PNG.to_vec()).send().await.unwrap();
        assert_eq!(sent.status(), 204);
        let question = json!({ "input": { "ticketId": id, "question": "Which browser?" } });
        server.graphql(&client, token, ASK, question).await.unwrap();
        acknowledged.lock().unwrap().push(ticket["key"].as_str().unwrap().to_owned());
    }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_restores_all_that_was_acknowledged_before_it() {
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    let places = Places::new();
    let [files, mails, taken, data] = ["files", "mails", "taken", "new/data"].map(|name| places.text(name));
    let options = [("--attachment-dir", files.as_str()), ("--mail-dir", &mails), ("--deliver-schedule", "* * * * * *")];
    let server = Server::start(&app.database.url, &options);
    let (acknowledged, stop) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let (acknowledged, stop) = (&acknowledged, &stop);
    let count = || acknowledged.lock().unwrap().len();
    let writers = join_all((0..WRITERS).map(|_| write(&app, &server, acknowledged, stop)));
    let take = async {
        let is_mail = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "eml");
        until("the writers are stuck, or no mail came", || {
            count() >= WRITES && all_in(Path::new(&mails)).iter().any(is_mail)
        })
        .await;
        let before = acknowledged.lock().unwrap().clone();
        let (is_done, said) = tokio::task::block_in_place(|| backup(&app, &files, &mails, &taken));
        assert!(is_done && !said.contains("warning"), "{said}");
        let so_far = count();
        until("the writers are stuck", || count() >= so_far + WRITES).await;
        stop.store(true, Ordering::SeqCst);
        before
    };
    let (before, _) = tokio::join!(take, writers);
    let ready: Value =
        http_client().get(format!("http://{}/readyz", server.addr)).send().await.unwrap().json().await.unwrap();
    assert!(ready["lastBackup"]["ageSeconds"].as_u64().unwrap() <= PATIENCE.as_secs(), "{ready}");
    let (is_whole, said) = verify(&taken);
    assert!(is_whole && said.contains("0 drifted"), "{said}");
    for path in all_in(Path::new(&taken)) {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, expected, "{}", path.display());
    }
    drop(server);

    let (is_done, said) = restore(&taken, &data, &[]);
    assert!(is_done, "{said}");
    assert!(all_in(&Path::new(&data).join("mail")).iter().any(|path| path.extension().is_some_and(|it| it == "eml")));
    let url = format!("sqlite:{data}/secondline.db");
    let (is_done, said) = program(Some(&url), &["sla", "verify"]);
    assert!(is_done, "{said}");
    let server = Server::start(&url, &[("--attachment-dir", &format!("{data}/attachments"))]);
    for key in &before {
        let query = "query($key: String) { ticket(key: $key) { attachments { state url } } }";
        let client = http_client();
        let found = server.graphql(&client, &app.cast.operations.token, query, json!({ "key": key })).await.unwrap();
        let file = &found["data"]["ticket"]["attachments"][0];
        assert_eq!(file["state"], "READY", "{key}: {found}");
        let url = format!("http://{}{}", server.addr, file["url"].as_str().unwrap());
        let bytes = client.get(url).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(&bytes[..], PNG, "{key}");
    }
}

/// A backup of a ticket with a file and a mail.
async fn small_backup(app: &TestApp, places: &Places) -> String {
    let key = app.file_ticket().await;
    attach(app, &key).await;
    std::fs::create_dir(places.path("mails")).unwrap();
    std::fs::write(places.path("mails").join("1@host.eml"), "Subject: x\r\n\r\nx").unwrap();
    std::fs::write(places.path("mails").join(".2@host.part"), "Subj").unwrap();
    let taken = places.text("taken");
    let (is_done, said) = backup(app, app.files.path().to_str().unwrap(), &places.text("mails"), &taken);
    assert!(is_done, "{said}");
    taken
}

/// Attaches a screenshot to a ticket; where its bytes are.
async fn attach(app: &TestApp, key: &str) -> PathBuf {
    let file = json!({ "ticketId": key, "fileName": "a.png", "contentType": "image/png", "size": PNG.len() });
    let payload = app.mutate(&app.cast.qa, "requestUpload", file, "upload { url }").await;
    let url = payload["upload"]["url"].as_str().unwrap();
    let request = axum::http::Request::put(url).body(axum::body::Body::from(PNG)).unwrap();
    assert_eq!(app.router.clone().oneshot(request).await.unwrap().status(), 204);
    let newest = |path: &PathBuf| std::fs::metadata(path).unwrap().modified().unwrap();
    all_in(app.files.path()).into_iter().filter(|path| path.is_file()).max_by_key(newest).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_was_changed_says_what_was_and_is_not_restored() {
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    let places = Places::new();
    let taken = small_backup(&app, &places).await;
    assert!(verify(&taken).0);
    let there = all_in(Path::new(&taken));
    let names: Vec<_> =
        there.iter().filter(|path| path.is_file()).map(|path| path.strip_prefix(&taken).unwrap()).collect();
    assert_eq!(names.len(), 4, "database, file, mail, manifest: {names:?}");
    let flip = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    let cut = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
    };
    let remove = |path: &Path| std::fs::remove_file(path).unwrap();
    let changes: [&dyn Fn(&Path); 3] = [&flip, &cut, &remove];
    for name in names.iter().filter(|name| !name.ends_with("manifest.json")) {
        for change in changes {
            let whole = std::fs::read(Path::new(&taken).join(name)).unwrap();
            change(&Path::new(&taken).join(name));
            let (is_whole, said) = verify(&taken);
            assert!(!is_whole && said.contains(name.to_str().unwrap()), "{name:?}: {said}");
            let (is_done, said) = restore(&taken, &places.text("data"), &[]);
            assert!(!is_done && said.contains("damaged") && said.contains(name.to_str().unwrap()), "{said}");
            assert!(!places.path("data").exists(), "nothing was touched");
            std::fs::write(Path::new(&taken).join(name), whole).unwrap();
        }
    }
    std::fs::write(Path::new(&taken).join("mail/more.eml"), "x").unwrap();
    assert!(verify(&taken).1.contains("mail/more.eml: is not in the manifest"));
    std::fs::remove_file(Path::new(&taken).join("mail/more.eml")).unwrap();
    assert!(verify(&taken).0);
    cut(&Path::new(&taken).join("manifest.json"));
    cut(&Path::new(&taken).join("manifest.json"));
    assert!(verify(&taken).1.contains("is no backup"));
    assert!(!restore(&taken, &places.text("data"), &[]).0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_lost_does_not_hinder_a_backup_and_is_named() {
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    let places = Places::new();
    let key = app.file_ticket().await;
    let lost = attach(&app, &key).await;
    let name = lost.file_name().unwrap().to_str().unwrap().replace("%2F", "/");
    std::fs::remove_file(&lost).unwrap();
    let taken = small_backup(&app, &places).await;
    let (is_whole, said) = verify(&taken);
    assert!(!is_whole && said.contains(&name) && said.contains("1 problems"), "{said}");
    let (is_done, said) = restore(&taken, &places.text("data"), &[]);
    assert!(is_done && said.contains(&name), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_killed_leaves_nothing_that_passes_for_one() {
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    let places = Places::new();
    std::fs::create_dir(places.path("mails")).unwrap();
    for number in 0..60 {
        std::fs::write(places.path("mails").join(format!("{number}.eml")), vec![b'x'; 100_000]).unwrap();
    }
    let files = app.files.path().to_str().unwrap();
    let partial = places.text(".taken.partial");
    let mut cut_off = 0;
    for turn in 0..KILLED {
        let taken = places.text("taken");
        let mut process = without_settings()
            .env("DATABASE_URL", &app.database.url)
            .args(["backup", "--attachment-dir", files, "--mail-dir", &places.text("mails"), &taken])
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Each time a little further into its work, which begins with the folder.
        until("it makes no folder", || Path::new(&partial).exists() || Path::new(&taken).exists()).await;
        tokio::time::sleep(Duration::from_millis(8) * turn).await;
        process.kill().unwrap();
        process.wait().unwrap();
        if Path::new(&taken).exists() {
            let (is_whole, said) = verify(&taken);
            assert!(is_whole, "{said}");
            std::fs::remove_dir_all(&taken).unwrap();
        } else {
            cut_off += 1;
            assert!(!verify(&partial).0 || Path::new(&partial).join("manifest.json").exists());
        }
    }
    assert!(cut_off > 2, "{cut_off} were cut off");
    let (is_done, said) = backup(&app, files, &places.text("mails"), &places.text("taken"));
    assert!(is_done && verify(&places.text("taken")).0, "{said}");
    assert!(!Path::new(&partial).exists(), "what was left is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_over() {
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    let places = Places::new();
    let taken = small_backup(&app, &places).await;
    let (is_done, said) = backup(&app, app.files.path().to_str().unwrap(), &places.text("mails"), &taken);
    assert!(!is_done && said.contains("is there already"), "{said}");
    // Another one that is being written.
    std::fs::create_dir(places.path(".other.partial")).unwrap();
    let lock = Lock::attempt(&places.path(".other.partial"), Sharing::Exclusive).unwrap();
    let (is_done, said) =
        backup(&app, app.files.path().to_str().unwrap(), &places.text("mails"), &places.text("other"));
    assert!(!is_done && said.contains("another backup"), "{said}");
    drop(lock);
    assert!(verify(&taken).0);

    let data = places.text("data");
    assert!(restore(&taken, &data, &[]).0);
    let (is_done, said) = restore(&taken, &data, &[]);
    assert!(!is_done && said.contains("secondline.db is there already"), "{said}");
    std::fs::remove_file(places.path("data/secondline.db")).unwrap();
    let (is_done, said) = restore(&taken, &data, &[]);
    assert!(!is_done && said.contains("mail is there already"), "{said}");
    std::fs::write(places.path("data/mail/new.eml"), "new").unwrap();
    let (is_done, said) = restore(&taken, &data, &["--force"]);
    assert!(is_done && said.contains("is kept as"), "{said}");
    let names = |folder: &str| {
        let entries = std::fs::read_dir(places.path(folder)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let mails = names("data/mail");
    assert!(mails.len() == 2 && mails[0].starts_with(".before-restore-") && mails[1] == "1@host.eml", "{mails:?}");
    assert_eq!(names(&format!("data/mail/{}", mails[0])), ["1@host.eml", "new.eml"]);
    let (is_done, said) = restore(&taken, &data, &["--force"]);
    assert!(is_done && said.contains("secondline.db.before-restore-"), "{said}");
    let kept = names("data").into_iter().find(|name| name.starts_with("secondline.db.before")).unwrap();
    let url = format!("sqlite:{data}/{kept}");
    assert!(program(Some(&url), &["sla", "verify"]).0, "what was kept is whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_restored_under_a_running_server() {
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    let places = Places::new();
    let taken = small_backup(&app, &places).await;
    let url = format!("sqlite:{}", places.text("data/secondline.db"));
    let server = Server::start(&url, &[]);
    for more in [&[][..], &["--force"]] {
        let (is_done, said) = restore(&taken, &places.text("data"), more);
        assert!(!is_done && said.contains("is in use; stop the server first"), "{said}");
    }
    let answer = graphql(server.addr, &http_client(), "none", "{ __typename }", json!({})).await.unwrap();
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    server.kill();
    let (is_done, said) = restore(&taken, &places.text("data"), &["--force"]);
    assert!(is_done, "the lock went with its process: {said}");
    let lock = secondline::store::connection::lock(&url, Sharing::Exclusive).unwrap().unwrap();
    let (is_done, said) = program(Some(&url), &["serve", "--listen", "127.0.0.1:0", "--data-dir", &places.text("x")]);
    assert!(!is_done && said.contains("a backup is being restored"), "{said}");
    drop(lock);
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_is_backed_up_by_its_own_means() {
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    let places = Places::new();
    for command in [vec!["backup"], vec!["restore"]] {
        let (is_done, said) =
            program(Some(&app.database.url), &[&command[..], &[places.text("taken").as_str()]].concat());
        assert!(!is_done && said.contains("docs/operate/backup.md") && said.contains("pg_dump"), "{said}");
    }
    assert!(!places.path("taken").exists());
}

#[test]
fn a_folder_that_is_no_backup_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let (is_whole, said) = verify(folder.path().to_str().unwrap());
    assert!(!is_whole && said.contains("is no backup"), "{said}");
    std::fs::write(folder.path().join("manifest.json"), r#"{"format":2,"version":"9.9.9","new":1}"#).unwrap();
    let (is_whole, said) = verify(folder.path().to_str().unwrap());
    assert!(!is_whole && said.contains("a newer version of Secondline, 9.9.9"), "{said}");
}

/// What `/readyz` says of the last backup.
async fn last_backup(app: &TestApp) -> Value {
    let request = axum::http::Request::get("/readyz").body(axum::body::Body::empty()).unwrap();
    // A process of its own: one that looked a moment ago does not look again.
    let fresh = HttpState::new(app.service.clone(), Policy::default(), Settings::default());
    let response = secondline::http::router(fresh).oneshot(request).await.unwrap();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    serde_json::from_slice::<Value>(&body).unwrap()["lastBackup"].take()
}

each_database! {
    async fn readyz_tells_the_age_of_the_last_backup(app) {
        assert_eq!(last_backup(app).await, Value::Null);
        app.service.record_backup(app.clock.now()).await.unwrap();
        app.advance(chrono::TimeDelta::hours(1));
        app.service.record_backup(app.clock.now()).await.unwrap();
        app.advance(chrono::TimeDelta::minutes(90));
        assert_eq!(last_backup(app).await, json!({ "takenAt": "2026-06-01T10:00:00.000Z", "ageSeconds": 5_400 }));
        let (is_done, _, said) = run_on(app, &["backup", "record"]);
        assert!(is_done, "{said}");
        assert_eq!(last_backup(app).await["ageSeconds"], 0, "by the clock of the machine, which is ahead");
    }

    async fn nothing_is_purged_while_a_backup_is_taken(app) {
        let key = app.file_ticket().await;
        let file = attach(app, &key).await;
        let id = app.ticket(&app.cast.qa, &key, "attachments { id }").await["attachments"][0]["id"].clone();
        app.mutate(&app.cast.qa, "deleteAttachment", json!({ "attachmentId": id }), "attachment { id }").await;
        app.advance(chrono::TimeDelta::hours(2));
        let backup = Lock::wait_for_shared(app.files.path()).unwrap();
        assert_eq!(app.service.sweep_attachments().await.unwrap(), 0);
        assert!(file.exists());
        drop(backup);
        assert_eq!(app.service.sweep_attachments().await.unwrap(), 1);
        assert!(!file.exists());
    }
}

/// Writes a file, as if so many hours before the tests' time.
fn leave(app: &TestApp, name: &str, hours: i64) -> PathBuf {
    let path = app.files.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(&path).unwrap();
    file.set_modified((app.clock.now() - chrono::TimeDelta::hours(hours)).into()).unwrap();
    path
}

/// A name that an object of a file has whose row is gone.
fn gone(number: u8) -> String {
    format!("attachment_0199f3c27b1e7c3f8a4d5e6f7a8b9c{number:02x}")
}

each_database! {
    async fn orphans_and_what_dead_processes_left_are_purged_after_a_day(app) {
        let key = app.file_ticket().await;
        let (kept, other) = (attach(app, &key).await, attach(app, &key).await);
        let of_other = other.file_name().unwrap().to_str().unwrap();
        let (id, _) = of_other.strip_prefix("files%2F").unwrap().split_once('-').unwrap();
        app.advance(chrono::TimeDelta::days(400));
        let old = [
            format!("files%2F{}-0a", gone(1)), format!("uploads%2F{}", gone(2)), format!("files%2F{id}-0b"),
            format!("uploads%2F{id}"), format!("files%2F{}-0c#1", gone(3)),
        ];
        let old = old.map(|name| leave(app, &name, 25));
        let stays = [
            format!("files%2F{}-0d", gone(4)), format!("files%2F{}-0e#2", gone(5)), "files%2Fnotes.txt".to_owned(), "README".to_owned(),
        ];
        let stays = [leave(app, &stays[0], 23), leave(app, &stays[1], 23), leave(app, &stays[2], 99), leave(app, &stays[3], 99)];
        let report = app.service.purge_orphans().await.unwrap();
        assert_eq!((report.orphans, report.unfinished), (4, 1));
        assert_eq!(old.iter().find(|path| path.exists()), None);
        assert!(stays.iter().chain([&kept, &other]).all(|path| path.exists()));
        assert_eq!(app.service.purge_orphans().await.unwrap(), Default::default());
    }

    async fn a_store_of_another_database_is_not_purged(app) {
        app.advance(chrono::TimeDelta::days(400));
        let theirs = [1, 2].map(|number| leave(app, &format!("files%2F{}-0a", gone(number)), 99));
        assert_eq!(app.service.purge_orphans().await.unwrap().orphans, 0, "most of it is unknown");
        let key = app.file_ticket().await;
        for _ in 0..2 {
            attach(app, &key).await;
        }
        std::fs::write(app.files.path().join("owner"), "somebody").unwrap();
        assert_eq!(app.service.purge_orphans().await.unwrap().orphans, 0, "it says that it is another's");
        assert!(theirs.iter().all(|path| path.exists()));
        std::fs::remove_file(app.files.path().join("owner")).unwrap();
        assert_eq!(app.service.purge_orphans().await.unwrap().orphans, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn halves_of_mails_are_purged_after_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let clock = secondline::clock::Clock::System;
    for (name, hours) in [(".old@host.part", 25), (".new@host.part", 23), ("old@host.eml", 99), ("old.part", 99)] {
        let file = std::fs::File::create(folder.path().join(name)).unwrap();
        file.set_modified((clock.now() - chrono::TimeDelta::hours(hours)).into()).unwrap();
    }
    let mailer = secondline::delivery::mail::Mailer::folder(folder.path());
    assert_eq!(mailer.remove_unfinished(clock.now() - chrono::TimeDelta::hours(24)).await, 1);
    assert_eq!(all_in(folder.path()).len(), 3);
}
