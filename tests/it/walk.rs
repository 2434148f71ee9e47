//! A ticket's way through the whole process, and every gate on it.

use serde_json::{Value, json};

use crate::support::{Member, TestApp, closing_facts, each_database, replicating_facts, smtp::SmtpSink};

async fn go(app: &TestApp, member: &Member, key: &str, to: &str, facts: Value) -> Value {
    app.change(member, "moveTicket", json!({ "ticketId": key, "to": to, "facts": facts })).await
}

async fn refused_fields(app: &TestApp, member: &Member, key: &str, to: &str, facts: Value) -> Vec<String> {
    let problems = app.refusal(member, "moveTicket", json!({ "ticketId": key, "to": to, "facts": facts })).await;
    assert!(problems.iter().all(|(code, _)| code == "MISSING_FIELDS"), "{problems:?}");
    problems.into_iter().map(|(_, field)| field).collect()
}

each_database! {
    async fn a_ticket_walks_from_filing_to_resolved_through_every_gate(app) {
        let cast = &app.cast;
        let missing = app
            .refusal(&cast.operations, "createTicket", json!({
                "companyId": cast.acme.id.to_string(),
                "contactId": cast.client.id,
                "facts": { "subject": "Export stops", "description": "After 1000 rows" },
            }))
            .await;
        assert_eq!(missing, [
            ("MISSING_FIELDS".to_owned(), "facts.category".to_owned()),
            ("MISSING_FIELDS".to_owned(), "facts.subtypeId".to_owned()),
        ]);
        let key = app.file_ticket().await;
        assert_eq!(key, "L2-1");

        let nothing = json!({});
        assert_eq!(refused_fields(app, &cast.operations, &key, "REPLICATING", nothing.clone()).await, [
            "facts.acceptanceCriteria", "facts.targetUrl", "facts.severity", "facts.stepsToReproduce",
            "facts.opsCanReproduce",
        ]);
        go(app, &cast.operations, &key, "REPLICATING", replicating_facts()).await;

        let unexplained = app.refusal(&cast.qa, "moveTicket", json!({ "ticketId": key, "to": "VALIDATING" })).await;
        assert_eq!(unexplained, [("MISSING_FIELDS".to_owned(), "deEscalationReasons".to_owned())]);
        app.change(&cast.qa, "moveTicket", json!({
            "ticketId": key, "to": "VALIDATING", "deEscalationReasons": ["MORE_INFORMATION_NEEDED"],
        }))
        .await;
        go(app, &cast.operations, &key, "REPLICATING", nothing.clone()).await;

        assert_eq!(refused_fields(app, &cast.qa, &key, "ESTIMATING", nothing.clone()).await, [
            "facts.affectsOtherClients",
        ]);
        go(app, &cast.qa, &key, "ESTIMATING", json!({ "affectsOtherClients": false })).await;

        assert_eq!(refused_fields(app, &cast.project_manager, &key, "FIXING", nothing.clone()).await, [
            "facts.estimatedDeliveryDate", "facts.priority",
        ]);
        let estimate = json!({ "estimatedDeliveryDate": "2026-06-12", "priority": "HIGH" });
        go(app, &cast.project_manager, &key, "FIXING", estimate).await;
        app.change(&cast.project_manager, "setEstimatedDeliveryDate", json!({
            "ticketId": key, "estimatedDeliveryDate": "2026-06-15", "reason": "A dependency is late",
        }))
        .await;

        assert_eq!(refused_fields(app, &cast.tech, &key, "VERIFYING", nothing.clone()).await, ["facts.pullRequest"]);
        go(app, &cast.tech, &key, "VERIFYING", json!({ "pullRequest": "https://git.example.com/7" })).await;
        let unexplained = app.refusal(&cast.qa, "moveTicket", json!({ "ticketId": key, "to": "FIXING" })).await;
        assert_eq!(unexplained, [("REASON_REQUIRED".to_owned(), "reason".to_owned())]);
        app.change(&cast.qa, "moveTicket", json!({
            "ticketId": key, "to": "FIXING", "reason": "Row 2000 is missing still",
        }))
        .await;
        go(app, &cast.tech, &key, "VERIFYING", nothing.clone()).await;

        assert_eq!(refused_fields(app, &cast.qa, &key, "CLOSED_RESOLVED", nothing).await, [
            "facts.pullRequestMergedAt", "facts.resolutionNotes",
        ]);
        let closed = go(app, &cast.qa, &key, "CLOSED_RESOLVED", closing_facts()).await;
        assert_eq!(closed["stage"], "CLOSED_RESOLVED");

        let history = app
            .ticket(&cast.qa, &key, "history { kind moveKind reason deEscalationReasons person { name } }")
            .await;
        let story: Vec<_> = history["history"].as_array().unwrap().iter().map(|event| {
            let word = |field: &str| event[field].as_str().unwrap_or("-").to_owned();
            let reasons = &event["deEscalationReasons"];
            format!("{} {} {} {reasons} {}", word("kind"), word("moveKind"), word("reason"), event["person"]["name"])
        })
        .collect();
        insta::assert_snapshot!("story_of_a_ticket", story.join("\n"));

        let smtp = SmtpSink::start().await;
        app.deliver(&smtp).await;
        let mails = smtp.log().received;
        let told: Vec<_> = mails.iter().map(|mail| mail.parsed()).collect();
        assert!(told.iter().all(|mail| mail.header("Subject") == Some("[L2-1] Export stops at row 1000")));
        assert!(told.iter().all(|mail| mail.header("References") == Some("<ticket-L2-1@secondline.example>")));
        let happened = ["Friday, 12 June 2026", "Monday, 15 June 2026", "The export now reads all pages."];
        assert_eq!(told.len(), happened.len());
        for (mail, words) in told.iter().zip(happened) {
            assert!(mail.text.contains(words), "told out of order: {}", mail.text);
        }
    }
}
