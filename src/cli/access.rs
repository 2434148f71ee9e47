//! People and their tokens.

use anyhow::{Context, Result, bail};
use chrono::TimeDelta;
use entity::{access_token, contact, id::AccessTokenId};
use secondline::{
    domain::actor::Actor,
    service::{
        Service,
        directory::{Particulars, PersonInput},
        tokens::TokenOwner,
    },
    store,
};

use crate::cli::{Common, TokenArgs, directory::PersonArgs, print, same_database};

/// Adds a member of staff.
pub(super) async fn add_person(arguments: PersonArgs) -> Result<()> {
    let service = arguments.common.service().await?;
    let input = PersonInput {
        particulars: Particulars {
            name: Some(arguments.name),
            email: Some(arguments.email),
            locale: arguments.locale,
            time_zone: arguments.time_zone,
        },
        teams: Some(arguments.teams),
        manages: Some(arguments.manages),
        administrator: Some(arguments.administrator),
        active: None,
        calendar: None,
    };
    let added = service.create_person(&Actor::System, input).await?;
    service.close().await;
    print::text(&added.person.id.to_string())?;
    print::note(&format!(
        "{} was added. A token for them: secondline token create{} --person {} --name NAME",
        added.person.name,
        same_database(&arguments.common.database),
        print::quoted(&added.person.email),
    ))
}

/// Makes a token and prints its secret.
pub(super) async fn create_token(arguments: TokenArgs) -> Result<()> {
    let service = arguments.common.service().await?;
    let owner = match (&arguments.owner.person, &arguments.owner.contact) {
        (Some(email), _) => {
            let person = service.person_by_email(email).await?;
            TokenOwner::Person(person.with_context(|| format!("nobody on the staff has the address {email}"))?.id)
        }
        (None, Some(email)) => TokenOwner::Contact(contact(&service, email, &arguments).await?.id),
        (None, None) => TokenOwner::Integration,
    };
    let expires_at = arguments.expires_in_days.map(|days| service.clock().now() + TimeDelta::days(i64::from(days)));
    let name = arguments.name.or(arguments.owner.integration).unwrap_or_default();
    let scopes = (!arguments.scopes.is_empty()).then_some(arguments.scopes.as_slice());
    let token = service.create_scoped_token(owner, &name, scopes, expires_at).await?;
    service.close().await;
    print::text(&token.secret)?;
    print::note("This is the only time that the token is shown: only its hash is stored.")
}

/// The one contact that is meant.
async fn contact(service: &Service, email: &str, arguments: &TokenArgs) -> Result<contact::Model> {
    let mut found = service.contacts_by_email(email).await?;
    if let Some(company) = arguments.company {
        found.retain(|contact| contact.company_id == company);
    }
    match found.len() {
        0 => bail!("no contact has the address {email}{}", arguments.company.map_or("", |_| " in this company")),
        1 => found.pop().context("there is one"),
        _ => {
            let companies: Vec<_> = found.iter().map(|contact| format!("--company {}", contact.company_id)).collect();
            bail!("several companies have a contact with the address {email}; add {}", companies.join(" or "))
        }
    }
}

/// Lists all tokens.
pub(super) async fn list_tokens(common: &Common) -> Result<()> {
    let service = common.service().await?;
    let tokens = service.tokens().await?;
    let people: Vec<_> = tokens.iter().filter_map(|token| token.person_id).collect();
    let contacts: Vec<_> = tokens.iter().filter_map(|token| token.contact_id).collect();
    let people = service.people_by_id(&people).await?;
    let contacts = service.contacts_by_id(&Actor::System, &contacts).await?;
    let now = service.clock().now();
    service.close().await;
    let owner = |token: &access_token::Model| {
        let person = token.person_id.and_then(|id| people.get(&id)).map(|row| row.person.email.clone());
        let contact = token.contact_id.and_then(|id| contacts.get(&id)).map(|row| format!("{} (contact)", row.email));
        person.or(contact).unwrap_or_else(|| "(integration)".to_owned())
    };
    let state = |token: &access_token::Model| match (token.revoked_at, token.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(at)) if at <= now => "expired",
        _ => "valid",
    };
    let scopes = |token: &access_token::Model| match store::tokens::scopes(token) {
        Ok(None) => "all".to_owned(),
        Ok(Some(scopes)) => scopes.iter().map(|scope| scope.label()).collect::<Vec<_>>().join(" "),
        Err(_) => "unreadable".to_owned(),
    };
    let rows: Vec<_> = tokens
        .iter()
        .map(|token| {
            [
                token.id.to_string(),
                state(token).to_owned(),
                owner(token),
                token.name.clone(),
                scopes(token),
                print::instant(Some(token.created_at)),
                print::instant(token.last_used_at),
                print::instant(token.expires_at),
            ]
        })
        .collect();
    print::table(["ID", "STATE", "OWNER", "NAME", "SCOPES", "CREATED", "LAST USED", "EXPIRES"], &rows)
}

/// Revokes a token.
pub(super) async fn revoke_token(id: AccessTokenId, common: &Common) -> Result<()> {
    let service = common.service().await?;
    let was_in_force = service.revoke_token(id).await?;
    service.close().await;
    if !was_in_force {
        bail!("there is no such token, or it was revoked before; `secondline token list` shows them");
    }
    print::note("The token is revoked.")
}
