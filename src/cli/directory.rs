//! People and contacts who come, leave and sign in by an issuer, and the addresses that tell them apart.

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use entity::{company, contact, person, vocab::Team};
use secondline::{
    domain::actor::Actor,
    service::{
        Service,
        addresses::AddressProblem,
        contacts::ContactInput,
        directory::{Particulars, PersonInput},
    },
    store::{
        criteria::{Comparison, TextComparison},
        directory_lists::CompanyCriterion,
        page::Window,
    },
};

use crate::cli::{Common, access, print, same_database, team};

#[derive(Debug, Subcommand)]
pub enum PersonCommand {
    /// Add a member of staff
    #[command(after_help = "Examples:\n  secondline person add --name 'Ada Lovelace' --email ada@example.org \
        --administrator\n  secondline person add --name 'Grace Hopper' --email grace@example.org --team tech --manages tech")]
    Add(PersonArgs),
    /// Shut a member of staff out, who left: their tokens and sessions end within seconds
    #[command(after_help = "Example:\n  secondline person deactivate grace@example.org")]
    Deactivate(PersonRef),
    /// Let one who left come back
    Activate(PersonRef),
    /// Unlink them from their account at the OpenID Connect issuer; whoever signs in next with their address is linked
    #[command(after_help = "Example:\n  secondline person unlink grace@example.org")]
    Unlink(PersonRef),
}

#[derive(Debug, Subcommand)]
pub enum ContactCommand {
    /// Add a contact of a company
    #[command(
        after_help = "Example:\n  secondline contact add --company Acme --name 'Ana Ruiz' --email ana@acme.example"
    )]
    Add(ContactArgs),
    /// Shut a contact out, who left: their tokens and sessions end within seconds, and no clock waits for their answers
    #[command(after_help = "Example:\n  secondline contact deactivate ana@acme.example")]
    Deactivate(ContactRef),
    /// Let one who left come back
    Activate(ContactRef),
    /// Unlink them from their account at the OpenID Connect issuer; whoever signs in next with their address is linked
    #[command(after_help = "Example:\n  secondline contact unlink ana@acme.example --company Acme")]
    Unlink(ContactRef),
}

#[derive(Debug, Subcommand)]
pub enum DirectoryCommand {
    /// Look for stored mail addresses that would be refused today
    #[command(
        after_help = "Ends with 1 where there are some. An earlier version took them, and they go on to work as they did:\n\
        an address that a member of staff and a contact share lets neither sign in for the first time, and one that other\n\
        programs read otherwise is only found as it is written.\n\nExample:\n  secondline directory check"
    )]
    Check(Common),
}

#[derive(Debug, Args)]
pub struct PersonArgs {
    /// The full name
    #[arg(long)]
    pub name: String,
    /// The mail address
    #[arg(long)]
    pub email: String,
    /// A team they work in: operations, qa, project-manager or tech; may be repeated
    #[arg(long = "team", value_name = "TEAM", value_parser = team)]
    pub teams: Vec<Team>,
    /// A team they manage; may be repeated
    #[arg(long, value_name = "TEAM", value_parser = team)]
    pub manages: Vec<Team>,
    /// Let them administer people, policies and calendars
    #[arg(long)]
    pub administrator: bool,
    /// The IANA zone in which mails tell them times [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// The language of their mails [default: en]
    #[arg(long, value_name = "TAG")]
    pub locale: Option<String>,
    #[command(flatten)]
    pub common: Common,
}

/// Which member of staff.
#[derive(Debug, Args)]
pub struct PersonRef {
    /// Their mail address
    pub email: String,
    #[command(flatten)]
    pub common: Common,
}

/// Which contact.
#[derive(Debug, Args)]
pub struct ContactRef {
    /// Their mail address
    pub email: String,
    /// Where several companies have a contact with this address: which one, by its name or id
    #[arg(long, value_name = "COMPANY")]
    pub company: Option<String>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
pub struct ContactArgs {
    /// The company, by its name or id
    #[arg(long)]
    pub company: String,
    /// The full name
    #[arg(long)]
    pub name: String,
    /// The mail address
    #[arg(long)]
    pub email: String,
    /// The IANA zone in which mails tell them times [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// The language of their mails [default: en]
    #[arg(long, value_name = "TAG")]
    pub locale: Option<String>,
    #[command(flatten)]
    pub common: Common,
}

impl PersonCommand {
    /// What it shares with other commands.
    pub const fn common(&self) -> &Common {
        match self {
            Self::Add(PersonArgs { common, .. })
            | Self::Deactivate(PersonRef { common, .. })
            | Self::Activate(PersonRef { common, .. })
            | Self::Unlink(PersonRef { common, .. }) => common,
        }
    }

    /// Does it.
    pub(super) async fn run(self) -> Result<()> {
        match self {
            Self::Add(arguments) => access::add_person(arguments).await,
            Self::Deactivate(person) => set_person_active(&person, false).await,
            Self::Activate(person) => set_person_active(&person, true).await,
            Self::Unlink(person) => unlink_person(&person).await,
        }
    }
}

impl ContactCommand {
    /// What it shares with other commands.
    pub const fn common(&self) -> &Common {
        match self {
            Self::Add(ContactArgs { common, .. })
            | Self::Deactivate(ContactRef { common, .. })
            | Self::Activate(ContactRef { common, .. })
            | Self::Unlink(ContactRef { common, .. }) => common,
        }
    }

    /// Does it.
    pub(super) async fn run(self) -> Result<()> {
        match self {
            Self::Add(arguments) => add_contact(arguments).await,
            Self::Deactivate(contact) => set_contact_active(&contact, false).await,
            Self::Activate(contact) => set_contact_active(&contact, true).await,
            Self::Unlink(contact) => unlink_contact(&contact).await,
        }
    }
}

/// Lets a member of staff in, or shuts them out.
async fn set_person_active(arguments: &PersonRef, active: bool) -> Result<()> {
    let service = arguments.common.service().await?;
    let row = person(&service, &arguments.email).await?;
    let input = PersonInput { active: Some(active), ..PersonInput::default() };
    let changed = service.update_person(&Actor::System, row.id, input, Some(row.version)).await?;
    service.close().await;
    print::note(&told(&changed.person.name, active))
}

/// Unlinks a member of staff from their account at the issuer.
async fn unlink_person(arguments: &PersonRef) -> Result<()> {
    let service = arguments.common.service().await?;
    let row = person(&service, &arguments.email).await?;
    service.unlink_person(&Actor::System, row.id, Some(row.version)).await?;
    service.close().await;
    print::note(&told_unlinked(&row.name, row.oidc_subject.is_some()))
}

/// Adds a contact of a company.
async fn add_contact(arguments: ContactArgs) -> Result<()> {
    let service = arguments.common.service().await?;
    let company = company(&service, &arguments.company).await?;
    let particulars = Particulars {
        name: Some(arguments.name),
        email: Some(arguments.email),
        locale: arguments.locale,
        time_zone: arguments.time_zone,
    };
    let added = service.create_contact(&Actor::System, company.id, particulars).await?;
    service.close().await;
    print::text(&added.id.to_string())?;
    print::note(&format!(
        "{} of {} was added. A token for them: secondline token create{} --contact {} --company {} --name NAME",
        added.name,
        company.name,
        same_database(&arguments.common.database),
        print::quoted(&added.email),
        company.id,
    ))
}

/// Lets a contact in, or shuts them out.
async fn set_contact_active(arguments: &ContactRef, active: bool) -> Result<()> {
    let service = arguments.common.service().await?;
    let row = contact(&service, arguments).await?;
    let input = ContactInput { active: Some(active), ..ContactInput::default() };
    let changed = service.update_contact(&Actor::System, row.id, input, Some(row.version)).await?;
    service.close().await;
    print::note(&told(&changed.name, active))
}

/// Unlinks a contact from their account at the issuer.
async fn unlink_contact(arguments: &ContactRef) -> Result<()> {
    let service = arguments.common.service().await?;
    let row = contact(&service, arguments).await?;
    service.unlink_contact(&Actor::System, row.id, Some(row.version)).await?;
    service.close().await;
    print::note(&told_unlinked(&row.name, row.oidc_subject.is_some()))
}

/// Lists the stored mail addresses that would be refused today.
pub(super) async fn check(common: &Common) -> Result<()> {
    let service = common.service().await?;
    let problems = service.address_problems().await?;
    service.close().await;
    if problems.is_empty() {
        return print::note("All mail addresses are as they should be.");
    }
    let rows: Vec<_> = problems.iter().map(row).collect();
    print::table(["ADDRESS", "WHOSE", "WHAT TO DO"], &rows)?;
    bail!("{} stored mail addresses would be refused today", problems.len());
}

fn row(problem: &AddressProblem) -> [String; 3] {
    let anew = "write it anew, as others read it";
    match problem {
        AddressProblem::Shared(both) => {
            let (person, contact) = both.as_ref();
            let whose = format!("{} ({}), {} ({})", person.name, person.id, contact.name, contact.id);
            [person.email.clone(), whose, "change one of them: neither can sign in with it".to_owned()]
        }
        AddressProblem::OfPerson(row) => [row.email.clone(), format!("{} ({})", row.name, row.id), anew.to_owned()],
        AddressProblem::OfContact(row) => [row.email.clone(), format!("{} ({})", row.name, row.id), anew.to_owned()],
    }
}

async fn person(service: &Service, email: &str) -> Result<person::Model> {
    service.person_by_email(email).await?.with_context(|| format!("nobody on the staff has the address {email}"))
}

async fn contact(service: &Service, arguments: &ContactRef) -> Result<contact::Model> {
    let mut found = service.contacts_by_email(&arguments.email).await?;
    if let Some(name) = &arguments.company {
        let company = company(service, name).await?;
        found.retain(|contact| contact.company_id == company.id);
    }
    let email = &arguments.email;
    match (found.pop(), found.as_slice()) {
        (Some(contact), []) => Ok(contact),
        (None, _) => bail!("no contact has the address {email}; with --company, of that company"),
        _ => bail!("several companies have a contact with the address {email}; say which with --company"),
    }
}

/// The company with this id, or this name.
async fn company(service: &Service, name: &str) -> Result<company::Model> {
    let found = match name.parse() {
        Ok(id) => service.companies_by_id(&Actor::System, &[id]).await?.remove(&id),
        Err(_) => {
            let named = TextComparison::Exactly(Comparison::Eq(name.trim().to_owned()));
            let criteria = vec![CompanyCriterion::Name(named)];
            service.companies(&Actor::System, criteria, Window::first(1)).await?.rows.pop()
        }
    };
    found.with_context(|| format!("there is no company {name}"))
}

fn told(name: &str, active: bool) -> String {
    if active {
        format!("{name} is active: they can sign in, and get mail.")
    } else {
        format!("{name} is not active any more: their tokens and sessions end within seconds, and they get no mail.")
    }
}

fn told_unlinked(name: &str, was_linked: bool) -> String {
    if was_linked {
        format!("{name} is unlinked; whoever signs in next with their verified mail address is linked.")
    } else {
        format!("{name} was linked to no account.")
    }
}
