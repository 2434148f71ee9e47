//! Moves between stages: who wins, what they leave in the history, and how tickets end and begin anew.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    Cast, TestApp,
    checks::{each, pairs, words},
    closing_facts, each_database, replicating_facts,
};

/// The open stages, each with a member of the team that owns it.
fn owners(cast: &Cast) -> [(&'static str, &crate::support::Member); 5] {
    [
        ("VALIDATING", &cast.operations),
        ("REPLICATING", &cast.qa),
        ("ESTIMATING", &cast.project_manager),
        ("FIXING", &cast.tech),
        ("VERIFYING", &cast.qa),
    ]
}

/// How many of the payloads were done, and the codes of the others.
fn outcomes(payloads: &[Value]) -> (usize, Vec<&str>) {
    let done = payloads.iter().filter(|payload| payload["userErrors"] == json!([])).count();
    let refused = payloads.iter().filter_map(|payload| payload["userErrors"][0]["code"].as_str()).collect();
    (done, refused)
}

async fn reopened(app: &TestApp, key: &str, to: &str) -> Value {
    let input = json!({ "ticketId": key, "to": to, "reason": "It is back" });
    app.change(&app.cast.operations, "moveTicket", input).await;
    app.ticket(
        &app.cast.operations,
        key,
        "stage isOpen closedAt closedFrom firstResolvedAt transferredTo severity \
        estimatedDeliveryDate promisedDeliveryDate priority pullRequest pullRequestMergedAt resolutionNotes \
        proposedPriority { priority } visits { stage leftAt } sla { dueAt }",
    )
    .await
}

each_database! {
    async fn of_equal_moves_at_once_one_wins(app) {
        let key = app.file_ticket().await;
        let input = json!({ "ticketId": key, "to": "REPLICATING", "facts": replicating_facts() });
        let moves = (0..8).map(|_| app.mutate(&app.cast.operations, "moveTicket", input.clone(), "ticket { id }"));
        let payloads = join_all(moves).await;
        assert_eq!(outcomes(&payloads), (1, vec!["WRONG_STAGE"; 7]));
        let ticket = app.ticket(&app.cast.qa, &key, "version history { kind } visits { stage leftAt }").await;
        assert_eq!(ticket["version"], 2);
        assert_eq!(each(&ticket["history"], "kind"), ["TICKET_CREATED", "TICKET_MOVED"]);
        assert_eq!(each(&ticket["visits"], "stage"), ["VALIDATING", "REPLICATING"]);
    }

    async fn of_different_moves_at_once_one_wins(app) {
        let key = app.file_ticket().await;
        let forward = json!({ "ticketId": key, "to": "REPLICATING", "facts": replicating_facts() });
        let close = json!({ "ticketId": key, "to": "CLOSED_UNRESOLVED", "facts": { "resolutionNotes": "A duplicate" } });
        let moves = [&forward, &close, &forward, &close].map(|input| {
            let mut input = input.clone();
            input["expectedVersion"] = json!(1);
            app.mutate(&app.cast.operations, "moveTicket", input, "ticket { id }")
        });
        let payloads = join_all(moves).await;
        assert_eq!(outcomes(&payloads), (1, vec!["STALE_VERSION"; 3]));
        let ticket = app.ticket(&app.cast.qa, &key, "version history { kind }").await;
        assert_eq!((&ticket["version"], ticket["history"].as_array().unwrap().len()), (&json!(2), 2));
    }

    async fn a_stale_version_is_refused_by_every_change(app) {
        let key = app.file_ticket().await;
        app.change(&app.cast.qa, "updateTicket", json!({ "ticketId": key, "facts": { "browser": "Firefox" } })).await;
        for (mutation, mut input) in [
            ("updateTicket", json!({ "facts": { "browser": "Chrome" } })),
            ("moveTicket", json!({ "to": "REPLICATING", "facts": replicating_facts() })),
            ("transferTicket", json!({ "pipeline": "Client Support" })),
            ("assignTicket", json!({ "assigneeId": app.cast.qa.id })),
            ("setEstimatedDeliveryDate", json!({ "estimatedDeliveryDate": "2026-06-20", "reason": "Known" })),
            ("askClient", json!({ "question": "Which browser?" })),
            ("recordClientAnswer", json!({ "answer": "All" })),
        ] {
            for version in [1, 3, -1] {
                input["expectedVersion"] = json!(version);
                let admin = &app.cast.administrator;
                let refused = app.refusal_without_trace(admin, &key, mutation, input.clone()).await;
                assert_eq!(refused, pairs(&[("STALE_VERSION", "expectedVersion")]), "{mutation}");
            }
        }
    }

    async fn a_ticket_leaves_for_another_pipeline(app) {
        let key = app.file_ticket().await;
        let input = json!({ "ticketId": key, "pipeline": " custom requests ", "reason": "A wish" });
        let payload = app
            .mutate(&app.cast.operations, "transferTicket", input, "ticket { stage isOpen transferredTo closedFrom \
                closedAt sla { dueAt } ownerTeam history { kind pipeline reason fromStage toStage } notices { id } }")
            .await;
        assert_eq!(payload["ticket"], json!({
            "stage": "TRANSFERRED", "isOpen": false, "transferredTo": "Custom Requests", "closedFrom": "VALIDATING",
            "closedAt": "2026-06-01T09:00:00+00:00", "sla": null, "ownerTeam": null, "notices": [],
            "history": [
                { "kind": "TICKET_CREATED", "pipeline": null, "reason": null, "fromStage": null, "toStage": "VALIDATING" },
                { "kind": "TICKET_TRANSFERRED", "pipeline": "Custom Requests", "reason": "A wish",
                  "fromStage": "VALIDATING", "toStage": "TRANSFERRED" },
            ],
        }));
        let back = reopened(app, &key, "VALIDATING").await;
        assert_eq!((&back["transferredTo"], &back["closedAt"]), (&Value::Null, &Value::Null));
    }

    async fn only_known_pipelines_take_tickets_and_only_from_validating(app) {
        let key = app.file_ticket().await;
        let operations = &app.cast.operations;
        for unknown in ["Level 2 Support", "", "Nowhere"] {
            let input = json!({ "pipeline": unknown });
            let refused = app.refusal_without_trace(operations, &key, "transferTicket", input).await;
            assert_eq!(refused, pairs(&[("UNKNOWN", "pipeline")]), "{unknown}");
        }
        let refused = app.refusal_without_trace(operations, &key, "moveTicket", json!({ "to": "TRANSFERRED" })).await;
        assert_eq!(refused, pairs(&[("WRONG_STAGE", "to")]));
        app.walk_to(&key, "REPLICATING").await;
        let input = json!({ "pipeline": "Client Support" });
        let refused = app.refusal_without_trace(&app.cast.administrator, &key, "transferTicket", input).await;
        assert_eq!(refused, pairs(&[("WRONG_STAGE", "to")]));
    }

    async fn every_open_stage_can_be_closed_unresolved_with_notes(app) {
        for (stage, owner) in owners(&app.cast) {
            let key = app.file_ticket().await;
            app.walk_to(&key, stage).await;
            let to = json!({ "to": "CLOSED_UNRESOLVED" });
            let refused = app.refusal_without_trace(owner, &key, "moveTicket", to).await;
            assert_eq!(refused, pairs(&[("MISSING_FIELDS", "facts.resolutionNotes")]), "{stage}");
            let facts = json!({ "resolutionNotes": "A duplicate" });
            app.change(owner, "moveTicket", json!({ "ticketId": key, "to": "CLOSED_UNRESOLVED", "facts": facts })).await;
            let ticket = app
                .ticket(owner, &key, "stage closedFrom closedAt firstResolvedAt sla { dueAt } notices { kind }")
                .await;
            assert_eq!(ticket["closedFrom"], stage);
            assert_eq!((&ticket["firstResolvedAt"], &ticket["sla"]), (&Value::Null, &Value::Null));
            let told = each(&ticket["notices"], "kind");
            assert_eq!(told.iter().filter(|kind| **kind == "CLOSED_UNRESOLVED").count(), 1, "{stage}");
        }
    }

    async fn the_first_resolution_stays_the_first(app) {
        let key = app.file_ticket().await;
        app.walk_to(&key, "CLOSED_RESOLVED").await;
        let first = json!("2026-06-01T09:00:00+00:00");
        let ticket = app.ticket(&app.cast.qa, &key, "closedAt firstResolvedAt notices { kind }").await;
        assert_eq!((&ticket["closedAt"], &ticket["firstResolvedAt"]), (&first, &first));
        assert_eq!(each(&ticket["notices"], "kind"), ["DELIVERY_DATE_SET", "DELIVERED"]);
        app.advance(chrono::TimeDelta::days(1));
        assert_eq!(reopened(app, &key, "VERIFYING").await["firstResolvedAt"], first);
        let again = json!({ "ticketId": key, "to": "CLOSED_RESOLVED" });
        let refused = app.refusal(&app.cast.qa, "moveTicket", again).await;
        assert_eq!(refused, pairs(&[("MISSING_FIELDS", "facts.resolutionNotes")]), "the old notes do not count again");
        let facts = json!({ "resolutionNotes": "It lasts now" });
        app.change(&app.cast.qa, "moveTicket", json!({ "ticketId": key, "to": "CLOSED_RESOLVED", "facts": facts })).await;
        let ticket = app.ticket(&app.cast.qa, &key, "closedAt firstResolvedAt").await;
        assert_eq!(ticket, json!({ "closedAt": "2026-06-02T09:00:00+00:00", "firstResolvedAt": first }));
    }

    async fn reopening_to_validating_forgets_the_old_outcome(app) {
        let key = app.file_ticket().await;
        app.walk_to(&key, "CLOSED_RESOLVED").await;
        let refused = app
            .refusal_without_trace(&app.cast.operations, &key, "moveTicket", json!({ "to": "VALIDATING" }))
            .await;
        assert_eq!(refused, pairs(&[("REASON_REQUIRED", "reason")]));
        let ticket = reopened(app, &key, "VALIDATING").await;
        for forgotten in [
            "closedAt", "closedFrom", "estimatedDeliveryDate", "promisedDeliveryDate", "priority", "pullRequest",
            "pullRequestMergedAt", "resolutionNotes", "proposedPriority",
        ] {
            assert_eq!(ticket[forgotten], Value::Null, "{forgotten}");
        }
        assert_eq!((&ticket["severity"], &ticket["isOpen"]), (&json!("MAJOR"), &json!(true)));
        assert_eq!(ticket["visits"].as_array().unwrap().len(), 6, "a new visit, not the old one");
        let history = app.ticket(&app.cast.qa, &key, "history { moveKind reason changes { field before } }").await;
        let last = history["history"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&last["moveKind"], &last["reason"]), (&json!("REOPEN"), &json!("It is back")));
        assert!(last["changes"].as_array().unwrap().contains(
            &json!({ "field": "RESOLUTION_NOTES", "before": "The export now reads all pages." })
        ));
    }

    async fn reopening_returns_to_the_stage_it_was_closed_from(app) {
        for (stage, owner) in owners(&app.cast) {
            let key = app.file_ticket().await;
            app.walk_to(&key, stage).await;
            let facts = json!({ "resolutionNotes": "By mistake" });
            app.change(owner, "moveTicket", json!({ "ticketId": key, "to": "CLOSED_UNRESOLVED", "facts": facts })).await;
            for (other, _) in owners(&app.cast).into_iter().filter(|(to, _)| *to != stage && *to != "VALIDATING") {
                let input = json!({ "to": other, "reason": "By mistake" });
                let refused = app.refusal(&app.cast.operations, "moveTicket", json!({
                    "ticketId": key, "to": input["to"], "reason": input["reason"],
                })).await;
                assert_eq!(refused, pairs(&[("WRONG_STAGE", "to")]), "{stage} {other}");
            }
            let ticket = reopened(app, &key, stage).await;
            assert_eq!(ticket["stage"], stage);
            assert!(ticket["sla"]["dueAt"].is_string(), "{ticket:#}");
        }
    }

    async fn a_priority_is_proposed_with_its_reasons(app) {
        let cast = &app.cast;
        let tier_one = json!({ "companyId": cast.acme.id.to_string(), "tier": "TIER_ONE" });
        let table = [
            ("CRITICAL", true, None, false, "URGENT", 1),
            ("MAJOR", false, None, false, "NORMAL", 1),
            ("MAJOR", false, Some("2026-06-08"), false, "HIGH", 2),
            ("MAJOR", false, Some("2026-06-09"), false, "NORMAL", 1),
            ("MINOR", true, None, true, "HIGH", 2),
            ("COSMETIC", false, Some("2026-06-02"), true, "LOW", 1),
        ];
        for (severity, affects_others, target, top_tier, priority, reasons) in table {
            if top_tier {
                app.make(&cast.administrator, "updateCompany", "company", tier_one.clone(), "id").await;
            }
            let key = app.file_ticket().await;
            app.walk_to(&key, "REPLICATING").await;
            let facts = json!({
                "severity": severity, "affectsOtherClients": affects_others, "clientTargetDate": target,
            });
            app.change(&cast.qa, "moveTicket", json!({ "ticketId": key, "to": "ESTIMATING", "facts": facts })).await;
            let ticket = app
                .ticket(&cast.qa, &key, "priority proposedPriority { priority reasons } history { kind text }")
                .await;
            let proposed = &ticket["proposedPriority"];
            assert_eq!((&ticket["priority"], &proposed["priority"]), (&Value::Null, &json!(priority)), "{severity}");
            let why = words(&proposed["reasons"]);
            assert_eq!(why.len(), reasons, "{why:?}");
            assert_eq!(ticket["history"][3], json!({ "kind": "PRIORITY_PROPOSED", "text": why.join("\n") }));
        }
    }

    async fn the_project_manager_overrides_the_proposal(app) {
        let key = app.file_ticket().await;
        app.walk_to(&key, "FIXING").await;
        let ticket = app.ticket(&app.cast.qa, &key, "priority proposedPriority { priority }").await;
        assert_eq!(ticket, json!({ "priority": "HIGH", "proposedPriority": { "priority": "NORMAL" } }));
    }

    async fn the_history_has_every_change_before_and_after(app) {
        let key = app.file_ticket().await;
        app.walk_to(&key, "FIXING").await;
        app.change(&app.cast.tech, "moveTicket", json!({
            "ticketId": key, "to": "VERIFYING", "facts": { "pullRequest": "https://git.example.com/7" },
        })).await;
        app.change(&app.cast.qa, "moveTicket", json!({
            "ticketId": key, "to": "CLOSED_RESOLVED", "facts": closing_facts(),
        })).await;
        let history = app.ticket(&app.cast.qa, &key, "history { kind changes { field before after } }").await;
        let story: Vec<String> = history["history"].as_array().unwrap().iter().flat_map(|event| {
            event["changes"].as_array().unwrap().iter().map(|change| {
                let text = |side: &str| change[side].as_str().unwrap_or("-").to_owned();
                format!("{} {}: {} → {}", event["kind"].as_str().unwrap(), text("field"), text("before"), text("after"))
            })
        }).collect();
        insta::assert_snapshot!("changes_of_a_ticket", story.join("\n"));
    }

    async fn available_moves_are_what_the_server_accepts(app) {
        let cast = &app.cast;
        let stages = [
            "VALIDATING", "REPLICATING", "ESTIMATING", "FIXING", "VERIFYING", "CLOSED_RESOLVED", "CLOSED_UNRESOLVED",
        ];
        for stage in &stages[..6] {
            let key = app.file_ticket().await;
            app.walk_to(&key, stage).await;
            for member in [&cast.operations, &cast.qa, &cast.project_manager, &cast.tech] {
                let ticket = app.ticket(member, &key, "availableMoves { to kind allowed requiredFields missingFields \
                    needsReason needsDeEscalationReasons refusal }").await;
                let moves = ticket["availableMoves"].as_array().unwrap();
                for to in stages {
                    let found = moves.iter().find(|found| found["to"] == to);
                    let input = json!({ "ticketId": key, "to": to });
                    let payload = app.mutate(member, "moveTicket", input, "ticket { id }").await;
                    let codes = each(&payload["userErrors"], "code");
                    let context = format!("{} from {stage} to {to}: {found:?} {payload}", member.name);
                    let Some(found) = found else {
                        assert_eq!(codes, ["WRONG_STAGE"], "{context}");
                        continue;
                    };
                    if found["allowed"] == false {
                        assert_eq!(codes, ["NOT_ALLOWED"], "{context}");
                        assert_eq!(found["refusal"], payload["userErrors"][0]["message"], "{context}");
                        continue;
                    }
                    // Nothing in this walk can be moved without a word, so that the ticket stays where it is.
                    assert!(!codes.is_empty(), "{context}");
                    let missing = found["missingFields"].as_array().unwrap().len();
                    assert_eq!(codes.iter().filter(|code| **code == "MISSING_FIELDS").count(), missing, "{context}");
                    let wants_reason = codes.iter().any(|code| *code == "REASON_REQUIRED");
                    assert_eq!(found["needsReason"], wants_reason, "{context}");
                }
            }
        }
    }
}
