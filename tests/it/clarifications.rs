//! Asking the client, and the answer.

use chrono::TimeDelta;
use entity::contact;
use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use secondline::{domain::actor::Actor, store};
use serde_json::{Value, json};

use crate::support::{
    checks::{each, pairs},
    client, each_database,
};

/// Whether somebody waits for a lock in this database.
async fn is_anybody_waiting(db: &impl ConnectionTrait) -> bool {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap().unwrap();
    row.try_get_by_index::<i64>(0).unwrap() > 0
}

each_database! {
    async fn a_question_stops_the_clock_until_the_answer(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        app.advance(TimeDelta::hours(2));
        app.change(&cast.operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
        let clock = "sla { status dueAt dueIfResumedAt elapsed remaining } visits { originalDueAt }";
        app.advance(TimeDelta::hours(1));
        let ticket = app.ticket(&cast.operations, &key, clock).await;
        assert_eq!(ticket["sla"], json!({
            "status": "PAUSED", "dueAt": null, "dueIfResumedAt": "2026-06-02T10:00:00+00:00",
            "elapsed": "PT2H", "remaining": "PT6H",
        }));
        app.advance(TimeDelta::hours(23));
        app.change(&cast.operations, "recordClientAnswer", json!({ "ticketId": key, "answer": "Firefox" })).await;
        let ticket = app
            .ticket(&cast.operations, &key, "version sla { status dueAt dueIfResumedAt elapsed } \
                visits { originalDueAt pauses { reason startedAt endedAt } } \
                clarifications { question answer askedAt answeredAt contact { name } } history { kind text }")
            .await;
        assert_eq!(ticket["sla"], json!({
            "status": "ON_TRACK", "dueAt": "2026-06-02T17:00:00+00:00", "dueIfResumedAt": null, "elapsed": "PT2H",
        }));
        let [asked_at, answered_at] = ["2026-06-01T11:00:00+00:00", "2026-06-02T11:00:00+00:00"];
        assert_eq!(ticket["visits"], json!([{
            "originalDueAt": "2026-06-01T17:00:00+00:00",
            "pauses": [{ "reason": "WAITING_CLIENT", "startedAt": asked_at, "endedAt": answered_at }],
        }]));
        assert_eq!(ticket["clarifications"], json!([{
            "question": "Which browser?", "answer": "Firefox", "askedAt": asked_at, "answeredAt": answered_at,
            "contact": { "name": "Carla Client" },
        }]));
        assert_eq!(ticket["history"].as_array().unwrap()[1..], [
            json!({ "kind": "CLARIFICATION_REQUESTED", "text": "Which browser?" }),
            json!({ "kind": "CLARIFICATION_ANSWERED", "text": "Firefox" }),
        ]);
        assert_eq!(ticket["version"], 3);
    }

    async fn a_contact_who_left_is_neither_asked_nor_waited_for(app) {
        let cast = &app.cast;
        let (asked, other) = (app.file_ticket().await, app.file_ticket().await);
        let question = json!({ "ticketId": asked, "question": "Which browser?" });
        app.change(&cast.operations, "askClient", question.clone()).await;
        app.advance(TimeDelta::hours(1));
        let left = json!({ "contactId": cast.client.id, "isActive": false });
        app.make(&cast.operations, "updateContact", "contact", left, "isActive").await;
        let select = "sla { status dueAt elapsed } history { kind reason } notices { kind person { name } } clarifications { answer }";
        let ticket = app.ticket(&cast.operations, &asked, select).await;
        assert_eq!(ticket["sla"], json!({ "status": "ON_TRACK", "dueAt": "2026-06-02T10:00:00+00:00", "elapsed": "PT0S" }));
        assert_eq!(ticket["history"][2], json!({ "kind": "CLOCK_RESUMED", "reason": "the contact who was asked has left" }));
        let told = json!({ "kind": "PAUSE_ENDED", "person": { "name": cast.operations.name } });
        assert!(ticket["notices"].as_array().unwrap().contains(&told), "{ticket:#}");
        assert_eq!(ticket["clarifications"], json!([{ "answer": null }]), "a colleague can still answer it");
        let question = json!({ "ticketId": other, "question": "Which browser?" });
        let payload = app.mutate(&cast.operations, "askClient", question.clone(), "ticket { id }").await;
        let message = payload["userErrors"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("Carla Client, the ticket's contact, has left"), "{message}");
        let refused = app.refusal_without_trace(&cast.operations, &other, "askClient", question).await;
        assert_eq!(refused, pairs(&[("INVALID", "")]));
        let answer = json!({ "ticketId": asked, "answer": "Firefox, says a colleague." });
        app.change(&cast.operations, "recordClientAnswer", answer).await;
        let drifts = app.service.verify_clocks(&Actor::System, None).await.unwrap().drifts;
        assert!(drifts.is_empty(), "the history has it, too");
    }

    async fn a_question_to_a_contact_who_leaves_at_that_moment_is_refused(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        let leaving = app.db.begin().await.unwrap();
        let row = store::directory::contact(&leaving, cast.client.id.parse().unwrap()).await.unwrap().unwrap();
        store::directory::save_contact(&leaving, &mut contact::Model { active: false, ..row }).await.unwrap();
        let question = json!({ "ticketId": key, "question": "Which browser?" });
        let asking = app.mutate(&cast.operations, "askClient", question, "ticket { id }");
        let leave = async {
            // On PostgreSQL until the question waits for the contact; on SQLite who writes is alone anyway. Not asked within the
            // transaction, which would go on to see who waited when it first asked.
            while app.db.get_database_backend() == DbBackend::Postgres && !is_anybody_waiting(&app.db).await {
                tokio::task::yield_now().await;
            }
            leaving.commit().await.unwrap();
        };
        let within = std::time::Duration::from_secs(10);
        let (asked, ()) = tokio::time::timeout(within, async { tokio::join!(asking, leave) }).await.expect("it waits");
        assert_eq!(asked["userErrors"][0]["code"], "INVALID", "{asked:#}");
        assert_eq!(app.ticket(&cast.operations, &key, "sla { status }").await["sla"]["status"], "ON_TRACK");
    }

    async fn the_client_answers_and_whoever_asked_is_told(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        app.change(&cast.operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
        let payload = app
            .mutate(&cast.client, "recordClientAnswer", json!({ "ticketId": key, "answer": "Firefox" }), "ticket {
                clarifications { answer } history { kind actorKind contact { name } text } }")
            .await;
        assert_eq!(payload["ticket"]["clarifications"], json!([{ "answer": "Firefox" }]));
        assert_eq!(payload["ticket"]["history"][2], json!({
            "kind": "CLARIFICATION_ANSWERED", "actorKind": "CONTACT", "contact": { "name": "Carla Client" },
            "text": "Firefox",
        }));
        let ticket = app.ticket(&cast.qa, &key, "notices { kind toAddress person { name } contact { name } }").await;
        assert_eq!(ticket["notices"], json!([
            { "kind": "CLARIFICATION_REQUESTED", "toAddress": "carla.client@example.com", "person": null,
              "contact": { "name": "Carla Client" } },
            { "kind": "CLARIFICATION_ANSWERED", "toAddress": "olga.operations@example.com",
              "person": { "name": "Olga Operations" }, "contact": null },
        ]));
    }

    async fn the_assignee_is_told_before_whoever_asked(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        app.change(&cast.operations, "assignTicket", json!({ "ticketId": key, "assigneeId": cast.tech.id })).await;
        app.change(&cast.operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
        app.change(&cast.client, "recordClientAnswer", json!({ "ticketId": key, "answer": "Firefox" })).await;
        let ticket = app.ticket(&cast.qa, &key, "notices { kind person { name } }").await;
        assert_eq!(each(&ticket["notices"], "kind"), ["ASSIGNED", "CLARIFICATION_REQUESTED", "CLARIFICATION_ANSWERED"]);
        assert_eq!(ticket["notices"][2]["person"]["name"], "Tariq Tech");
    }

    async fn a_colleague_answers_too(app) {
        let colleague = client(&app.service, &app.cast.acme, "Cora Colleague").await;
        let key = app.file_ticket().await;
        app.change(&app.cast.operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
        app.change(&colleague, "recordClientAnswer", json!({ "ticketId": key, "answer": "Firefox" })).await;
    }

    async fn another_companys_contact_finds_no_ticket_to_answer(app) {
        let key = app.file_ticket().await;
        app.change(&app.cast.operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
        let before = app.footprint(&key).await;
        let token = app.cast.other_client.token.as_str();
        for id in [json!(key), before["id"].clone(), json!("L2-99"), json!("ticket_00000000000000000000000000000001")] {
            let input = json!({ "ticketId": id, "answer": "Ours!" });
            assert_eq!(app.mutation_error(Some(token), "recordClientAnswer", input).await, "NOT_FOUND");
        }
        assert_eq!(app.footprint(&key).await, before);
    }

    async fn one_question_is_open_at_a_time(app) {
        let operations = &app.cast.operations;
        let key = app.file_ticket().await;
        let nothing = app.refusal_without_trace(operations, &key, "recordClientAnswer", json!({ "answer": "Yes" })).await;
        assert_eq!(nothing, pairs(&[("NO_CLARIFICATION", "")]));
        let ask = json!({ "ticketId": key, "question": "Which browser?" });
        app.change(operations, "askClient", ask.clone()).await;
        let again = app.refusal_without_trace(operations, &key, "askClient", json!({ "question": "And when?" })).await;
        assert_eq!(again, pairs(&[("CLARIFICATION_OPEN", "")]));
        app.change(operations, "recordClientAnswer", json!({ "ticketId": key, "answer": "Firefox" })).await;
        app.change(operations, "askClient", ask).await;
    }

    async fn of_questions_and_answers_at_once_one_counts(app) {
        let key = app.file_ticket().await;
        for (mutation, input, refused) in [
            ("askClient", json!({ "ticketId": key, "question": "Which browser?" }), "CLARIFICATION_OPEN"),
            ("recordClientAnswer", json!({ "ticketId": key, "answer": "Firefox" }), "NO_CLARIFICATION"),
        ] {
            let sent = (0..5).map(|_| app.mutate(&app.cast.operations, mutation, input.clone(), "ticket { id }"));
            let payloads = join_all(sent).await;
            let codes: Vec<&Value> =
                payloads.iter().map(|payload| &payload["userErrors"][0]["code"]).filter(|code| code.is_string()).collect();
            assert_eq!(codes, [refused; 4]);
        }
        let ticket = app.ticket(&app.cast.qa, &key, "history { kind } visits { pauses { reason } } notices { kind }").await;
        assert_eq!(each(&ticket["history"], "kind"), [
            "TICKET_CREATED", "CLARIFICATION_REQUESTED", "CLARIFICATION_ANSWERED",
        ]);
        assert_eq!(ticket["visits"][0]["pauses"].as_array().unwrap().len(), 1);
    }

    async fn operations_and_the_stages_team_ask(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        let ask = json!({ "question": "Which browser?" });
        for member in [&cast.qa, &cast.tech, &cast.client] {
            let refused = app.refusal_without_trace(member, &key, "askClient", ask.clone()).await;
            assert_eq!(refused, pairs(&[("NOT_ALLOWED", "")]));
        }
        app.walk_to(&key, "REPLICATING").await;
        for member in [&cast.qa, &cast.operations, &cast.tech_manager] {
            app.change(member, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
            app.change(member, "recordClientAnswer", json!({ "ticketId": key, "answer": "Firefox" })).await;
        }
    }

    async fn a_promised_date_waits_for_no_answer(app) {
        let key = app.file_ticket().await;
        app.walk_to(&key, "FIXING").await;
        let input = json!({ "question": "Which browser?" });
        let refused = app.refusal_without_trace(&app.cast.administrator, &key, "askClient", input).await;
        assert_eq!(refused, pairs(&[("WRONG_STAGE", "")]));
    }

    async fn leaving_the_stage_ends_its_pause(app) {
        let key = app.file_ticket().await;
        app.change(&app.cast.operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
        app.advance(TimeDelta::hours(3));
        app.walk_to(&key, "REPLICATING").await;
        let ticket = app
            .ticket(&app.cast.qa, &key, "sla { status } visits { leftAt sla { status elapsed } pauses { endedAt } }")
            .await;
        assert_eq!(ticket["visits"][0], json!({
            "leftAt": "2026-06-01T12:00:00+00:00", "sla": { "status": "MET", "elapsed": "PT0S" },
            "pauses": [{ "endedAt": "2026-06-01T12:00:00+00:00" }],
        }));
        assert_eq!(ticket["sla"]["status"], "ON_TRACK");
    }
}
