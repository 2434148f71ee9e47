//! Who is asking, and how long that holds.

use chrono::TimeDelta;
use entity::id::{ContactId, PersonId};
use secondline::{domain::actor::Actor, service::tokens::TokenOwner};
use serde_json::json;

use crate::support::{START, each_database};

each_database! {
    async fn a_session_ends_with_its_token(app) {
        let id: PersonId = app.cast.qa.id.parse().unwrap();
        let expires_at = *START + TimeDelta::hours(1);
        let short = app.service.create_token(TokenOwner::Person(id), "short", Some(expires_at)).await.unwrap();
        let lasting = app.service.create_token(TokenOwner::Person(id), "lasting", None).await.unwrap();
        let session = app.service.authenticate(&short.secret).await.unwrap().unwrap();
        let other = app.service.authenticate(&lasting.secret).await.unwrap().unwrap();
        assert_eq!((session.expires_at, other.expires_at), (Some(expires_at), None));
        assert_eq!(app.service.renew(&session).await.unwrap(), Some(session.clone()));
        app.advance(TimeDelta::hours(1));
        assert_eq!(app.service.renew(&session).await.unwrap(), None);
        assert!(app.service.renew(&other).await.unwrap().is_some());
        assert!(app.service.revoke_token(lasting.row.id).await.unwrap());
        assert_eq!(app.service.renew(&other).await.unwrap(), None);
    }

    async fn a_session_follows_the_rights_of_its_person(app) {
        let session = app.service.authenticate(&app.cast.qa.token).await.unwrap().unwrap();
        let input = json!({ "personId": app.cast.qa.id, "teams": ["TECH"] });
        app.make(&app.cast.administrator, "updatePerson", "person", input, "id").await;
        let renewed = app.service.renew(&session).await.unwrap().unwrap();
        let teams = |actor: &Actor| match actor {
            Actor::Person(staff) => staff.teams.iter().map(|team| team.word()).collect::<Vec<_>>(),
            other => panic!("{other:?} is nobody on the staff"),
        };
        assert_eq!((teams(&session.actor), teams(&renewed.actor)), (vec!["QA".to_owned()], vec!["TECH".to_owned()]));
        let input = json!({ "personId": app.cast.qa.id, "isActive": false });
        app.make(&app.cast.administrator, "updatePerson", "person", input, "id").await;
        assert_eq!(app.service.renew(&renewed).await.unwrap(), None);
    }

    async fn a_contacts_session_ends_with_its_token(app) {
        let id: ContactId = app.cast.client.id.parse().unwrap();
        let token = app.service.create_token(TokenOwner::Contact(id), "form", None).await.unwrap();
        let session = app.service.authenticate(&token.secret).await.unwrap().unwrap();
        assert_eq!(session.actor, Actor::Contact { id, company_id: app.cast.acme.id });
        assert!(app.service.revoke_token(token.row.id).await.unwrap());
        assert_eq!(app.service.renew(&session).await.unwrap(), None);
    }
}
