//! People and contacts by the command line.

use entity::{contact, id::ContactId};
use secondline::store;
use serde_json::{Value, json};

use crate::support::{TestApp, commands::run_on, each_database};

async fn contact(app: &TestApp, id: &str) -> contact::Model {
    store::directory::contact(&app.db, id.parse().unwrap()).await.unwrap().unwrap()
}

/// The latest entries of the audit log: what was done, and by what kind of actor.
async fn done(app: &TestApp, count: u32) -> Value {
    let query = "query($first: Int) { auditLog(first: $first) { nodes { action actorKind } } }";
    app.ask(&app.cast.administrator, query, json!({ "first": count })).await["auditLog"]["nodes"].take()
}

each_database! {
    async fn contacts_come_and_leave(app) {
        let added = ["contact", "add", "--company", "Acme", "--name", "Ana Ruiz", "--email", "Ana@Acme.example"];
        let (is_done, id, said) = run_on(app, &added);
        assert!(is_done && said.contains("Ana Ruiz of Acme was added") && said.contains("token create"), "{said}");
        let id = id.trim().to_owned();
        assert_eq!(contact(app, &id).await.email, "ana@acme.example");
        let (is_done, _, said) = run_on(app, &added);
        assert!(!is_done && said.contains("exists already"), "{said}");
        let staffs = ["contact", "add", "--company", "Acme", "--name", "Eve", "--email", &app.cast.qa.email];
        let (is_done, _, said) = run_on(app, &staffs);
        assert!(!is_done && said.contains("a member of staff has this mail address"), "{said}");
        let subject = "https://id.example.org ana";
        assert!(store::directory::link_contact(&app.db, id.parse().unwrap(), subject).await.unwrap());
        for (command, says) in [
            ("unlink", "Ana Ruiz is unlinked"), ("unlink", "was linked to no account"),
            ("deactivate", "is not active any more"), ("activate", "Ana Ruiz is active"), ("deactivate", "is not active any more"),
        ] {
            let (is_done, out, said) = run_on(app, &["contact", command, "ANA@acme.example"]);
            assert!(is_done && out.is_empty() && said.contains(says), "{command}: {said}");
        }
        let row = contact(app, &id).await;
        assert_eq!((row.active, row.oidc_subject), (false, None));
        let log = done(app, 5).await;
        let actions: Vec<_> = log.as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
        assert_eq!(actions, ["CONTACT_UPDATE", "CONTACT_UPDATE", "CONTACT_UPDATE", "CONTACT_UNLINK", "CONTACT_CREATE"]);
        let (is_done, _, said) = run_on(app, &["token", "create", "--contact", "ana@acme.example", "--name", "late"]);
        assert!(!is_done && said.contains("has left"), "{said}");
        let other = app.cast.globex.id.to_string();
        assert!(run_on(app, &["contact", "add", "--company", &other, "--name", "Ana", "--email", "ana@acme.example"]).0);
        let (is_done, _, said) = run_on(app, &["contact", "activate", "ana@acme.example"]);
        assert!(!is_done && said.contains("say which with --company"), "{said}");
        assert!(run_on(app, &["contact", "activate", "ana@acme.example", "--company", "Acme"]).0);
        assert!(!run_on(app, &["contact", "activate", "ana@acme.example", "--company", "Initech"]).0);
    }

    async fn staff_come_and_leave(app) {
        let qa = &app.cast.qa;
        let (is_done, _, said) = run_on(app, &["person", "deactivate", &qa.email.to_uppercase()]);
        assert!(is_done && said.contains("their tokens and sessions end"), "{said}");
        assert_eq!(app.error(Some(&qa.token), "{ viewer { person { id } } }", json!({})).await, "UNAUTHENTICATED");
        assert!(run_on(app, &["person", "activate", &qa.email]).0);
        app.ask(qa, "{ viewer { person { id } } }", json!({})).await;
        let subject = "https://id.example.org qa";
        assert!(store::directory::link_person(&app.db, qa.id.parse().unwrap(), subject).await.unwrap());
        let (is_done, _, said) = run_on(app, &["person", "unlink", &qa.email]);
        assert!(is_done && said.contains("is unlinked"), "{said}");
        assert_eq!(done(app, 1).await, json!([{ "action": "PERSON_UNLINK", "actorKind": "SYSTEM" }]));
        let (is_done, _, said) = run_on(app, &["person", "deactivate", &app.cast.administrator.email]);
        assert!(!is_done && said.contains("only active administrator"), "{said}");
        assert!(!run_on(app, &["person", "unlink", "nobody@example.com"]).0);
    }

    async fn addresses_that_need_a_look_are_listed(app) {
        let (is_done, _, said) = run_on(app, &["directory", "check"]);
        assert!(is_done && said.contains("as they should be"), "{said}");
        let client = contact(app, &app.cast.client.id).await;
        let shared = contact::Model { id: app.clock.new_id(ContactId), email: app.cast.qa.email.clone(), ..client.clone() };
        store::directory::insert_contact(&app.db, shared).await.unwrap();
        let mut odd = contact::Model { email: "e\u{301}ve@example.com".to_owned(), ..client };
        store::directory::save_contact(&app.db, &mut odd).await.unwrap();
        let (is_done, out, said) = run_on(app, &["directory", "check"]);
        assert!(!is_done && said.contains("2 stored mail addresses"), "{said}");
        assert!(out.contains(&app.cast.qa.email) && out.contains(&app.cast.qa.id) && out.contains("change one of them"), "{out}");
        assert!(out.contains("e\u{301}ve@example.com") && out.contains("write it anew"), "{out}");
    }
}
