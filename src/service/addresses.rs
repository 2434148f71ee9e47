//! Stored mail addresses that need a person's look: an earlier version took them, and they go on to work as they did.

use entity::{contact, person};

use crate::{
    domain::address::Address,
    service::{Result, Service},
    store,
};

/// What is wrong with a stored mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressProblem {
    /// A member of staff and a contact have it, so that nobody can sign in with it for the first time.
    Shared(Box<(person::Model, contact::Model)>),
    /// Other programs read another address, or it would be stored otherwise today; whoever has it signs in only with exactly it.
    OfPerson(Box<person::Model>),
    /// The same, of a contact.
    OfContact(Box<contact::Model>),
}

impl Service {
    /// Finds the stored mail addresses that would be refused today.
    pub async fn address_problems(&self) -> Result<Vec<AddressProblem>> {
        let shared = store::directory::shared_addresses(&self.db).await?.into_iter();
        let (people, contacts) = store::directory::unusual_addresses(&self.db).await?;
        let people = people.into_iter().filter(|row| !Address::is_stored_as(&row.email));
        let contacts = contacts.into_iter().filter(|row| !Address::is_stored_as(&row.email));
        Ok(shared
            .map(|(contact, person)| AddressProblem::Shared(Box::new((person, contact))))
            .chain(people.map(|row| AddressProblem::OfPerson(row.into())))
            .chain(contacts.map(|row| AddressProblem::OfContact(row.into())))
            .collect())
    }
}
