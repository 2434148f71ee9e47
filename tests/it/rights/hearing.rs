//! What callers hear: every subscription, while the same happens to both companies.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{
    callers::Caller,
    crawl::Gate,
    judge::{Verdict, short_code},
    schema::Schema,
    world::{BACKSTAGE, Side, World, file},
};
use crate::support::{
    TestApp,
    following::{self, Listening},
    socket::Socket,
};

/// The code with which a WebSocket ends whose token is not valid.
const FORBIDDEN: u16 = 4403;
/// Whoever hears nothing for so long hears nothing more.
const SILENCE: Duration = Duration::from_secs(9);

/// What happened to whom.
struct Happened {
    /// Whose a ticket is, by its id.
    tickets: BTreeMap<String, Side>,
    /// The ids of the comments that came last, for contacts of each company.
    last: BTreeMap<Side, String>,
    /// How many alerts were raised.
    alerts: usize,
}

/// What a caller heard.
#[derive(Default)]
struct Heard {
    refusal: Option<String>,
    /// The id of each thing, and whose it is.
    things: BTreeMap<String, Option<Side>>,
    problems: Vec<String>,
}

/// Lets everybody subscribe to everything, lets things happen, and sees what everybody heard.
pub async fn run(app: &TestApp, schema: &Schema, gate: &Gate, world: &World, callers: &[Caller]) -> Verdict {
    let server = listen(app, gate).await;
    let mut listeners = Vec::new();
    for field in schema.fields("Subscription") {
        let query = format!("subscription {{ root: {} {} }}", field.name, schema.select(&field.of, 2));
        for caller in callers {
            listeners.push((field, caller, subscribe(server.addr, caller, &query).await));
        }
    }
    let happened = happen(app, world).await;
    let mut heard = Vec::new();
    for (field, caller, socket) in listeners {
        let what = match socket {
            Err(refusal) => Heard { refusal: Some(refusal), ..Heard::default() },
            Ok(socket) => hear(socket, &field.name, caller, &happened).await,
        };
        heard.push((field, caller, what));
    }
    let mut verdict = Verdict::default();
    for field in schema.fields("Subscription") {
        let of_field: Vec<_> = heard.iter().filter(|(of, ..)| of.name == field.name).collect();
        let all = of_field.iter().find(|(_, caller, _)| caller.column == "adm").map(|(.., all)| all).unwrap();
        if all.things.is_empty() {
            verdict.problems.push(format!("nobody hears {}: let it happen in tests/it/rights/hearing.rs", field.name));
        }
        verdict.problems.extend(of_field.iter().flat_map(|(.., heard)| heard.problems.clone()));
        let cells = of_field.iter().map(|(_, caller, heard)| (*caller, cell(caller, heard, all)));
        verdict.add("Subscription", &field.name, cells.collect());
    }
    verdict
}

/// Starts the application, and waits until all that happened so far is told.
async fn listen(app: &TestApp, gate: &Gate) -> Listening {
    let listening = following::serve(&app.service, gate.router()).await;
    following::all_is_told(app).await;
    listening
}

/// A connection that has subscribed, or the cell that its refusal stands for.
async fn subscribe(addr: SocketAddr, caller: &Caller, query: &str) -> Result<Socket, String> {
    let mut socket = Socket::connect(addr).await;
    socket.init(caller.token.as_ref().map_or_else(|| json!({}), |token| json!({ "token": token }))).await;
    match socket.receive().await {
        Ok(_) => {}
        // The protocol has one code for a token that is not valid.
        Err((FORBIDDEN, _)) => return Err("401".to_owned()),
        Err(other) => panic!("{}: {other:?}", caller.label),
    }
    socket.request("1", query).await;
    socket.send(json!({ "type": "ping" })).await;
    let message = socket.receive().await.unwrap();
    match message["type"].as_str() {
        Some("pong") => Ok(socket),
        _ => Err(refusal(&message).unwrap_or_else(|| panic!("{}: {message}", caller.label))),
    }
}

/// The code of a message that says that nothing will be heard.
fn refusal(message: &Value) -> Option<String> {
    let errors = if message["type"] == "error" { &message["payload"] } else { &message["payload"]["errors"] };
    errors.get(0).map(|error| short_code(error["extensions"]["code"].as_str().unwrap_or("no code")))
}

/// The same for both companies; what is for clients comes last.
async fn happen(app: &TestApp, world: &World) -> Happened {
    let cast = &app.cast;
    let mut happened = Happened { tickets: BTreeMap::new(), last: BTreeMap::new(), alerts: 0 };
    let say = async |member, ticket: &Value, body: String, visibility| {
        let input = json!({ "ticketId": ticket, "body": body, "visibility": visibility });
        app.make(member, "addComment", "comment", input, "id").await["id"].as_str().unwrap().to_owned()
    };
    app.clock.advance(TimeDelta::days(30));
    app.service.sla_scan().await.unwrap();
    let mut tickets = Vec::new();
    for side in Side::BOTH {
        let key = file(app, world, side).await;
        let id = app.ticket(&cast.operations, &key, "id").await["id"].clone();
        happened.tickets.insert(id.as_str().unwrap().to_owned(), side);
        say(&cast.qa, &id, format!("{BACKSTAGE}: {} waits", side.word()), "INTERNAL").await;
        let facts = json!({ "ticketId": id, "facts": { "browser": format!("{} 140", side.word()) } });
        app.change(&cast.operations, "updateTicket", facts).await;
        tickets.push((side, id));
    }
    app.clock.advance(TimeDelta::hours(20));
    happened.alerts = app.service.sla_scan().await.unwrap().raised;
    for (side, id) in &tickets {
        let body = format!("{} waits", side.word());
        happened.last.insert(*side, say(world.contact_of(app, *side), id, body, "CLIENT").await);
    }
    happened
}

/// Listens until what a caller can hear last, or until there is silence.
async fn hear(mut socket: Socket, name: &str, caller: &Caller, happened: &Happened) -> Heard {
    let mut heard = Heard::default();
    let last = &happened.last[&caller.side.unwrap_or(Side::B)];
    let forbidden = caller.side.map_or(vec![], |side| side.other().words().into_iter().chain([BACKSTAGE]).collect());
    while let Ok(message) = tokio::time::timeout(SILENCE, socket.receive()).await {
        let message = message.unwrap();
        if let Some(code) = refusal(&message) {
            heard.refusal = Some(code);
            break;
        }
        let text = message.to_string().to_lowercase();
        for word in forbidden.iter().filter(|word| text.contains(**word)) {
            heard.problems.push(format!("{name}: {} heard of {word}: {text}", caller.label));
        }
        let thing = &message["payload"]["data"]["root"];
        let id = thing["id"].as_str().map_or_else(|| thing.to_string(), str::to_owned);
        let owner = thing["ticket"]["id"].as_str().and_then(|ticket| happened.tickets.get(ticket)).copied();
        heard.things.insert(id, owner);
        let is_last = match name {
            "slaAlerts" => heard.things.len() >= happened.alerts,
            _ => thing["comment"]["id"] == json!(last),
        };
        if is_last {
            break;
        }
    }
    heard
}

fn cell(caller: &Caller, heard: &Heard, all: &Heard) -> Result<String, String> {
    if let Some(refusal) = &heard.refusal {
        return Ok(refusal.clone());
    }
    let ids = |heard: &Heard| heard.things.keys().cloned().collect::<BTreeSet<_>>();
    let (found, everything) = (ids(heard), ids(all));
    if let Some(more) = found.difference(&everything).next() {
        return Err(format!("{more} is not told to administrators"));
    }
    let own: BTreeSet<_> =
        all.things.iter().filter(|(_, side)| caller.side == **side).map(|(id, _)| id.clone()).collect();
    Ok(match () {
        () if found == everything => "all",
        () if found.is_empty() => "none",
        () if caller.side.is_some() && found == own => "own",
        () if caller.side.is_none() || found.is_subset(&own) => "part",
        () => return Err("something that is not theirs was told".to_owned()),
    }
    .to_owned())
}
