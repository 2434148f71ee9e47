//! The real program as a process of its own, and HTTP clients for it.
//!
//! Example: `let server = Server::start(&app.database.url, &[]);`, `server.ask(&client, token, query, variables).await`, and
//! `server.kill()` for an end without warning.

use std::{
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::commands::{limited, without_settings};

/// A server that takes longer to listen has failed.
const START_WITHIN: Duration = Duration::from_secs(20);
/// What the log says once requests are accepted.
const LISTENING: &str = "http.address=";

/// A client with the provider of cryptography that the program uses.
pub fn http_client() -> reqwest::Client {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// A running server; dropping it kills it.
pub struct Server {
    pub addr: SocketAddr,
    process: Child,
    /// Where mails go that go nowhere else.
    _folder: TempDir,
}

impl Server {
    /// Starts the program on a database and waits until it listens.
    pub fn start(database_url: &str, options: &[(&str, &str)]) -> Self {
        Self::start_with_log(database_url, options).0
    }

    /// The same, with what it said until it listened.
    pub fn start_with_log(database_url: &str, options: &[(&str, &str)]) -> (Self, Vec<String>) {
        Self::launch(without_settings(), database_url, options)
    }

    /// The same, after a line of shell that limits what the program may take, such as `ulimit -n 100`.
    pub fn start_after(limits: &str, database_url: &str, options: &[(&str, &str)]) -> Self {
        Self::launch(limited(limits), database_url, options).0
    }

    /// Starts the program with its log going elsewhere, and waits until it listens.
    pub fn start_logging_to(stderr: impl Into<Stdio>, database_url: &str, options: &[(&str, &str)]) -> Self {
        let addr = free_address();
        let listen = addr.to_string();
        let folder = tempfile::tempdir().unwrap();
        let options = [&[("--listen", listen.as_str())], options].concat();
        let mut command = serve(without_settings(), folder.path(), database_url, &options);
        let process = command.stderr(stderr).stdout(Stdio::null()).spawn().unwrap();
        let mut server = Self { addr, process, _folder: folder };
        let began = std::time::Instant::now();
        while TcpStream::connect(addr).is_err() {
            assert!(server.is_running() && began.elapsed() < START_WITHIN, "the server does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn launch(command: Command, database_url: &str, options: &[(&str, &str)]) -> (Self, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let options = [&[("--listen", "127.0.0.1:0")], options].concat();
        let mut command = serve(command, folder.path(), database_url, &options);
        let mut process = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        // From here on the process ends with the value, also where a test fails.
        let mut server = Self { addr: SocketAddr::from(([0; 4], 0)), process, _folder: folder };
        let (said, heard) = mpsc::channel();
        // Reads on to the end, for a full pipe would stop the server.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(said.send(line))));
        let mut log = Vec::new();
        loop {
            match heard.recv_timeout(START_WITHIN) {
                Ok(line) => log.push(line),
                Err(error) => panic!("the server does not listen ({error}); it said: {log:#?}"),
            }
            let address = log.last().and_then(|line| line.split(LISTENING).nth(1));
            if let Some(addr) = address.and_then(|rest| rest.split_whitespace().next()?.parse().ok()) {
                server.addr = addr;
                return (server, log);
            }
        }
    }

    /// The number of its process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Ends it as `kill` does, and waits for it.
    pub fn terminate(mut self) -> ExitStatus {
        let sent = Command::new("kill").args(["-TERM", &self.process_id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.process.wait().unwrap()
    }

    /// Whether the process lives.
    pub fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// How many files it has open.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count()
    }

    /// Ends it as `kill -9` does.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// What GraphQL answers; an error when no answer arrives.
    pub async fn graphql(
        &self,
        client: &reqwest::Client,
        token: &str,
        query: &str,
        variables: Value,
    ) -> reqwest::Result<Value> {
        graphql(self.addr, client, token, query, variables).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program, told to serve.
fn serve(mut command: Command, folder: &Path, database_url: &str, options: &[(&str, &str)]) -> Command {
    command.args(["serve", "--log-format", "text"]).arg("--data-dir").arg(folder).env("DATABASE_URL", database_url);
    for (option, value) in options {
        command.args([option, value]);
    }
    command
}

/// An address that nobody listened at a moment ago.
fn free_address() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap()
}

/// What GraphQL answers at this address; an error when no answer arrives.
pub async fn graphql(
    addr: SocketAddr,
    client: &reqwest::Client,
    token: &str,
    query: &str,
    variables: Value,
) -> reqwest::Result<Value> {
    let request = client.post(format!("http://{addr}/graphql")).bearer_auth(token);
    request.json(&json!({ "query": query, "variables": variables })).send().await?.json().await
}
