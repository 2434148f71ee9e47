//! Facts as callers state them. A member that is left out stays; null says that the fact is not known any more.

use async_graphql::{ID, InputObject, MaybeUndefined};
use chrono::{DateTime, Utc};
use entity::vocab::{Category, Platform, Priority, Severity};

use crate::{
    domain::facts::{FactsPatch, Patch},
    graphql::{
        id,
        scalar::{Date, in_range},
    },
    service::tickets::FactsInput,
};

/// Facts of a ticket. Leave out what stays; null clears.
#[derive(Debug, Default, InputObject)]
pub struct TicketFactsInput {
    /// One line that says what is wrong.
    subject: MaybeUndefined<String>,
    /// What is wrong, in full.
    description: MaybeUndefined<String>,
    /// The kind of issue.
    category: MaybeUndefined<Category>,
    /// The kind of issue within its category; see `ticketSubtypes`.
    subtype_id: MaybeUndefined<ID>,
    /// How badly it hurts.
    severity: MaybeUndefined<Severity>,
    /// What must hold for the fix to be accepted.
    acceptance_criteria: MaybeUndefined<String>,
    /// Where the issue shows, as an http(s) address.
    target_url: MaybeUndefined<String>,
    /// What to do to make it happen.
    steps_to_reproduce: MaybeUndefined<String>,
    /// Whether Operations could make it happen.
    ops_can_reproduce: MaybeUndefined<bool>,
    /// Whether other clients have it too.
    affects_other_clients: MaybeUndefined<bool>,
    /// By when the client wants it.
    client_target_date: MaybeUndefined<Date>,
    /// Where the client met it.
    platform: MaybeUndefined<Platform>,
    /// Browser and version.
    browser: MaybeUndefined<String>,
    /// Operating system and version.
    operating_system: MaybeUndefined<String>,
    /// Version of the app or program.
    app_version: MaybeUndefined<String>,
    /// How the client can work meanwhile.
    workaround: MaybeUndefined<String>,
    /// The day on which the fix is promised. From Fixing on it is changed with `setEstimatedDeliveryDate`.
    estimated_delivery_date: MaybeUndefined<Date>,
    /// How soon it is worked on.
    priority: MaybeUndefined<Priority>,
    /// The pull request with the fix, as an http(s) address.
    pull_request: MaybeUndefined<String>,
    /// When the pull request was merged.
    #[graphql(validator(custom = "in_range"))]
    pull_request_merged_at: MaybeUndefined<DateTime<Utc>>,
    /// What was done, in words for the client.
    resolution_notes: MaybeUndefined<String>,
}

impl TicketFactsInput {
    /// The facts for the service. An id that names no subtype is left to it to refuse.
    pub fn read(self) -> FactsInput {
        let subtype_id = match self.subtype_id {
            MaybeUndefined::Value(subtype) => Patch::Set(id::parse_reference(&subtype)),
            MaybeUndefined::Null => Patch::Clear,
            MaybeUndefined::Undefined => Patch::Keep,
        };
        let facts = FactsPatch {
            subject: patch(self.subject),
            description: patch(self.description),
            category: patch(self.category),
            subtype: Patch::Keep,
            severity: patch(self.severity),
            acceptance_criteria: patch(self.acceptance_criteria),
            target_url: patch(self.target_url),
            steps_to_reproduce: patch(self.steps_to_reproduce),
            ops_can_reproduce: patch(self.ops_can_reproduce),
            affects_other_clients: patch(self.affects_other_clients),
            client_target_date: patch(self.client_target_date.map_value(|date| date.0)),
            platform: patch(self.platform),
            browser: patch(self.browser),
            operating_system: patch(self.operating_system),
            app_version: patch(self.app_version),
            workaround: patch(self.workaround),
            estimated_delivery_date: patch(self.estimated_delivery_date.map_value(|date| date.0)),
            priority: patch(self.priority),
            pull_request: patch(self.pull_request),
            pull_request_merged_at: patch(self.pull_request_merged_at),
            resolution_notes: patch(self.resolution_notes),
        };
        FactsInput { facts, subtype_id }
    }
}

fn patch<T>(value: MaybeUndefined<T>) -> Patch<T> {
    match value {
        MaybeUndefined::Value(value) => Patch::Set(value),
        MaybeUndefined::Null => Patch::Clear,
        MaybeUndefined::Undefined => Patch::Keep,
    }
}
