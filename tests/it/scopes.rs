//! What tokens with scopes may do: nothing that they do not name.

use entity::{id::PersonId, vocab::Scope};
use secondline::service::tokens::TokenOwner;
use serde_json::{Value, json};

use crate::support::{Member, TestApp, each_database};

/// An integration with these scopes.
async fn integration(app: &TestApp, scopes: &[Scope]) -> Member {
    let token =
        app.service.create_scoped_token(TokenOwner::Integration, "ClickUp sync", Some(scopes), None).await.unwrap();
    let id = token.row.id.to_string();
    Member { id, name: "ClickUp sync".to_owned(), email: String::new(), token: token.secret }
}

/// Whether the member may ask it.
async fn may(app: &TestApp, member: &Member, query: &str) -> bool {
    let answer = app.graphql(Some(&member.token), query, json!({})).await;
    match answer["errors"][0]["extensions"]["code"].as_str() {
        None => true,
        Some("FORBIDDEN") => false,
        other => panic!("{query}: {other:?}"),
    }
}

each_database! {
    async fn an_integration_sees_what_its_scopes_open(app) {
        app.file_ticket().await;
        let queries = [
            ("{ tickets { totalCount nodes { key sla { dueAt } history { id } } } }", Scope::TicketsRead),
            ("{ board { count } }", Scope::TicketsRead),
            ("{ ticket(key: \"L2-1\") { key priority } }", Scope::TicketsRead),
            ("{ ticket(key: \"L2-99\") { key } }", Scope::TicketsRead),
            ("{ slaAlerts { totalCount } }", Scope::TicketsRead),
            ("{ slaPolicies { stage } calendars { name } }", Scope::TicketsRead),
            ("{ companies { totalCount nodes { tier } } }", Scope::DirectoryRead),
            ("{ contacts { totalCount nodes { email } } }", Scope::DirectoryRead),
            ("{ people { totalCount nodes { email } } }", Scope::DirectoryRead),
            ("{ notices { totalCount nodes { id } } }", Scope::NoticesRead),
            ("{ auditLog { totalCount nodes { id } } }", Scope::AuditRead),
        ];
        for scope in Scope::all() {
            let member = integration(app, &[scope]).await;
            for (query, needed) in queries {
                let expected = secondline::domain::actor::includes(scope, needed);
                assert_eq!(may(app, &member, query).await, expected, "{scope}: {query}");
            }
        }
    }

    async fn an_integration_that_reads_tickets_sees_no_addresses_and_no_ledger(app) {
        let key = app.file_ticket().await;
        app.walk_to(&key, "FIXING").await;
        let reader = integration(app, &[Scope::TicketsRead]).await;
        let seen = app.ticket(&reader, &key, "contact { name email } notices { id } company { name }").await;
        assert_eq!(seen, json!({
            "contact": { "name": "Carla Client", "email": null }, "notices": [], "company": { "name": "Acme" },
        }));
        let node = "query($id: ID!) { node(id: $id) { id } }";
        for id in [&app.cast.qa.id, &app.cast.client.id, &app.cast.acme.id.to_string()] {
            assert_eq!(app.ask(&reader, node, json!({ "id": id })).await["node"], Value::Null, "{id}");
        }
        let subtype = app.subtype("DATA_ISSUES").await;
        let directory = integration(app, &[Scope::DirectoryRead]).await;
        assert_eq!(app.ask(&directory, node, json!({ "id": subtype })).await["node"]["id"], json!(subtype));
    }

    async fn who_works_where_is_in_the_directory(app) {
        let key = app.file_ticket().await;
        let input = json!({ "ticketId": key, "assigneeId": app.cast.qa.id });
        app.change(&app.cast.operations, "assignTicket", input).await;
        let select = "assignee { name email teams manages isAdministrator isActive }";
        let shown = json!({ "assignee": {
            "name": "Quentin Qa", "email": app.cast.qa.email, "teams": ["QA"], "manages": [], "isAdministrator": false,
            "isActive": true,
        } });
        let hidden = json!({ "assignee": {
            "name": "Quentin Qa", "email": null, "teams": [], "manages": [], "isAdministrator": null, "isActive": null,
        } });
        let narrow = async |member: &Member| {
            let owner = TokenOwner::Person(member.id.parse().unwrap());
            let token = app.service.create_scoped_token(owner, "narrow", Some(&[Scope::TicketsRead]), None).await.unwrap();
            Member { token: token.secret, ..member.clone() }
        };
        for (member, expected) in [
            (integration(app, &[Scope::TicketsRead]).await, &hidden),
            (integration(app, &[Scope::TicketsRead, Scope::DirectoryRead]).await, &shown),
            (narrow(&app.cast.tech).await, &hidden), (narrow(&app.cast.qa).await, &shown),
        ] {
            assert_eq!(app.ticket(&member, &key, select).await, *expected, "{}", member.name);
        }
    }

    async fn the_ledger_does_not_tell_how_important_a_client_is(app) {
        let key = app.file_ticket().await;
        app.change(&app.cast.operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
        for (scopes, tier) in [
            (vec![Scope::NoticesRead], Value::Null), (vec![Scope::NoticesRead, Scope::DirectoryRead], json!("TIER_TWO")),
            (vec![Scope::NoticesRead, Scope::TicketsRead], json!("TIER_TWO")),
        ] {
            let member = integration(app, &scopes).await;
            let seen = app.ask(&member, "{ notices { nodes { contact { company { name tier } } } } }", json!({})).await;
            let expected = json!({ "contact": { "company": { "name": "Acme", "tier": tier } } });
            assert_eq!(seen["notices"]["nodes"], json!([expected]), "{scopes:?}");
        }
    }

    async fn an_integration_writes_in_its_own_name(app) {
        let key = app.file_ticket().await;
        let reader = integration(app, &[Scope::TicketsRead]).await;
        let change = json!({ "ticketId": key, "facts": { "browser": "Firefox 140" } });
        let payload = app.mutate(&reader, "updateTicket", change.clone(), "ticket { id }").await;
        assert_eq!(payload["userErrors"][0]["code"], "NOT_ALLOWED");
        assert_eq!(payload["userErrors"][0]["message"], "this token lacks the scope tickets:write");
        let writer = integration(app, &[Scope::TicketsWrite]).await;
        app.change(&writer, "updateTicket", change).await;
        let facts = crate::support::replicating_facts();
        app.change(&writer, "moveTicket", json!({ "ticketId": key, "to": "REPLICATING", "facts": facts })).await;
        let select = "history { kind actorKind integrationName person { id } }";
        let seen = app.ticket(&app.cast.qa, &key, select).await;
        let last = seen["history"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last, json!({
            "kind": "TICKET_MOVED", "actorKind": "INTEGRATION", "integrationName": "ClickUp sync", "person": null,
        }));
        let seen = app.ticket(&app.cast.client, &key, select).await;
        assert_eq!(seen["history"].as_array().unwrap().last().unwrap()["integrationName"], Value::Null);
        let input = json!({
            "companyId": app.cast.acme.id.to_string(), "contactId": app.cast.client.id,
            "facts": app.first_facts().await,
        });
        let filed = app.change(&writer, "createTicket", input).await;
        app.change(&writer, "askClient", json!({ "ticketId": filed["id"], "question": "Which browser?" })).await;
        app.change(&writer, "recordClientAnswer", json!({ "ticketId": filed["id"], "answer": "Firefox" })).await;
        let input = json!({ "name": "Initech" });
        assert_eq!(app.refusal_of(&writer, "createCompany", "company", input).await[0].0, "NOT_ALLOWED");
    }

    async fn the_viewer_says_what_a_token_may(app) {
        let scopes = [Scope::TicketsWrite, Scope::TicketsRead, Scope::TicketsRead];
        let viewer = app.ask(&integration(app, &scopes).await, "{ viewer { integration { name scopes } person { id } scopes } }", json!({})).await;
        assert_eq!(viewer["viewer"], json!({
            "integration": { "name": "ClickUp sync", "scopes": ["TICKETS_READ", "TICKETS_WRITE"] }, "person": null,
            "scopes": ["TICKETS_READ", "TICKETS_WRITE"],
        }));
        let viewer = app.ask(&app.cast.qa, "{ viewer { integration { name } scopes } }", json!({})).await;
        assert_eq!(viewer["viewer"], json!({ "integration": null, "scopes": null }));
    }

    async fn scopes_restrict_a_person_and_give_them_nothing(app) {
        let restricted = |member: Member, scopes: Vec<Scope>| async move {
            let id: PersonId = member.id.parse().unwrap();
            let token = app.service.create_scoped_token(TokenOwner::Person(id), "narrow", Some(&scopes), None).await.unwrap();
            Member { token: token.secret, ..member }
        };
        let reader = restricted(app.cast.administrator.clone(), vec![Scope::TicketsRead]).await;
        assert!(may(app, &reader, "{ tickets { totalCount } }").await);
        assert!(!may(app, &reader, "{ people { totalCount } }").await);
        assert!(!may(app, &reader, "{ auditLog { totalCount } }").await);
        let everything = restricted(app.cast.qa.clone(), vec![Scope::Admin]).await;
        assert!(!may(app, &everything, "{ auditLog { totalCount } }").await);
        let input = json!({ "name": "Eve", "email": "eve@example.com" });
        assert_eq!(app.refusal_of(&everything, "createPerson", "person", input).await[0].0, "NOT_ALLOWED");
    }

    async fn a_token_that_only_reads_changes_nothing_that_its_person_contributed(app) {
        let (key, qa) = (app.file_ticket().await, &app.cast.qa);
        let comment = json!({ "ticketId": key, "body": "It happens in Safari too." });
        let comment = app.make(qa, "addComment", "comment", comment, "id").await["id"].clone();
        let file = json!({ "ticketId": key, "fileName": "a.png", "contentType": "image/png", "size": 33 });
        let file = app.make(qa, "requestUpload", "attachment", file, "id").await["id"].clone();
        let owner = TokenOwner::Person(qa.id.parse().unwrap());
        let token = app.service.create_scoped_token(owner, "narrow", Some(&[Scope::TicketsRead]), None).await.unwrap();
        let reader = Member { token: token.secret, ..qa.clone() };
        for (mutation, object, input) in [
            ("editComment", "comment", json!({ "commentId": comment, "body": "Or not." })),
            ("deleteComment", "comment", json!({ "commentId": comment })),
            ("completeUpload", "attachment", json!({ "attachmentId": file })),
            ("deleteAttachment", "attachment", json!({ "attachmentId": file })),
            ("addComment", "comment", json!({ "ticketId": key, "body": "More." })),
        ] {
            let payload = app.mutate(&reader, mutation, input, &format!("object: {object} {{ id }}")).await;
            let message = "this token lacks the scope comments:write";
            assert_eq!(payload["userErrors"][0]["message"], message, "{mutation}: {payload:#}");
        }
        let seen = app.ticket(qa, &key, "comments { nodes { body } } attachments { state }").await;
        assert_eq!(seen, json!({
            "comments": { "nodes": [{ "body": "It happens in Safari too." }] }, "attachments": [{ "state": "REQUESTED" }],
        }));
    }

    async fn a_token_that_sees_no_tickets_learns_nothing_of_their_comments(app) {
        let key = app.file_ticket().await;
        let comment = json!({ "ticketId": key, "body": "It happens in Safari too." });
        let known = app.make(&app.cast.qa, "addComment", "comment", comment, "id").await["id"].clone();
        let unknown = json!("comment_01900000000000000000000000000000");
        let directory = integration(app, &[Scope::DirectoryRead]).await;
        for mutation in ["editComment", "deleteComment"] {
            let refused = async |id: &Value| {
                let mut input = json!({ "commentId": id, "body": "Or not." });
                if mutation == "deleteComment" {
                    input.as_object_mut().unwrap().remove("body");
                }
                app.mutate(&directory, mutation, input, "comment { id }").await
            };
            assert_eq!(refused(&known).await, refused(&unknown).await, "{mutation}");
        }
    }

    async fn a_token_without_sense_is_refused(app) {
        let contact = TokenOwner::Contact(app.cast.client.id.parse().unwrap());
        for (owner, scopes) in [
            (TokenOwner::Integration, None), (TokenOwner::Integration, Some([].as_slice())),
            (contact, Some([Scope::TicketsRead].as_slice())),
        ] {
            assert!(app.service.create_scoped_token(owner, "odd", scopes, None).await.is_err(), "{owner:?}");
        }
    }

    async fn a_contact_states_nothing_that_is_staffs(app) {
        let mut input = json!({ "facts": app.first_facts().await, "levelOneReference": "L1-7" });
        assert_eq!(
            app.refusal(&app.cast.client, "createTicket", input.clone()).await,
            crate::support::checks::pairs(&[("NOT_ALLOWED", "levelOneReference")]),
        );
        input.as_object_mut().unwrap().remove("levelOneReference");
        for (field, value) in [
            ("priority", json!("URGENT")), ("estimatedDeliveryDate", json!("2026-06-12")),
            ("opsCanReproduce", json!(true)), ("pullRequest", json!("https://git.example.com/1")),
            ("resolutionNotes", json!("done")), ("affectsOtherClients", json!(true)),
        ] {
            let mut facts = input.clone();
            facts["facts"][field] = value;
            let refused = app.refusal(&app.cast.client, "createTicket", facts).await;
            assert_eq!(refused, crate::support::checks::pairs(&[("NOT_ALLOWED", &format!("facts.{field}"))]), "{field}");
        }
        app.change(&app.cast.client, "createTicket", input).await;
    }
}
