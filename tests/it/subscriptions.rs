//! What subscribers hear, over real WebSockets, and what they do not.

use chrono::TimeDelta;
use entity::{ticket_event, vocab::EventKind};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use crate::support::{
    Cast, Member, TestApp, each_database,
    following::{all_is_told, listen},
    replicating_facts,
    socket::Socket,
};

const ALERTS: &str = "slaAlerts { level outcome stage team dueAt ticket { key assignee { name } } }";

/// Files a ticket as a contact does.
async fn file_as(app: &TestApp, client: &Member) -> String {
    let ticket = app.change(client, "createTicket", json!({ "facts": app.first_facts().await })).await;
    ticket["key"].as_str().unwrap().to_owned()
}

async fn advance(app: &TestApp, key: &str) {
    let input = json!({ "ticketId": key, "to": "REPLICATING", "facts": replicating_facts() });
    app.change(&app.cast.operations, "moveTicket", input).await;
}

each_database! {
    async fn an_alert_is_pushed_when_it_is_raised(app) {
        let server = listen(app).await;
        let mut manager = Socket::open(server.addr, &app.cast.operations_manager.token).await;
        manager.subscribe("alerts", &format!("subscription {{ {ALERTS} }}")).await;
        let key = app.file_ticket().await;
        app.advance(TimeDelta::hours(6));
        assert_eq!(app.service.sla_scan().await.unwrap().raised, 1);
        let heard = manager.next("alerts").await;
        let due_at = heard["slaAlerts"]["dueAt"].clone();
        assert_eq!(heard["slaAlerts"], json!({
            "level": "WARNING", "outcome": "RAISED", "stage": "VALIDATING", "team": "OPERATIONS", "dueAt": due_at,
            "ticket": { "key": key, "assignee": null },
        }));
        app.service.sla_scan().await.unwrap();
        app.advance(TimeDelta::hours(2) + TimeDelta::microseconds(1));
        app.service.sla_scan().await.unwrap();
        let heard = manager.next("alerts").await;
        assert_eq!((&heard["slaAlerts"]["level"], &heard["slaAlerts"]["ticket"]["key"]), (&json!("BREACH"), &json!(key)));
    }

    async fn a_filter_lets_through_one_team_or_one_level(app) {
        let server = listen(app).await;
        let mut socket = Socket::open(server.addr, &app.cast.qa.token).await;
        let fields = "level team ticket { key }";
        for (id, filter) in [("qa", "{ team: { eq: QA } }"), ("breach", "{ level: { in: [BREACH] } }"), ("fixing", "{ stage: { eq: FIXING } }")] {
            socket.subscribe(id, &format!("subscription {{ slaAlerts(filter: {filter}) {{ {fields} }} }}")).await;
        }
        let [validating, replicating] = [app.file_ticket().await, app.file_ticket().await];
        advance(app, &replicating).await;
        app.advance(TimeDelta::hours(8) + TimeDelta::microseconds(1));
        assert_eq!(app.service.sla_scan().await.unwrap().raised, 1, "Validating's breach");
        let alert = |level: &str, team: &str, key: &str| {
            json!({ "slaAlerts": { "level": level, "team": team, "ticket": { "key": key } } })
        };
        assert_eq!(socket.next("breach").await, alert("BREACH", "OPERATIONS", &validating));
        app.advance(TimeDelta::hours(20));
        assert_eq!(app.service.sla_scan().await.unwrap().raised, 1, "Replicating's warning");
        assert_eq!(socket.next("qa").await, alert("WARNING", "QA", &replicating));
    }

    async fn events_are_pushed_in_their_order_and_a_filter_chooses(app) {
        let server = listen(app).await;
        let [mine, other] = [app.file_ticket().await, app.file_ticket().await];
        all_is_told(app).await;
        let mut socket = Socket::open(server.addr, &app.cast.qa.token).await;
        let filtered = |filter: &str| format!("subscription {{ ticketEvents(filter: {filter}) {{ kind ticket {{ key }} }} }}");
        socket.subscribe("ticket", &filtered(&format!("{{ ticketId: \"{mine}\" }}"))).await;
        let mut moves = Socket::open(server.addr, &app.cast.qa.token).await;
        moves.subscribe("moves", &filtered("{ kinds: [TICKET_MOVED] }")).await;

        let question = json!({ "ticketId": mine, "question": "Which browser?" });
        app.change(&app.cast.operations, "askClient", question).await;
        advance(app, &other).await;
        app.change(&app.cast.client, "recordClientAnswer", json!({ "ticketId": mine, "answer": "Firefox" })).await;
        advance(app, &mine).await;
        for kind in ["CLARIFICATION_REQUESTED", "CLARIFICATION_ANSWERED", "TICKET_MOVED"] {
            let expected = json!({ "ticketEvents": { "kind": kind, "ticket": { "key": mine } } });
            assert_eq!(socket.next("ticket").await, expected);
        }
        for key in [&other, &mine] {
            let expected = json!({ "ticketEvents": { "kind": "TICKET_MOVED", "ticket": { "key": key } } });
            assert_eq!(moves.next("moves").await, expected);
        }
    }

    async fn a_contact_hears_of_their_own_company_and_no_internals(app) {
        let Cast { client, other_client, operations, .. } = &app.cast;
        let server = listen(app).await;
        let mut socket = Socket::open(server.addr, &client.token).await;
        let fields = "cursor kind reason alertLevel changes { field } ticket { key priority assignee { email } }";
        let begin = app.ask(client, "{ eventCursor }", json!({})).await["eventCursor"].take();
        socket.subscribe("mine", &format!("subscription {{ ticketEvents {{ {fields} }} }}")).await;
        socket.request("alerts", &format!("subscription {{ {ALERTS} }}")).await;
        let refused = socket.receive().await.unwrap();
        let code = [&refused["payload"]["errors"][0], &refused["payload"][0]].map(|error| &error["extensions"]["code"]);
        assert!(code.contains(&&json!("FORBIDDEN")), "{refused}");
        if refused["type"] == "next" {
            assert_eq!(socket.receive().await, Ok(json!({ "type": "complete", "id": "alerts" })));
        }

        let by_staff = json!({
            "companyId": app.cast.globex.id.to_string(), "contactId": other_client.id, "facts": app.first_facts().await,
        });
        app.change(operations, "createTicket", by_staff).await;
        let theirs = file_as(app, other_client).await;
        let mine = file_as(app, client).await;
        for key in [&theirs, &mine] {
            app.change(operations, "updateTicket", json!({ "ticketId": key, "facts": { "severity": "MAJOR" } })).await;
            app.change(operations, "assignTicket", json!({ "ticketId": key, "assigneeId": operations.id })).await;
        }
        app.advance(TimeDelta::days(3));
        assert!(app.service.sla_scan().await.unwrap().raised > 1);
        let unresolved = json!({
            "ticketId": mine, "to": "CLOSED_UNRESOLVED", "reason": "They never pay",
            "facts": { "resolutionNotes": "Not an issue." },
        });
        app.change(operations, "moveTicket", unresolved).await;

        let internals = [EventKind::FactsChanged, EventKind::TicketAssigned, EventKind::SlaAlertRaised];
        let hidden = ticket_event::Entity::find().filter(ticket_event::COLUMN.kind.is_in(internals));
        assert!(hidden.all(&app.db).await.unwrap().len() > 6, "all of these happened");
        let mut told = Vec::new();
        for kind in ["TICKET_CREATED", "TICKET_MOVED"] {
            let heard = socket.next("mine").await["ticketEvents"].take();
            told.push(heard.clone());
            assert_eq!((&heard["kind"], &heard["ticket"]["key"]), (&json!(kind), &json!(mine)), "{heard}");
            assert_eq!((&heard["reason"], &heard["alertLevel"], &heard["changes"]), (&Value::Null, &Value::Null, &json!([])));
            assert_eq!(heard["ticket"]["priority"], Value::Null);
            assert_ne!(heard["ticket"]["assignee"]["email"], json!(operations.email));
        }

        let [first, last] = told.as_slice() else { panic!("{told:?}") };
        let again = |after: &Value| format!("subscription {{ ticketEvents(after: {after}) {{ {fields} }} }}");
        let mut socket = Socket::open(server.addr, &client.token).await;
        socket.request("both", &again(&begin)).await;
        assert_eq!(socket.next("both").await["ticketEvents"]["cursor"], first["cursor"]);
        assert_eq!(socket.next("both").await["ticketEvents"], *last);
        socket.request("last", &again(&first["cursor"])).await;
        assert_eq!(socket.next("last").await["ticketEvents"], *last);
    }

    async fn another_companys_ticket_does_not_exist_for_a_subscriber(app) {
        let server = listen(app).await;
        let mine = file_as(app, &app.cast.client).await;
        let mut codes = Vec::new();
        for ticket in [mine.as_str(), "L2-999999"] {
            let mut socket = Socket::open(server.addr, &app.cast.other_client.token).await;
            socket.request("1", &format!("subscription {{ ticketEvents(filter: {{ ticketId: \"{ticket}\" }}) {{ kind }} }}")).await;
            let mut refused = socket.receive().await.unwrap();
            let text = refused.to_string().replace(ticket, "KEY");
            assert!(text.contains("NOT_FOUND"), "{text}");
            codes.push(refused["payload"].take().to_string().replace(ticket, "KEY"));
        }
        assert_eq!(codes[0], codes[1]);
    }

    async fn whoever_does_not_say_who_they_are_is_not_let_in(app) {
        let server = listen(app).await;
        for payload in [
            json!({ "Authorization": "Bearer secondline_wrong" }),
            json!({ "token": "secondline_wrong" }),
            json!({ "Authorization": 7 }),
        ] {
            let mut socket = Socket::connect(server.addr).await;
            socket.init(payload).await;
            assert_eq!(socket.receive().await, Err((4403, "Forbidden".to_owned())));
        }
        let mut socket = Socket::connect(server.addr).await;
        socket.request("1", "subscription { ticketEvents { kind } }").await;
        assert_eq!(socket.receive().await, Err((4401, "Unauthorized".to_owned())), "before connection_init");

        let mut nobody = Socket::connect(server.addr).await;
        nobody.init(json!({})).await;
        assert_eq!(nobody.receive().await, Ok(json!({ "type": "connection_ack" })), "the process is for everybody");
        nobody.request("1", "subscription { ticketEvents { kind } }").await;
        let refused = nobody.receive().await.unwrap();
        assert!(refused.to_string().contains("UNAUTHENTICATED"), "{refused}");
    }
}
