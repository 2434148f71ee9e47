//! Why something a caller asked for was not done, in words that say what to do.
//!
//! Pure: imports only the vocabulary. A [`Refusal`] carries every problem at once, and nothing was changed. Example: entering
//! Fixing without date and priority is one refusal with two [`Code::MissingFields`] problems.

use entity::vocab::{Stage, TicketField};

/// What kind of problem it is. The API answers these as `userErrors { code }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// A field that the stage requires is not known.
    MissingFields,
    /// The process has no such move from the ticket's stage, or this cannot be done in it.
    WrongStage,
    /// The caller's role does not allow it.
    NotAllowed,
    /// The move needs a reason.
    ReasonRequired,
    /// Somebody changed it since it was read.
    StaleVersion,
    /// A text is blank.
    Blank,
    /// A text is too long.
    TooLong,
    /// A value is not of the form it must have.
    Invalid,
    /// A promised date is over already.
    DateInPast,
    /// The input names something that does not exist, or that the caller may not see.
    Unknown,
    /// Something with this name, address or id exists already.
    AlreadyExists,
    /// A question to the client is unanswered already.
    ClarificationOpen,
    /// There is no unanswered question to the client.
    NoClarification,
    /// The ticket has as many of these as it may have.
    LimitReached,
}

/// One problem, with the input field it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind of problem it is.
    pub code: Code,
    /// The path in the caller's input, such as `facts.targetUrl`.
    pub field: Option<String>,
    /// What is wrong and what to do, for a person.
    pub message: String,
}

impl Problem {
    /// A problem with one input field.
    pub fn at(code: Code, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, field: Some(field.into()), message: message.into() }
    }

    /// A problem with the request as a whole.
    pub fn of(code: Code, message: impl Into<String>) -> Self {
        Self { code, field: None, message: message.into() }
    }

    /// A required field that is not known.
    pub fn missing(field: TicketField, stage: Stage) -> Self {
        let advice = match field {
            TicketField::CompanyTier => "; set it on the ticket's company",
            TicketField::MergedPullRequest => "; give pullRequest and pullRequestMergedAt",
            _ => "",
        };
        Self::at(Code::MissingFields, input_path(field), format!("{field} is required to enter {stage}{advice}"))
    }
}

/// The problems because of which nothing was changed; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused: {}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; "))]
pub struct Refusal(pub Vec<Problem>);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl Refusal {
    /// Nothing to refuse, or a refusal with all the problems.
    pub fn unless_empty(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self(problems)) }
    }
}

/// Where in a caller's input a fact is stated.
pub const fn input_path(field: TicketField) -> &'static str {
    match field {
        TicketField::Subject => "facts.subject",
        TicketField::Description => "facts.description",
        TicketField::Category => "facts.category",
        TicketField::Subtype => "facts.subtypeId",
        TicketField::Severity => "facts.severity",
        TicketField::AcceptanceCriteria => "facts.acceptanceCriteria",
        TicketField::TargetUrl => "facts.targetUrl",
        TicketField::StepsToReproduce => "facts.stepsToReproduce",
        TicketField::OpsCanReproduce => "facts.opsCanReproduce",
        TicketField::AffectsOtherClients => "facts.affectsOtherClients",
        TicketField::ClientTargetDate => "facts.clientTargetDate",
        TicketField::CompanyTier => "company.tier",
        TicketField::Platform => "facts.platform",
        TicketField::Browser => "facts.browser",
        TicketField::OperatingSystem => "facts.operatingSystem",
        TicketField::AppVersion => "facts.appVersion",
        TicketField::Workaround => "facts.workaround",
        TicketField::EstimatedDeliveryDate => "facts.estimatedDeliveryDate",
        TicketField::Priority => "facts.priority",
        TicketField::PullRequest => "facts.pullRequest",
        TicketField::MergedPullRequest => "facts.pullRequestMergedAt",
        TicketField::ResolutionNotes => "facts.resolutionNotes",
        TicketField::DeEscalationReasons => "deEscalationReasons",
        TicketField::LevelOneReference => "levelOneReference",
        TicketField::Assignee => "assigneeId",
    }
}
