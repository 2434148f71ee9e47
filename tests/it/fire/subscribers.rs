//! Those who hear, leave at any moment, and come back with their cursor.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use entity::{
    id::{CompanyId, TicketId},
    vocab::{AlertLevel, EventKind},
};
use futures_util::{SinkExt, StreamExt};
use secondline::clock::Clock;
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::{Dice, Fleet};
use crate::support::{Member, server};

/// Nobody stays longer, or hears more, before they leave.
const STAY_MS: u64 = 6_000;
const STAY_EVENTS: u64 = 600;
/// Nobody stays away longer.
const AWAY_MS: u64 = 1_500;

/// What a subscriber wants.
#[derive(Clone, Debug)]
pub struct Wish {
    pub token: String,
    /// What is asked for.
    pub kinds: Option<&'static [EventKind]>,
    pub ticket: Option<TicketId>,
    pub level: Option<AlertLevel>,
    /// What the subscriber is: a contact of this company.
    pub company: Option<CompanyId>,
    /// Whether over server-sent events, and not over a WebSocket.
    pub by_events: bool,
}

/// What became of it.
#[derive(Debug, Default)]
pub struct Record {
    /// The places in the log of what was heard, as it was heard.
    pub places: Vec<i64>,
    pub connections: usize,
    /// Codes with which subscriptions ended by themselves.
    ended: Vec<String>,
    /// From what happened during a connection to its being heard.
    delays: Vec<Duration>,
}

impl Wish {
    pub fn of(member: &Member) -> Self {
        Self { token: member.token.clone(), kinds: None, ticket: None, level: None, company: None, by_events: false }
    }

    fn hears_alerts(&self) -> bool {
        self.kinds == Some(&[EventKind::SlaAlertRaised])
    }

    fn subscription(&self, after: &str) -> String {
        if self.hears_alerts() {
            let filter = if self.level.is_some() { "level: { eq: BREACH }" } else { "" };
            return format!(
                "subscription {{ heard: slaAlerts(after: \"{after}\", filter: {{ {filter} }}) {{ cursor at: detectedAt ticket {{ key }} }} }}"
            );
        }
        let kinds = self.kinds.map_or_else(String::new, |_| "kinds: [TICKET_CREATED, COMMENT_ADDED]".to_owned());
        let ticket = self.ticket.map_or_else(String::new, |id| format!("ticketId: \"{id}\""));
        format!(
            "subscription {{ heard: ticketEvents(after: \"{after}\", filter: {{ {kinds} {ticket} }}) {{ cursor at: happenedAt ticket {{ key }} }} }}"
        )
    }
}

/// A cursor at this place, as `eventCursor` answers it once the server has come so far.
pub async fn cursor(addr: SocketAddr, token: &str, place: i64) -> String {
    let client = server::http_client();
    loop {
        let answer = server::graphql(addr, &client, token, "{ eventCursor }", json!({})).await.unwrap();
        if let Some(cursor) = answer["data"]["eventCursor"].as_str().filter(|cursor| place_of(cursor) >= place) {
            assert_eq!(place_of(cursor), place, "nobody writes yet");
            return cursor.to_owned();
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn place_of(cursor: &str) -> i64 {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).unwrap();
    let (_, _, place): (String, String, i64) = serde_json::from_slice(&bytes).unwrap();
    place
}

/// Hears for ever.
pub async fn hear(wish: Wish, begin: String, fleet: Arc<Fleet>, record: Arc<Mutex<Record>>, mut dice: Dice) {
    let mut after = begin;
    loop {
        if let Some(addr) = fleet.any(&mut dice)
            && let Some(mut connection) = Connection::open(addr, &wish, &after).await
        {
            let leaves_at = Instant::now() + Duration::from_millis(dice.below(STAY_MS));
            let (came_at, stays) = (Clock::System.now(), dice.below(STAY_EVENTS));
            record.lock().unwrap().connections += 1;
            for _ in 0..stays {
                // Leaving in the middle of whatever happens at that moment.
                let Ok(Some(answer)) = tokio::time::timeout_at(leaves_at, connection.next()).await else { break };
                let heard = &answer["data"]["heard"];
                let mut record = record.lock().unwrap();
                let Some(cursor) = heard["cursor"].as_str() else {
                    let code = answer["errors"][0]["extensions"]["code"].as_str();
                    record.ended.push(code.unwrap_or_else(|| panic!("{answer}")).to_owned());
                    break;
                };
                after = cursor.to_owned();
                record.places.push(place_of(cursor));
                let at: DateTime<Utc> = heard["at"].as_str().unwrap().parse().unwrap();
                if at > came_at {
                    record.delays.push((Clock::System.now() - at).to_std().unwrap_or_default());
                }
            }
        }
        sleep(Duration::from_millis(dice.below(AWAY_MS))).await;
    }
}

/// A subscription on its way, over either transport. It is left without a word.
enum Connection {
    Socket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    Events(reqwest::Response, Vec<u8>),
}

impl Connection {
    async fn open(addr: SocketAddr, wish: &Wish, after: &str) -> Option<Self> {
        timeout(Duration::from_secs(5), async {
            let query = wish.subscription(after);
            if wish.by_events {
                let request = server::http_client().post(format!("http://{addr}/graphql")).bearer_auth(&wish.token);
                let request = request.header("accept", "text/event-stream").json(&json!({ "query": query }));
                return Some(Self::Events(request.send().await.ok()?, Vec::new()));
            }
            let mut request = format!("ws://{addr}/graphql/ws").into_client_request().unwrap();
            request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
            let (mut socket, _) = tokio_tungstenite::connect_async(request).await.ok()?;
            for message in [
                json!({ "type": "connection_init", "payload": { "token": wish.token } }),
                json!({ "type": "subscribe", "id": "1", "payload": { "query": query } }),
            ] {
                socket.send(Message::text(message.to_string())).await.ok()?;
            }
            Some(Self::Socket(socket.into()))
        })
        .await
        .ok()?
    }

    /// The next answer; none where the connection is over or broken.
    async fn next(&mut self) -> Option<Value> {
        match self {
            Self::Socket(socket) => loop {
                let Message::Text(text) = socket.next().await?.ok()? else { continue };
                let mut message: Value = serde_json::from_str(&text).unwrap();
                match message["type"].as_str().unwrap() {
                    "next" => return Some(message["payload"].take()),
                    "error" => return Some(json!({ "errors": message["payload"] })),
                    "complete" => return None,
                    _ => {}
                }
            },
            Self::Events(response, read) => loop {
                if let Some(end) = read.windows(2).position(|two| two == b"\n\n") {
                    let event: Vec<u8> = read.drain(..end + 2).collect();
                    let event = String::from_utf8(event).unwrap();
                    match event.strip_prefix("event: next\ndata: ") {
                        Some(data) => return Some(serde_json::from_str(data).unwrap()),
                        None if event.starts_with(':') => continue,
                        None => return None,
                    }
                }
                read.extend_from_slice(&response.chunk().await.ok()??);
            },
        }
    }
}

/// Numbers for whoever reads the test's output.
pub fn summary(records: &[Arc<Mutex<Record>>]) -> String {
    let (mut heard, mut connections, mut delays, mut ended) = (0, 0, Vec::new(), Vec::new());
    for record in records {
        let record = record.lock().unwrap();
        heard += record.places.len();
        connections += record.connections;
        delays.extend(record.delays.iter().copied());
        ended.extend(record.ended.iter().cloned());
    }
    delays.sort();
    ended.sort();
    let delay = |percent: usize| delays.get(delays.len() * percent / 100).copied().unwrap_or_default();
    format!(
        "{} subscribers heard {heard} events over {connections} connections; heard after {:?} (median), {:?} (99 %), {:?} (worst); \
         ended by codes: {ended:?}",
        records.len(),
        delay(50),
        delay(99),
        delays.last().copied().unwrap_or_default(),
    )
}
