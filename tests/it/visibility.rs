//! What a client's contact sees, and which team may move what.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{
    Cast, Member, TestApp,
    checks::{each, pairs},
    client, each_database,
};

/// A ticket of `acme` with something in every internal field, breached and in Verifying; its key.
async fn eventful_ticket(app: &TestApp) -> String {
    let cast = &app.cast;
    let mut filing = app.filing().await;
    filing["levelOneReference"] = json!("CS-7");
    let ticket = app.change(&cast.operations, "createTicket", filing).await;
    let key = ticket["key"].as_str().unwrap().to_owned();
    app.change(&cast.operations, "assignTicket", json!({ "ticketId": key, "assigneeId": cast.tech.id })).await;
    app.walk_to(&key, "REPLICATING").await;
    app.change(
        &cast.qa,
        "moveTicket",
        json!({
            "ticketId": key, "to": "VALIDATING", "deEscalationReasons": ["OTHER"], "reason": "Internal words",
        }),
    )
    .await;
    app.change(&cast.operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
    app.change(&cast.client, "recordClientAnswer", json!({ "ticketId": key, "answer": "Firefox" })).await;
    app.advance(TimeDelta::days(2));
    app.service.sla_scan().await.unwrap();
    app.walk_to(&key, "VERIFYING").await;
    let facts = json!({ "resolutionNotes": "Not final", "pullRequestMergedAt": "2026-06-02T09:00:00Z" });
    app.change(&cast.qa, "updateTicket", json!({ "ticketId": key, "facts": facts })).await;
    key
}

async fn hidden_by_filter(app: &TestApp, member: &Member, filter: &str) -> String {
    let query = format!("{{ tickets(filter: {filter}) {{ totalCount }} }}");
    app.error(Some(&member.token), &query, json!({})).await
}

fn movers(cast: &Cast) -> [(&'static str, &Member); 4] {
    [
        ("OPERATIONS", &cast.operations),
        ("QA", &cast.qa),
        ("PROJECT_MANAGER", &cast.project_manager),
        ("TECH", &cast.tech),
    ]
}

each_database! {
    async fn a_contact_sees_the_tickets_of_their_own_company_only(app) {
        let cast = &app.cast;
        let ours = app.file_ticket().await;
        let theirs = app.change(&cast.other_client, "createTicket", json!({ "facts": app.first_facts().await })).await;
        let query = "query($id: ID!, $theirs: String!) { tickets { totalCount nodes { key } } ticket(key: $theirs) { id } \
            byId: ticket(id: $id) { id } node(id: $id) { id } other: tickets(filter: { number: { eq: 2 } }) { totalCount } \
            any: tickets(filter: { or: [{ isOpen: true }, { isOpen: false }] }) { totalCount } }";
        let answer = app.ask(&cast.client, query, json!({ "id": theirs["id"], "theirs": theirs["key"] })).await;
        assert_eq!(answer, json!({
            "tickets": { "totalCount": 1, "nodes": [{ "key": ours }] }, "ticket": null, "byId": null, "node": null,
            "other": { "totalCount": 0 }, "any": { "totalCount": 1 },
        }));
        let answer = app.ask(&cast.qa, query, json!({ "id": theirs["id"], "theirs": theirs["key"] })).await;
        assert_eq!((&answer["tickets"]["totalCount"], &answer["node"]["id"]), (&json!(2), &theirs["id"]));
    }

    async fn a_contact_sees_their_own_company_and_its_contacts_only(app) {
        let cast = &app.cast;
        client(&app.service, &cast.acme, "Cora Colleague").await;
        let query = "query($other: ID!, $stranger: ID!) { companies { totalCount nodes { name tier } } \
            contacts { totalCount nodes { name email } } theirs: contacts(companyId: $other) { totalCount nodes { id } } \
            company: node(id: $other) { id } contact: node(id: $stranger) { id } }";
        let variables = json!({ "other": cast.globex.id.to_string(), "stranger": cast.other_client.id });
        assert_eq!(app.ask(&cast.client, query, variables).await, json!({
            "companies": { "totalCount": 1, "nodes": [{ "name": "Acme", "tier": null }] },
            "contacts": { "totalCount": 2, "nodes": [
                { "name": "Carla Client", "email": "carla.client@example.com" }, { "name": "Cora Colleague", "email": null },
            ] },
            "theirs": { "totalCount": 0, "nodes": [] }, "company": null, "contact": null,
        }));
    }

    async fn internal_facts_are_hidden_from_contacts_and_shown_to_staff(app) {
        let key = eventful_ticket(app).await;
        let nulls = [
            "sla { status }", "opsCanReproduce", "affectsOtherClients", "priority", "proposedPriority { priority }",
            "pullRequest", "resolutionNotes", "pullRequestMergedAt", "levelOneReference",
        ];
        let empty = ["visits { stage }", "alerts { id }", "notices { id }", "deEscalationReasons", "availableMoves { to }"];
        let select = format!("{} {} deEscalationCount company {{ tier }}", nulls.join(" "), empty.join(" "));
        let shown = app.ticket(&app.cast.qa, &key, &select).await;
        let hidden = app.ticket(&app.cast.client, &key, &select).await;
        let name = |field: &str| field.split(' ').next().unwrap().to_owned();
        for field in nulls.map(name) {
            assert!(!shown[&field].is_null(), "{field} is not tested");
            assert_eq!(hidden[&field], Value::Null, "{field}");
        }
        for field in empty.map(name) {
            assert!(!shown[&field].as_array().unwrap().is_empty(), "{field} is not tested");
            assert_eq!(hidden[&field], json!([]), "{field}");
        }
        assert_eq!((&shown["deEscalationCount"], &hidden["deEscalationCount"]), (&json!(1), &json!(0)));
        assert_eq!((&shown["company"]["tier"], &hidden["company"]["tier"]), (&json!("TIER_TWO"), &Value::Null));
    }

    async fn contacts_read_what_was_done_once_it_is_closed(app) {
        let key = eventful_ticket(app).await;
        app.change(&app.cast.qa, "moveTicket", json!({ "ticketId": key, "to": "CLOSED_RESOLVED" })).await;
        let ticket = app.ticket(&app.cast.client, &key, "stage resolutionNotes pullRequest").await;
        assert_eq!(ticket, json!({ "stage": "CLOSED_RESOLVED", "resolutionNotes": "Not final", "pullRequest": null }));
    }

    async fn a_date_is_for_contacts_once_it_is_promised(app) {
        let key = app.file_ticket().await;
        app.walk_to(&key, "ESTIMATING").await;
        let facts = json!({ "estimatedDeliveryDate": "2026-06-12" });
        app.change(&app.cast.project_manager, "updateTicket", json!({ "ticketId": key, "facts": facts })).await;
        let filter = "query { tickets(filter: { estimatedDeliveryDate: { eq: \"2026-06-12\" } }) { totalCount } }";
        let ticket = app.ticket(&app.cast.client, &key, "estimatedDeliveryDate promisedDeliveryDate").await;
        assert_eq!(ticket, json!({ "estimatedDeliveryDate": null, "promisedDeliveryDate": null }));
        assert_eq!(app.ask(&app.cast.client, filter, json!({})).await["tickets"]["totalCount"], 0);
        let input = json!({ "ticketId": key, "to": "FIXING", "facts": { "priority": "LOW" } });
        app.change(&app.cast.project_manager, "moveTicket", input).await;
        let ticket = app.ticket(&app.cast.client, &key, "estimatedDeliveryDate promisedDeliveryDate").await;
        assert_eq!(ticket, json!({ "estimatedDeliveryDate": "2026-06-12", "promisedDeliveryDate": "2026-06-12" }));
        assert_eq!(app.ask(&app.cast.client, filter, json!({})).await["tickets"]["totalCount"], 1);
    }

    async fn staff_have_names_for_contacts_and_no_addresses(app) {
        let key = eventful_ticket(app).await;
        let select = "assignee { name email } contact { email } history { person { name email } contact { email } }";
        let ticket = app.ticket(&app.cast.client, &key, select).await;
        assert_eq!(ticket["assignee"], json!({ "name": "Tariq Tech", "email": null }));
        assert_eq!(ticket["contact"]["email"], "carla.client@example.com");
        assert!(each(&ticket["history"], "person").iter().all(|person| person["email"].is_null()), "{ticket:#}");
        let colleague = client(&app.service, &app.cast.acme, "Cora Colleague").await;
        let ticket = app.ticket(&colleague, &key, select).await;
        assert_eq!(ticket["contact"]["email"], Value::Null);
        assert!(!ticket.to_string().contains('@'), "{ticket:#}");
    }

    async fn the_history_tells_contacts_of_stages_dates_and_questions(app) {
        let key = eventful_ticket(app).await;
        app.change(&app.cast.project_manager, "setEstimatedDeliveryDate", json!({
            "ticketId": key, "estimatedDeliveryDate": "2026-06-15", "reason": "Internal words",
        })).await;
        let select = "history { kind fromStage toStage reason text deEscalationReasons alertLevel alert { id } \
            changes { field before after } }";
        let staff = app.ticket(&app.cast.qa, &key, select).await;
        let kinds = each(&staff["history"], "kind");
        for internal in ["TICKET_ASSIGNED", "SLA_ALERT_RAISED", "PRIORITY_PROPOSED", "FACTS_CHANGED"] {
            assert!(kinds.contains(&&json!(internal)), "{internal} is not tested");
        }
        let seen = app.ticket(&app.cast.client, &key, select).await;
        assert_eq!(each(&seen["history"], "kind"), [
            "TICKET_CREATED", "TICKET_MOVED", "TICKET_MOVED", "CLARIFICATION_REQUESTED", "CLARIFICATION_ANSWERED",
            "TICKET_MOVED", "TICKET_MOVED", "TICKET_MOVED", "TICKET_MOVED", "DELIVERY_DATE_CHANGED",
        ]);
        let [reasons, de_escalations] = ["reason", "deEscalationReasons"].map(|field| each(&seen["history"], field));
        assert!(reasons.iter().all(|reason| reason.is_null()), "{seen:#}");
        assert!(de_escalations.iter().all(|reasons| **reasons == json!([])), "{seen:#}");
        let changes: Vec<_> = each(&seen["history"], "changes").into_iter().filter(|list| **list != json!([])).collect();
        assert_eq!(changes, [
            &json!([{ "field": "ESTIMATED_DELIVERY_DATE", "before": "2026-06-12", "after": "2026-06-15" }]),
        ]);
    }

    async fn what_is_for_staff_is_forbidden_to_contacts(app) {
        let token = Some(app.cast.client.token.as_str());
        for query in [
            "board { count }", "people { nodes { id } }", "slaAlerts { nodes { id } }", "notices { nodes { id } }",
            "slaPolicies { id }", "calendars { id }",
        ] {
            assert_eq!(app.error(token, &format!("{{ {query} }}"), json!({})).await, "FORBIDDEN", "{query}");
        }
        for list in ["people", "slaAlerts", "notices"] {
            let code = app.error(token, &format!("{{ {list} {{ totalCount }} }}"), json!({})).await;
            assert_eq!(code, "FORBIDDEN", "{list}");
        }
    }

    async fn no_internal_node_exists_for_contacts(app) {
        let cast = &app.cast;
        let key = eventful_ticket(app).await;
        let internals = "{ calendars { id } slaPolicies { id } }";
        let found = app.ask(&cast.qa, internals, json!({})).await;
        let ticket = app.ticket(&cast.qa, &key, "alerts { id } notices { id }").await;
        let node = "query($id: ID!) { node(id: $id) { id } }";
        for id in [
            &found["calendars"][0]["id"], &found["slaPolicies"][0]["id"], &ticket["alerts"][0]["id"],
            &ticket["notices"][0]["id"], &json!(cast.tech.id),
        ] {
            assert_eq!(app.ask(&cast.qa, node, json!({ "id": id })).await["node"]["id"], *id, "{id}");
            assert_eq!(app.ask(&cast.client, node, json!({ "id": id })).await["node"], Value::Null, "{id}");
        }
        let subtype = app.subtype("DATA_ISSUES").await;
        assert_eq!(app.ask(&cast.client, node, json!({ "id": subtype })).await["node"]["id"], json!(subtype));
    }

    async fn what_contacts_do_not_see_they_can_neither_filter_nor_sort_by(app) {
        app.file_ticket().await;
        let client = &app.cast.client;
        for filter in [
            "{ priority: { eq: URGENT } }", "{ priority: { isNull: true } }", "{ isBreached: true }", "{ isBreached: false }",
            "{ slaDueAt: { isNull: true } }", "{ and: [{ isBreached: true }] }", "{ or: [{ and: [{ priority: { eq: LOW } }] }] }",
        ] {
            assert_eq!(hidden_by_filter(app, client, filter).await, "BAD_INPUT", "{filter}");
        }
        let sorted = "{ tickets(orderBy: { field: SLA_DUE_AT, direction: ASC }) { nodes { id } } }";
        assert_eq!(app.error(Some(&client.token), sorted, json!({})).await, "BAD_INPUT");
        let sorted = "{ tickets(orderBy: [{ field: STAGE, direction: ASC }, { field: PRIORITY, direction: ASC }]) { nodes { id } } }";
        assert_eq!(app.error(Some(&client.token), sorted, json!({})).await, "BAD_INPUT");
        for list in ["companies(filter: { tier: { eq: TIER_TWO } })", "contacts(filter: { email: { contains: \"a\" } })"] {
            let code = app.error(Some(&client.token), &format!("{{ {list} {{ totalCount }} }}"), json!({})).await;
            assert_eq!(code, "BAD_INPUT", "{list}");
        }
        app.ask(client, "{ tickets(orderBy: { field: UPDATED_AT, direction: ASC }) { nodes { id } } }", json!({})).await;
    }

    async fn each_team_moves_its_own_stages_and_leads_move_any(app) {
        let cast = &app.cast;
        let table = [
            ("VALIDATING", "REPLICATING", "OPERATIONS"), ("VALIDATING", "CLOSED_UNRESOLVED", "OPERATIONS"),
            ("REPLICATING", "ESTIMATING", "QA"), ("REPLICATING", "VALIDATING", "QA"), ("REPLICATING", "CLOSED_UNRESOLVED", "QA"),
            ("ESTIMATING", "FIXING", "PROJECT_MANAGER"), ("ESTIMATING", "REPLICATING", "PROJECT_MANAGER"),
            ("ESTIMATING", "CLOSED_UNRESOLVED", "PROJECT_MANAGER"), ("FIXING", "VERIFYING", "TECH"),
            ("FIXING", "CLOSED_UNRESOLVED", "TECH"), ("VERIFYING", "CLOSED_RESOLVED", "QA"), ("VERIFYING", "FIXING", "QA"),
            ("VERIFYING", "CLOSED_UNRESOLVED", "QA"), ("CLOSED_RESOLVED", "VALIDATING", "OPERATIONS"),
            ("CLOSED_RESOLVED", "VERIFYING", "OPERATIONS"),
        ];
        let mut at = ("", String::new());
        for (from, to, team) in table {
            if at.0 != from {
                at = (from, app.file_ticket().await);
                app.walk_to(&at.1, from).await;
            }
            let input = json!({ "ticketId": at.1, "to": to });
            let not_allowed = pairs(&[("NOT_ALLOWED", "")]);
            for (of, member) in movers(cast) {
                let refused = app.refusal(member, "moveTicket", input.clone()).await;
                assert_eq!(refused != not_allowed, of == team, "{of} from {from} to {to}: {refused:?}");
            }
            for lead in [&cast.operations_manager, &cast.tech_manager, &cast.administrator] {
                // A lead is refused for what is missing, not for who they are.
                assert_ne!(app.refusal(lead, "moveTicket", input.clone()).await, not_allowed, "{} {from} {to}", lead.name);
            }
            assert_eq!(app.refusal(&cast.client, "moveTicket", input).await, not_allowed);
        }
    }

    async fn who_may_not_assign_does_not_learn_whom_there_is(app) {
        let key = app.file_ticket().await;
        for person in [app.cast.tech.id.as_str(), "person_01900000000000000000000000000000"] {
            let input = json!({ "ticketId": key, "assigneeId": person });
            let refused = app.refusal(&app.cast.client, "assignTicket", input).await;
            assert_eq!(refused, pairs(&[("NOT_ALLOWED", "")]), "{person}");
        }
    }

    async fn transfers_are_operations_to_make(app) {
        let key = app.file_ticket().await;
        for (team, member) in movers(&app.cast) {
            let refused = app.refusal_without_trace(member, &key, "transferTicket", json!({ "pipeline": "?" })).await;
            let expected = if team == "OPERATIONS" { ("UNKNOWN", "pipeline") } else { ("NOT_ALLOWED", "") };
            assert_eq!(refused, pairs(&[expected]));
        }
    }

    async fn the_viewer_is_whoever_the_token_belongs_to(app) {
        let query = "{ viewer { person { name email teams } contact { name email company { name } } } }";
        assert_eq!(app.ask(&app.cast.qa, query, json!({})).await["viewer"], json!({
            "person": { "name": "Quentin Qa", "email": "quentin.qa@example.com", "teams": ["QA"] }, "contact": null,
        }));
        assert_eq!(app.ask(&app.cast.client, query, json!({})).await["viewer"], json!({
            "person": null,
            "contact": { "name": "Carla Client", "email": "carla.client@example.com", "company": { "name": "Acme" } },
        }));
    }
}
