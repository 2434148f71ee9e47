//! What callers do: every mutation, on things of company A, so that whoever may does succeed.
//!
//! A new mutation gets its rows in [`ACTS`] and says in [`Stage::input`] how it succeeds.

use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::{
    callers::Caller,
    table::short,
    world::{BACKSTAGE, Side, World, attach, company_of, filing, picture},
};
use crate::support::{Member, TestApp, closing_facts, replicating_facts, smtp::SmtpSink};

/// The rows: a mutation, or a mutation and an occasion.
pub const ACTS: &[&str] = &[
    // First, for it sends what waits until then.
    "retryNotice",
    "acknowledgeAlert: in Validating",
    "addComment: for staff only",
    "addComment: for the client",
    "archiveTicketSubtype",
    "askClient: in Validating",
    "askClient: in Verifying",
    "assignTicket: in Fixing",
    "assignTicket: in Validating",
    "completeUpload: another's",
    "completeUpload: one's own",
    "createCalendar",
    "createCompany",
    "createContact",
    "createPerson",
    "createTicket: for company A",
    "createTicket: with a priority",
    "createTicket: with a reference of level 1",
    "createTicketSubtype",
    "deleteAttachment: another's, for staff only",
    "deleteAttachment: another's",
    "deleteAttachment: one's own",
    "deleteComment: another's, for staff only",
    "deleteComment: another's",
    "deleteComment: one's own",
    "editComment: another's, for staff only",
    "editComment: another's",
    "editComment: one's own",
    "excuseBreach",
    "importHolidays",
    "linkTickets: one of A with one of B",
    "linkTickets: two of A",
    "moveTicket: Closed to Validating",
    "moveTicket: Estimating to Fixing",
    "moveTicket: Fixing to Verifying",
    "moveTicket: Replicating to Estimating",
    "moveTicket: Validating to Replicating",
    "moveTicket: Verifying to Closed",
    "overrideDueTime",
    "pauseClock: in Validating",
    "pauseClock: in Verifying",
    "recordClientAnswer",
    "requestUpload: for staff only",
    "requestUpload: for the client",
    "resumeClock: in Validating",
    "setEstimatedDeliveryDate",
    "snoozeAlerts: in Validating",
    "transferTicket",
    "unlinkContact",
    "unlinkPerson",
    "unlinkTickets",
    "unwatchTicket: another",
    "unwatchTicket: oneself",
    "updateCalendar",
    "updateCompany",
    "updateContact",
    "updatePerson",
    "updateSlaPolicy",
    "updateTicket: a fact",
    "updateTicket: the priority",
    "watchTicket: another",
    "watchTicket: oneself",
];

/// What the acts are done with.
pub struct Stage<'a> {
    pub app: &'a TestApp,
    pub world: &'a World,
    /// Staff who write for staff only, and are none of the callers.
    pub scribe: Member,
    /// What a new ticket of either company states.
    filings: [Value; 2],
    smtp: SmtpSink,
    number: AtomicUsize,
}

impl<'a> Stage<'a> {
    pub async fn set(app: &'a TestApp, world: &'a World) -> Self {
        let scribe = crate::support::staff(&app.service, "Sven Scribe", &[], &[], false).await;
        let filings = [filing(app, world, Side::A).await, filing(app, world, Side::B).await];
        Self { app, world, scribe, filings, smtp: SmtpSink::start().await, number: AtomicUsize::new(0) }
    }

    /// An input with which the act succeeds, for whoever may. What the act uses up is made for it.
    pub async fn input(&self, act: &str, caller: &Caller) -> Value {
        let (mutation, occasion) = act.split_once(": ").unwrap_or((act, ""));
        match mutation {
            "createTicket"
            | "moveTicket"
            | "transferTicket"
            | "updateTicket"
            | "setEstimatedDeliveryDate"
            | "assignTicket"
            | "askClient"
            | "recordClientAnswer" => self.of_ticket(mutation, occasion).await,
            "watchTicket" | "unwatchTicket" => {
                let person = (occasion == "another").then_some(&self.scribe.id);
                json!({ "ticketId": self.ticket("VALIDATING").await, "personId": person })
            }
            "pauseClock" | "resumeClock" | "overrideDueTime" => self.of_clock(mutation, occasion).await,
            "acknowledgeAlert" | "snoozeAlerts" | "excuseBreach" => self.of_breach(mutation).await,
            "linkTickets" | "unlinkTickets" => self.of_link(mutation, occasion).await,
            "addComment" => json!({
                "ticketId": self.ticket("VALIDATING").await, "body": "acme: said", "visibility": readers(occasion),
            }),
            "editComment" => json!({ "commentId": self.comment(occasion, caller).await, "body": "acme: said again" }),
            "deleteComment" => json!({ "commentId": self.comment(occasion, caller).await }),
            "requestUpload" => picture(&self.ticket("VALIDATING").await, "acme", readers(occasion)),
            "completeUpload" | "deleteAttachment" => json!({ "attachmentId": self.attachment(occasion, caller).await }),
            "retryNotice" => json!({ "noticeId": self.failed_notice().await }),
            _ => self.of_directory(mutation).await,
        }
    }

    async fn of_ticket(&self, mutation: &str, occasion: &str) -> Value {
        let app = self.app;
        let ticket = async |stage| json!(self.ticket(stage).await);
        match (mutation, occasion) {
            ("createTicket", _) => {
                let mut input = self.filings[0].clone();
                let reference = (occasion == "with a reference of level 1").then(|| format!("{BACKSTAGE}-1"));
                input["levelOneReference"] = json!(reference);
                if occasion == "with a priority" {
                    input["facts"]["priority"] = json!("HIGH");
                }
                input
            }
            ("moveTicket", _) => {
                let (from, to, facts) = match occasion {
                    "Validating to Replicating" => ("VALIDATING", "REPLICATING", replicating_facts()),
                    "Replicating to Estimating" => {
                        ("REPLICATING", "ESTIMATING", json!({ "affectsOtherClients": false }))
                    }
                    "Estimating to Fixing" => ("ESTIMATING", "FIXING", json!({})),
                    "Fixing to Verifying" => {
                        ("FIXING", "VERIFYING", json!({ "pullRequest": "https://git.example.com/shop/pull/7" }))
                    }
                    "Verifying to Closed" => ("VERIFYING", "CLOSED_RESOLVED", closing_facts()),
                    _ => ("CLOSED_RESOLVED", "VALIDATING", json!({})),
                };
                let key = self.ticket(from).await;
                if from == "ESTIMATING" {
                    // Whether one may state the estimate is another question than whether one may move.
                    let facts = json!({ "estimatedDeliveryDate": "2026-06-26", "priority": "HIGH" });
                    let facts = json!({ "ticketId": key, "facts": facts });
                    app.change(&app.cast.project_manager, "updateTicket", facts).await;
                }
                json!({ "ticketId": key, "to": to, "facts": facts, "reason": format!("{BACKSTAGE}: again") })
            }
            ("transferTicket", _) => {
                json!({ "ticketId": ticket("VALIDATING").await, "pipeline": app.service.pipelines()[0], "reason": BACKSTAGE })
            }
            ("updateTicket", "the priority") => {
                json!({ "ticketId": ticket("ESTIMATING").await, "facts": { "priority": "HIGH" } })
            }
            ("updateTicket", _) => {
                json!({ "ticketId": ticket("VALIDATING").await, "facts": { "browser": "acme 140" } })
            }
            ("setEstimatedDeliveryDate", _) => json!({
                "ticketId": ticket("FIXING").await, "estimatedDeliveryDate": "2026-06-30", "reason": BACKSTAGE,
            }),
            ("assignTicket", _) => {
                let stage = if occasion == "in Fixing" { "FIXING" } else { "VALIDATING" };
                json!({ "ticketId": ticket(stage).await, "assigneeId": app.cast.qa.id })
            }
            ("askClient", _) => {
                let stage = if occasion == "in Verifying" { "VERIFYING" } else { "VALIDATING" };
                json!({ "ticketId": ticket(stage).await, "question": "Which browser, acme?" })
            }
            _ => {
                let asked = json!({ "ticketId": ticket("VALIDATING").await, "question": "Which browser, acme?" });
                app.change(&app.cast.operations, "askClient", asked.clone()).await;
                json!({ "ticketId": asked["ticketId"], "answer": "That of acme." })
            }
        }
    }

    async fn of_clock(&self, mutation: &str, occasion: &str) -> Value {
        let stage = if occasion == "in Verifying" { "VERIFYING" } else { "VALIDATING" };
        let ticket = self.ticket(stage).await;
        let pause = json!({ "ticketId": ticket, "reason": "ON_HOLD", "note": BACKSTAGE });
        match mutation {
            "pauseClock" => pause,
            "resumeClock" => {
                self.app.change(&self.app.cast.administrator, "pauseClock", pause).await;
                json!({ "ticketId": ticket })
            }
            _ => json!({ "ticketId": ticket, "dueAt": self.app.clock.now() + TimeDelta::days(9), "reason": BACKSTAGE }),
        }
    }

    /// Of a ticket whose clock has run out, and of which people were told.
    async fn of_breach(&self, mutation: &str) -> Value {
        let app = self.app;
        let ticket = self.ticket("VALIDATING").await;
        let due_at = app.clock.now() + TimeDelta::minutes(1);
        let due = json!({ "ticketId": ticket, "dueAt": due_at, "reason": BACKSTAGE });
        app.change(&app.cast.administrator, "overrideDueTime", due).await;
        app.advance(TimeDelta::minutes(2));
        app.service.sla_scan().await.unwrap();
        let query = "query($id: ID!) { ticket(by: { id: $id }) { visits { id } alerts { id } } }";
        let found = app.ask(&app.cast.administrator, query, json!({ "id": ticket })).await["ticket"].take();
        let (visit, alert) = (&found["visits"][0]["id"], &found["alerts"][0]["id"]);
        match mutation {
            "excuseBreach" => json!({ "visitId": visit, "reason": BACKSTAGE }),
            "acknowledgeAlert" => json!({ "alertId": alert, "note": BACKSTAGE }),
            _ => json!({ "alertId": alert, "until": app.clock.now() + TimeDelta::days(1), "reason": BACKSTAGE }),
        }
    }

    async fn of_link(&self, mutation: &str, occasion: &str) -> Value {
        let one = self.ticket("VALIDATING").await;
        let other = match occasion {
            "one of A with one of B" => self.file_for(Side::B).await,
            _ => self.ticket("VALIDATING").await,
        };
        let input = json!({ "ticketId": one, "otherTicketId": other, "kind": "DUPLICATES" });
        if mutation == "unlinkTickets" {
            self.app.change(&self.app.cast.operations, "linkTickets", input.clone()).await;
        }
        input
    }

    async fn of_directory(&self, mutation: &str) -> Value {
        let (app, cast) = (self.app, &self.app.cast);
        let number = self.number.fetch_add(1, Ordering::SeqCst);
        let (name, email) = (format!("New {number}"), format!("new.{number}@example.com"));
        let company = company_of(app, Side::A);
        let subtype = json!({ "category": "DATA_ISSUES", "name": name });
        match mutation {
            "createCompany" => json!({ "name": name }),
            "updateCompany" => json!({ "companyId": company, "tier": "TIER_TWO" }),
            "createContact" => json!({ "companyId": company, "name": name, "email": email }),
            "updateContact" => {
                json!({ "contactId": self.world.colleague_of(Side::A).id, "timeZone": "Europe/Rome" })
            }
            "unlinkContact" => json!({ "contactId": self.world.colleague_of(Side::A).id }),
            "unlinkPerson" => json!({ "personId": self.scribe.id }),
            "createPerson" => json!({ "name": name, "email": email }),
            "updatePerson" => json!({ "personId": self.scribe.id, "timeZone": "Europe/Rome" }),
            "createTicketSubtype" => subtype,
            "archiveTicketSubtype" => {
                let made = app.make(&cast.administrator, "createTicketSubtype", "ticketSubtype", subtype, "id").await;
                json!({ "ticketSubtypeId": made["id"] })
            }
            "updateSlaPolicy" => json!({ "stage": "VALIDATING", "budget": format!("PT{}H", 8 + number % 2) }),
            "createCalendar" | "updateCalendar" | "importHolidays" => {
                let week = [json!({ "day": "MON", "from": "09:00", "to": "17:00" })];
                let made = json!({ "name": name, "definition": { "timeZone": "UTC", "hoursPerDay": 8, "week": week } });
                if mutation == "createCalendar" {
                    return made;
                }
                let made = app.make(&cast.administrator, "createCalendar", "calendar", made, "id").await;
                if mutation == "importHolidays" {
                    let event = "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20260602\nSUMMARY:Founders' Day\nEND:VEVENT\n";
                    let ics = format!("BEGIN:VCALENDAR\n{event}END:VCALENDAR\n");
                    return json!({ "calendarId": made["id"], "ics": ics });
                }
                json!({ "calendarId": made["id"], "name": format!("Renamed {number}") })
            }
            other => panic!("say in tests/it/rights/acts.rs, Stage::input, how {other} succeeds, and name it in ACTS"),
        }
    }

    /// A ticket of company A in the stage; its id.
    async fn ticket(&self, stage: &str) -> String {
        let id = self.file_for(Side::A).await;
        self.app.walk_to(&id, stage).await;
        id
    }

    async fn file_for(&self, side: Side) -> String {
        let filing = self.filings[side as usize].clone();
        let ticket = self.app.change(&self.app.cast.operations, "createTicket", filing).await;
        ticket["id"].as_str().unwrap().to_owned()
    }

    /// Whose a thing is to be. Who cannot make one of their own meets one of QA's.
    fn author<'b>(&'b self, occasion: &str, caller: &'b Caller) -> &'b Member {
        let writers = ["A", "ops", "qa", "pm", "tech", "mgr", "adm", "narrow"];
        let scopes = [entity::vocab::Scope::CommentsWrite, entity::vocab::Scope::Admin].map(short);
        let may_write = writers.contains(&caller.column.as_str()) || scopes.contains(&caller.column);
        match (occasion, &caller.itself) {
            ("one's own", Some(itself)) if may_write => itself,
            ("one's own", _) => &self.app.cast.qa,
            ("another's, for staff only", _) => &self.scribe,
            _ => self.world.colleague_of(Side::A),
        }
    }

    async fn comment(&self, occasion: &str, caller: &Caller) -> Value {
        let input = json!({
            "ticketId": self.ticket("VALIDATING").await, "body": "acme: as it was", "visibility": readers(occasion),
        });
        self.app.make(self.author(occasion, caller), "addComment", "comment", input, "id").await["id"].clone()
    }

    async fn attachment(&self, occasion: &str, caller: &Caller) -> String {
        let picture = picture(&self.ticket("VALIDATING").await, "acme", readers(occasion));
        attach(self.app, self.author(occasion, caller), picture).await
    }

    /// A notice that failed for good; its id.
    async fn failed_notice(&self) -> Value {
        let app = self.app;
        let input = json!({ "ticketId": self.ticket("VALIDATING").await, "question": "Which browser, acme?" });
        app.deliver(&self.smtp).await;
        app.change(&app.cast.operations, "askClient", input.clone()).await;
        // What can be sent to nobody fails at once.
        let broken =
            "UPDATE notice SET to_address = 'no address' WHERE state = 'QUEUED' AND clarification_id IS NOT NULL";
        app.db.execute_unprepared(broken).await.unwrap();
        app.deliver(&self.smtp).await;
        let failed =
            "query($id: ID!) { notices(filter: { ticketId: { eq: $id }, state: { eq: FAILED } }) { nodes { id } } }";
        let found = app.ask(&app.cast.qa, failed, json!({ "id": input["ticketId"] })).await;
        assert!(found["notices"]["nodes"][0]["id"].is_string(), "{found:#}");
        found["notices"]["nodes"][0]["id"].clone()
    }
}

fn readers(occasion: &str) -> &'static str {
    if occasion.ends_with("for staff only") { "INTERNAL" } else { "CLIENT" }
}
