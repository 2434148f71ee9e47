//! The priority that the process proposes when a ticket enters Estimating.
//!
//! Pure: imports the vocabulary and calendar days. Example: a Major issue of one client is Normal; if that client is of the top
//! tier, or wants it within five working days, it is High, and the reasons say so.

use entity::vocab::{CompanyTier, Priority, Severity};

/// A client target date within so many working days raises the priority. Source: the priority rule of the process.
pub const NEAR_TARGET_WORKING_DAYS: u32 = 5;

/// What a proposal is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriorityFacts {
    /// How badly it hurts.
    pub severity: Severity,
    /// Whether other clients have it too.
    pub affects_other_clients: bool,
    /// The tier of the company.
    pub tier: Option<CompanyTier>,
    /// Working days until the client target date; none where the client named no date.
    pub working_days_to_target: Option<u32>,
}

/// A proposed priority and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The priority.
    pub priority: Priority,
    /// The reasons, one sentence each.
    pub reasons: Vec<String>,
}

/// Proposes a priority: severity × scope, with at most one step up for a top-tier company or a near target date.
pub fn propose(facts: PriorityFacts) -> Proposal {
    let base = base(facts.severity, facts.affects_other_clients);
    let scope = if facts.affects_other_clients { "other clients are affected" } else { "one client is affected" };
    let mut reasons = vec![format!("{} severity, and {scope}: {base}", facts.severity)];

    let top_tier = facts.tier == Some(CompanyTier::TierOne);
    let near_target = facts.working_days_to_target.is_some_and(|days| days <= NEAR_TARGET_WORKING_DAYS);
    let mut priority = base;
    if (top_tier || near_target) && steps_up(facts.severity, facts.affects_other_clients) {
        priority = one_step_up(base);
        let why = match (top_tier, near_target) {
            (true, true) => "the company is of the top tier and the client target date is near",
            (true, false) => "the company is of the top tier",
            (false, _) => "the client target date is within five working days",
        };
        reasons.push(format!("One step up, since {why}: {priority}"));
    }
    Proposal { priority, reasons }
}

const fn base(severity: Severity, affects_other_clients: bool) -> Priority {
    match (severity, affects_other_clients) {
        (Severity::Critical, true) => Priority::Urgent,
        (Severity::Critical, false) | (Severity::Major, true) => Priority::High,
        (Severity::Major, false) | (Severity::Minor, true) | (Severity::Cosmetic, true) => Priority::Normal,
        (Severity::Minor, false) | (Severity::Cosmetic, false) => Priority::Low,
    }
}

/// Cosmetic issues never step up, and nothing stands above Urgent.
const fn steps_up(severity: Severity, affects_other_clients: bool) -> bool {
    !matches!((severity, affects_other_clients), (Severity::Cosmetic, _) | (Severity::Critical, true))
}

const fn one_step_up(priority: Priority) -> Priority {
    match priority {
        Priority::Urgent | Priority::High => Priority::Urgent,
        Priority::Normal => Priority::High,
        Priority::Low => Priority::Normal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_process_holds() {
        use Priority::{High, Low, Normal, Urgent};
        let table = [
            (Severity::Critical, true, Urgent, Urgent),
            (Severity::Critical, false, High, Urgent),
            (Severity::Major, true, High, Urgent),
            (Severity::Major, false, Normal, High),
            (Severity::Minor, true, Normal, High),
            (Severity::Minor, false, Low, Normal),
            (Severity::Cosmetic, true, Normal, Normal),
            (Severity::Cosmetic, false, Low, Low),
        ];
        for (severity, affects_other_clients, plain, raised) in table {
            let propose_for = |tier, working_days_to_target| {
                propose(PriorityFacts { severity, affects_other_clients, tier, working_days_to_target }).priority
            };
            assert_eq!(propose_for(None, None), plain);
            assert_eq!(propose_for(Some(CompanyTier::TierTwo), Some(6)), plain);
            assert_eq!(propose_for(Some(CompanyTier::TierOne), None), raised);
            assert_eq!(propose_for(None, Some(5)), raised);
            assert_eq!(propose_for(Some(CompanyTier::TierOne), Some(0)), raised, "never two steps");
        }
    }

    #[test]
    fn reasons_say_what_led_to_it() {
        let facts = PriorityFacts {
            severity: Severity::Major,
            affects_other_clients: false,
            tier: Some(CompanyTier::TierOne),
            working_days_to_target: None,
        };
        assert_eq!(
            propose(facts).reasons,
            [
                "Major severity, and one client is affected: Normal",
                "One step up, since the company is of the top tier: High"
            ]
        );
    }
}
