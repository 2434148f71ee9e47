//! Everybody who asks: one or more for each column of the table.

use chrono::TimeDelta;
use entity::vocab::{Scope, Team};
use secondline::service::tokens::TokenOwner;

use super::{
    table::short,
    world::{Side, World},
};
use crate::support::{Member, START, TestApp, staff};

/// Somebody who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The column whose cells they must be answered.
    pub column: String,
    /// Who it is, for failures.
    pub label: String,
    /// Without a token it is nobody.
    pub token: Option<String>,
    /// Whoever has the same rights without a restriction, and so can arrange what is their own.
    pub itself: Option<Member>,
    /// The company whose contact it is.
    pub side: Option<Side>,
    /// Their own id, where they are a person or a contact.
    pub id: Option<String>,
}

/// All of them. The clock goes on by an hour, so that a token can have expired.
pub async fn all(app: &TestApp, world: &World) -> Vec<Caller> {
    let cast = &app.cast;
    let member = |column: &str, member: &Member, side| Caller {
        column: column.to_owned(),
        label: member.name.clone(),
        token: Some(member.token.clone()),
        itself: Some(member.clone()),
        side,
        id: Some(member.id.clone()),
    };
    let mut callers = vec![
        member("A", &cast.client, Some(Side::A)),
        member("B", &cast.other_client, Some(Side::B)),
        member("ops", &cast.operations, None),
        member("qa", &cast.qa, None),
        member("pm", &cast.project_manager, None),
        member("tech", &cast.tech, None),
        member("adm", &cast.administrator, None),
        member("mgr", &cast.operations_manager, None),
        member("mgr", &cast.tech_manager, None),
    ];
    for team in [Team::Qa, Team::ProjectManager] {
        let manager = staff(&app.service, &format!("Max {}", team.word()), &[], &[team], false).await;
        callers.push(member("mgr", &manager, None));
    }
    for scope in Scope::all() {
        let integration = integration(app, scope).await;
        callers.push(Caller { id: None, ..member(&short(scope), &integration, None) });
    }
    let administrator = TokenOwner::Person(cast.administrator.id.parse().unwrap());
    let narrow = [Scope::TicketsRead];
    let narrow = app.service.create_scoped_token(administrator, "narrow", Some(&narrow), None).await.unwrap();
    callers.push(Caller { token: Some(narrow.secret), ..member("narrow", &cast.administrator, None) });
    callers.extend(dead(app, administrator, world).await);
    let (column, label) = ("anon".to_owned(), "nobody".to_owned());
    callers.push(Caller { column, label, token: None, itself: None, side: None, id: None });
    callers
}

/// An integration with one scope.
pub async fn integration(app: &TestApp, scope: Scope) -> Member {
    let name = format!("Integration {}", scope.word());
    let made = app.service.create_scoped_token(TokenOwner::Integration, &name, Some(&[scope]), None).await.unwrap();
    Member { id: made.row.id.to_string(), name, email: String::new(), token: made.secret }
}

/// Tokens that were good once: revoked and expired, of those who may most and of a contact.
async fn dead(app: &TestApp, administrator: TokenOwner, world: &World) -> Vec<Caller> {
    let contact = TokenOwner::Contact(world.contact_of(app, Side::A).id.parse().unwrap());
    let mut callers = Vec::new();
    let soon = app.clock.now().max(*START) + TimeDelta::minutes(30);
    for (owner, whose) in [(administrator, "an administrator"), (contact, "a contact of A")] {
        let expiring = app.service.create_token(owner, "expiring", Some(soon)).await.unwrap();
        let revoked = app.service.create_token(owner, "revoked", None).await.unwrap();
        assert!(app.service.revoke_token(revoked.row.id).await.unwrap());
        for (token, how) in [(expiring.secret, "expired"), (revoked.secret, "revoked")] {
            let label = format!("an {how} token of {whose}");
            let column = "dead".to_owned();
            callers.push(Caller { column, label, token: Some(token), itself: None, side: None, id: None });
        }
    }
    app.advance(TimeDelta::hours(1));
    callers
}
