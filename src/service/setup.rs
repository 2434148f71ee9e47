//! What an empty database starts with: the default calendars, the process's SLA policies, sensible subtypes.

use chrono::DateTime;
use chrono_tz::Tz;
use entity::{
    calendar,
    id::{CalendarId, SlaPolicyId, TicketSubtypeId},
    sla_policy, ticket_subtype,
    vocab::Category,
};

use crate::{
    domain::{
        actor::Actor,
        calendar::WorkingCalendar,
        policy::PolicyTerms,
        process::{self, STAGES},
    },
    service::{Result, Service, ServiceError},
    store::{self, StoreError},
};

/// The calendar of the default policies: Monday to Friday, 09:00–17:00, in the deployment's time zone.
pub const DEFAULT_CALENDAR: &str = "default";
/// The calendar of deployments that want 24-hour days.
pub const ROUND_THE_CLOCK_CALENDAR: &str = "24x7";

/// The subtypes that a deployment starts with; an administrator edits them.
const SUBTYPES: [(Category, &[&str]); 4] = [
    (
        Category::BugsDefects,
        &[
            "Crash or error message",
            "Wrong result",
            "Performance",
            "User interface",
            "Integration or API",
            "Regression",
        ],
    ),
    (
        Category::DataIssues,
        &[
            "Missing data",
            "Incorrect data",
            "Duplicate data",
            "Import or export",
            "Synchronisation",
            "Report or dashboard",
        ],
    ),
    (
        Category::InfrastructureNetworking,
        &[
            "Outage",
            "Slow or unstable connection",
            "DNS or certificate",
            "E-mail delivery",
            "Storage or backup",
            "Deployment",
        ],
    ),
    (
        Category::SecurityIssues,
        &[
            "Vulnerability report",
            "Access or permissions",
            "Suspicious activity",
            "Data exposure",
            "Phishing or malware",
        ],
    ),
];

impl Service {
    /// Stores the reference data of an empty database; does nothing on any other. Replicas may start at once.
    pub async fn ensure_reference_data(&self, zone: Tz) -> Result<()> {
        if store::policies::calendar_by_name(&self.db, DEFAULT_CALENDAR).await?.is_some() {
            return Ok(());
        }
        match self.store_reference_data(zone).await {
            // Another replica was faster.
            Err(ServiceError::Store(StoreError::Duplicate(_))) => Ok(()),
            stored => stored,
        }
    }

    /// Whether anybody can sign in.
    pub async fn has_people(&self) -> Result<bool> {
        Ok(store::directory::has_people(&self.db).await?)
    }

    async fn store_reference_data(&self, zone: Tz) -> Result<()> {
        let now = self.clock.now();
        let tx = self.begin().await?;
        let default_id = self.clock.new_id(CalendarId);
        let calendars = [
            (default_id, DEFAULT_CALENDAR, WorkingCalendar::monday_to_friday(zone)),
            (self.clock.new_id(CalendarId), ROUND_THE_CLOCK_CALENDAR, WorkingCalendar::round_the_clock()),
        ];
        for (id, name, calendar) in calendars {
            let definition =
                serde_json::to_value(calendar.definition()).map_err(|error| StoreError::corrupt("calendar", error))?;
            let row = calendar::Model { id, name: name.to_owned(), definition, version: 1, updated_at: now };
            store::policies::insert_calendar(&tx, row.clone()).await?;
            self.record_calendar(&tx, &Actor::System, &row, DateTime::UNIX_EPOCH).await?;
        }
        for spec in STAGES.iter().filter(|spec| process::is_open(spec.stage)) {
            let terms = PolicyTerms::of_process(spec.stage, default_id);
            let row = sla_policy::Model {
                id: self.clock.new_id(SlaPolicyId),
                stage: spec.stage,
                budget: terms.default_budget().map(|length| length.to_string()),
                calendar_id: default_id,
                version: 1,
                updated_at: now,
            };
            store::policies::insert(&tx, row.clone()).await?;
            self.record_policy(&tx, &Actor::System, &row, &terms, DateTime::UNIX_EPOCH).await?;
        }
        let subtypes = SUBTYPES.iter().flat_map(|(category, names)| names.iter().map(|name| (*category, *name)));
        let rows = subtypes.map(|(category, name)| ticket_subtype::Model {
            id: self.clock.new_id(TicketSubtypeId),
            category,
            name: name.to_owned(),
            archived_at: None,
            created_at: now,
        });
        store::directory::insert_subtypes(&tx, rows.collect()).await?;
        self.commit(tx).await
    }
}
