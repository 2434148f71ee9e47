//! Two companies to whom the same has happened: something in every field of the schema, for each of them.
//!
//! Every text of a company's tickets has its word in it, and every text that is not for clients has [`BACKSTAGE`], so that an
//! answer can be searched for what must not be there.

use axum::{body::Body, http::Request};
use chrono::TimeDelta;
use entity::vocab::{Scope, Team};
use sea_orm::ConnectionTrait;
use secondline::{domain::actor::Actor, service::audit::Origin};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::callers::integration;
use crate::support::{Member, TestApp, client, smtp::SmtpSink, staff};

/// The word of everything that no client shall read.
pub const BACKSTAGE: &str = "backstage";
/// The smallest picture that is one.
pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01";

/// One of the two companies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    A,
    B,
}

/// What was arranged.
pub struct World {
    /// The second contact of each company.
    pub colleagues: [Member; 2],
    /// The key of a ticket of each company to which everything happened; it stands in Verifying.
    pub rich: [String; 2],
    /// Where everything was mailed so far.
    pub smtp: SmtpSink,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// What is in every text of its tickets.
    pub const fn word(self) -> &'static str {
        match self {
            Self::A => "acme",
            Self::B => "globex",
        }
    }

    /// What must not be in an answer to anybody of the other company.
    pub const fn words(self) -> [&'static str; 2] {
        match self {
            Self::A => ["acme", "carla"],
            Self::B => ["globex", "otto"],
        }
    }
}

impl World {
    /// Arranges all of it.
    pub async fn arrange(app: &TestApp) -> Self {
        let cast = &app.cast;
        let colleagues = [
            client(&app.service, &cast.acme, "Cora Acme").await,
            client(&app.service, &cast.globex, "Gina Globex").await,
        ];
        let tier = json!({ "companyId": cast.globex.id.to_string(), "tier": "TIER_TWO" });
        app.make(&cast.operations, "updateCompany", "company", tier, "id").await;
        let writer = integration(app, Scope::TicketsWrite).await;
        let commenter = integration(app, Scope::CommentsWrite).await;
        let builder = Builder { app, writer, commenter };
        let mut world = Self { colleagues, rich: [String::new(), String::new()], smtp: SmtpSink::start().await };
        for side in Side::BOTH {
            world.rich[side as usize] = builder.begin(&world, side).await;
        }
        builder.link(&world.rich[0], &world.rich[1]).await;
        // One mail to a client can be sent to nobody, and fails at once.
        let broken =
            "UPDATE notice SET to_address = 'no address' WHERE id IN (SELECT id FROM notice WHERE state = 'QUEUED'
            AND contact_id IS NOT NULL AND clarification_id IS NULL ORDER BY id LIMIT 1)";
        assert_eq!(app.db.execute_unprepared(broken).await.unwrap().rows_affected(), 1);
        app.deliver(&world.smtp).await;
        app.advance(TimeDelta::days(2));
        app.service.sla_scan().await.unwrap();
        // So many alerts at once are a digest.
        app.deliver(&world.smtp).await;
        builder.change_policies().await;
        for side in Side::BOTH {
            builder.go_on(&world, side).await;
        }
        builder.ask_from_somewhere().await;
        world
    }

    /// The first contact of a company.
    pub fn contact_of<'a>(&self, app: &'a TestApp, side: Side) -> &'a Member {
        match side {
            Side::A => &app.cast.client,
            Side::B => &app.cast.other_client,
        }
    }

    /// The second contact of a company.
    pub fn colleague_of(&self, side: Side) -> &Member {
        &self.colleagues[side as usize]
    }

    /// The ticket to which everything happened.
    pub fn rich_of(&self, side: Side) -> &str {
        &self.rich[side as usize]
    }
}

/// The id of a company.
pub fn company_of(app: &TestApp, side: Side) -> String {
    match side {
        Side::A => app.cast.acme.id.to_string(),
        Side::B => app.cast.globex.id.to_string(),
    }
}

/// What Operations state to file a ticket of a company.
pub async fn filing(app: &TestApp, world: &World, side: Side) -> Value {
    let mut facts = app.first_facts().await;
    facts["subject"] = json!(format!("{} export stops", side.word()));
    facts["description"] = json!(format!("The export of {} ends after 1000 rows.", side.word()));
    json!({
        "companyId": company_of(app, side), "contactId": world.contact_of(app, side).id, "facts": facts,
        "levelOneReference": format!("{BACKSTAGE}-{}-7", side.word()),
    })
}

/// Files a ticket of a company; its key.
pub async fn file(app: &TestApp, world: &World, side: Side) -> String {
    let ticket = app.change(&app.cast.operations, "createTicket", filing(app, world, side).await).await;
    ticket["key"].as_str().unwrap().to_owned()
}

/// Attaches a picture; its id.
pub async fn attach(app: &TestApp, member: &Member, input: Value) -> String {
    let select = "attachment { id } upload { url }";
    let payload = app.mutate(member, "requestUpload", input, select).await;
    let url = payload["upload"]["url"].as_str().unwrap_or_else(|| panic!("{payload:#}"));
    let request = Request::put(url).body(Body::from(PNG.to_vec())).unwrap();
    assert_eq!(app.router.clone().oneshot(request).await.unwrap().status(), 204);
    payload["attachment"]["id"].as_str().unwrap().to_owned()
}

/// What `requestUpload` is asked for.
pub fn picture(key: &str, name: &str, visibility: &str) -> Value {
    json!({
        "ticketId": key, "fileName": format!("{name}.png"), "contentType": "image/png", "size": PNG.len(),
        "visibility": visibility,
    })
}

struct Builder<'a> {
    app: &'a TestApp,
    writer: Member,
    commenter: Member,
}

impl Builder<'_> {
    async fn say(&self, member: &Member, key: &str, body: &str, visibility: &str) -> Value {
        let input = json!({ "ticketId": key, "body": body, "visibility": visibility });
        self.app.make(member, "addComment", "comment", input, "id").await["id"].clone()
    }

    async fn change(&self, member: &Member, mutation: &str, mut input: Value, key: &str) {
        input["ticketId"] = json!(key);
        self.app.change(member, mutation, input).await;
    }

    async fn link(&self, one: &str, other: &str) {
        let input = json!({ "otherTicketId": other, "kind": "CAUSED_BY" });
        self.change(&self.app.cast.operations, "linkTickets", input, one).await;
    }

    /// Everything that happens to a ticket before two days have passed; its key.
    async fn begin(&self, world: &World, side: Side) -> String {
        let (app, cast, word) = (self.app, &self.app.cast, side.word());
        let client = world.contact_of(app, side);
        let key = file(app, world, side).await;
        let facts = json!({
            "browser": format!("{word} browser"), "operatingSystem": format!("{word} system"), "platform": "WEB",
            "appVersion": format!("{word} 7"), "clientTargetDate": "2026-06-30", "workaround": format!("{word} waits"),
            "affectsOtherClients": true,
        });
        self.change(&self.writer, "updateTicket", json!({ "facts": facts }), &key).await;
        self.change(&cast.operations, "assignTicket", json!({ "assigneeId": cast.tech.id }), &key).await;
        for watcher in [client, world.colleague_of(side), &cast.qa] {
            self.change(watcher, "watchTicket", json!({}), &key).await;
        }
        self.talk(side, &key, client).await;
        self.attach(side, &key, client).await;
        let others = [file(app, world, side).await, file(app, world, side).await, file(app, world, side).await];
        self.link(&key, &others[0]).await;
        app.walk_to(&key, "REPLICATING").await;
        let back =
            json!({ "to": "VALIDATING", "deEscalationReasons": ["OTHER"], "reason": format!("{BACKSTAGE} {word}") });
        self.change(&cast.qa, "moveTicket", back, &key).await;
        let question = format!("Which browser, {word}?");
        self.change(&cast.operations, "askClient", json!({ "question": question }), &key).await;
        app.advance(TimeDelta::minutes(30));
        self.say(client, &key, &format!("The one of {word}."), "CLIENT").await;
        key
    }

    async fn talk(&self, side: Side, key: &str, client: &Member) {
        let (app, cast, word) = (self.app, &self.app.cast, side.word());
        self.say(client, key, &format!("{word} sees it in Safari too."), "CLIENT").await;
        self.say(&cast.qa, key, &format!("{BACKSTAGE}: {word} is right."), "INTERNAL").await;
        self.say(&cast.operations_manager, key, &format!("{word}, we are on it."), "CLIENT").await;
        self.say(&self.commenter, key, &format!("{word} has a build."), "CLIENT").await;
        let edited = self.say(&cast.operations, key, &format!("{word} waits for the build."), "CLIENT").await;
        let input = json!({ "commentId": edited, "body": format!("{word} has to wait for a build.") });
        app.make(&cast.operations, "editComment", "comment", input, "id").await;
        let deleted = self.say(&cast.operations, key, &format!("{BACKSTAGE}: rude to {word}."), "CLIENT").await;
        app.make(&cast.administrator, "deleteComment", "comment", json!({ "commentId": deleted }), "id").await;
    }

    async fn attach(&self, side: Side, key: &str, client: &Member) {
        let (app, word) = (self.app, side.word());
        let comment = self.say(client, key, &format!("{word} made a picture."), "CLIENT").await;
        let mut shown = picture(key, word, "CLIENT");
        shown["commentId"] = comment;
        attach(app, client, shown).await;
        let comment = self.say(&app.cast.qa, key, &format!("{BACKSTAGE}: {word}'s log."), "INTERNAL").await;
        let mut hidden = picture(key, &format!("{BACKSTAGE} {word}"), "INTERNAL");
        hidden["commentId"] = comment;
        attach(app, &app.cast.qa, hidden.clone()).await;
        app.mutate(&app.cast.qa, "requestUpload", hidden, "attachment { id }").await;
        let removed = attach(app, client, picture(key, &format!("{word} removed"), "CLIENT")).await;
        app.make(client, "deleteAttachment", "attachment", json!({ "attachmentId": removed }), "id").await;
    }

    /// What belongs to no company: a calendar with everything, a changed policy, an archived subtype, a leader.
    async fn change_policies(&self) {
        let (app, admin) = (self.app, &self.app.cast.administrator);
        let week = [json!({ "day": "MON", "from": "09:00", "to": "17:00" })];
        let definition = json!({
            "timeZone": "UTC", "hoursPerDay": 8, "week": week,
            "holidays": [{ "on": "2027-12-24", "name": "Christmas Eve", "from": "12:00", "to": "17:00" }],
            "extraHours": [{ "on": "2027-12-18", "name": "Rush", "from": "09:00", "to": "12:00" }],
        });
        app.make(admin, "createCalendar", "calendar", json!({ "name": "Rich", "definition": definition }), "id").await;
        let calendars = app.ask(admin, "{ calendars { id name } }", json!({})).await;
        let calendars = calendars["calendars"].as_array().unwrap();
        let usual = calendars.iter().find(|calendar| calendar["name"] == "default").unwrap();
        let week = ["MON", "TUE", "WED", "THU", "FRI"].map(|day| json!({ "day": day, "from": "09:00", "to": "17:00" }));
        let definition = json!({
            "timeZone": "UTC", "hoursPerDay": 8, "week": week,
            "holidays": [{ "on": "2026-06-05", "name": "Founders' Day" }],
        });
        let input = json!({ "calendarId": usual["id"], "definition": definition });
        app.make(admin, "updateCalendar", "calendar", input, "id").await;
        app.make(admin, "updateSlaPolicy", "slaPolicy", json!({ "stage": "ESTIMATING", "budget": "P2D" }), "id").await;
        let budgets = json!([{ "budget": "P1D" }, { "priority": "URGENT", "budget": "PT4H" },
            { "priority": "LOW", "tier": "TIER_TWO", "budget": null }]);
        let alerts = json!([{ "level": "BREACH", "teamManagers": true, "people": [app.cast.qa.id] }]);
        let policy = json!({ "stage": "VERIFYING", "budgets": budgets, "alerts": alerts });
        app.make(admin, "updateSlaPolicy", "slaPolicy", policy, "id").await;
        let subtype = json!({ "category": "DATA_ISSUES", "name": "Old" });
        let subtype = app.make(admin, "createTicketSubtype", "ticketSubtype", subtype, "id").await["id"].clone();
        app.make(admin, "archiveTicketSubtype", "ticketSubtype", json!({ "ticketSubtypeId": subtype }), "id").await;
        let leader = staff(&app.service, "Lena Leader", &[Team::Qa], &[Team::Qa, Team::Tech], true).await;
        let hours = json!({ "personId": leader.id, "calendarId": usual["id"] });
        app.make(admin, "updatePerson", "person", hours, "id").await;
    }

    /// A request with an address, so late that it is among the latest.
    async fn ask_from_somewhere(&self) {
        let app = self.app;
        let caller = app.service.authenticate(&app.cast.operations.token).await.unwrap().unwrap();
        let origin = Origin { address: Some("192.0.2.7".to_owned()), request_id: Some("trace-1".to_owned()) };
        let Actor::Person(_) = &caller.actor else { panic!("{caller:?} is no person") };
        app.service.on_behalf_of(origin).create_company(&caller.actor, "Initech", None).await.unwrap();
    }

    /// Everything that people do to a clock, and to what it raised.
    async fn handle_clock(&self, world: &World, side: Side) {
        let (app, cast) = (self.app, &self.app.cast);
        let reason = format!("{BACKSTAGE} {}", side.word());
        let late = file(app, world, side).await;
        app.advance(TimeDelta::days(4));
        app.service.sla_scan().await.unwrap();
        let found = app.ticket(&cast.operations, &late, "visits { id } alerts { id }").await;
        let (visit, alert) = (&found["visits"][0]["id"], &found["alerts"][0]["id"]);
        let until = app.clock.now() + TimeDelta::days(1);
        let snooze = json!({ "alertId": alert, "until": until, "reason": reason });
        app.make(&cast.operations, "snoozeAlerts", "alert", snooze, "id").await;
        app.make(&cast.operations, "acknowledgeAlert", "alert", json!({ "alertId": alert, "note": reason }), "id")
            .await;
        app.make(
            &cast.operations_manager,
            "excuseBreach",
            "visit",
            json!({ "visitId": visit, "reason": reason }),
            "id",
        )
        .await;
        let due = json!({ "dueAt": until + TimeDelta::days(5), "reason": reason });
        self.change(&cast.operations_manager, "overrideDueTime", due, &late).await;
        app.walk_to(&late, "REPLICATING").await;
        let waiting = file(app, world, side).await;
        let pause = json!({ "reason": "ON_HOLD", "note": reason, "resumeAt": until });
        self.change(&cast.operations, "pauseClock", pause, &waiting).await;
        app.advance(TimeDelta::hours(1));
        self.change(&cast.operations, "resumeClock", json!({}), &waiting).await;
        for due_at in [json!(until + TimeDelta::days(5)), json!(null)] {
            self.change(
                &cast.operations_manager,
                "overrideDueTime",
                json!({ "dueAt": due_at, "reason": reason }),
                &waiting,
            )
            .await;
        }
    }

    /// Everything that happens after two days.
    async fn go_on(&self, world: &World, side: Side) {
        let (app, cast, word) = (self.app, &self.app.cast, side.word());
        let key = world.rich_of(side);
        app.walk_to(key, "FIXING").await;
        app.deliver(&world.smtp).await;
        let date = json!({ "estimatedDeliveryDate": "2026-06-19", "reason": format!("{BACKSTAGE} {word}") });
        self.change(&cast.project_manager, "setEstimatedDeliveryDate", date, key).await;
        let facts = json!({ "pullRequest": format!("https://git.example.com/{BACKSTAGE}/{word}/7") });
        self.change(&self.writer, "moveTicket", json!({ "to": "VERIFYING", "facts": facts }), key).await;
        let facts = json!({
            "resolutionNotes": format!("{BACKSTAGE} {word}: not final"), "pullRequestMergedAt": "2026-06-03T09:00:00Z",
        });
        self.change(&cast.qa, "updateTicket", json!({ "facts": facts }), key).await;

        self.handle_clock(world, side).await;
        let resolved = file(app, world, side).await;
        app.walk_to(&resolved, "CLOSED_RESOLVED").await;
        let unhurried = file(app, world, side).await;
        app.walk_to(&unhurried, "FIXING").await;
        self.change(&cast.project_manager, "updateTicket", json!({ "facts": { "priority": "LOW" } }), &unhurried).await;
        let facts = json!({ "pullRequest": "https://git.example.com/shop/pull/8" });
        self.change(&cast.tech, "moveTicket", json!({ "to": "VERIFYING", "facts": facts }), &unhurried).await;
        let notes = json!({ "resolutionNotes": format!("{word} does without.") });
        self.change(&cast.qa, "moveTicket", json!({ "to": "CLOSED_UNRESOLVED", "facts": notes }), &unhurried).await;
        let unresolved = file(app, world, side).await;
        let close =
            json!({ "to": "CLOSED_UNRESOLVED", "facts": { "resolutionNotes": format!("{word} took it back.") } });
        self.change(&cast.operations_manager, "moveTicket", close, &unresolved).await;
        let transferred = file(app, world, side).await;
        let pipeline = json!({ "pipeline": app.service.pipelines()[0], "reason": format!("{BACKSTAGE} {word}") });
        self.change(&cast.operations, "transferTicket", pipeline, &transferred).await;
        let fixing = file(app, world, side).await;
        app.walk_to(&fixing, "FIXING").await;
        let asked = file(app, world, side).await;
        app.walk_to(&asked, "ESTIMATING").await;
        let facts = json!({ "estimatedDeliveryDate": "2026-06-24" });
        self.change(&cast.project_manager, "updateTicket", json!({ "facts": facts }), &asked).await;
        let question = format!("Is there another browser, {word}?");
        self.change(&cast.operations, "askClient", json!({ "question": question }), &asked).await;
    }
}
