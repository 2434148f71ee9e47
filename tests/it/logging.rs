//! A log that cannot be written: lines are lost, and nothing else.

use std::{
    fs::File,
    process::{Command, Stdio},
    time::Duration,
};

use secondline::config::LogConfig;
use serde_json::json;
use tokio::time::timeout;

use crate::support::{
    Engine, TestApp,
    server::{self, Server},
};

/// Each request leaves a line in such a log.
const TALKATIVE: [(&str, &str); 1] = [("--log-level", "debug")];
/// More lines than a pipe takes whose reader stands still.
const REQUESTS: usize = 1500;
/// The test that is carried out by a process of its own.
const CHILD: &str = "logging::a_panic_that_nobody_can_be_told_of";

fn full_disk() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

/// Asks now and then, and a write too, and ends it in order.
async fn goes_on(app: &TestApp, mut server: Server) {
    let client = server::http_client();
    for _ in 0..20 {
        let health = client.get(format!("http://{}/healthz", server.addr)).send().await.unwrap();
        assert_eq!(health.status(), 200);
    }
    let create = "mutation { createCompany(input: { name: \"Initech\" }) { company { name } } }";
    let answer = server.graphql(&client, &app.cast.administrator.token, create, json!({})).await.unwrap();
    assert_eq!(answer["data"]["createCompany"]["company"]["name"], "Initech");
    assert!(server.is_running());
    assert!(server.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_on_a_full_disk_ends_nothing() {
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    let server = Server::start_logging_to(full_disk(), &app.database.url, &TALKATIVE);
    goes_on(&app, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_reader_has_gone_ends_nothing() {
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let server = Server::start_logging_to(writer, &app.database.url, &TALKATIVE);
    goes_on(&app, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_reader_stands_still_keeps_nobody_waiting() {
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    let (_reader, writer) = std::io::pipe().unwrap();
    let server = Server::start_logging_to(writer, &app.database.url, &TALKATIVE);
    let client = server::http_client();
    for _ in 0..REQUESTS {
        let asked = client.get(format!("http://{}/healthz", server.addr)).send();
        let answer = timeout(Duration::from_secs(10), asked).await.expect("the server waits for its log");
        assert_eq!(answer.unwrap().status(), 200);
    }
    goes_on(&app, server).await;
}

#[test]
fn a_panic_is_survived_where_the_log_cannot_be_written() {
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    for stderr in [Stdio::from(full_disk()), Stdio::from(closed)] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([CHILD, "--exact", "--ignored", "--nocapture"]).stdout(Stdio::null()).stderr(stderr);
        let status = command.status().unwrap();
        assert!(status.success(), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "changes its process: it has one of its own"]
async fn a_panic_that_nobody_can_be_told_of() {
    let log = secondline::logging::start(&LogConfig::default()).unwrap();
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    for _ in 0..3 {
        assert!(tokio::spawn(async { panic!("as it must") }).await.is_err());
        log.flush();
    }
    app.ask(&app.cast.qa, "{ process { name } }", json!({})).await;
}

#[test]
fn a_command_says_by_its_exit_code_what_nobody_reads() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str], stdout: Stdio, stderr: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_secondline"));
        command.args(arguments).arg("--data-dir").arg(folder.path()).env_remove("DATABASE_URL");
        command.stdout(stdout).stderr(stderr).status().unwrap().code()
    };
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    let add = ["person", "add", "--name", "Ada", "--email", "ada@example.org", "--administrator"];
    assert_eq!(run(&["migrate"], closed(), full_disk().into()), Some(0));
    assert_eq!(run(&add, Stdio::null(), full_disk().into()), Some(0));
    assert_eq!(run(&add, Stdio::null(), closed()), Some(1), "there is one already");
    assert_eq!(run(&["token", "list"], full_disk().into(), Stdio::null()), Some(1), "the result is lost");
    assert_eq!(run(&["token", "list"], closed(), closed()), Some(0), "nobody wants the result");
    assert_eq!(run(&["nonsense"], closed(), closed()), Some(2));
}
