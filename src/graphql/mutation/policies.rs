//! Mutations of SLA policies and calendars. For administrators.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::{
    id::CalendarId,
    vocab::{PauseReason, Reentry, Stage},
};

use crate::{
    domain::refusal::Refusal,
    graphql::{
        context::{actor, service},
        error::{ApiError, UserError, payload},
        id::parse_reference,
        mutation::payloads,
        scalar::in_range,
        types::policy::{
            Calendar, CalendarDefinitionInput, CalendarHoliday, SkippedHoliday, SlaAlertRule, SlaBudget, SlaPolicy,
        },
    },
    service::{
        holidays::{HolidayImport, ImportedHolidays},
        policies::{CalendarChange, PolicyChange},
    },
};

/// Mutations of policies.
#[derive(Debug, Default)]
pub struct PolicyMutations;

/// An SLA policy to be changed; what is left out stays.
#[derive(Debug, InputObject)]
pub struct UpdateSlaPolicyInput {
    /// The stage whose policy it is.
    stage: Stage,
    /// What the stage may take where no other budget is more specific, in ISO 8601 days and time of the calendar: `P1D`, `PT4H`,
    /// `PT2S`. Null for none.
    budget: MaybeUndefined<String>,
    /// All budgets: one without priority and tier for all tickets, and more specific ones.
    budgets: Option<Vec<SlaBudget>>,
    /// The calendar that it is counted in.
    calendar_id: Option<ID>,
    /// When people are told, in the order of the levels; BREACH must be among them.
    alerts: Option<Vec<SlaAlertRule>>,
    /// Why staff may pause the clock.
    pause_reasons: Option<Vec<PauseReason>>,
    /// What a return to the stage does.
    reentry: Option<Reentry>,
    /// From when on running clocks follow; now where left out.
    #[graphql(validator(custom = "in_range"))]
    effective_at: Option<DateTime<Utc>>,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

/// A calendar to be made.
#[derive(Debug, InputObject)]
struct CreateCalendarInput {
    /// Its name; unique.
    name: String,
    /// When people work.
    definition: CalendarDefinitionInput,
}

/// A calendar to be changed; what is left out stays.
#[derive(Debug, InputObject)]
pub struct UpdateCalendarInput {
    /// The calendar.
    calendar_id: ID,
    /// Its name.
    name: Option<String>,
    /// When people work; the whole definition.
    definition: Option<CalendarDefinitionInput>,
    /// From when on it holds, which may be over: running clocks are counted anew from then on. Now where left out.
    #[graphql(validator(custom = "in_range"))]
    effective_at: Option<DateTime<Utc>>,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

/// Holidays to be added to a calendar from an iCalendar file (`.ics`).
#[derive(Debug, InputObject)]
struct ImportHolidaysInput {
    /// The calendar.
    calendar_id: ID,
    /// The file's text, at most 256 KiB. Events of whole days close these days, events with times these hours; those that recur do
    /// so within the years. Whoever wants only the days on which nobody works chooses such a file.
    ics: String,
    /// The first year whose holidays are added; this one where left out.
    from_year: Option<i32>,
    /// The last year, at most nine after the first; two after it where left out.
    to_year: Option<i32>,
    /// From when on they hold, which may be over: running clocks are counted anew from then on. Now where left out.
    #[graphql(validator(custom = "in_range"))]
    effective_at: Option<DateTime<Utc>>,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
    /// Only to tell what would be added.
    #[graphql(default)]
    dry_run: bool,
}

/// What `importHolidays` answers.
#[derive(SimpleObject)]
struct ImportHolidaysPayload {
    /// The calendar, as it was if nothing was added; null when refused.
    calendar: Option<Calendar>,
    /// The holidays that were added, or would be.
    added: Vec<CalendarHoliday>,
    /// Holidays of the file on whose days the calendar has some already, which stay as they are.
    known: Vec<CalendarHoliday>,
    /// Events of the file that became no holidays.
    skipped: Vec<SkippedHoliday>,
    /// What to mend; empty when it was done.
    user_errors: Vec<UserError>,
}

impl From<(Option<ImportedHolidays>, Vec<UserError>)> for ImportHolidaysPayload {
    fn from((imported, user_errors): (Option<ImportedHolidays>, Vec<UserError>)) -> Self {
        let Some(ImportedHolidays { calendar, added, known, skipped }) = imported else {
            return Self { calendar: None, added: vec![], known: vec![], skipped: vec![], user_errors };
        };
        Self {
            calendar: Some(Calendar(calendar)),
            added: added.into_iter().map(Into::into).collect(),
            known: known.into_iter().map(Into::into).collect(),
            skipped: skipped.into_iter().map(SkippedHoliday::from).collect(),
            user_errors,
        }
    }
}

impl UpdateSlaPolicyInput {
    /// The change, or what cannot be read.
    pub fn read(self) -> Result<PolicyChange, Refusal> {
        let budgets = self.budgets.map(|budgets| budgets.into_iter().map(SlaBudget::read).collect());
        let alerts = self.alerts.map(|alerts| alerts.into_iter().map(SlaAlertRule::read).collect());
        Ok(PolicyChange {
            stage: self.stage,
            budget: match self.budget {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(text) => Some(Some(text)),
            },
            budgets: budgets.transpose()?,
            calendar_id: self.calendar_id.map(|id| parse_reference(&id)),
            alerts: alerts.transpose()?,
            pause_reasons: self.pause_reasons,
            reentry: self.reentry,
            effective_at: self.effective_at,
            expected_version: self.expected_version,
        })
    }
}

impl UpdateCalendarInput {
    /// The calendar.
    pub fn calendar(&self) -> CalendarId {
        parse_reference(&self.calendar_id)
    }

    /// The change, or what cannot be read.
    pub fn read(self) -> Result<CalendarChange, Refusal> {
        Ok(CalendarChange {
            name: self.name,
            definition: self.definition.map(CalendarDefinitionInput::read).transpose()?,
            effective_at: self.effective_at,
            expected_version: self.expected_version,
        })
    }
}

payloads! {
    /// What `updateSlaPolicy` answers.
    UpdateSlaPolicyPayload {
        /// The policy; null when refused.
        sla_policy: SlaPolicy
    }
    /// What `createCalendar` answers.
    CreateCalendarPayload {
        /// The calendar; null when refused.
        calendar: Calendar
    }
    /// What `updateCalendar` answers.
    UpdateCalendarPayload {
        /// The calendar; null when refused.
        calendar: Calendar
    }
}

/// Mutations of policies.
#[Object]
impl PolicyMutations {
    /// Changes the SLA of a stage. Its running clocks follow from now on; finished ones never change.
    async fn update_sla_policy(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "An SLA policy to be changed; what is left out stays.")] input: UpdateSlaPolicyInput,
    ) -> Result<UpdateSlaPolicyPayload, ApiError> {
        let service = service(context)?;
        let actor = actor(context)?;
        let changed = match input.read() {
            Ok(change) => service.update_sla_policy(actor, change).await,
            Err(refusal) => Err(refusal.into()),
        };
        payload(changed.map(|(policy, calendar)| SlaPolicy { policy, calendar }))
    }

    /// Makes a calendar.
    async fn create_calendar(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A calendar to be made.")] input: CreateCalendarInput,
    ) -> Result<CreateCalendarPayload, ApiError> {
        let actor = actor(context)?;
        let made = match input.definition.read() {
            Ok(definition) => service(context)?.create_calendar(actor, &input.name, definition).await,
            Err(refusal) => Err(refusal.into()),
        };
        payload(made.map(Calendar))
    }

    /// Changes a calendar. The running clocks that are counted in it follow from now on.
    async fn update_calendar(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A calendar to be changed; what is left out stays.")] input: UpdateCalendarInput,
    ) -> Result<UpdateCalendarPayload, ApiError> {
        let id = input.calendar();
        let actor = actor(context)?;
        let changed = match input.read() {
            Ok(change) => service(context)?.update_calendar(actor, id, change).await,
            Err(refusal) => Err(refusal.into()),
        };
        payload(changed.map(Calendar))
    }

    /// Adds the public holidays of an iCalendar file to a calendar, as `updateCalendar` would. What the calendar has already stays;
    /// where there is nothing to add, no version is made.
    async fn import_holidays(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Holidays to be added to a calendar from an iCalendar file (`.ics`).")]
        input: ImportHolidaysInput,
    ) -> Result<ImportHolidaysPayload, ApiError> {
        let import = HolidayImport {
            ics: input.ics,
            from_year: input.from_year,
            to_year: input.to_year,
            effective_at: input.effective_at,
            expected_version: input.expected_version,
            dry_run: input.dry_run,
        };
        let id = parse_reference(&input.calendar_id);
        payload(service(context)?.import_holidays(actor(context)?, id, import).await)
    }
}
