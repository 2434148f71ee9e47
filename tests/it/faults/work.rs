//! Clients who file tickets, comment on them and move them to their end, and who ask again until they are answered.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use chrono::TimeDelta;
use entity::id::TicketId;
use secondline::clock::Clock;
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use uuid::Uuid;

use super::ledger::{Acknowledged, Ledger};
use crate::{
    fire::Dice,
    support::{Member, TestApp, closing_facts, replicating_facts, server},
};

/// What a client waits for an answer; one in so many requests is left after moments.
const ANSWER_WITHIN: Duration = Duration::from_secs(40);
const LEFT_EVERY: u64 = 25;
const LEFT_AFTER_MS: u64 = 40;
/// Before the same is asked again.
const RETRY_AFTER: Duration = Duration::from_millis(100);
const PAUSE_MS: u64 = 30;

/// Refusals that a fault excuses.
const EXCUSED: [&str; 3] = ["UNAVAILABLE", "RATE_LIMITED", "TIMEOUT"];

const CREATE: &str = "mutation($input: CreateTicketInput!) { done: createTicket(input: $input) { ticket { version } userErrors { code } } }";
const COMMENT: &str =
    "mutation($input: AddCommentInput!) { done: addComment(input: $input) { comment { id } userErrors { code } } }";
const MOVE: &str =
    "mutation($input: MoveTicketInput!) { done: moveTicket(input: $input) { ticket { version } userErrors { code } } }";
const VERSION: &str = "query($id: ID!) { done: ticket(id: $id) { version } }";

/// One client, and what it needs to know.
pub struct Client {
    http: reqwest::Client,
    address: watch::Receiver<SocketAddr>,
    finished: watch::Receiver<bool>,
    ledger: Arc<Ledger>,
    dice: Dice,
    operations: Member,
    new_ticket: Value,
    steps: Vec<(Member, Value)>,
}

impl Client {
    pub async fn new(
        app: &TestApp,
        number: usize,
        address: watch::Receiver<SocketAddr>,
        ledger: Arc<Ledger>,
        finished: watch::Receiver<bool>,
    ) -> Self {
        let cast = &app.cast;
        let date = (Clock::System.now() + TimeDelta::days(10)).date_naive().to_string();
        let fixing = json!({ "estimatedDeliveryDate": date, "priority": "HIGH" });
        let steps = vec![
            (cast.operations.clone(), json!({ "to": "REPLICATING", "facts": replicating_facts() })),
            (cast.qa.clone(), json!({ "to": "ESTIMATING", "facts": { "affectsOtherClients": false } })),
            (cast.project_manager.clone(), json!({ "to": "FIXING", "facts": fixing })),
            (cast.tech.clone(), json!({ "to": "VERIFYING", "facts": { "pullRequest": "https://git.example.com/7" } })),
            (cast.qa.clone(), json!({ "to": "CLOSED_RESOLVED", "facts": closing_facts() })),
        ];
        let new_ticket = json!({
            "companyId": cast.acme.id.to_string(), "contactId": cast.client.id, "facts": app.first_facts().await,
        });
        Self {
            http: server::http_client(),
            address,
            finished,
            ledger,
            dice: Dice::new(300 + number),
            operations: cast.operations.clone(),
            new_ticket,
            steps,
        }
    }

    /// Walks tickets through the process until told to finish, and ends the one that it is at.
    pub async fn work(mut self) {
        while !*self.finished.borrow() {
            let id = Clock::System.new_uuid();
            self.file(id).await;
            for (version, (member, step)) in (1..).zip(self.steps.clone()) {
                if self.dice.below(2) == 0 {
                    self.comment(id).await;
                }
                self.make(id, version, &member, &step).await;
                let pause = self.dice.below(PAUSE_MS);
                sleep(Duration::from_millis(pause)).await;
            }
        }
    }

    async fn file(&mut self, id: Uuid) {
        let operations = self.operations.clone();
        let mut input = self.new_ticket.clone();
        input["id"] = json!(id);
        self.until_done(&operations, CREATE, &input).await;
        self.ledger.acknowledge(Acknowledged::Ticket(id));
    }

    async fn comment(&mut self, ticket: Uuid) {
        let operations = self.operations.clone();
        let id = Clock::System.new_uuid();
        let input =
            json!({ "ticketId": TicketId(ticket).to_string(), "id": id, "body": "Looking.", "visibility": "CLIENT" });
        self.until_done(&operations, COMMENT, &input).await;
        self.ledger.acknowledge(Acknowledged::Comment(id));
    }

    async fn until_done(&mut self, member: &Member, document: &str, input: &Value) {
        while self.ask(member, document, json!({ "input": input })).await.is_none() {
            sleep(RETRY_AFTER).await;
        }
    }

    /// Moves a ticket that has this version. A move has no id of its own: whoever was not answered looks whether it was made.
    async fn make(&mut self, ticket: Uuid, version: i64, member: &Member, step: &Value) {
        let mut input = step.clone();
        input["ticketId"] = json!(TicketId(ticket).to_string());
        input["expectedVersion"] = json!(version);
        loop {
            if self.ask(member, MOVE, json!({ "input": input })).await.is_some() {
                break;
            }
            sleep(RETRY_AFTER).await;
            let known = loop {
                match self.ask(member, VERSION, json!({ "id": TicketId(ticket).to_string() })).await {
                    Some(known) => break known["version"].as_i64().unwrap_or(0),
                    None => sleep(RETRY_AFTER).await,
                }
            };
            if known > version {
                break;
            }
            if known < version {
                self.ledger.wrong_answer(format!("{ticket} had version {version} and has {known}"));
            }
        }
        let to = step["to"].as_str().unwrap().to_owned();
        self.ledger.acknowledge(Acknowledged::Move { ticket, version: version + 1, to });
    }

    /// What was done; `None` where nobody answered, or could do it. Anything else is no answer to give.
    async fn ask(&mut self, member: &Member, document: &str, variables: Value) -> Option<Value> {
        let address = *self.address.borrow();
        let leaves = self.dice.below(LEFT_EVERY) == 0;
        let patience = if leaves { Duration::from_millis(self.dice.below(LEFT_AFTER_MS)) } else { ANSWER_WITHIN };
        let asking = server::graphql(address, &self.http, &member.token, document, variables);
        let Ok(Ok(answer)) = timeout(patience, asking).await else {
            self.ledger.count_unanswered();
            return None;
        };
        let done = &answer["data"]["done"];
        let refused_with = |code: &Value| code.as_str().is_some_and(|code| EXCUSED.contains(&code));
        if done.is_object() && done["userErrors"].as_array().is_none_or(Vec::is_empty) {
            return Some(done.clone());
        }
        // Its predecessor, which nobody answered, was still under way when its result was asked for.
        let is_late = done["userErrors"][0]["code"] == "STALE_VERSION";
        if is_late || refused_with(&answer["errors"][0]["extensions"]["code"]) {
            self.ledger.count_refused();
        } else {
            self.ledger.wrong_answer(answer.to_string());
        }
        None
    }
}
