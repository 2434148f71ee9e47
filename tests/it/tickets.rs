//! Filing tickets, and changing what is known of them.

use std::time::Duration;

use futures_util::future::join_all;
use secondline::store;
use serde_json::{Value, json};

use crate::support::{
    Engine, TestApp,
    checks::{each, pairs},
    each_database,
};

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

each_database! {
    async fn staff_file_an_elevation_with_its_level_one_reference(app) {
        let mut input = app.filing().await;
        input["levelOneReference"] = json!(" L1-77 ");
        let payload = app
            .mutate(&app.cast.tech, "createTicket", input, "ticket { key version source levelOneReference stage \
                isOpen ownerTeam severity opsCanReproduce priority company { name } contact { name } \
                sla { status dueAt budget } history { kind actorKind person { name } } }")
            .await;
        assert_eq!(payload["ticket"], json!({
            "key": "L2-1", "version": 1, "source": "ELEVATION", "levelOneReference": "L1-77",
            "stage": "VALIDATING", "isOpen": true, "ownerTeam": "OPERATIONS",
            "severity": null, "opsCanReproduce": null, "priority": null,
            "company": { "name": "Acme" }, "contact": { "name": "Carla Client" },
            "sla": { "status": "ON_TRACK", "dueAt": "2026-06-01T17:00:00+00:00", "budget": "P1D" },
            "history": [{ "kind": "TICKET_CREATED", "actorKind": "PERSON", "person": { "name": "Tariq Tech" } }],
        }));
    }

    async fn a_contact_files_for_their_own_company_without_naming_it(app) {
        let facts = app.first_facts().await;
        let payload = app
            .mutate(&app.cast.client, "createTicket", json!({ "facts": facts }), "ticket { source stage \
                company { name } contact { name } history { actorKind contact { name } } }")
            .await;
        assert_eq!(payload["ticket"], json!({
            "source": "CLIENT_FORM", "stage": "VALIDATING",
            "company": { "name": "Acme" }, "contact": { "name": "Carla Client" },
            "history": [{ "actorKind": "CONTACT", "contact": { "name": "Carla Client" } }],
        }));
    }

    async fn a_contact_files_for_nobody_else(app) {
        let cast = &app.cast;
        let facts = app.first_facts().await;
        for input in [
            json!({ "companyId": cast.globex.id.to_string(), "facts": facts }),
            json!({ "companyId": "company_00000000000000000000000000000001", "facts": facts }),
        ] {
            let refused = app.refusal(&cast.client, "createTicket", input).await;
            assert_eq!(refused, pairs(&[("UNKNOWN", "companyId")]));
        }
        let input = json!({ "contactId": cast.other_client.id, "facts": facts });
        assert_eq!(app.refusal(&cast.client, "createTicket", input).await, pairs(&[("UNKNOWN", "contactId")]));
        assert_eq!(app.ticket_count().await, 0);
    }

    async fn a_contact_states_what_a_client_knows_and_no_more(app) {
        let mut facts = app.first_facts().await;
        facts["severity"] = json!("MAJOR");
        facts["opsCanReproduce"] = json!(true);
        facts["priority"] = json!("URGENT");
        facts["browser"] = json!("Firefox 140");
        let refused = app.refusal(&app.cast.client, "createTicket", json!({ "facts": facts })).await;
        assert_eq!(refused, pairs(&[
            ("NOT_ALLOWED", "facts.severity"), ("NOT_ALLOWED", "facts.opsCanReproduce"), ("NOT_ALLOWED", "facts.priority"),
        ]));
        assert_eq!(app.ticket_count().await, 0);
    }

    async fn a_filing_that_lacks_everything_hears_of_everything_at_once(app) {
        let refused = app.refusal(&app.cast.operations, "createTicket", json!({ "facts": {} })).await;
        assert_eq!(refused, pairs(&[
            ("MISSING_FIELDS", "companyId"), ("MISSING_FIELDS", "contactId"),
            ("MISSING_FIELDS", "facts.subject"), ("MISSING_FIELDS", "facts.description"),
            ("MISSING_FIELDS", "facts.category"), ("MISSING_FIELDS", "facts.subtypeId"),
        ]));
    }

    async fn the_same_id_again_is_the_same_ticket(app) {
        let mut input = app.filing().await;
        input["id"] = json!(ID);
        let first = app.change(&app.cast.operations, "createTicket", input.clone()).await;
        app.walk_to("L2-1", "REPLICATING").await;
        let again = app.change(&app.cast.operations, "createTicket", input).await;
        assert_eq!((&again["id"], &again["stage"]), (&first["id"], &json!("REPLICATING")));
        assert_eq!(app.file_ticket().await, "L2-2", "no number was used up");
    }

    async fn the_id_of_somebody_elses_ticket_is_taken(app) {
        let mut input = app.filing().await;
        input["id"] = json!(ID);
        app.change(&app.cast.operations, "createTicket", input.clone()).await;
        for member in [&app.cast.qa, &app.cast.client] {
            let refused = app.refusal(member, "createTicket", input.clone()).await;
            assert_eq!(refused, pairs(&[("ALREADY_EXISTS", "id")]));
        }
        let own = json!({ "id": ID, "facts": input["facts"] });
        let refused = app.refusal(&app.cast.other_client, "createTicket", own).await;
        assert_eq!(refused, pairs(&[("ALREADY_EXISTS", "id")]));
    }

    async fn eight_retries_at_once_make_one_ticket(app) {
        let mut input = app.filing().await;
        input["id"] = json!(ID);
        let retries = (0..8).map(|_| app.change(&app.cast.operations, "createTicket", input.clone()));
        let tickets = join_all(retries).await;
        assert!(tickets.iter().all(|ticket| ticket["key"] == "L2-1"), "{tickets:?}");
        let ticket = app.ticket(&app.cast.qa, "L2-1", "history { kind } visits { stage }").await;
        assert_eq!(ticket, json!({ "history": [{ "kind": "TICKET_CREATED" }], "visits": [{ "stage": "VALIDATING" }] }));
        assert_eq!(app.file_ticket().await, "L2-2");
    }

    async fn numbers_have_no_gaps(app) {
        let input = app.filing().await;
        let filings = (0..12).map(|place| {
            let mut input = input.clone();
            if place % 3 == 0 {
                input["facts"]["targetUrl"] = json!("nowhere");
            }
            app.mutate(&app.cast.operations, "createTicket", input, "ticket { key }")
        });
        let payloads = join_all(filings).await;
        let mut numbers: Vec<u32> = payloads
            .iter()
            .filter_map(|payload| payload["ticket"]["key"].as_str()?.strip_prefix("L2-")?.parse().ok())
            .collect();
        numbers.sort();
        assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
    }

    async fn an_update_sets_what_it_states_and_null_clears(app) {
        let key = app.file_ticket().await;
        let select = "ticket { version severity browser opsCanReproduce subject }";
        let facts = json!({ "severity": "MAJOR", "browser": " Firefox 140 ", "opsCanReproduce": false });
        let input = json!({ "ticketId": key, "facts": facts });
        let payload = app.mutate(&app.cast.tech, "updateTicket", input, select).await;
        assert_eq!(payload["ticket"], json!({
            "version": 2, "severity": "MAJOR", "browser": "Firefox 140", "opsCanReproduce": false,
            "subject": "Export stops at row 1000",
        }));
        let input = json!({ "ticketId": key, "facts": { "browser": null }, "expectedVersion": 2 });
        let payload = app.mutate(&app.cast.tech, "updateTicket", input, select).await;
        assert_eq!(payload["ticket"], json!({
            "version": 3, "severity": "MAJOR", "browser": null, "opsCanReproduce": false,
            "subject": "Export stops at row 1000",
        }));
    }

    async fn an_update_that_changes_nothing_leaves_no_trace(app) {
        let key = app.file_ticket().await;
        let before = app.footprint(&key).await;
        let input = json!({ "ticketId": key, "facts": { "subject": "Export stops at row 1000", "browser": null } });
        let ticket = app.change(&app.cast.qa, "updateTicket", input).await;
        assert_eq!(ticket["version"], 1);
        assert_eq!(app.footprint(&key).await, before);
    }

    async fn an_update_cannot_take_away_what_the_stage_requires(app) {
        let key = app.file_ticket().await;
        app.walk_to(&key, "REPLICATING").await;
        let facts = json!({ "severity": null, "opsCanReproduce": null, "browser": null, "subject": null });
        let refused = app.refusal_without_trace(&app.cast.qa, &key, "updateTicket", json!({ "facts": facts })).await;
        assert_eq!(refused, pairs(&[
            ("BLANK", "facts.subject"), ("MISSING_FIELDS", "facts.severity"), ("MISSING_FIELDS", "facts.opsCanReproduce"),
        ]));
    }

    async fn date_and_priority_are_the_project_managers_to_state(app) {
        let key = app.file_ticket().await;
        let facts = json!({ "estimatedDeliveryDate": "2026-06-10", "priority": "LOW" });
        for member in [&app.cast.operations, &app.cast.qa, &app.cast.tech] {
            let input = json!({ "facts": facts });
            let refused = app.refusal_without_trace(member, &key, "updateTicket", input).await;
            assert_eq!(refused, pairs(&[
                ("NOT_ALLOWED", "facts.estimatedDeliveryDate"), ("NOT_ALLOWED", "facts.priority"),
            ]));
        }
        for member in [&app.cast.project_manager, &app.cast.tech_manager, &app.cast.administrator] {
            app.change(member, "updateTicket", json!({ "ticketId": key, "facts": facts })).await;
        }
    }

    async fn a_contact_changes_no_facts(app) {
        let key = app.file_ticket().await;
        let input = json!({ "facts": { "subject": "Other" } });
        let refused = app.refusal_without_trace(&app.cast.client, &key, "updateTicket", input).await;
        assert_eq!(refused, pairs(&[("NOT_ALLOWED", "")]));
    }

    async fn a_ticket_is_assigned_reassigned_and_given_back(app) {
        let key = app.file_ticket().await;
        let cast = &app.cast;
        for (assignee, name) in [
            (json!(cast.operations.id), json!("Olga Operations")),
            (json!(cast.tech.id), json!("Tariq Tech")),
            (json!(null), json!(null)),
        ] {
            let input = json!({ "ticketId": key, "assigneeId": assignee });
            let payload = app.mutate(&cast.operations, "assignTicket", input, "ticket { assignee { name } }").await;
            assert_eq!(payload["ticket"]["assignee"]["name"], name);
        }
        let history = app.ticket(&cast.qa, &key, "history { kind changes { field before after } }").await;
        let changes: Vec<&Value> = each(&history["history"], "changes").into_iter().skip(1).collect();
        assert_eq!(changes, [
            &json!([{ "field": "ASSIGNEE", "before": null, "after": "Olga Operations" }]),
            &json!([{ "field": "ASSIGNEE", "before": "Olga Operations", "after": "Tariq Tech" }]),
            &json!([{ "field": "ASSIGNEE", "before": "Tariq Tech", "after": null }]),
        ]);
    }

    async fn only_active_people_are_assigned(app) {
        let key = app.file_ticket().await;
        let cast = &app.cast;
        let input = json!({ "personId": cast.tech.id, "isActive": false });
        app.make(&cast.administrator, "updatePerson", "person", input, "id").await;
        for nobody in [&cast.tech.id, "person_00000000000000000000000000000001", "nonsense", &cast.client.id, ""] {
            let input = json!({ "assigneeId": nobody });
            let refused = app.refusal_without_trace(&cast.operations, &key, "assignTicket", input).await;
            assert_eq!(refused, pairs(&[("UNKNOWN", "assigneeId")]), "{nobody}");
        }
    }

    async fn the_stages_team_the_project_manager_and_managers_assign(app) {
        let key = app.file_ticket().await;
        let cast = &app.cast;
        let input = json!({ "assigneeId": cast.qa.id });
        for member in [&cast.qa, &cast.tech, &cast.client] {
            let refused = app.refusal_without_trace(member, &key, "assignTicket", input.clone()).await;
            assert_eq!(refused, pairs(&[("NOT_ALLOWED", "")]));
        }
        for member in [&cast.operations, &cast.project_manager, &cast.tech_manager] {
            app.change(member, "assignTicket", json!({ "ticketId": key, "assigneeId": cast.qa.id })).await;
        }
    }

    async fn a_changed_delivery_date_moves_the_deadline_and_is_told(app) {
        let key = app.file_ticket().await;
        app.walk_to(&key, "FIXING").await;
        let input = json!({
            "ticketId": key, "estimatedDeliveryDate": "2026-06-15", "reason": "A dependency is late",
        });
        let payload = app
            .mutate(&app.cast.project_manager, "setEstimatedDeliveryDate", input, "ticket { estimatedDeliveryDate \
                promisedDeliveryDate sla { deadlineOn dueAt } visits { stage originalDueAt } \
                notices { kind toAddress } }")
            .await;
        let ticket = &payload["ticket"];
        assert_eq!(ticket["estimatedDeliveryDate"], "2026-06-15");
        assert_eq!(ticket["promisedDeliveryDate"], "2026-06-15");
        assert_eq!(ticket["sla"], json!({ "deadlineOn": "2026-06-15", "dueAt": "2026-06-15T17:00:00+00:00" }));
        assert_eq!(ticket["visits"][3]["originalDueAt"], "2026-06-12T17:00:00+00:00");
        assert_eq!(ticket["notices"], json!([
            { "kind": "DELIVERY_DATE_SET", "toAddress": "carla.client@example.com" },
            { "kind": "DELIVERY_DATE_CHANGED", "toAddress": "carla.client@example.com" },
        ]));
        let history = app.ticket(&app.cast.qa, &key, "history { kind reason changes { field before after } }").await;
        assert_eq!(history["history"].as_array().unwrap().last(), Some(&json!({
            "kind": "DELIVERY_DATE_CHANGED", "reason": "A dependency is late",
            "changes": [{ "field": "ESTIMATED_DELIVERY_DATE", "before": "2026-06-12", "after": "2026-06-15" }],
        })));
    }

    async fn a_promised_date_is_changed_by_its_own_mutation_only(app) {
        let key = app.file_ticket().await;
        app.walk_to(&key, "FIXING").await;
        let cast = &app.cast;
        for date in [json!("2026-06-20"), json!(null)] {
            let input = json!({ "facts": { "estimatedDeliveryDate": date } });
            let refused = app.refusal_without_trace(&cast.project_manager, &key, "updateTicket", input).await;
            assert_eq!(refused[0], pairs(&[("REASON_REQUIRED", "facts.estimatedDeliveryDate")])[0]);
        }
        let facts = json!({ "pullRequest": "https://git.example.com/7", "estimatedDeliveryDate": null });
        let input = json!({ "to": "VERIFYING", "facts": facts });
        let refused = app.refusal_without_trace(&cast.tech_manager, &key, "moveTicket", input).await;
        assert_eq!(refused, pairs(&[("REASON_REQUIRED", "reason"), ("MISSING_FIELDS", "facts.estimatedDeliveryDate")]));
    }

    async fn a_delivery_date_is_set_with_a_reason_by_the_project_manager(app) {
        let key = app.file_ticket().await;
        app.walk_to(&key, "FIXING").await;
        let cast = &app.cast;
        let set = "setEstimatedDeliveryDate";
        let late = json!({ "estimatedDeliveryDate": "2026-06-20", "reason": "Late" });
        let refused = app.refusal_without_trace(&cast.tech, &key, set, late).await;
        assert_eq!(refused, pairs(&[("NOT_ALLOWED", "")]));
        let pm = &cast.project_manager;
        let silent = json!({ "estimatedDeliveryDate": "2026-06-20", "reason": " " });
        let refused = app.refusal_without_trace(pm, &key, set, silent).await;
        assert_eq!(refused, pairs(&[("REASON_REQUIRED", "reason")]));
        let same = json!({ "estimatedDeliveryDate": "2026-06-12", "reason": "No news" });
        let refused = app.refusal_without_trace(pm, &key, set, same).await;
        assert_eq!(refused, pairs(&[("INVALID", "estimatedDeliveryDate")]));
    }

    async fn updates_of_different_tickets_do_not_meet(app) {
        let keys = [app.file_ticket().await, app.file_ticket().await];
        let updates = keys.iter().map(|key| {
            app.change(&app.cast.qa, "updateTicket", json!({ "ticketId": key, "facts": { "browser": key } }))
        });
        join_all(updates).await;
        for key in &keys {
            let ticket = app.ticket(&app.cast.qa, key, "browser history { kind }").await;
            assert_eq!(ticket["browser"], json!(key));
            assert_eq!(ticket["history"].as_array().unwrap().len(), 2);
        }
    }
}

#[cfg_attr(not(postgres_is_named), ignore = "SECONDLINE_TEST_POSTGRES_URL names no server")]
#[tokio::test(flavor = "multi_thread")]
async fn a_filing_that_is_under_way_keeps_no_other_waiting_for_its_number() {
    // SQLite has one writer at a time.
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    let tx = app.db.begin().await.unwrap();
    let number = store::tickets::next_number(&tx).await.unwrap();
    let key = tokio::time::timeout(Duration::from_secs(5), app.file_ticket()).await.expect("it does not wait");
    assert_ne!(key, format!("L2-{number}"));
    tx.rollback().await.unwrap();
}
