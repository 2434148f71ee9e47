//! An SMTP server for tests: listens on a free port, answers as the test scripted, keeps what it took.
//!
//! Example: `let sink = SmtpSink::start().await;` and `sink.script([Reply::Refuse(451, "4.3.0 later")]);`, then point
//! the mailer at `sink.url()` and `sink.wait_for(1).await`. An empty script accepts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailparse::{MailHeaderMap, ParsedMail, parse_mail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A test that waits longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the sink does with one mail.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Takes it.
    Accept,
    /// Refuses its recipient.
    Refuse(u16, &'static str),
    /// Refuses it once it has read the whole text.
    RefuseAtData(u16, &'static str),
    /// Never answers to its recipient.
    Hang,
    /// Takes it and closes the connection without saying so.
    DropAfterData,
}

/// A mail that the sink took.
#[derive(Clone, Debug)]
pub struct Received {
    pub from: String,
    pub to: Vec<String>,
    pub raw: Vec<u8>,
}

/// What happened so far.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The mails taken, in their order.
    pub received: Vec<Received>,
    /// How many recipients were offered, refused ones included.
    pub attempts: usize,
    /// How many connections were opened.
    pub connections: usize,
}

/// The server. Stops listening when it is dropped.
pub struct SmtpSink {
    port: u16,
    shared: Arc<Shared>,
    listening: tokio::task::JoinHandle<()>,
}

struct Shared {
    log: watch::Sender<Log>,
    script: Mutex<VecDeque<Reply>>,
}

impl SmtpSink {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared { log: watch::Sender::new(Log::default()), script: Mutex::default() });
        let for_all = Arc::clone(&shared);
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                for_all.log.send_modify(|log| log.connections += 1);
                let shared = Arc::clone(&for_all);
                // A client that goes away ends its own conversation only.
                tokio::spawn(async move { converse(stream, &shared).await.ok() });
            }
        });
        Self { port, shared, listening }
    }

    /// Says what happens to the next mails, in their order.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.script.lock().unwrap().extend(replies);
    }

    /// Accepts everything from now on.
    pub fn forget_script(&self) {
        self.shared.script.lock().unwrap().clear();
    }

    /// Where it listens, as the mail settings want it.
    pub fn url(&self) -> String {
        format!("smtp+plain://127.0.0.1:{}", self.port)
    }

    pub fn log(&self) -> Log {
        self.shared.log.borrow().clone()
    }

    /// Waits until so many mails were taken, and returns them all.
    pub async fn wait_for(&self, mails: usize) -> Vec<Received> {
        self.wait_until(|log| log.received.len() >= mails).await.received
    }

    /// Waits until the log satisfies a condition.
    pub async fn wait_until(&self, condition: impl Fn(&Log) -> bool) -> Log {
        let mut changes = self.shared.log.subscribe();
        match tokio::time::timeout(PATIENCE, changes.wait_for(|log| condition(log))).await {
            Ok(log) => log.unwrap().clone(),
            Err(_) => panic!("waited in vain; so far: {:?}", self.log()),
        }
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Speaks SMTP on one connection until the client leaves.
async fn converse(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut from, mut to, mut reply) = (String::new(), Vec::new(), Reply::Accept);
    stream.write_all(b"220 sink ESMTP\r\n").await?;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let command = std::mem::take(&mut line);
        let argument =
            || command.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(path, _)| path);
        let answer = match command.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "EHLO" => "250-sink\r\n250 8BITMIME".to_owned(),
            "HELO" | "NOOP" => "250 sink".to_owned(),
            "MAIL" => {
                (from, to) = (argument().to_owned(), Vec::new());
                "250 2.1.0 Ok".to_owned()
            }
            "RCPT" => {
                shared.log.send_modify(|log| log.attempts += 1);
                reply = shared.script.lock().unwrap().pop_front().unwrap_or(Reply::Accept);
                match reply {
                    Reply::Refuse(code, text) => format!("{code} {text}"),
                    Reply::Hang => std::future::pending().await,
                    Reply::Accept | Reply::RefuseAtData(..) | Reply::DropAfterData => {
                        to.push(argument().to_owned());
                        "250 2.1.5 Ok".to_owned()
                    }
                }
            }
            "DATA" => {
                stream.write_all(b"354 Go ahead\r\n").await?;
                let raw = read_data(&mut stream).await?;
                if let Reply::RefuseAtData(code, text) = reply {
                    format!("{code} {text}")
                } else {
                    let mail = Received { from: from.clone(), to: to.clone(), raw };
                    shared.log.send_modify(|log| log.received.push(mail));
                    if matches!(reply, Reply::DropAfterData) {
                        return Ok(());
                    }
                    "250 2.0.0 Taken".to_owned()
                }
            }
            "RSET" => {
                (from, to) = (String::new(), Vec::new());
                "250 2.0.0 Ok".to_owned()
            }
            "QUIT" => {
                return stream.write_all(b"221 2.0.0 Bye\r\n").await;
            }
            _ => "502 5.5.2 Unknown command".to_owned(),
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

/// Reads up to the lone dot and takes away the dots that were put in front of others.
async fn read_data(stream: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match line.strip_prefix(b".") {
            Some(b"\r\n") => return Ok(raw),
            Some(rest) => raw.extend_from_slice(rest),
            None => raw.extend_from_slice(&line),
        }
    }
}

/// A mail with its headers and bodies decoded.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// Names as they were sent, values decoded and unfolded.
    pub headers: Vec<(String, String)>,
    pub text: String,
    pub html: String,
}

impl Received {
    pub fn parsed(&self) -> Parsed {
        Parsed::of(&self.raw)
    }
}

impl Parsed {
    /// Parses a message of two alternatives, such as a `.eml` file.
    pub fn of(raw: &[u8]) -> Self {
        let mail = parse_mail(raw).unwrap();
        let headers = mail.headers.iter().map(|header| (header.get_key(), header.get_value())).collect();
        let body = |mime: &str| {
            let part = mail.parts().find(|part| part.ctype.mimetype == mime);
            part.map(ParsedMail::get_body).transpose().unwrap().unwrap_or_default().replace("\r\n", "\n")
        };
        assert_eq!(mail.headers.get_all_values("Subject").len(), 1, "one subject");
        Self { headers, text: body("text/plain"), html: body("text/html") }
    }

    /// The value of a header that stands at most once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} stands twice");
        value
    }
}
