//! Tokens of an OpenID Connect issuer: which count, and whom they are about.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use entity::{contact, id::ContactId};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secondline::{
    domain::actor::{Actor, Staff},
    graphql::admission::Policy,
    http::HttpState,
    oidc::{ALGORITHMS, GROUPS_CLAIM, LEEWAY_S, Provider, Settings},
    service::{Service, ServiceError, addresses::AddressProblem, sessions::Session, tokens::TokenOwner},
    store,
};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{
    Member, START, TestApp,
    checks::pairs,
    each_database,
    issuer::{Issuer, IssuerKey, Trouble},
};

const AUDIENCE: &str = "https://support.example.com";

fn settings(issuer: &Issuer) -> Settings {
    Settings {
        issuer: issuer.url.clone(),
        audience: AUDIENCE.to_owned(),
        groups_claim: GROUPS_CLAIM.to_owned(),
        groups: None,
        leeway_s: LEEWAY_S,
        algorithms: ALGORITHMS.to_owned(),
        fetch_within: Duration::from_secs(10),
    }
}

fn believing(app: &TestApp, settings: &Settings) -> Service {
    app.service.with_provider(Provider::new(settings).unwrap())
}

/// The claims of a token that counts for an hour.
fn claims(issuer: &Issuer, email: &str) -> Value {
    let now = START.timestamp();
    json!({
        "iss": issuer.url, "aud": AUDIENCE, "sub": format!("sub-of-{email}"), "email": email, "email_verified": true,
        "iat": now, "nbf": now, "exp": now + 3600,
    })
}

fn with(mut claims: Value, field: &str, value: Value) -> Value {
    claims[field] = value;
    claims
}

async fn session(service: &Service, token: &str) -> Option<Session> {
    service.authenticate(token).await.unwrap()
}

/// Why a token that is valid is refused.
async fn refusal(service: &Service, token: &str) -> String {
    match service.authenticate(token).await {
        Err(ServiceError::Forbidden(why)) => why.to_owned(),
        other => panic!("{other:?}"),
    }
}

/// Status and code of the answer to a request with the token.
async fn answer(service: &Service, token: &str) -> (u16, Value) {
    let request = axum::http::Request::post("/graphql")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .body(axum::body::Body::from(json!({ "query": "{ viewer { person { name } contact { name } } }" }).to_string()))
        .unwrap();
    let response = secondline::http::router(HttpState::new(
        service.clone(),
        Policy::default(),
        secondline::http::Settings::default(),
    ))
    .oneshot(request)
    .await
    .unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    (
        status,
        if body["errors"].is_array() { body["errors"][0]["extensions"]["code"].clone() } else { body["data"].clone() },
    )
}

/// A contact with a member of staff's address, as an earlier version let them be.
async fn shared_address(app: &TestApp, member: &Member) -> contact::Model {
    let client = app.cast.client.id.parse().unwrap();
    let client = store::directory::contact(&app.db, client).await.unwrap().unwrap();
    let both = contact::Model { id: app.clock.new_id(ContactId), email: member.email.clone(), ..client };
    store::directory::insert_contact(&app.db, both.clone()).await.unwrap();
    both
}

fn staff(session: Option<Session>) -> Staff {
    match session.map(|session| session.actor) {
        Some(Actor::Person(staff)) => staff,
        other => panic!("{other:?}"),
    }
}

each_database! {
    async fn people_and_contacts_sign_in_and_are_linked(app) {
        let issuer = Issuer::start().await;
        let service = believing(app, &settings(&issuer));
        let (qa, client) = (&app.cast.qa, &app.cast.client);
        let token = issuer.sign(IssuerKey::One, Some("one"), &claims(&issuer, &qa.email.to_uppercase()));
        let name = json!({ "viewer": { "person": { "name": qa.name }, "contact": null } });
        assert_eq!(answer(&service, &token).await, (200, name.clone()));
        // From now on the subject counts, whatever the mail address.
        let renamed = with(claims(&issuer, &qa.email.to_uppercase()), "email", json!("new@example.net"));
        let unverified = with(renamed, "email_verified", json!(false));
        let token = issuer.sign(IssuerKey::One, Some("one"), &unverified);
        assert_eq!(answer(&service, &token).await, (200, name));
        let token = issuer.sign(IssuerKey::One, Some("one"), &claims(&issuer, &client.email));
        let name = json!({ "viewer": { "person": null, "contact": { "name": client.name } } });
        assert_eq!(answer(&service, &token).await, (200, name));
        let log = app.ask(&app.cast.administrator, "{ auditLog(first: 2) { nodes { action actorId target } } }", json!({})).await;
        assert_eq!(log["auditLog"]["nodes"], json!([
            { "action": "CONTACT_LINK", "actorId": client.id, "target": client.id },
            { "action": "PERSON_LINK", "actorId": qa.id, "target": qa.id },
        ]));
    }

    async fn a_token_that_is_not_right_is_401(app) {
        let issuer = Issuer::start().await;
        issuer.publish(&[("one", IssuerKey::One), ("rsa", IssuerKey::Rsa)]);
        let service = believing(app, &settings(&issuer));
        let good = claims(&issuer, &app.cast.qa.email);
        let now = START.timestamp();
        for right in [
            issuer.sign(IssuerKey::One, Some("one"), &good),
            issuer.sign(IssuerKey::Rsa, Some("rsa"), &good),
            issuer.sign(IssuerKey::One, None, &good),
            issuer.sign(IssuerKey::One, Some("one"), &with(good.clone(), "aud", json!(["other", AUDIENCE]))),
            issuer.sign(IssuerKey::One, Some("one"), &with(good.clone(), "exp", json!(now - 59))),
            issuer.sign(IssuerKey::One, Some("one"), &with(good.clone(), "nbf", json!(now + 60))),
            issuer.sign(IssuerKey::One, Some("one"), &with(good.clone(), "iat", json!(now + 60))),
        ] {
            assert!(session(&service, &right).await.is_some(), "{right}");
        }
        let encoded = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let unsigned = |signature: &str| {
            format!("{}.{}.{signature}", encoded(json!({ "alg": "none", "typ": "JWT" })), encoded(good.clone()))
        };
        // The trick of taking the public key for a secret.
        let public = IssuerKey::Rsa.published("rsa").to_string();
        let header = Header { kid: Some("rsa".to_owned()), ..Header::new(Algorithm::HS256) };
        let confused = jsonwebtoken::encode(&header, &good, &EncodingKey::from_secret(public.as_bytes()).unwrap()).unwrap();
        let signed = issuer.sign(IssuerKey::One, Some("one"), &good);
        let parts: Vec<_> = signed.split('.').collect();
        let other = encoded(claims(&issuer, &app.cast.administrator.email));
        for wrong in [
            unsigned(""), unsigned("x"), confused, format!("{}.{other}.{}", parts[0], parts[2]), format!("{signed}x"),
            format!("{}.{}.", parts[0], parts[1]), "ey.ey.ey".to_owned(), format!("ey{}.b.c", "a".repeat(100_000)),
            issuer.sign(IssuerKey::Two, Some("one"), &good), issuer.sign(IssuerKey::Two, Some("two"), &good),
            issuer.sign(IssuerKey::One, Some("rsa"), &good),
        ] {
            assert_eq!(answer(&service, &wrong).await, (401, json!("UNAUTHENTICATED")), "{wrong}");
        }
        for (field, value) in [
            ("iss", json!(format!("{}/", issuer.url))), ("iss", Value::Null), ("aud", json!("other")), ("aud", json!([])),
            ("aud", Value::Null), ("exp", json!(now - 60)), ("exp", Value::Null), ("exp", json!(1e300)),
            ("exp", json!("soon")), ("nbf", json!(now + 61)), ("iat", json!(now + 61)), ("sub", json!("")),
            ("sub", Value::Null),
        ] {
            let token = issuer.sign(IssuerKey::One, Some("one"), &with(good.clone(), field, value.clone()));
            assert_eq!(answer(&service, &token).await, (401, json!("UNAUTHENTICATED")), "{field}: {value}");
        }
        assert!(session(&app.service, &signed).await.is_none(), "without an issuer nothing is believed");
    }

    async fn keys_rotate_and_made_up_ones_do_not_make_us_ask_again_and_again(app) {
        let issuer = Issuer::start().await;
        let service = believing(app, &settings(&issuer));
        let claims = with(claims(&issuer, &app.cast.qa.email), "exp", json!(START.timestamp() + 7200));
        let old = issuer.sign(IssuerKey::One, Some("one"), &claims);
        let new = issuer.sign(IssuerKey::Two, Some("two"), &claims);
        assert!(session(&service, &old).await.is_some());
        issuer.publish(&[("one", IssuerKey::One), ("two", IssuerKey::Two)]);
        assert!(session(&service, &new).await.is_none(), "asked a moment ago");
        app.advance(TimeDelta::seconds(30));
        assert!(session(&service, &new).await.is_some());
        assert!(session(&service, &old).await.is_some(), "both are published");
        assert_eq!(issuer.fetches(), 2);
        app.advance(TimeDelta::seconds(30));
        let made_up = issuer.sign(IssuerKey::Two, Some("three"), &claims);
        let storm = (0..20).map(|_| session(&service, &made_up));
        assert!(futures_util::future::join_all(storm).await.iter().all(Option::is_none));
        assert_eq!(issuer.fetches(), 3);
        // A key that was taken back counts no longer than an hour.
        issuer.publish(&[("two", IssuerKey::Two)]);
        app.advance(TimeDelta::minutes(50));
        assert!(session(&service, &new).await.is_some());
        app.advance(TimeDelta::minutes(9));
        assert!(session(&service, &old).await.is_some());
        app.advance(TimeDelta::minutes(1));
        assert!(session(&service, &old).await.is_none());
        assert!(session(&service, &new).await.is_some());
    }

    async fn an_issuer_that_is_away_keeps_nobody_out_who_needs_it_not(app) {
        let issuer = Issuer::start().await;
        for trouble in [
            Trouble::Broken, Trouble::Huge, Trouble::Silent, Trouble::Redirecting, Trouble::AnotherIssuer,
            Trouble::InsecureKeys, Trouble::OnlySecrets,
        ] {
            let settings = Settings { fetch_within: Duration::from_millis(300), ..settings(&issuer) };
            let service = believing(app, &settings);
            let now = app.clock.now().timestamp();
            let claims = with(claims(&issuer, &app.cast.qa.email), "exp", json!(now + 60));
            let token = issuer.sign(IssuerKey::One, Some("one"), &claims);
            issuer.be(trouble);
            assert_eq!(answer(&service, &token).await, (503, json!("UNAVAILABLE")), "{trouble:?}");
            assert_eq!(answer(&service, &app.cast.qa.token).await.0, 200, "{trouble:?}");
            issuer.be(Trouble::None);
            app.advance(TimeDelta::seconds(5));
            assert_eq!(answer(&service, &token).await.0, 200, "{trouble:?}");
            // Known keys count while it is away.
            issuer.be(trouble);
            app.advance(TimeDelta::seconds(31));
            assert_eq!(answer(&service, &token).await.0, 200, "{trouble:?}");
            issuer.be(Trouble::None);
        }
    }

    async fn whoever_cannot_be_told_for_sure_is_refused(app) {
        let issuer = Issuer::start().await;
        let service = believing(app, &settings(&issuer));
        let sign = |claims: Value| issuer.sign(IssuerKey::One, Some("one"), &claims);
        let of = |email: &str| claims(&issuer, email);
        let cast = &app.cast;
        for verified in [json!(false), json!("true"), json!(1), Value::Null] {
            let token = sign(with(of(&cast.qa.email), "email_verified", verified.clone()));
            assert!(refusal(&service, &token).await.contains("no verified mail address"), "{verified}");
            assert_eq!(answer(&service, &token).await, (403, json!("FORBIDDEN")));
        }
        assert!(refusal(&service, &sign(of("nobody@example.com"))).await.contains("nobody here has"));
        let twice = json!({ "companyId": cast.acme.id.to_string(), "name": "Twice", "email": cast.other_client.email });
        let twice = app.make(&cast.administrator, "createContact", "contact", twice, "id").await;
        assert!(refusal(&service, &sign(of(&cast.other_client.email))).await.contains("several people"));
        let left = json!({ "contactId": twice["id"], "isActive": false });
        app.make(&cast.administrator, "updateContact", "contact", left, "id").await;
        assert!(session(&service, &sign(of(&cast.other_client.email))).await.is_some(), "who left is not meant");
        assert!(session(&service, &sign(of(&cast.qa.email))).await.is_some());
        let usurper = with(of(&cast.qa.email), "sub", json!("somebody else"));
        assert!(refusal(&service, &sign(usurper)).await.contains("linked to another account"));
        let input = json!({ "personId": cast.qa.id, "isActive": false });
        app.make(&cast.administrator, "updatePerson", "person", input, "id").await;
        assert_eq!(answer(&service, &sign(of(&cast.qa.email))).await, (401, json!("UNAUTHENTICATED")));
    }

    async fn an_address_that_is_folded_to_anothers_is_nobodys(app) {
        let issuer = Issuer::start().await;
        let service = believing(app, &settings(&issuer));
        let sign = |email: &str| issuer.sign(IssuerKey::One, Some("one"), &claims(&issuer, email));
        let input = json!({ "name": "Mark", "email": "mark@example.com", "isAdministrator": true });
        let mark = app.make(&app.cast.administrator, "createPerson", "person", input, "id").await["id"].clone();
        for other in [
            "mar\u{212a}@example.com", "MAR\u{212a}@EXAMPLE.COM", "\u{ff4d}ark@example.com", "mark@\u{ff45}xample.com",
            "m\u{e1}rk@example.com", "mark@example.com.", "mar\u{200b}k@example.com", "mark@example.com\u{a0}",
        ] {
            assert!(refusal(&service, &sign(other)).await.contains("nobody here has"), "{other:?}");
            assert_eq!(answer(&service, &sign(other)).await, (403, json!("FORBIDDEN")), "{other:?}");
        }
        let linked = staff(session(&service, &sign("MARK@Example.com")).await);
        assert_eq!((json!(linked.id.to_string()), linked.administrator), (mark, true));
    }

    async fn a_contact_and_a_member_of_staff_with_one_address_sign_in_as_neither(app) {
        let issuer = Issuer::start().await;
        let service = believing(app, &settings(&issuer));
        let token = issuer.sign(IssuerKey::One, Some("one"), &claims(&issuer, &app.cast.tech.email));
        let both = shared_address(app, &app.cast.tech).await;
        let said = refusal(&service, &token).await;
        assert!(said.contains("both a member of staff and a contact") && said.contains("administrator"), "{said}");
        let [AddressProblem::Shared(found)] = &service.address_problems().await.unwrap()[..] else { panic!("not found") };
        assert_eq!((found.0.id.to_string(), found.1.id), (app.cast.tech.id.clone(), both.id));
        // An administrator mends it, and then it is the member of staff.
        let input = json!({ "contactId": both.id.to_string(), "email": "another@example.com" });
        app.make(&app.cast.administrator, "updateContact", "contact", input, "id").await;
        assert_eq!(staff(session(&service, &token).await).id.to_string(), app.cast.tech.id);
        assert_eq!(service.address_problems().await.unwrap(), []);
    }

    async fn a_contact_who_left_does_not_sign_in(app) {
        let issuer = Issuer::start().await;
        let service = believing(app, &settings(&issuer));
        let client = &app.cast.client;
        let token = issuer.sign(IssuerKey::One, Some("one"), &claims(&issuer, &client.email));
        let active = async |active: bool| {
            let input = json!({ "contactId": client.id, "isActive": active });
            app.make(&app.cast.operations, "updateContact", "contact", input, "isActive").await
        };
        assert_eq!(active(false).await, json!({ "isActive": false }));
        assert!(refusal(&service, &token).await.contains("has left"), "nobody is linked");
        assert_eq!(answer(&service, &client.token).await, (401, json!("UNAUTHENTICATED")));
        active(true).await;
        let begun = session(&service, &token).await.unwrap();
        let by_own_token = session(&service, &client.token).await.unwrap();
        active(false).await;
        assert_eq!(answer(&service, &token).await, (401, json!("UNAUTHENTICATED")), "linked by now");
        for session in [&begun, &by_own_token] {
            assert_eq!(service.renew(session).await.unwrap(), None);
        }
        assert!(app.service.create_token(TokenOwner::Contact(client.id.parse().unwrap()), "late", None).await.is_err());
        active(true).await;
        assert!(service.renew(&begun).await.unwrap().is_some());
    }

    async fn whoever_is_unlinked_is_signed_out_and_another_account_takes_their_place(app) {
        let issuer = Issuer::start().await;
        let service = believing(app, &settings(&issuer));
        let cast = &app.cast;
        for (member, unlink, reference, object) in [
            (&cast.qa, "unlinkPerson", "personId", "person"), (&cast.client, "unlinkContact", "contactId", "contact"),
        ] {
            let of = |subject: &str| with(claims(&issuer, &member.email), "sub", json!(format!("{subject} {object}")));
            let sign = |claims: &Value| issuer.sign(IssuerKey::One, Some("one"), claims);
            // Somebody who had the address before.
            let former = sign(&of("former"));
            let begun = session(&service, &former).await.unwrap();
            let present = sign(&of("present"));
            assert!(refusal(&service, &present).await.contains("linked to another account"));
            let input = json!({ reference: member.id, "expectedVersion": 2 });
            let unlinked = app.make(&cast.administrator, unlink, object, input, "id version").await;
            assert_eq!(unlinked, json!({ "id": member.id, "version": 3 }));
            assert_eq!(service.renew(&begun).await.unwrap(), None, "a session does not link anew");
            assert!(session(&service, &present).await.is_some());
            assert!(refusal(&service, &former).await.contains("linked to another account"));
            let log = app.ask(&cast.administrator, "{ auditLog(first: 2) { nodes { action target before after } } }", json!({})).await;
            let [link, cut] = &log["auditLog"]["nodes"].as_array().unwrap()[..] else { panic!("{log}") };
            let subject = json!(format!("{} former {object}", issuer.url));
            let kind = object.to_uppercase();
            assert_eq!((&link["action"], &cut["action"]), (&json!(format!("{kind}_LINK")), &json!(format!("{kind}_UNLINK"))));
            assert_eq!((&cut["target"], &cut["before"]["oidcSubject"]), (&json!(member.id), &subject));
            assert_eq!(cut["after"], json!({ "oidcSubject": null }));
        }
        // Once more is nothing to note.
        let input = json!({ "personId": cast.tech.id });
        assert_eq!(app.make(&cast.administrator, "unlinkPerson", "person", input, "version").await, json!({ "version": 1 }));
        let input = json!({ "personId": cast.qa.id, "expectedVersion": 1 });
        let stale = app.refusal_of(&cast.administrator, "unlinkPerson", "person", input).await;
        assert_eq!(stale, pairs(&[("STALE_VERSION", "expectedVersion")]));
    }

    async fn groups_stand_in_place_of_stored_roles_where_they_mean_something(app) {
        let issuer = Issuer::start().await;
        let token = |groups: Value| {
            issuer.sign(IssuerKey::One, Some("one"), &with(claims(&issuer, &app.cast.qa.email), "groups", groups))
        };
        let stored = staff(session(&believing(app, &settings(&issuer)), &token(json!(["admins"]))).await);
        assert_eq!((stored.teams.len(), stored.administrator), (1, false));
        let groups = Some("devs=TECH, leads=TECH:manager, admins=administrator".to_owned());
        let service = believing(app, &Settings { groups, ..settings(&issuer) });
        let mapped = staff(session(&service, &token(json!(["devs", "admins", "others"]))).await);
        assert_eq!((mapped.teams, mapped.manages.len(), mapped.administrator), (vec![entity::vocab::Team::Tech], 0, true));
        for none in [json!([]), json!(["others"]), json!({ "devs": true }), Value::Null] {
            let nobody = staff(session(&service, &token(none)).await);
            assert_eq!((nobody.teams.len(), nobody.manages.len(), nobody.administrator), (0, 0, false));
        }
        let by_own_token = staff(session(&service, &app.cast.qa.token).await);
        assert_eq!(by_own_token.teams, [entity::vocab::Team::Qa]);
    }

    async fn a_session_ends_with_its_jwt_or_its_person(app) {
        let issuer = Issuer::start().await;
        let service = believing(app, &settings(&issuer));
        let token = issuer.sign(IssuerKey::One, Some("one"), &claims(&issuer, &app.cast.qa.email));
        let begun = session(&service, &token).await.unwrap();
        assert_eq!(begun.expires_at, Some(*START + TimeDelta::seconds(3600 + 60)));
        app.advance(TimeDelta::minutes(60));
        assert!(service.renew(&begun).await.unwrap().is_some());
        let input = json!({ "personId": app.cast.qa.id, "isActive": false });
        app.make(&app.cast.administrator, "updatePerson", "person", input, "id").await;
        assert!(service.renew(&begun).await.unwrap().is_none());
        let input = json!({ "personId": app.cast.qa.id, "isActive": true });
        app.make(&app.cast.administrator, "updatePerson", "person", input, "id").await;
        assert!(service.renew(&begun).await.unwrap().is_some());
        app.advance(TimeDelta::minutes(1));
        assert!(service.renew(&begun).await.unwrap().is_none());
    }
}

#[test]
fn settings_that_protect_nothing_are_refused() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let good = Settings {
        issuer: "https://id.example.org".to_owned(),
        audience: AUDIENCE.to_owned(),
        groups_claim: GROUPS_CLAIM.to_owned(),
        groups: None,
        leeway_s: LEEWAY_S,
        algorithms: ALGORITHMS.to_owned(),
        fetch_within: Duration::from_secs(10),
    };
    assert!(Provider::new(&good).is_ok());
    for (bad, option) in [
        (Settings { issuer: "http://id.example.org".to_owned(), ..good.clone() }, "--oidc-issuer"),
        (Settings { issuer: "nonsense".to_owned(), ..good.clone() }, "--oidc-issuer"),
        (Settings { audience: " ".to_owned(), ..good.clone() }, "--oidc-audience"),
        (Settings { algorithms: "RS256,none".to_owned(), ..good.clone() }, "--oidc-algorithms"),
        (Settings { algorithms: "HS256".to_owned(), ..good.clone() }, "--oidc-algorithms"),
        (Settings { algorithms: String::new(), ..good.clone() }, "--oidc-algorithms"),
        (Settings { groups: Some("x=nobody".to_owned()), ..good.clone() }, "--oidc-groups"),
    ] {
        let problems = Provider::new(&bad).unwrap_err();
        assert!(problems.len() == 1 && problems[0].starts_with(option), "{problems:?}");
    }
}
