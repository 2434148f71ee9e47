//! What the program keeps is its user's alone, and what it prints holds no secret.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use secondline::store::connection;
use serde_json::{Value, json};

use crate::support::{
    Engine, TestApp,
    commands::{run, without_settings},
    server::{Server, http_client},
};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01";
/// The server looks every second for mail to send.
const PATIENCE: Duration = Duration::from_secs(20);

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Everything in a folder and below it, with the folder.
fn all_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut next = 0;
    while next < found.len() {
        if found[next].is_dir() {
            let inside: Vec<_> = std::fs::read_dir(&found[next]).unwrap().map(|entry| entry.unwrap().path()).collect();
            found.extend(inside);
        }
        next += 1;
    }
    found
}

fn assert_private(folder: &Path) -> usize {
    let all = all_in(folder);
    for path in &all {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(path), expected, "{}: {:o}", path.display(), mode(path));
    }
    all.iter().filter(|path| path.is_file()).count()
}

#[tokio::test]
async fn the_files_of_sqlite_are_its_owners_alone() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("new").join("data");
    let url = format!("sqlite:{}", folder.join("secondline.db").display());
    connection::migrate(&url).await.unwrap();
    let db = connection::open(&url, 1).await.unwrap();
    let names: Vec<_> = connection::files(&url).into_iter().filter(|file| file.exists()).collect();
    assert_eq!(names.len(), 3, "the database, its log and its index: {names:?}");
    assert_eq!(assert_private(&parent.path().join("new")), 3);
    // What somebody opened to others stays as they made it.
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    db.close().await.unwrap();
    let db = connection::open(&url, 1).await.unwrap();
    assert_eq!(mode(&folder), 0o755);
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_and_attachments_are_their_owners_alone() {
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    let parent = tempfile::tempdir().unwrap();
    let [mails, files] = ["mails", "files"].map(|name| parent.path().join("kept").join(name));
    let [mail_dir, attachment_dir] = [&mails, &files].map(|path| path.to_str().unwrap());
    let options =
        [("--mail-dir", mail_dir), ("--attachment-dir", attachment_dir), ("--deliver-schedule", "* * * * * *")];
    let server = Server::start(&app.database.url, &options);
    let client = http_client();
    let ask = async |query: &str, input: Value| {
        let answer =
            server.graphql(&client, &app.cast.operations.token, query, json!({ "input": input })).await.unwrap();
        answer["data"]["done"].clone()
    };
    let query = "mutation($input: CreateTicketInput!) { done: createTicket(input: $input) { ticket { id } } }";
    let ticket = ask(query, app.filing().await).await["ticket"]["id"].clone();
    let query = "mutation($input: AskClientInput!) { done: askClient(input: $input) { ticket { id } } }";
    ask(query, json!({ "ticketId": ticket, "question": "Which browser?" })).await;
    let query = "mutation($input: RequestUploadInput!) { done: requestUpload(input: $input) { upload { url } } }";
    let file = json!({ "ticketId": ticket, "fileName": "a.png", "contentType": "image/png", "size": PNG.len() });
    let upload = ask(query, file).await;
    let url = format!("http://{}{}", server.addr, upload["upload"]["url"].as_str().unwrap());
    assert_eq!(client.put(url).body(PNG.to_vec()).send().await.unwrap().status(), 204);
    let began = Instant::now();
    let is_mail = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "eml");
    while !(mails.exists() && all_in(&mails).iter().any(is_mail)) {
        assert!(began.elapsed() < PATIENCE, "no mail came");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(server);
    assert!(assert_private(&parent.path().join("kept")) >= 2);
}

#[test]
fn a_folder_that_others_read_is_told_of_at_the_start() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let url = format!("sqlite:{}", folder.join("secondline.db").display());
    let (_server, said) = Server::start_with_log(&url, &[]);
    let told = said.iter().find(|line| line.contains("others on this machine can use what is kept here"));
    let told = told.unwrap_or_else(|| panic!("{said:#?}"));
    assert!(told.contains("WARN") && told.contains("0755") && told.contains("chmod 700"), "{told}");
    assert!(!said.iter().any(|line| line.contains("chmod 600")), "{said:#?}");
}

#[test]
fn config_check_shows_no_user_and_no_secret() {
    let arguments = [
        "config",
        "check",
        "--database-url=postgres://geheim:geheim@host/db?password=geheim",
        "--smtp-url=smtp+plain://geheim:geheim@mail",
        "--attachment-url=s3://geheim:geheim@bucket/of",
        "--attachment-key=geheim-geheim-geheim-geheim-geheim",
        "--oidc-issuer=https://geheim:geheim@id.example.org",
        "--oidc-audience=secondline",
        "--public-url=https://geheim:geheim@support.example.org",
    ];
    let output = run(&arguments);
    assert!(output.status.success(), "{output:?}");
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(!out.contains("geheim") && !err.contains("geheim"), "{out}{err}");
    for shown in
        ["postgres://***@host/db?***", "smtp+plain://***@mail", "s3://***@bucket/of", "https://***@id.example.org/"]
    {
        assert!(out.contains(shown), "{shown}: {out}");
    }
    let help = without_settings()
        .args(["serve", "--help"])
        .env("SECONDLINE_ATTACHMENT_URL", "s3://geheim:geheim@bucket")
        .env("SECONDLINE_OIDC_ISSUER", "https://geheim:geheim@id.example.org")
        .env("SECONDLINE_PUBLIC_URL", "https://geheim:geheim@support.example.org")
        .output()
        .unwrap();
    assert!(!String::from_utf8_lossy(&help.stdout).contains("geheim"));
}
