//! Companies, contacts, people and subtypes.

use entity::contact;
use futures_util::future::join_all;
use secondline::{
    service::addresses::AddressProblem,
    store::{self, directory::PersonWithTeams},
};
use serde_json::{Value, json};

use crate::support::{Cast, Member, checks::pairs, each_database, staff};

const NOBODY: &str = "person_00000000000000000000000000000001";

/// Everybody who is not an administrator.
fn ordinary(cast: &Cast) -> [&Member; 7] {
    [
        &cast.operations,
        &cast.qa,
        &cast.project_manager,
        &cast.tech,
        &cast.operations_manager,
        &cast.tech_manager,
        &cast.client,
    ]
}

each_database! {
    async fn operations_and_managers_keep_the_companies(app) {
        let cast = &app.cast;
        for (place, member) in [&cast.operations, &cast.tech_manager, &cast.administrator].into_iter().enumerate() {
            let input = json!({ "name": format!(" Initech {place} "), "tier": "TIER_TWO" });
            let made = app.make(member, "createCompany", "company", input, "id name tier version").await;
            assert_eq!((&made["name"], &made["tier"], &made["version"]), (
                &json!(format!("Initech {place}")), &json!("TIER_TWO"), &json!(1),
            ));
            let input = json!({ "companyId": made["id"], "expectedVersion": 1, "name": format!("Initrode {place}") });
            let changed = app.make(member, "updateCompany", "company", input, "name tier version").await;
            assert_eq!(changed, json!({ "name": format!("Initrode {place}"), "tier": "TIER_TWO", "version": 2 }));
            let input = json!({ "companyId": made["id"], "tier": null });
            let changed = app.make(member, "updateCompany", "company", input, "name tier").await;
            assert_eq!(changed, json!({ "name": format!("Initrode {place}"), "tier": null }));
        }
    }

    async fn others_keep_no_companies_and_contacts(app) {
        let cast = &app.cast;
        let acme = cast.acme.id.to_string();
        for member in [&cast.qa, &cast.project_manager, &cast.tech, &cast.client] {
            for (mutation, object, input) in [
                ("createCompany", "company", json!({ "name": "Initech" })),
                ("updateCompany", "company", json!({ "companyId": acme, "tier": "TIER_ONE" })),
                ("createContact", "contact", json!({ "companyId": acme, "name": "Eve", "email": "eve@example.com" })),
                ("updateContact", "contact", json!({ "contactId": cast.client.id, "name": "Eve" })),
            ] {
                let refused = app.refusal_of(member, mutation, object, input).await;
                assert_eq!(refused, pairs(&[("NOT_ALLOWED", "")]), "{} {mutation}", member.name);
            }
        }
        let answer = app.ask(&cast.qa, "{ companies { nodes { name version } } contacts { totalCount } }", json!({})).await;
        assert_eq!(answer["companies"]["nodes"], json!([
            { "name": "Acme", "version": 1 }, { "name": "Globex", "version": 1 },
        ]));
        assert_eq!(answer["contacts"]["totalCount"], 2);
    }

    async fn a_companys_name_is_taken_once(app) {
        let cast = &app.cast;
        let refused = app.refusal_of(&cast.operations, "createCompany", "company", json!({ "name": "Acme " })).await;
        assert_eq!(refused, pairs(&[("ALREADY_EXISTS", "name")]));
        let input = json!({ "companyId": cast.globex.id.to_string(), "name": "Acme" });
        let refused = app.refusal_of(&cast.operations, "updateCompany", "company", input).await;
        assert_eq!(refused, pairs(&[("ALREADY_EXISTS", "name")]));
        let made = (0..4).map(|_| {
            app.mutate(&cast.operations, "createCompany", json!({ "name": "Initech" }), "company { id }")
        });
        let payloads = join_all(made).await;
        assert_eq!(payloads.iter().filter(|payload| payload["company"].is_object()).count(), 1, "{payloads:?}");
    }

    async fn a_stale_version_is_refused(app) {
        let cast = &app.cast;
        let admin = &cast.administrator;
        for (mutation, object, mut input) in [
            ("updateCompany", "company", json!({ "companyId": cast.acme.id.to_string(), "name": "Apex" })),
            ("updateContact", "contact", json!({ "contactId": cast.client.id, "name": "Clara" })),
            ("updatePerson", "person", json!({ "personId": cast.qa.id, "name": "Quinn" })),
        ] {
            app.make(admin, mutation, object, input.clone(), "id").await;
            input["expectedVersion"] = json!(1);
            let refused = app.refusal_of(admin, mutation, object, input.clone()).await;
            assert_eq!(refused, pairs(&[("STALE_VERSION", "expectedVersion")]), "{mutation}");
            input["expectedVersion"] = json!(2);
            assert_eq!(app.make(admin, mutation, object, input, "version").await["version"], 3);
        }
    }

    async fn what_does_not_exist_is_not_found(app) {
        let token = Some(app.cast.administrator.token.as_str());
        for (mutation, field, kind) in [
            ("updateCompany", "companyId", "company"), ("updateContact", "contactId", "contact"),
            ("updatePerson", "personId", "person"), ("archiveTicketSubtype", "ticketSubtypeId", "ticket_subtype"),
            ("updateCalendar", "calendarId", "calendar"), ("retryNotice", "noticeId", "notice"),
        ] {
            for id in [format!("{kind}_00000000000000000000000000000001"), "nonsense".to_owned(), String::new()] {
                assert_eq!(app.mutation_error(token, mutation, json!({ field: id })).await, "NOT_FOUND", "{mutation} {id}");
            }
        }
    }

    async fn a_contact_is_made_with_defaults_and_changed(app) {
        let cast = &app.cast;
        let input = json!({ "companyId": cast.globex.id.to_string(), "name": " Gina ", "email": " Gina@Example.COM " });
        let select = "id name email locale timeZone version company { name }";
        let mut made = app.make(&cast.operations, "createContact", "contact", input, select).await;
        let id = made["id"].take();
        assert_eq!(made, json!({
            "id": null, "name": "Gina", "email": "gina@example.com", "locale": "en", "timeZone": "UTC", "version": 1,
            "company": { "name": "Globex" },
        }));
        let input = json!({ "contactId": id, "locale": "pt-BR", "timeZone": "America/Sao_Paulo" });
        let changed = app.make(&cast.operations, "updateContact", "contact", input, "name email locale timeZone").await;
        assert_eq!(changed, json!({
            "name": "Gina", "email": "gina@example.com", "locale": "pt-BR", "timeZone": "America/Sao_Paulo",
        }));
    }

    async fn a_contacts_address_is_unique_in_the_company(app) {
        let cast = &app.cast;
        let taken = cast.client.email.to_uppercase();
        let input = json!({ "companyId": cast.acme.id.to_string(), "name": "Carl", "email": taken });
        let refused = app.refusal_of(&cast.operations, "createContact", "contact", input).await;
        assert_eq!(refused, pairs(&[("ALREADY_EXISTS", "email")]));
        let input = json!({ "companyId": cast.globex.id.to_string(), "name": "Carl", "email": taken });
        app.make(&cast.operations, "createContact", "contact", input, "id").await;
        let input = json!({ "companyId": "company_00000000000000000000000000000001", "name": "X", "email": "x@example.com" });
        let refused = app.refusal_of(&cast.operations, "createContact", "contact", input).await;
        assert_eq!(refused, pairs(&[("UNKNOWN", "companyId")]));
    }

    async fn staff_and_contacts_share_no_address(app) {
        let cast = &app.cast;
        let (admin, acme) = (&cast.administrator, cast.acme.id.to_string());
        let [of_client, of_staff] = [&cast.client.email, &cast.qa.email].map(|email| email.to_uppercase());
        for (mutation, object, input) in [
            ("createContact", "contact", json!({ "companyId": acme, "name": "Eve", "email": of_staff })),
            ("updateContact", "contact", json!({ "contactId": cast.client.id, "email": of_staff })),
            ("createPerson", "person", json!({ "name": "Eve", "email": of_client })),
            ("updatePerson", "person", json!({ "personId": cast.qa.id, "email": of_client })),
        ] {
            let payload = app.mutate(admin, mutation, input, &format!("{object} {{ id }}")).await;
            let problem = &payload["userErrors"][0];
            assert_eq!((&problem["code"], &problem["field"]), (&json!("ALREADY_EXISTS"), &json!("email")), "{mutation}");
            assert!(problem["message"].as_str().unwrap().contains("has this mail address"), "{problem}");
        }
        // Who left has it still, for their history is theirs.
        app.make(admin, "updatePerson", "person", json!({ "personId": cast.qa.id, "isActive": false }), "id").await;
        let input = json!({ "companyId": acme, "name": "Eve", "email": of_staff });
        assert_eq!(app.refusal_of(admin, "createContact", "contact", input).await, pairs(&[("ALREADY_EXISTS", "email")]));
    }

    async fn of_those_who_take_an_address_at_once_one_gets_it(app) {
        let (admin, acme, globex) = (&app.cast.administrator, app.cast.acme.id.to_string(), app.cast.globex.id.to_string());
        for round in 0..8 {
            let email = format!("both.{round}@example.com");
            let contact = json!({ "companyId": if round % 2 == 0 { &acme } else { &globex }, "name": "Eve", "email": email });
            let person = json!({ "name": "Eve", "email": email });
            let (contacts, people) = tokio::join!(
                app.mutate(admin, "createContact", contact, "made: contact { id }"),
                app.mutate(admin, "createPerson", person, "made: person { id }"),
            );
            let made = [&contacts, &people].into_iter().filter(|payload| payload["made"].is_object()).count();
            assert_eq!(made, 1, "{contacts:#} {people:#}");
        }
        assert_eq!(app.service.address_problems().await.unwrap(), []);
    }

    async fn an_address_that_others_read_otherwise_is_refused(app) {
        let cast = &app.cast;
        for (email, advice) in [
            ("mar\u{212a}@example.com", "write mark@example.com"), ("É@example.com", "write é@example.com"),
            ("e\u{301}@example.com", "write é@example.com"), ("eve@\u{ff45}xample.com", "write eve@example.com"),
            ("ma\u{200b}rk@example.com", "type it anew"),
        ] {
            for (mutation, object, input) in [
                ("createContact", "contact", json!({ "companyId": cast.acme.id.to_string(), "name": "Eve", "email": email })),
                ("createPerson", "person", json!({ "name": "Eve", "email": email })),
                ("updateContact", "contact", json!({ "contactId": cast.client.id, "email": email })),
                ("updatePerson", "person", json!({ "personId": cast.qa.id, "email": email })),
            ] {
                let payload = app.mutate(&cast.administrator, mutation, input, &format!("{object} {{ id }}")).await;
                let problem = &payload["userErrors"][0];
                assert_eq!((&problem["code"], &problem["field"]), (&json!("INVALID"), &json!("email")), "{mutation} {email:?}");
                assert!(problem["message"].as_str().unwrap().contains(advice), "{problem}");
            }
        }
        let input = json!({ "name": "Eve", "email": "É.Eve@example.com".replace('É', "é") });
        app.make(&cast.administrator, "createPerson", "person", input, "id").await;
    }

    async fn what_an_earlier_version_stored_goes_on_to_work(app) {
        let cast = &app.cast;
        let client = store::directory::contact(&app.db, cast.client.id.parse().unwrap()).await.unwrap().unwrap();
        let mut old = contact::Model { email: "e\u{301}ve@example.com".to_owned(), ..client };
        store::directory::save_contact(&app.db, &mut old).await.unwrap();
        let found = app.service.contacts_by_email("E\u{301}VE@example.com").await.unwrap();
        assert_eq!(found.len(), 1, "it is found as it is written");
        assert_eq!(app.service.address_problems().await.unwrap(), [AddressProblem::OfContact(Box::new(old.clone()))]);
        let input = json!({ "contactId": cast.client.id, "name": "Eve", "email": old.email });
        let changed = app.make(&cast.operations, "updateContact", "contact", input, "name email").await;
        assert_eq!(changed, json!({ "name": "Eve", "email": old.email }), "what stays is not judged again");
        app.ask(&cast.client, "{ viewer { contact { id } } }", json!({})).await;
        let input = json!({ "contactId": cast.client.id, "email": "éve@example.com" });
        app.make(&cast.operations, "updateContact", "contact", input, "id").await;
        assert_eq!(app.service.address_problems().await.unwrap(), []);
    }

    async fn people_are_found_by_address_in_either_case_and_by_whether_they_left(app) {
        let cast = &app.cast;
        let input = json!({ "contactId": cast.client.id, "isActive": false });
        app.make(&cast.operations, "updateContact", "contact", input, "id").await;
        let email = cast.client.email.to_uppercase();
        for (filter, names) in [
            (json!({ "email": { "eq": email } }), json!([{ "name": cast.client.name, "isActive": false }])),
            (json!({ "email": { "in": [email] } }), json!([{ "name": cast.client.name, "isActive": false }])),
            (json!({ "email": { "contains": "CARLA" } }), json!([{ "name": cast.client.name, "isActive": false }])),
            (json!({ "email": { "neq": email } }), json!([{ "name": cast.other_client.name, "isActive": true }])),
            (json!({ "email": { "contains": "CAR\u{212a}" } }), json!([])),
            (json!({ "isActive": true }), json!([{ "name": cast.other_client.name, "isActive": true }])),
            (json!({ "isActive": false }), json!([{ "name": cast.client.name, "isActive": false }])),
        ] {
            let query = "query($filter: ContactFilter) { contacts(filter: $filter) { nodes { name isActive } } }";
            let found = app.ask(&cast.qa, query, json!({ "filter": filter })).await;
            assert_eq!(found["contacts"]["nodes"], names, "{filter}");
        }
        let query = "query($filter: PersonFilter) { people(filter: $filter) { nodes { name } } }";
        let found = app.ask(&cast.qa, query, json!({ "filter": { "email": { "eq": cast.qa.email.to_uppercase() } } })).await;
        assert_eq!(found["people"]["nodes"], json!([{ "name": cast.qa.name }]));
        let query = "{ contacts(filter: { isActive: true }) { totalCount } }";
        assert_eq!(app.error(Some(&cast.other_client.token), query, json!({})).await, "BAD_INPUT");
        let seen = app.ask(&cast.other_client, "{ contacts { nodes { isActive } } }", json!({})).await;
        assert_eq!(seen["contacts"]["nodes"], json!([{ "isActive": true }]), "of oneself");
    }

    async fn nobody_files_a_ticket_for_a_contact_who_left(app) {
        let cast = &app.cast;
        let input = json!({ "contactId": cast.client.id, "isActive": false });
        app.make(&cast.operations, "updateContact", "contact", input, "id").await;
        let refused = app.refusal(&cast.operations, "createTicket", app.filing().await).await;
        assert_eq!(refused, pairs(&[("INVALID", "contactId")]));
    }

    async fn particulars_are_checked_all_at_once(app) {
        let cast = &app.cast;
        let acme = cast.acme.id.to_string();
        let bad = json!({ "name": " ", "email": "a@example.com\r\nBcc: b@example.com", "locale": "e n", "timeZone": "Mars/Base" });
        let problems = pairs(&[("BLANK", "name"), ("INVALID", "email"), ("INVALID", "locale"), ("INVALID", "timeZone")]);
        for (mutation, object, id) in [
            ("createContact", "contact", json!({ "companyId": acme })), ("createPerson", "person", json!({})),
            ("updateContact", "contact", json!({ "contactId": cast.client.id })),
            ("updatePerson", "person", json!({ "personId": cast.qa.id })),
        ] {
            let mut input = bad.clone();
            input.as_object_mut().unwrap().extend(id.as_object().unwrap().clone());
            assert_eq!(app.refusal_of(&cast.administrator, mutation, object, input).await, problems, "{mutation}");
        }
    }

    async fn an_address_is_one_address(app) {
        let admin = &app.cast.administrator;
        for email in [
            "nobody", "@example.com", "a@", "a@b@c", "a b@example.com", "a@exam ple.com", "Ada <ada@example.com>",
            "a@example.com, b@example.com", "a@example.com\nb@example.com", "a\r@example.com", "a@example.com\u{0}",
        ] {
            let refused = app.refusal_of(admin, "createPerson", "person", json!({ "name": "Eve", "email": email })).await;
            assert_eq!(refused, pairs(&[("INVALID", "email")]), "{email:?}");
        }
        let long = format!("{}@example.com", "x".repeat(250));
        let refused = app.refusal_of(admin, "createPerson", "person", json!({ "name": "Eve", "email": long })).await;
        assert_eq!(refused[0], pairs(&[("TOO_LONG", "email")])[0]);
        let refused = app.refusal_of(admin, "createPerson", "person", json!({ "name": "", "email": " " })).await;
        assert_eq!(refused, pairs(&[("BLANK", "name"), ("BLANK", "email")]));
    }

    async fn an_administrator_keeps_the_people(app) {
        let admin = &app.cast.administrator;
        let input = json!({ "name": "Eve", "email": "eve@example.com", "teams": ["QA", "TECH", "QA"], "manages": ["TECH"] });
        let select = "id name teams manages isAdministrator isActive version";
        let mut made = app.make(admin, "createPerson", "person", input, select).await;
        let id = made["id"].take();
        let teams = |list: &Value| {
            let mut teams: Vec<_> = list.as_array().unwrap().iter().map(|team| team.as_str().unwrap().to_owned()).collect();
            teams.sort();
            teams
        };
        assert_eq!(teams(&made["teams"]), ["QA", "TECH"]);
        assert_eq!(teams(&made["manages"]), ["TECH"]);
        assert_eq!((&made["isAdministrator"], &made["isActive"]), (&json!(false), &json!(true)));
        let input = json!({ "personId": id, "teams": [], "name": "Eva" });
        let changed = app.make(admin, "updatePerson", "person", input, "name teams manages version").await;
        assert_eq!(changed, json!({ "name": "Eva", "teams": [], "manages": ["TECH"], "version": 2 }));
        let taken = json!({ "personId": id, "email": app.cast.qa.email });
        let refused = app.refusal_of(admin, "updatePerson", "person", taken).await;
        assert_eq!(refused, pairs(&[("ALREADY_EXISTS", "email")]));
        let again = json!({ "name": "Eve", "email": "EVE@example.com" });
        let refused = app.refusal_of(admin, "createPerson", "person", again).await;
        assert_eq!(refused, pairs(&[("ALREADY_EXISTS", "email")]));
    }

    async fn only_administrators_keep_people_and_subtypes(app) {
        let subtype = app.subtype("DATA_ISSUES").await;
        for member in ordinary(&app.cast) {
            for (mutation, object, input) in [
                ("createPerson", "person", json!({ "name": "Eve", "email": "eve@example.com", "isAdministrator": true })),
                ("updatePerson", "person", json!({ "personId": member.id, "isAdministrator": true })),
                ("updatePerson", "person", json!({ "personId": NOBODY, "isAdministrator": true })),
                ("createTicketSubtype", "ticketSubtype", json!({ "category": "DATA_ISSUES", "name": "New" })),
                ("archiveTicketSubtype", "ticketSubtype", json!({ "ticketSubtypeId": subtype })),
            ] {
                if input["personId"] == json!(app.cast.client.id) {
                    continue;
                }
                let refused = app.refusal_of(member, mutation, object, input).await;
                assert_eq!(refused, pairs(&[("NOT_ALLOWED", "")]), "{} {mutation}", member.name);
            }
        }
    }

    async fn one_active_administrator_always_remains(app) {
        let admin = &app.cast.administrator;
        for field in ["isAdministrator", "isActive"] {
            let input = json!({ "personId": admin.id, field: false });
            let refused = app.refusal_of(admin, "updatePerson", "person", input).await;
            assert_eq!(refused, pairs(&[("INVALID", field)]));
        }
        let second = staff(&app.service, "Sam Second", &[], &[], true).await;
        let input = json!({ "personId": admin.id, "isAdministrator": false });
        app.make(&second, "updatePerson", "person", input, "id").await;
        let input = json!({ "personId": admin.id, "isAdministrator": true });
        assert_eq!(app.refusal_of(admin, "updatePerson", "person", input).await, pairs(&[("NOT_ALLOWED", "")]));
    }

    async fn administrators_who_dismiss_each_other_at_once_do_not_all_go(app) {
        let mut administrators = vec![app.cast.administrator.clone()];
        for name in ["Sam Second", "Tom Third", "Fay Fourth"] {
            administrators.push(staff(&app.service, name, &[], &[], true).await);
        }
        let dismissals = administrators.iter().map(|member| {
            let input = json!({ "personId": member.id, "isAdministrator": false });
            app.mutate(member, "updatePerson", input, "person { id }")
        });
        let payloads = join_all(dismissals).await;
        let ids: Vec<_> = administrators.iter().map(|member| member.id.parse().unwrap()).collect();
        let left = app.service.people_by_id(&ids).await.unwrap().into_values().filter(|PersonWithTeams { person, .. }| person.administrator).count();
        assert!(left >= 1, "{payloads:?}");
    }

    async fn somebody_who_left_cannot_sign_in_until_they_return(app) {
        let cast = &app.cast;
        let input = json!({ "personId": cast.qa.id, "isActive": false });
        app.make(&cast.administrator, "updatePerson", "person", input, "isActive").await;
        let code = app.error(Some(&cast.qa.token), "{ viewer { person { id } } }", json!({})).await;
        assert_eq!(code, "UNAUTHENTICATED");
        let input = json!({ "personId": cast.qa.id, "isActive": true });
        app.make(&cast.administrator, "updatePerson", "person", input, "isActive").await;
        app.ask(&cast.qa, "{ viewer { person { id } } }", json!({})).await;
    }

    async fn a_subtype_is_added_offered_and_archived(app) {
        let cast = &app.cast;
        let input = json!({ "category": "DATA_ISSUES", "name": "Broken import" });
        let made = app.make(&cast.administrator, "createTicketSubtype", "ticketSubtype", input.clone(), "id isArchived").await;
        assert_eq!(made["isArchived"], false);
        let refused = app.refusal_of(&cast.administrator, "createTicketSubtype", "ticketSubtype", input).await;
        assert_eq!(refused, pairs(&[("ALREADY_EXISTS", "name")]));
        let elsewhere = json!({ "category": "SECURITY_ISSUES", "name": "Broken import" });
        app.make(&cast.administrator, "createTicketSubtype", "ticketSubtype", elsewhere, "id").await;
        let blank = json!({ "category": "SECURITY_ISSUES", "name": "\u{9}" });
        let refused = app.refusal_of(&cast.administrator, "createTicketSubtype", "ticketSubtype", blank).await;
        assert_eq!(refused, pairs(&[("BLANK", "name")]));
        let query = "query($all: Boolean!) { ticketSubtypes(category: DATA_ISSUES, includeArchived: $all) { id isArchived } }";
        let offered = |answer: &Value| {
            answer["ticketSubtypes"].as_array().unwrap().iter().any(|subtype| subtype["id"] == made["id"])
        };
        assert!(offered(&app.ask(&cast.client, query, json!({ "all": false })).await));
        for _ in 0..2 {
            let input = json!({ "ticketSubtypeId": made["id"] });
            let archived = app.make(&cast.administrator, "archiveTicketSubtype", "ticketSubtype", input, "isArchived").await;
            assert_eq!(archived["isArchived"], true);
        }
        assert!(!offered(&app.ask(&cast.client, query, json!({ "all": false })).await));
        assert!(offered(&app.ask(&cast.client, query, json!({ "all": true })).await));
    }
}
