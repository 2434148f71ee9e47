//! Those who write.

use std::{sync::Arc, time::Duration};

use entity::{id::TicketId, vocab::EventKind};
use secondline::{
    clock::Clock,
    domain::{
        actor::Actor,
        event::{Event, EventData},
    },
    store,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{Dice, Fleet, WRITERS};
use crate::support::{Member, TestApp, server};

/// A person who is busy; all of them together keep the servers at work.
const PAUSE_MS: u64 = 40;
/// How long a transaction stays open at most before each of its events: most are quick, one in so many is not.
const DAWDLE_MS: u64 = 20;
const LONG_DAWDLE_MS: u64 = 400;
const LONG_EVERY: u64 = 8;

const CREATE: &str =
    "mutation($input: CreateTicketInput!) { done: createTicket(input: $input) { ticket { id } userErrors { code } } }";
const UPDATE: &str =
    "mutation($input: UpdateTicketInput!) { done: updateTicket(input: $input) { ticket { id } userErrors { code } } }";
const COMMENT: &str =
    "mutation($input: AddCommentInput!) { done: addComment(input: $input) { comment { id } userErrors { code } } }";

/// Someone who asks any server; none where it dies meanwhile.
struct Client<'a> {
    app: &'a TestApp,
    fleet: &'a Fleet,
    http: reqwest::Client,
    dice: Dice,
}

impl<'a> Client<'a> {
    fn new(app: &'a TestApp, fleet: &'a Fleet, seed: usize) -> Self {
        Self { app, fleet, http: server::http_client(), dice: Dice::new(seed) }
    }

    async fn ask(&mut self, member: &Member, mutation: &str, input: Value) -> Option<Value> {
        let addr = self.fleet.any(&mut self.dice)?;
        let variables = json!({ "input": input });
        let answer = server::graphql(addr, &self.http, &member.token, mutation, variables).await.ok()?;
        assert_eq!(answer["data"]["done"]["userErrors"], json!([]), "{answer}");
        Some(answer["data"]["done"].clone())
    }

    /// Files a ticket of one of two companies.
    async fn file(&mut self, number: usize) -> Option<TicketId> {
        let cast = &self.app.cast;
        let (company, contact) = [(&cast.acme, &cast.client), (&cast.globex, &cast.other_client)][number % 2];
        let facts = self.app.first_facts().await;
        let input = json!({ "companyId": company.id.to_string(), "contactId": contact.id, "facts": facts });
        let done = self.ask(&cast.operations, CREATE, input).await?;
        Some(done["ticket"]["id"].as_str().unwrap().parse().unwrap())
    }
}

/// A ticket for each writer.
pub async fn first_tickets(app: &TestApp, fleet: &Fleet) -> Vec<TicketId> {
    let mut client = Client::new(app, fleet, 0);
    let mut tickets = Vec::new();
    for number in 0..WRITERS {
        tickets.push(client.file(number).await.unwrap());
    }
    tickets
}

/// Files, changes and comments on tickets; how many changes were acknowledged.
pub async fn write(app: Arc<TestApp>, fleet: Arc<Fleet>, number: usize, until: Instant) -> usize {
    let mut client = Client::new(&app, &fleet, 100 + number);
    let cast = &app.cast;
    let own_client = [&cast.client, &cast.other_client][number % 2];
    let (mut ticket, mut acknowledged, mut turn) = (None, 0, 0);
    while Instant::now() < until {
        turn += 1;
        let what = client.dice.below(10);
        let id = match ticket {
            Some(id) if what > 0 => id,
            _ => {
                ticket = client.file(number).await;
                acknowledged += usize::from(ticket.is_some());
                continue;
            }
        };
        let id = json!(TicketId::to_string(&id));
        let done = match what {
            1 => {
                client.ask(own_client, COMMENT, json!({ "ticketId": id, "body": format!("Still there, {turn}") })).await
            }
            2 | 3 => {
                let visibility = if what == 2 { "CLIENT" } else { "INTERNAL" };
                let input = json!({ "ticketId": id, "body": format!("Looking, {turn}"), "visibility": visibility });
                client.ask(&cast.administrator, COMMENT, input).await
            }
            _ => {
                let facts = json!({ "browser": format!("Firefox {number}.{turn}") });
                client.ask(&cast.operations, UPDATE, json!({ "ticketId": id, "facts": facts })).await
            }
        };
        acknowledged += usize::from(done.is_some());
        let pause = client.dice.below(PAUSE_MS);
        sleep(Duration::from_millis(pause)).await;
    }
    acknowledged
}

/// Writes events past the servers, in transactions that stay open for a while; how many were rolled back.
pub async fn dawdle(app: Arc<TestApp>, ticket: TicketId, number: usize, until: Instant) -> usize {
    let mut dice = Dice::new(200 + number);
    let mut rolled_back = 0;
    while Instant::now() < until {
        let transaction = app.db.begin().await.unwrap();
        let event = Event { kind: EventKind::FactsChanged, data: EventData::default() };
        for _ in 0..=dice.below(3) {
            let now = Clock::System.now();
            store::events::append(&transaction, ticket, &Actor::System, now, std::slice::from_ref(&event))
                .await
                .unwrap();
            let limit = if dice.below(LONG_EVERY) == 0 { LONG_DAWDLE_MS } else { DAWDLE_MS };
            sleep(Duration::from_millis(dice.below(limit))).await;
        }
        if dice.below(3) == 0 {
            transaction.rollback().await.unwrap();
            rolled_back += 1;
        } else {
            transaction.commit().await.unwrap();
        }
        sleep(Duration::from_millis(dice.below(LONG_DAWDLE_MS))).await;
    }
    rolled_back
}
