//! Clients' people.

use entity::{
    contact,
    id::{CompanyId, ContactId},
    vocab::AuditAction,
};

use crate::{
    domain::{
        actor::{Action, Actor},
        address::Address,
        refusal::{Code, Problem},
    },
    service::{
        Result, Service, ServiceError,
        audit::{Change, of_contact},
        check_version,
        directory::{CLIENT_EDITORS, Checked, Particulars, taken},
        require,
    },
    store::{self, Transaction},
};

/// What a unique address is called when it is taken.
const CONTACT: &str = "contact of this company";

/// What a caller states of a contact; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct ContactInput {
    pub particulars: Particulars,
    /// Whether they sign in and get mail.
    pub active: Option<bool>,
}

impl Service {
    /// Makes a contact of a company.
    pub async fn create_contact(
        &self,
        actor: &Actor,
        company_id: CompanyId,
        particulars: Particulars,
    ) -> Result<contact::Model> {
        require(actor, Action::EditClients, CLIENT_EDITORS)?;
        let Checked { name, email, locale, time_zone } = particulars.checked(None)?;
        let tx = self.begin().await?;
        if store::directory::company(&tx, company_id).await?.is_none() {
            return Err(Problem::at(Code::Unknown, "companyId", "there is no such company").into());
        }
        nobody_on_the_staff_has(&tx, &email).await?;
        let id = self.clock.new_id(ContactId);
        let created_at = self.clock.now();
        let row = contact::Model {
            id,
            company_id,
            name,
            email: email.into(),
            locale,
            time_zone,
            active: true,
            oidc_subject: None,
            version: 1,
            created_at,
        };
        store::directory::insert_contact(&tx, row.clone()).await.map_err(|error| taken(error, "email", CONTACT))?;
        let change = Change::made(AuditAction::ContactCreate, id, of_contact(&row));
        self.audit(&tx, actor, created_at, change).await?;
        self.commit(tx).await?;
        Ok(row)
    }

    /// Changes a contact. One who leaves is shut out at once, and no clock waits for their answers any more.
    pub async fn update_contact(
        &self,
        actor: &Actor,
        id: ContactId,
        input: ContactInput,
        expected_version: Option<i32>,
    ) -> Result<contact::Model> {
        require(actor, Action::EditClients, CLIENT_EDITORS)?;
        let tx = self.begin().await?;
        let row = store::directory::contact(&tx, id).await?.ok_or(ServiceError::NotFound("contact"))?;
        let before = of_contact(&row);
        check_version(row.version, expected_version)?;
        let stored = Checked {
            name: row.name.clone(),
            email: Address::of(&row.email),
            locale: row.locale.clone(),
            time_zone: row.time_zone.clone(),
        };
        let Checked { name, email, locale, time_zone } = input.particulars.checked(Some(stored))?;
        if email.as_str() != row.email {
            nobody_on_the_staff_has(&tx, &email).await?;
        }
        let was_active = row.active;
        let active = input.active.unwrap_or(was_active);
        let mut row = contact::Model { name, email: email.into(), locale, time_zone, active, ..row };
        store::directory::save_contact(&tx, &mut row).await.map_err(|error| taken(error, "email", CONTACT))?;
        let change = Change::changed(AuditAction::ContactUpdate, id, before, of_contact(&row));
        let now = self.clock.now();
        self.audit(&tx, actor, now, change).await?;
        if was_active && !row.active {
            self.stop_waiting_for(&tx, actor, id).await?;
        }
        self.commit(tx).await?;
        Ok(row)
    }
}

/// Contacts and staff share no mail address, for it says who signs in.
async fn nobody_on_the_staff_has(tx: &Transaction, address: &Address) -> Result<()> {
    store::directory::lock_address(tx, address).await?;
    if store::directory::person_by_email(tx, address).await?.is_none() {
        return Ok(());
    }
    let message = "a member of staff has this mail address, which says who signs in: give the contact another one, or let an \
                   administrator change theirs first";
    Err(Problem::at(Code::AlreadyExists, "email", message).into())
}
