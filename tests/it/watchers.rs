//! Watching tickets, and who hears what of them, once.

use serde_json::{Value, json};

use crate::support::{Member, TestApp, checks::pairs, client, each_database, smtp::SmtpSink};

async fn watch(app: &TestApp, member: &Member, key: &str) {
    app.change(member, "watchTicket", json!({ "ticketId": key })).await;
}

/// Kind and recipient of the ticket's notices.
async fn told(app: &TestApp, key: &str) -> Vec<(String, String)> {
    let ticket = app.ticket(&app.cast.qa, key, "notices { kind toAddress }").await;
    let notices = ticket["notices"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().trim_end_matches("@example.com").to_owned();
    let mut told: Vec<_> = notices.iter().map(|notice| (text(&notice["kind"]), text(&notice["toAddress"]))).collect();
    told.sort();
    told
}

each_database! {
    async fn watching_is_seen_and_ends(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        for member in [&cast.qa, &cast.qa, &cast.client] {
            watch(app, member, &key).await;
        }
        let select = "viewerIsWatching watchers { person { name } contact { name } addedAt }";
        let seen = app.ticket(&cast.qa, &key, select).await;
        assert_eq!(seen, json!({ "viewerIsWatching": true, "watchers": [
            { "person": { "name": "Quentin Qa" }, "contact": null, "addedAt": "2026-06-01T09:00:00+00:00" },
            { "person": null, "contact": { "name": "Carla Client" }, "addedAt": "2026-06-01T09:00:00+00:00" },
        ] }));
        assert_eq!(app.ticket(&cast.tech, &key, "viewerIsWatching").await["viewerIsWatching"], false);
        let seen = app.ticket(&cast.client, &key, "viewerIsWatching watchers { person { name } contact { name } }").await;
        assert_eq!(seen, json!({ "viewerIsWatching": true, "watchers": [
            { "person": null, "contact": { "name": "Carla Client" } },
        ] }));
        for member in [&cast.qa, &cast.qa, &cast.client] {
            app.change(member, "unwatchTicket", json!({ "ticketId": key })).await;
        }
        assert_eq!(app.ticket(&cast.qa, &key, "watchers { addedAt }").await["watchers"], json!([]));
    }

    async fn managers_say_who_else_watches(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        let other = json!({ "ticketId": key, "personId": cast.tech.id });
        for mutation in ["watchTicket", "unwatchTicket"] {
            for member in [&cast.qa, &cast.client] {
                assert_eq!(app.refusal(member, mutation, other.clone()).await, pairs(&[("NOT_ALLOWED", "")]));
            }
        }
        app.change(&cast.qa, "watchTicket", json!({ "ticketId": key, "personId": cast.qa.id })).await;
        app.change(&cast.operations_manager, "watchTicket", other.clone()).await;
        assert_eq!(app.ticket(&cast.tech, &key, "viewerIsWatching").await["viewerIsWatching"], true);
        app.change(&cast.administrator, "unwatchTicket", other).await;
        assert_eq!(app.ticket(&cast.tech, &key, "viewerIsWatching").await["viewerIsWatching"], false);
        let nobody = json!({ "ticketId": key, "personId": "person_00000000000000000000000000000001" });
        assert_eq!(app.refusal(&cast.administrator, "watchTicket", nobody).await, pairs(&[("UNKNOWN", "personId")]));
    }

    async fn watchers_hear_of_comments_that_they_may_read_once(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        let colleague = client(&app.service, &cast.acme, "Cora Colleague").await;
        for member in [&cast.operations, &cast.qa, &cast.tech, &cast.client, &colleague] {
            watch(app, member, &key).await;
        }
        let say = async |member: &Member, visibility: &str| {
            let input = json!({ "ticketId": key, "body": "Hello", "visibility": visibility });
            app.mutate(member, "addComment", input, "comment { id }").await
        };
        say(&cast.qa, "INTERNAL").await;
        let heard = told(app, &key).await;
        assert_eq!(heard, pairs(&[("COMMENT_ADDED", "olga.operations"), ("COMMENT_ADDED", "tariq.tech")]));
        say(&cast.qa, "CLIENT").await;
        assert_eq!(told(app, &key).await.len(), heard.len() + 4);
        let heard = told(app, &key).await;
        say(&cast.client, "CLIENT").await;
        let more = told(app, &key).await;
        assert_eq!(more.len(), heard.len() + 4, "the owner team watches too, and hears once: {more:?}");
        assert_eq!(more.iter().filter(|(_, to)| to == "olga.operations").count(), 3);
        assert_eq!(more.iter().filter(|(_, to)| to == "carla.client").count(), 1);
        assert_eq!(more.iter().filter(|(_, to)| to == "cora.colleague").count(), 2);
    }

    async fn watching_staff_hear_of_stages_and_watching_contacts_what_the_client_is_told(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        let colleague = client(&app.service, &cast.acme, "Cora Colleague").await;
        for member in [&cast.tech_manager, &cast.tech, &cast.client, &colleague] {
            watch(app, member, &key).await;
        }
        app.walk_to(&key, "CLOSED_RESOLVED").await;
        let mut expected = pairs(&[
            ("DELIVERED", "carla.client"),
            ("DELIVERED", "cora.colleague"),
            ("DELIVERY_DATE_SET", "carla.client"),
            ("DELIVERY_DATE_SET", "cora.colleague"),
        ]);
        // Tech made one of the five moves.
        expected.extend(vec![("TICKET_MOVED".to_owned(), "tariq.tech".to_owned()); 4]);
        expected.extend(vec![("TICKET_MOVED".to_owned(), "theo.manager".to_owned()); 5]);
        assert_eq!(told(app, &key).await, expected);
    }

    async fn a_new_assignee_is_told_unless_they_took_it(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        let assign = |assignee: &Member| json!({ "ticketId": key, "assigneeId": assignee.id });
        app.change(&cast.operations, "assignTicket", assign(&cast.operations)).await;
        assert_eq!(told(app, &key).await, []);
        app.change(&cast.operations, "assignTicket", assign(&cast.tech)).await;
        app.change(&cast.operations, "assignTicket", assign(&cast.tech)).await;
        assert_eq!(told(app, &key).await, pairs(&[("ASSIGNED", "tariq.tech")]));
        app.change(&cast.operations, "assignTicket", assign(&cast.qa)).await;
        let smtp = SmtpSink::start().await;
        let report = app.deliver(&smtp).await;
        assert_eq!((report.sent, report.cancelled), (1, 1), "what is not theirs any more is no news");
        let mails = smtp.wait_for(1).await;
        assert_eq!(mails[0].parsed().header("To"), Some("\"Quentin Qa\" <quentin.qa@example.com>"));
    }

    async fn a_comment_that_was_deleted_is_not_mailed_any_more(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        let input = json!({ "ticketId": key, "body": "The password is 1234", "visibility": "CLIENT" });
        let payload = app.mutate(&cast.qa, "addComment", input, "comment { id }").await;
        let delete = json!({ "commentId": payload["comment"]["id"] });
        app.mutate(&cast.qa, "deleteComment", delete, "comment { id }").await;
        let report = app.deliver(&SmtpSink::start().await).await;
        assert_eq!((report.sent, report.cancelled), (0, 1));
    }
}
