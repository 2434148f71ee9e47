//! Every change leaves an entry in the audit log, and nothing else does.

use async_graphql::parser::{
    parse_schema,
    types::{TypeKind, TypeSystemDefinition},
};
use chrono::TimeDelta;
use entity::vocab::Scope;
use sea_orm::ConnectionTrait;
use secondline::{
    domain::actor::Actor,
    service::{audit::Origin, tokens::TokenOwner},
    store::{self, audit::AuditFilter, page::Window},
};
use serde_json::{Value, json};

use crate::rights::footprint::footprint;
use crate::support::{Member, START, TestApp, each_database, replicating_facts, smtp::SmtpSink};

const ENTRIES: &str = "{ auditLog(first: 100) { totalCount nodes { id at actorKind actorId actorName action target \
     before after address requestId } } }";

/// What changes nothing by itself: where files are kept in a folder, the upload completes itself.
const CHANGES_NOTHING: &str = "completeUpload";

/// The names of all mutations that change something, as the schema has them.
fn mutations() -> Vec<String> {
    let schema = parse_schema(secondline::graphql::sdl()).unwrap();
    let fields = schema.definitions.iter().find_map(|definition| match definition {
        TypeSystemDefinition::Type(found) if found.node.name.node == "Mutation" => match &found.node.kind {
            TypeKind::Object(object) => Some(&object.fields),
            _ => None,
        },
        _ => None,
    });
    let names = fields.unwrap().iter().map(|field| field.node.name.node.to_string());
    names.filter(|name| name != CHANGES_NOTHING).collect()
}

/// The log, the latest first.
async fn log(app: &TestApp) -> Vec<Value> {
    app.ask(&app.cast.administrator, ENTRIES, json!({})).await["auditLog"]["nodes"].as_array().unwrap().clone()
}

/// The entries about a thing, the latest first.
async fn log_of(app: &TestApp, id: String) -> Vec<Value> {
    log(app).await.into_iter().filter(|entry| entry["target"] == json!(id)).collect()
}

/// A notice that failed for good; its id.
async fn failed_notice(app: &TestApp) -> Value {
    let smtp = SmtpSink::start().await;
    let key = app.file_ticket().await;
    app.change(&app.cast.operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
    // What can be sent to nobody fails at once.
    let broken = "UPDATE notice SET to_address = 'no address' WHERE state = 'QUEUED' AND clarification_id IS NOT NULL";
    app.db.execute_unprepared(broken).await.unwrap();
    app.deliver(&smtp).await;
    let seen = app.ticket(&app.cast.qa, &key, "notices { id state }").await;
    assert_eq!(seen["notices"][0]["state"], "FAILED", "{seen:#}");
    seen["notices"][0]["id"].clone()
}

/// A ticket in the stage; its key.
async fn ticket_in(app: &TestApp, stage: &str) -> String {
    let key = app.file_ticket().await;
    app.walk_to(&key, stage).await;
    key
}

/// What makes a mutation succeed: who, the input, and the action that the log then names.
async fn success(app: &TestApp, mutation: &str) -> (Member, Value, &'static str) {
    let cast = &app.cast;
    let (admin, operations) = (cast.administrator.clone(), cast.operations.clone());
    let week = [json!({ "day": "MON", "from": "09:00", "to": "17:00" })];
    let definition = json!({ "timeZone": "UTC", "hoursPerDay": 8, "week": week, "holidays": [] });
    let calendar = app.ask(&cast.qa, "{ calendars { id } }", json!({})).await["calendars"][0]["id"].clone();
    match mutation {
        "createTicket" => (operations, app.filing().await, "TICKET_CREATE"),
        "moveTicket" => {
            let input =
                json!({ "ticketId": app.file_ticket().await, "to": "REPLICATING", "facts": replicating_facts() });
            (operations, input, "TICKET_MOVE")
        }
        "transferTicket" => {
            let input = json!({ "ticketId": app.file_ticket().await, "pipeline": app.service.pipelines()[0], "reason": "Theirs." });
            (operations, input, "TICKET_MOVE")
        }
        "updateTicket" => {
            let input = json!({ "ticketId": app.file_ticket().await, "facts": { "browser": "Firefox 140" } });
            (operations, input, "TICKET_UPDATE")
        }
        "assignTicket" => {
            (operations, json!({ "ticketId": app.file_ticket().await, "assigneeId": cast.qa.id }), "TICKET_ASSIGN")
        }
        "setEstimatedDeliveryDate" => {
            let key = ticket_in(app, "FIXING").await;
            let input = json!({ "ticketId": key, "estimatedDeliveryDate": "2026-06-19", "reason": "It is larger." });
            (cast.project_manager.clone(), input, "TICKET_SET_DELIVERY_DATE")
        }
        "askClient" => (
            operations,
            json!({ "ticketId": app.file_ticket().await, "question": "Which browser?" }),
            "TICKET_ASK_CLIENT",
        ),
        "recordClientAnswer" => {
            let key = app.file_ticket().await;
            app.change(&operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
            (cast.client.clone(), json!({ "ticketId": key, "answer": "Firefox" }), "TICKET_RECORD_ANSWER")
        }
        "createCompany" => (operations, json!({ "name": "Initech" }), "COMPANY_CREATE"),
        "updateCompany" => {
            (operations, json!({ "companyId": cast.acme.id.to_string(), "tier": "TIER_ONE" }), "COMPANY_UPDATE")
        }
        "createContact" => {
            let input = json!({ "companyId": cast.acme.id.to_string(), "name": "Eve", "email": "eve@example.com" });
            (operations, input, "CONTACT_CREATE")
        }
        "updateContact" => (operations, json!({ "contactId": cast.client.id, "name": "Clara" }), "CONTACT_UPDATE"),
        "createPerson" => (admin, json!({ "name": "Eve", "email": "eve@example.org" }), "PERSON_CREATE"),
        "updatePerson" => (admin, json!({ "personId": cast.qa.id, "manages": ["QA"] }), "PERSON_UPDATE"),
        "createTicketSubtype" => (admin, json!({ "category": "DATA_ISSUES", "name": "New" }), "SUBTYPE_CREATE"),
        "archiveTicketSubtype" => {
            (admin, json!({ "ticketSubtypeId": app.subtype("DATA_ISSUES").await }), "SUBTYPE_ARCHIVE")
        }
        "updateSlaPolicy" => (admin, json!({ "stage": "VALIDATING", "budget": "PT2H" }), "POLICY_UPDATE"),
        "createCalendar" => (admin, json!({ "name": "Nights", "definition": definition }), "CALENDAR_CREATE"),
        "updateCalendar" => (admin, json!({ "calendarId": calendar, "name": "Other" }), "CALENDAR_UPDATE"),
        "importHolidays" => {
            let event = "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20260602\nSUMMARY:Founders' Day\nEND:VEVENT\n";
            let ics = format!("BEGIN:VCALENDAR\n{event}END:VCALENDAR\n");
            (admin, json!({ "calendarId": calendar, "ics": ics }), "CALENDAR_UPDATE")
        }
        "pauseClock" | "resumeClock" => {
            let key = app.file_ticket().await;
            let pause = json!({ "ticketId": key, "reason": "ON_HOLD", "note": "Office move." });
            if mutation == "pauseClock" {
                return (operations, pause, "CLOCK_PAUSE");
            }
            app.change(&operations, "pauseClock", pause).await;
            (operations, json!({ "ticketId": key }), "CLOCK_RESUME")
        }
        "overrideDueTime" => {
            let due_at = app.clock.now() + chrono::TimeDelta::days(3);
            let input = json!({ "ticketId": app.file_ticket().await, "dueAt": due_at, "reason": "Agreed." });
            (admin, input, "CLOCK_OVERRIDE_DUE")
        }
        "excuseBreach" | "acknowledgeAlert" | "snoozeAlerts" => {
            let key = app.file_ticket().await;
            app.advance(chrono::TimeDelta::days(4));
            app.service.sla_scan().await.unwrap();
            let ticket = app.ticket(&admin, &key, "visits { id } alerts { id }").await;
            let (visit, alert) = (&ticket["visits"][0]["id"], &ticket["alerts"][0]["id"]);
            let until = app.clock.now() + chrono::TimeDelta::days(1);
            match mutation {
                "excuseBreach" => (admin, json!({ "visitId": visit, "reason": "A flood." }), "BREACH_EXCUSE"),
                "acknowledgeAlert" => (operations, json!({ "alertId": alert, "note": "On it." }), "ALERT_ACKNOWLEDGE"),
                _ => (operations, json!({ "alertId": alert, "until": until, "reason": "Later." }), "ALERT_SNOOZE"),
            }
        }
        "unlinkPerson" | "unlinkContact" => {
            let subject = "https://id.example.org somebody";
            if mutation == "unlinkPerson" {
                store::directory::link_person(&app.db, cast.qa.id.parse().unwrap(), subject).await.unwrap();
                return (admin, json!({ "personId": cast.qa.id }), "PERSON_UNLINK");
            }
            store::directory::link_contact(&app.db, cast.client.id.parse().unwrap(), subject).await.unwrap();
            (operations, json!({ "contactId": cast.client.id }), "CONTACT_UNLINK")
        }
        "retryNotice" => (admin, json!({ "noticeId": failed_notice(app).await }), "NOTICE_RETRY"),
        "addComment" | "editComment" | "deleteComment" => {
            let key = app.file_ticket().await;
            let input = json!({ "ticketId": key, "body": "It happens in Safari too." });
            if mutation == "addComment" {
                return (operations, input, "COMMENT_ADD");
            }
            let comment = app.make(&operations, "addComment", "comment", input, "id").await["id"].clone();
            match mutation {
                "editComment" => (operations, json!({ "commentId": comment, "body": "Only there." }), "COMMENT_EDIT"),
                _ => (operations, json!({ "commentId": comment }), "COMMENT_DELETE"),
            }
        }
        "watchTicket" | "unwatchTicket" => {
            let input = json!({ "ticketId": app.file_ticket().await, "personId": cast.qa.id });
            let action = if mutation == "watchTicket" { "TICKET_WATCH" } else { "TICKET_UNWATCH" };
            (admin, input, action)
        }
        "linkTickets" | "unlinkTickets" => {
            let (one, other) = (app.file_ticket().await, app.file_ticket().await);
            let input = json!({ "ticketId": one, "otherTicketId": other, "kind": "DUPLICATES" });
            if mutation == "linkTickets" {
                return (operations, input, "TICKET_LINK");
            }
            app.change(&operations, "linkTickets", input.clone()).await;
            (operations, input, "TICKET_UNLINK")
        }
        "requestUpload" | "deleteAttachment" => {
            let key = app.file_ticket().await;
            let input = json!({ "ticketId": key, "fileName": "a.png", "contentType": "image/png", "size": 33 });
            if mutation == "requestUpload" {
                return (operations, input, "ATTACHMENT_REQUEST");
            }
            let file = app.make(&operations, "requestUpload", "attachment", input, "id").await["id"].clone();
            (operations, json!({ "attachmentId": file }), "ATTACHMENT_DELETE")
        }
        other => panic!("{other} is not in this test: say here what makes it succeed"),
    }
}

each_database! {
    async fn every_mutation_leaves_one_entry_and_a_refused_one_none(app) {
        for mutation in mutations() {
            let (member, input, action) = success(app, &mutation).await;
            let before = log(app).await.len();
            let outsider = &app.cast.other_client;
            let mut refused = input.clone();
            if mutation == "createTicket" {
                refused["facts"]["priority"] = json!("URGENT");
            }
            let name = &mutation;
            let input_type = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
            let query = format!("mutation($input: {input_type}!) {{ payload: {name}(input: $input) {{ userErrors {{ code message }} }} }}");
            let answer = app.graphql(Some(&outsider.token), &query, json!({ "input": refused })).await;
            let is_refused = answer["errors"].is_array() || answer["data"]["payload"]["userErrors"][0].is_object();
            assert!(is_refused, "{mutation}: {answer:#}");
            assert_eq!(log(app).await.len(), before, "{mutation} was refused, and left an entry");
            let answer = app.ask(&member, &query, json!({ "input": input })).await;
            assert_eq!(answer["payload"]["userErrors"], json!([]), "{mutation}");
            let entries = log(app).await;
            assert_eq!(entries.len(), before + 1, "{mutation}");
            assert_eq!((&entries[0]["action"], &entries[0]["actorId"]), (&json!(action), &json!(member.id)), "{mutation}");
            assert_eq!(entries[0]["actorName"], json!(member.name), "{mutation}");
            let says = |side: &str| entries[0][side].as_object().is_some_and(|members| !members.is_empty());
            assert!(says("before") || says("after"), "{mutation}: {:#}", entries[0]);
            assert!(entries[0]["requestId"].is_string(), "{mutation}");
            // The next one starts where the log has not reached its page's end.
            app.advance(TimeDelta::seconds(1));
        }
    }

    async fn an_entry_says_what_changed_and_nothing_else(app) {
        let input = json!({ "personId": app.cast.qa.id, "email": "q@example.com", "teams": ["QA", "TECH"] });
        app.make(&app.cast.administrator, "updatePerson", "person", input, "id").await;
        let mut entry = log(app).await.remove(0);
        assert!(entry["requestId"].take().is_string());
        assert!(entry["id"].take().as_str().unwrap().starts_with("audit_entry_"));
        assert_eq!(entry, json!({
            "id": null, "at": "2026-06-01T09:00:00+00:00", "actorKind": "PERSON", "actorId": app.cast.administrator.id,
            "actorName": "Ada Admin", "action": "PERSON_UPDATE", "target": app.cast.qa.id,
            "before": { "email": app.cast.qa.email, "teams": ["QA"] },
            "after": { "email": "q@example.com", "teams": ["QA", "TECH"] },
            "address": null, "requestId": null,
        }));
    }

    async fn an_entry_says_where_it_came_from(app) {
        let origin = Origin { address: Some("192.0.2.7".to_owned()), request_id: Some("trace-1".to_owned()) };
        let caller = app.service.authenticate(&app.cast.operations.token).await.unwrap().unwrap();
        app.service.on_behalf_of(origin).create_company(&caller.actor, "Initech", None).await.unwrap();
        let entry = log(app).await.remove(0);
        assert_eq!((&entry["address"], &entry["requestId"]), (&json!("192.0.2.7"), &json!("trace-1")));
    }

    async fn tokens_are_noted_without_their_secrets(app) {
        let id = app.cast.qa.id.parse().unwrap();
        let token = app.service.create_token(TokenOwner::Person(id), "laptop", None).await.unwrap();
        assert!(app.service.revoke_token(token.row.id).await.unwrap());
        assert!(!app.service.revoke_token(token.row.id).await.unwrap());
        let entries = log(app).await;
        assert_eq!(entries[0]["action"], "TOKEN_REVOKE");
        assert_eq!((&entries[1]["action"], &entries[1]["actorKind"]), (&json!("TOKEN_CREATE"), &json!("SYSTEM")));
        assert_eq!(entries[1]["after"], json!({ "name": "laptop", "personId": app.cast.qa.id }));
        assert_eq!(entries[1]["target"], json!(token.row.id.to_string()));
        let whole = serde_json::to_string(&entries).unwrap();
        assert!(!whole.contains(&token.row.token_hash) && !whole.contains(&token.secret));
        assert_eq!(entries.iter().filter(|entry| entry["action"] == "TOKEN_REVOKE").count(), 1);
    }

    async fn the_log_is_filtered_and_paged(app) {
        for hour in 0..5 {
            app.make(&app.cast.operations, "createCompany", "company", json!({ "name": format!("Co {hour}") }), "id").await;
            app.advance(TimeDelta::hours(1));
        }
        app.make(&app.cast.administrator, "createCompany", "company", json!({ "name": "Last" }), "id").await;
        let query = "query($filter: AuditLogFilter, $first: Int, $after: String) { auditLog(filter: $filter, first: $first, \
                     after: $after) { totalCount nodes { target after } pageInfo { hasNextPage endCursor } } }";
        let count = async |filter: Value| {
            let answer = app.ask(&app.cast.administrator, query, json!({ "filter": filter })).await;
            answer["auditLog"]["totalCount"].as_u64().unwrap()
        };
        let companies = json!(["COMPANY_CREATE"]);
        assert_eq!(count(json!({ "actor": app.cast.operations.id })).await, 5);
        assert_eq!(count(json!({ "actor": "nobody" })).await, 0);
        assert_eq!(count(json!({ "action": companies })).await, 8);
        assert_eq!(count(json!({ "target": app.cast.acme.id.to_string() })).await, 1);
        let from = *START + TimeDelta::hours(1);
        assert_eq!(count(json!({ "from": from, "to": from + TimeDelta::hours(2) })).await, 2);
        let filter = json!({ "action": companies, "actor": app.cast.operations.id });
        let mut names = Vec::new();
        let mut after = Value::Null;
        loop {
            let variables = json!({ "filter": filter, "first": 2, "after": after });
            let page = app.ask(&app.cast.administrator, query, variables).await["auditLog"].take();
            names.extend(page["nodes"].as_array().unwrap().iter().map(|node| node["after"]["name"].clone()));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(names, ["Co 4", "Co 3", "Co 2", "Co 1", "Co 0"]);
    }

    async fn an_entry_is_found_by_its_id_by_those_who_read_the_log(app) {
        app.make(&app.cast.operations, "createCompany", "company", json!({ "name": "Initech" }), "id").await;
        let entry = log(app).await.remove(0);
        let query = "query($id: ID!) { node(id: $id) { id ... on AuditEntry { action after } } }";
        let found = app.ask(&app.cast.administrator, query, json!({ "id": entry["id"] })).await;
        assert_eq!(found["node"], json!({ "id": entry["id"], "action": "COMPANY_CREATE", "after": entry["after"] }));
        for member in [&app.cast.operations, &app.cast.operations_manager, &app.cast.client] {
            assert_eq!(app.ask(member, query, json!({ "id": entry["id"] })).await["node"], Value::Null, "{}", member.name);
        }
    }

    async fn only_administrators_read_it(app) {
        for member in [&app.cast.operations, &app.cast.qa, &app.cast.operations_manager, &app.cast.client] {
            assert_eq!(app.error(Some(&member.token), "{ auditLog { totalCount } }", json!({})).await, "FORBIDDEN");
        }
        let scopes = [Scope::AuditRead];
        let token = app.service.create_scoped_token(TokenOwner::Integration, "Archive", Some(&scopes), None).await.unwrap();
        let answer = app.graphql(Some(&token.secret), "{ auditLog { totalCount } }", json!({})).await;
        assert!(answer["data"]["auditLog"]["totalCount"].is_u64(), "{answer:#}");
    }

    async fn the_log_opens_nothing_that_a_token_keeps_shut(app) {
        let key = app.file_ticket().await;
        let said = json!({ "ticketId": key, "body": "Their secret handshake.", "visibility": "INTERNAL" });
        app.make(&app.cast.operations, "addComment", "comment", said, "id").await;
        app.change(&app.cast.operations, "updateTicket", json!({ "ticketId": key, "facts": { "browser": "Netscape" } })).await;
        let person = json!({ "personId": app.cast.qa.id, "name": "Quintus Quiet" });
        app.make(&app.cast.administrator, "updatePerson", "person", person, "id").await;
        let contact = json!({ "contactId": app.cast.client.id, "name": "Clara Calm" });
        app.make(&app.cast.operations, "updateContact", "contact", contact, "id").await;
        // What each scope opens, beside the log itself.
        let words = [
            ("secret handshake", Scope::TicketsRead), ("Netscape", Scope::TicketsRead), ("CSV export", Scope::TicketsRead),
            ("Quintus Quiet", Scope::DirectoryRead), ("Clara Calm", Scope::DirectoryRead),
            ("carla.client@example.com", Scope::DirectoryRead),
        ];
        let all: Vec<_> = words.map(|(word, _)| word).to_vec();
        let read = async |member: &Member| {
            let entries = app.ask(member, ENTRIES, json!({})).await["auditLog"]["nodes"].take();
            let query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on AuditEntry { before after } } }";
            let ids: Vec<_> = entries.as_array().unwrap().iter().map(|entry| entry["id"].clone()).collect();
            let nodes = app.ask(member, query, json!({ "ids": ids })).await;
            let sides = |entry: &Value| json!({ "before": entry["before"], "after": entry["after"] });
            let listed: Vec<_> = entries.as_array().unwrap().iter().map(sides).collect();
            assert_eq!(nodes["nodes"], json!(listed), "a node says what the list says");
            entries
        };
        for opened in [None, Some(Scope::TicketsRead), Some(Scope::DirectoryRead), Some(Scope::Admin)] {
            let scopes: Vec<_> = [Some(Scope::AuditRead), opened].into_iter().flatten().collect();
            let token = app.service.create_scoped_token(TokenOwner::Integration, "Archive", Some(&scopes), None).await.unwrap();
            let owner = TokenOwner::Person(app.cast.administrator.id.parse().unwrap());
            let narrow = app.service.create_scoped_token(owner, "narrow", Some(&scopes), None).await.unwrap();
            for token in [token, narrow] {
                let member = Member { token: token.secret, ..app.cast.administrator.clone() };
                let entries = read(&member).await;
                let told = entries.as_array().unwrap().iter().map(|entry| format!("{} {}", entry["before"], entry["after"]));
                let told = told.collect::<String>();
                for (word, scope) in words {
                    let expected = opened == Some(scope) || opened == Some(Scope::Admin);
                    assert_eq!(told.contains(word), expected, "{scopes:?}: {word}");
                }
                if opened.is_none() {
                    let added = entries.as_array().unwrap().iter().find(|entry| entry["action"] == "COMMENT_ADD").unwrap();
                    let ticket = app.ticket(&app.cast.qa, &key, "id").await["id"].take();
                    assert_eq!(added["after"], json!({ "ticketId": ticket, "visibility": "***", "body": "***" }));
                    assert_eq!(added["actorId"], json!(app.cast.operations.id));
                }
            }
        }
        let whole = read(&app.cast.administrator).await.to_string();
        assert!(all.iter().all(|word| whole.contains(word)), "an administrator reads all of it");
    }

    async fn words_that_were_deleted_are_kept_nowhere(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        app.change(&cast.client, "watchTicket", json!({ "ticketId": key })).await;
        let said = json!({ "ticketId": key, "body": "zebra with a typo", "visibility": "CLIENT" });
        let comment = app.make(&cast.operations, "addComment", "comment", said, "id").await["id"].clone();
        let smtp = SmtpSink::start().await;
        app.deliver(&smtp).await;
        assert!(smtp.log().received.iter().any(|mail| mail.parsed().text.contains("zebra with a typo")), "it was mailed");
        let edit = json!({ "commentId": comment, "body": "zebra without one" });
        app.make(&cast.operations, "editComment", "comment", edit, "id").await;
        let file = json!({
            "ticketId": key, "fileName": "zebra.png", "contentType": "image/png", "size": 33, "commentId": comment,
        });
        app.make(&cast.operations, "requestUpload", "attachment", file.clone(), "id").await;
        let mut other = file;
        other["commentId"] = Value::Null;
        let other = app.make(&cast.operations, "requestUpload", "attachment", other, "id").await["id"].clone();
        let kept = async || {
            let rows = footprint(app).await.into_iter().filter(|(_, rows)| rows.contains("zebra"));
            rows.map(|(table, _)| table).filter(|table| table != "attachment").collect::<Vec<_>>()
        };
        assert!(kept().await.contains(&"audit_entry".to_owned()) && kept().await.contains(&"notice".to_owned()));
        app.make(&cast.operations, "deleteAttachment", "attachment", json!({ "attachmentId": other }), "id").await;
        app.make(&cast.administrator, "deleteComment", "comment", json!({ "commentId": comment }), "id").await;
        assert_eq!(kept().await, Vec::<String>::new());
        // The rows of removed files go with the next sweep, together with their bytes.
        app.advance(TimeDelta::minutes(76));
        app.service.sweep_attachments().await.unwrap();
        assert!(footprint(app).await.values().all(|rows| !rows.contains("zebra")));
        let about = |id: &Value| log_of(app, id.as_str().unwrap().to_owned());
        let entries = about(&comment).await;
        assert_eq!(entries[0]["before"], json!({ "body": "[erased]" }));
        assert_eq!(entries[0]["after"], json!({ "body": null }));
        assert_eq!(entries[1]["after"]["body"], "[erased]", "that it was edited is known still");
        assert_eq!(about(&other).await[0]["before"]["fileName"], "[erased]");
        // What the command line carries elsewhere is the same log.
        let exported = app.service.audit_export(&Actor::System, &AuditFilter::default(), Window::first(100)).await.unwrap();
        assert!(!format!("{:?}", exported.rows).contains("zebra"));
        let ticket = app.ticket(&cast.qa, &key, "notices { kind state }").await;
        assert!(ticket["notices"].to_string().contains("COMMENT_ADDED"), "that it was mailed is known still");
        app.deliver(&smtp).await;
    }
}
