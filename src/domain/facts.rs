//! What is known of a ticket, and how callers state it.
//!
//! Pure: imports the vocabulary, `refusal` and `url`. A caller sends a [`FactsPatch`]; [`Facts::with`] lays it over what is known
//! and finds every problem at once. Example: a patch with a blank subject and an `ftp:` address is two problems.

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use entity::{
    id::TicketSubtypeId,
    vocab::{Category, Platform, Priority, Severity, TicketField},
};

use crate::domain::{
    event::FieldChange,
    refusal::{Code, Problem, input_path},
};

/// A subject must fit a mail's subject line and a board's card.
const SUBJECT_LIMIT: usize = 200;
/// One line: a browser, a version, a reference.
const LINE_LIMIT: usize = 200;
/// What browsers and servers still accept as an address.
const URL_LIMIT: usize = 2_000;
/// Some ten pages: more belongs into an attachment.
pub const TEXT_LIMIT: usize = 20_000;
/// Clocks of other systems may be ahead of ours by so much.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// What a caller says of one fact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Nothing: it stays.
    #[default]
    Keep,
    /// That it is not known any more.
    Clear,
    /// What it is.
    Set(T),
}

/// A subtype, as far as the rules need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subtype {
    /// Which one.
    pub id: TicketSubtypeId,
    /// The category it belongs to.
    pub category: Category,
    /// Its name.
    pub name: String,
    /// Whether it is no longer offered.
    pub archived: bool,
}

/// What is known of a ticket. `None` is *not asked yet*, which is not *no*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub subject: String,
    pub description: String,
    pub category: Category,
    pub subtype: Subtype,
    pub severity: Option<Severity>,
    pub acceptance_criteria: Option<String>,
    pub target_url: Option<String>,
    pub steps_to_reproduce: Option<String>,
    pub ops_can_reproduce: Option<bool>,
    pub affects_other_clients: Option<bool>,
    pub client_target_date: Option<NaiveDate>,
    pub platform: Option<Platform>,
    pub browser: Option<String>,
    pub operating_system: Option<String>,
    pub app_version: Option<String>,
    pub workaround: Option<String>,
    pub estimated_delivery_date: Option<NaiveDate>,
    pub priority: Option<Priority>,
    pub pull_request: Option<String>,
    pub pull_request_merged_at: Option<DateTime<Utc>>,
    pub resolution_notes: Option<String>,
}

/// What a caller states; what it does not mention stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactsPatch {
    pub subject: Patch<String>,
    pub description: Patch<String>,
    pub category: Patch<Category>,
    pub subtype: Patch<Subtype>,
    pub severity: Patch<Severity>,
    pub acceptance_criteria: Patch<String>,
    pub target_url: Patch<String>,
    pub steps_to_reproduce: Patch<String>,
    pub ops_can_reproduce: Patch<bool>,
    pub affects_other_clients: Patch<bool>,
    pub client_target_date: Patch<NaiveDate>,
    pub platform: Patch<Platform>,
    pub browser: Patch<String>,
    pub operating_system: Patch<String>,
    pub app_version: Patch<String>,
    pub workaround: Patch<String>,
    pub estimated_delivery_date: Patch<NaiveDate>,
    pub priority: Patch<Priority>,
    pub pull_request: Patch<String>,
    pub pull_request_merged_at: Patch<DateTime<Utc>>,
    pub resolution_notes: Patch<String>,
}

impl<T> Patch<T> {
    /// The stated value, if one is stated.
    pub const fn stated(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }

    /// Whether the caller says anything.
    pub const fn is_stated(&self) -> bool {
        !matches!(self, Self::Keep)
    }

    /// The value after the patch.
    pub fn over(&self, current: Option<&T>) -> Option<T>
    where
        T: Clone,
    {
        match self {
            Self::Keep => current.cloned(),
            Self::Clear => None,
            Self::Set(value) => Some(value.clone()),
        }
    }
}

/// What a client's contact may state when filing a ticket: what a client knows.
pub const CLIENT_FIELDS: [TicketField; 12] = [
    TicketField::Subject,
    TicketField::Description,
    TicketField::Category,
    TicketField::Subtype,
    TicketField::TargetUrl,
    TicketField::StepsToReproduce,
    TicketField::ClientTargetDate,
    TicketField::Platform,
    TicketField::Browser,
    TicketField::OperatingSystem,
    TicketField::AppVersion,
    TicketField::Workaround,
];

impl FactsPatch {
    /// The facts that the caller says anything of.
    pub fn stated_fields(&self) -> Vec<TicketField> {
        let stated = [
            (TicketField::Subject, self.subject.is_stated()),
            (TicketField::Description, self.description.is_stated()),
            (TicketField::Category, self.category.is_stated()),
            (TicketField::Subtype, self.subtype.is_stated()),
            (TicketField::Severity, self.severity.is_stated()),
            (TicketField::AcceptanceCriteria, self.acceptance_criteria.is_stated()),
            (TicketField::TargetUrl, self.target_url.is_stated()),
            (TicketField::StepsToReproduce, self.steps_to_reproduce.is_stated()),
            (TicketField::OpsCanReproduce, self.ops_can_reproduce.is_stated()),
            (TicketField::AffectsOtherClients, self.affects_other_clients.is_stated()),
            (TicketField::ClientTargetDate, self.client_target_date.is_stated()),
            (TicketField::Platform, self.platform.is_stated()),
            (TicketField::Browser, self.browser.is_stated()),
            (TicketField::OperatingSystem, self.operating_system.is_stated()),
            (TicketField::AppVersion, self.app_version.is_stated()),
            (TicketField::Workaround, self.workaround.is_stated()),
            (TicketField::EstimatedDeliveryDate, self.estimated_delivery_date.is_stated()),
            (TicketField::Priority, self.priority.is_stated()),
            (TicketField::PullRequest, self.pull_request.is_stated()),
            (TicketField::MergedPullRequest, self.pull_request_merged_at.is_stated()),
            (TicketField::ResolutionNotes, self.resolution_notes.is_stated()),
        ];
        stated.into_iter().filter(|(_, stated)| *stated).map(|(field, _)| field).collect()
    }
}

impl Facts {
    /// The facts of a new ticket. Subject, Description, Category and Subtype are required by either entry.
    pub fn filed(patch: &FactsPatch, now: DateTime<Utc>) -> Result<Self, Vec<Problem>> {
        let FactsPatch { subject, description, category, subtype, .. } = patch;
        let (Some(subject), Some(description), Some(category), Some(subtype)) =
            (subject.stated(), description.stated(), category.stated(), subtype.stated())
        else {
            let stage = entity::vocab::Stage::Validating;
            let required = [
                (TicketField::Subject, subject.stated().is_some()),
                (TicketField::Description, description.stated().is_some()),
                (TicketField::Category, category.stated().is_some()),
                (TicketField::Subtype, subtype.stated().is_some()),
            ];
            let missing = required.into_iter().filter(|(_, known)| !known);
            return Err(missing.map(|(field, _)| Problem::missing(field, stage)).collect());
        };
        let blank = Self {
            subject: subject.clone(),
            description: description.clone(),
            category: *category,
            subtype: subtype.clone(),
            severity: None,
            acceptance_criteria: None,
            target_url: None,
            steps_to_reproduce: None,
            ops_can_reproduce: None,
            affects_other_clients: None,
            client_target_date: None,
            platform: None,
            browser: None,
            operating_system: None,
            app_version: None,
            workaround: None,
            estimated_delivery_date: None,
            priority: None,
            pull_request: None,
            pull_request_merged_at: None,
            resolution_notes: None,
        };
        let (facts, problems) = blank.with(patch, now);
        if problems.is_empty() { Ok(facts) } else { Err(problems) }
    }

    /// The facts after the patch, and every problem with it. With a problem they are not to be kept; they say what the
    /// caller stated, so that the gate does not call it missing.
    pub fn with(&self, patch: &FactsPatch, now: DateTime<Utc>) -> (Self, Vec<Problem>) {
        let mut check = Check { problems: Vec::new() };
        let subtype = check.kept(TicketField::Subtype, &patch.subtype, &self.subtype);
        let mut after = Self {
            subject: check.line_kept(TicketField::Subject, &patch.subject, &self.subject, SUBJECT_LIMIT),
            description: check.text_kept(TicketField::Description, &patch.description, &self.description),
            category: check.kept(TicketField::Category, &patch.category, &self.category),
            subtype,
            severity: patch.severity.over(self.severity.as_ref()),
            acceptance_criteria: check.text(
                TicketField::AcceptanceCriteria,
                &patch.acceptance_criteria,
                &self.acceptance_criteria,
            ),
            target_url: check.url(TicketField::TargetUrl, &patch.target_url, &self.target_url),
            steps_to_reproduce: check.text(
                TicketField::StepsToReproduce,
                &patch.steps_to_reproduce,
                &self.steps_to_reproduce,
            ),
            ops_can_reproduce: patch.ops_can_reproduce.over(self.ops_can_reproduce.as_ref()),
            affects_other_clients: patch.affects_other_clients.over(self.affects_other_clients.as_ref()),
            client_target_date: patch.client_target_date.over(self.client_target_date.as_ref()),
            platform: patch.platform.over(self.platform.as_ref()),
            browser: check.line(TicketField::Browser, &patch.browser, &self.browser),
            operating_system: check.line(TicketField::OperatingSystem, &patch.operating_system, &self.operating_system),
            app_version: check.line(TicketField::AppVersion, &patch.app_version, &self.app_version),
            workaround: check.text(TicketField::Workaround, &patch.workaround, &self.workaround),
            estimated_delivery_date: patch.estimated_delivery_date.over(self.estimated_delivery_date.as_ref()),
            priority: patch.priority.over(self.priority.as_ref()),
            pull_request: check.url(TicketField::PullRequest, &patch.pull_request, &self.pull_request),
            pull_request_merged_at: patch.pull_request_merged_at.over(self.pull_request_merged_at.as_ref()),
            resolution_notes: check.text(TicketField::ResolutionNotes, &patch.resolution_notes, &self.resolution_notes),
        };
        // A merge belongs to the pull request that was merged; another one is not merged yet.
        let is_another = self.pull_request.is_some() && self.pull_request != after.pull_request;
        if is_another && !patch.pull_request_merged_at.is_stated() {
            after.pull_request_merged_at = None;
        }
        check.subtype_fits(&after, &patch.subtype);
        check.merged_before(now, &patch.pull_request_merged_at);
        (after, check.problems)
    }

    /// A fact as people read it; `None` where it is not known, or is not one of the ticket's own.
    pub fn value(&self, field: TicketField) -> Option<String> {
        let yes_no = |answer: bool| if answer { "yes" } else { "no" }.to_owned();
        match field {
            TicketField::Subject => Some(self.subject.clone()),
            TicketField::Description => Some(self.description.clone()),
            TicketField::Category => Some(self.category.to_string()),
            TicketField::Subtype => Some(self.subtype.name.clone()),
            TicketField::Severity => self.severity.map(|word| word.to_string()),
            TicketField::AcceptanceCriteria => self.acceptance_criteria.clone(),
            TicketField::TargetUrl => self.target_url.clone(),
            TicketField::StepsToReproduce => self.steps_to_reproduce.clone(),
            TicketField::OpsCanReproduce => self.ops_can_reproduce.map(yes_no),
            TicketField::AffectsOtherClients => self.affects_other_clients.map(yes_no),
            TicketField::ClientTargetDate => self.client_target_date.map(|date| date.to_string()),
            TicketField::Platform => self.platform.map(|word| word.to_string()),
            TicketField::Browser => self.browser.clone(),
            TicketField::OperatingSystem => self.operating_system.clone(),
            TicketField::AppVersion => self.app_version.clone(),
            TicketField::Workaround => self.workaround.clone(),
            TicketField::EstimatedDeliveryDate => self.estimated_delivery_date.map(|date| date.to_string()),
            TicketField::Priority => self.priority.map(|word| word.to_string()),
            TicketField::PullRequest => self.pull_request.clone(),
            TicketField::MergedPullRequest => {
                self.pull_request_merged_at.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
            }
            TicketField::ResolutionNotes => self.resolution_notes.clone(),
            TicketField::CompanyTier
            | TicketField::DeEscalationReasons
            | TicketField::LevelOneReference
            | TicketField::Assignee => None,
        }
    }

    /// What differs, fact by fact; a new ticket differs from nothing.
    pub fn changes(before: Option<&Self>, after: &Self) -> Vec<FieldChange> {
        TicketField::all()
            .map(|field| FieldChange {
                field,
                before: before.and_then(|facts| facts.value(field)),
                after: after.value(field),
            })
            .filter(|change| change.before != change.after)
            .collect()
    }
}

/// Collects the problems of one patch.
struct Check {
    problems: Vec<Problem>,
}

impl Check {
    fn problem(&mut self, code: Code, field: TicketField, message: String) {
        self.problems.push(Problem::at(code, input_path(field), message));
    }

    /// A fact that every ticket has: it can be changed, not cleared.
    fn kept<T: Clone>(&mut self, field: TicketField, patch: &Patch<T>, current: &T) -> T {
        patch.over(Some(current)).unwrap_or_else(|| {
            self.problem(Code::Blank, field, format!("{field} cannot be cleared; state another one or leave it out"));
            current.clone()
        })
    }

    fn line_kept(&mut self, field: TicketField, patch: &Patch<String>, current: &str, limit: usize) -> String {
        let value = self.kept(field, patch, &current.to_owned());
        self.checked(field, &value, limit, false)
    }

    fn text_kept(&mut self, field: TicketField, patch: &Patch<String>, current: &str) -> String {
        let value = self.kept(field, patch, &current.to_owned());
        self.checked(field, &value, TEXT_LIMIT, true)
    }

    fn line(&mut self, field: TicketField, patch: &Patch<String>, current: &Option<String>) -> Option<String> {
        self.stated(field, patch, current, LINE_LIMIT, false)
    }

    fn text(&mut self, field: TicketField, patch: &Patch<String>, current: &Option<String>) -> Option<String> {
        self.stated(field, patch, current, TEXT_LIMIT, true)
    }

    fn url(&mut self, field: TicketField, patch: &Patch<String>, current: &Option<String>) -> Option<String> {
        let known = self.problems.len();
        let value = self.stated(field, patch, current, URL_LIMIT, false);
        // What is no clean text is one problem, not two.
        if self.problems.len() == known
            && let (Patch::Set(_), Some(text)) = (patch, &value)
        {
            // The parser alone would complete `https:acme.example`.
            let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
            let is_web = ["http", "https"].iter().any(|known| known.eq_ignore_ascii_case(scheme));
            if !is_web || !url::Url::parse(text).is_ok_and(|url| url.has_host()) {
                let advice = "must be a complete http:// or https:// address";
                self.problem(Code::Invalid, field, format!("{field} {advice}"));
            }
        }
        value
    }

    fn stated(
        &mut self,
        field: TicketField,
        patch: &Patch<String>,
        current: &Option<String>,
        limit: usize,
        lines: bool,
    ) -> Option<String> {
        match patch {
            Patch::Keep => current.clone(),
            Patch::Clear => None,
            Patch::Set(text) => Some(self.checked(field, text, limit, lines)),
        }
    }

    fn checked(&mut self, field: TicketField, text: &str, limit: usize, lines: bool) -> String {
        match clean_text(text, limit, lines) {
            Ok(text) => text,
            Err((code, why)) => {
                self.problem(code, field, format!("{field} {why}"));
                text.to_owned()
            }
        }
    }

    fn subtype_fits(&mut self, after: &Facts, patch: &Patch<Subtype>) {
        let Subtype { category, name, archived, .. } = &after.subtype;
        if *category != after.category {
            let message = format!(
                "{name} is a subtype of {category}; choose a subtype of {}, see ticketSubtypes",
                after.category
            );
            self.problem(Code::Unknown, TicketField::Subtype, message);
        } else if *archived && patch.stated().is_some() {
            let message = format!("{name} is archived; choose one that ticketSubtypes offers");
            self.problem(Code::Unknown, TicketField::Subtype, message);
        }
    }

    fn merged_before(&mut self, now: DateTime<Utc>, patch: &Patch<DateTime<Utc>>) {
        if patch.stated().is_some_and(|merged_at| *merged_at > now + CLOCK_SKEW) {
            let message = "the pull request cannot have been merged in the future".to_owned();
            self.problem(Code::Invalid, TicketField::MergedPullRequest, message);
        } else if patch.stated().is_some_and(|merged_at| *merged_at < DateTime::UNIX_EPOCH) {
            let message = "the pull request cannot have been merged before 1970".to_owned();
            self.problem(Code::Invalid, TicketField::MergedPullRequest, message);
        }
    }
}

/// The text without blanks around it, or why it cannot be taken: blank, over `limit` characters, or with control
/// characters (`lines` says whether line breaks are fine).
pub fn clean_text(text: &str, limit: usize, lines: bool) -> Result<String, (Code, String)> {
    let text = text.trim();
    let length = text.chars().count();
    if text.is_empty() {
        Err((Code::Blank, "is blank; state it or leave it out".to_owned()))
    } else if length > limit {
        Err((Code::TooLong, format!("has {length} characters; the limit is {limit}")))
    } else if text.chars().any(|letter| letter.is_control() && !(lines && matches!(letter, '\n' | '\r' | '\t'))) {
        let what = if lines { "control characters" } else { "line breaks or control characters" };
        Err((Code::Invalid, format!("must not contain {what}")))
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests;
