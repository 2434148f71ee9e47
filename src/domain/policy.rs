//! SLA policies: what a stage may take, for whom, and who hears of it when.
//!
//! Pure. One policy per stage, in versions that never change; [`PolicyTerms`] is what an administrator states. Example: a
//! policy with the budget `P1D` by default and `PT4H` for Urgent gives an Urgent ticket four hours, whatever its tier.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Utc};
use entity::{
    id::{CalendarId, PersonId, SlaPolicyId, SlaPolicyVersionId},
    vocab::{AlertLevel, CompanyTier, PauseReason, Priority, Reentry, Stage, Team},
};
use serde::{Deserialize, Serialize};

use crate::domain::{
    process::{self, StageSla},
    sla::{AlertPoint, AlertRule, BudgetLength},
};

/// One version of the policy of a stage, as it was stored; it never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyVersion {
    /// The version.
    pub id: SlaPolicyVersionId,
    /// The policy that it is a version of.
    pub policy_id: SlaPolicyId,
    /// The stage it is for.
    pub stage: Stage,
    /// Counts from 1.
    pub version: i32,
    /// From when on clocks follow it.
    pub effective_at: DateTime<Utc>,
    /// What it says.
    pub terms: Arc<PolicyTerms>,
}

/// What a policy says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyTerms {
    /// Which calendar it is counted in.
    pub calendar_id: CalendarId,
    /// The budgets; the most specific one that matches holds. Exactly one matches everything.
    pub budgets: Vec<BudgetRule>,
    /// When people are told, in the order of the levels.
    pub alerts: Vec<AlertRule>,
    /// Why staff may pause the clock.
    pub pause_reasons: Vec<PauseReason>,
    /// What a return to the stage does.
    pub reentry: Reentry,
}

/// The budget of the tickets of a priority, of the companies of a tier, or of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetRule {
    /// Of this priority; none for any, and for none.
    #[serde(default)]
    pub priority: Option<Priority>,
    /// Of companies of this tier; none for any, and for none.
    #[serde(default)]
    pub tier: Option<CompanyTier>,
    /// What the stage may take; none is an explicit none.
    pub budget: Option<BudgetLength>,
}

/// Who hears of an alert level.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipients {
    /// The ticket's assignee.
    pub assignee: bool,
    /// The team that owns the stage.
    pub owner_team: bool,
    /// The managers of that team.
    pub team_managers: bool,
    /// The managers of all teams.
    pub all_managers: bool,
    /// The members of these teams.
    pub teams: Vec<Team>,
    /// These people.
    pub people: Vec<PersonId>,
}

/// Why the terms of a policy are refused, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Some tickets would have no budget, not even an explicit none.
    #[error("the budgets leave tickets without one: add one without priority and tier, of null if there is none")]
    NoDefault,
    /// Two budgets for the same tickets.
    #[error("there are two budgets for {0}: keep one")]
    TwoBudgets(String),
    /// A ticket matches two budgets, and none is more specific.
    #[error("a ticket of {priority} of a company of {tier} matches two budgets: add one for both together")]
    Ambiguous {
        /// The priority that one names.
        priority: Priority,
        /// The tier that the other one names.
        tier: CompanyTier,
    },
    /// A stage with a deadline takes no budget.
    #[error("the deadline of {0} is the Estimated Delivery Date; it takes no budget")]
    DeadlineStage(Stage),
    /// The levels do not rise.
    #[error("the alert levels must come in the order {}, each once", level_words())]
    LevelOrder,
    /// A level is reached before the one below it.
    #[error("{later} would be reached before {earlier}: give it a later point")]
    PointOrder {
        /// The lower level.
        earlier: AlertLevel,
        /// The higher level.
        later: AlertLevel,
    },
    /// A breach is the due time, and nothing else is.
    #[error("BREACH is reached at the due time, and no other level is")]
    BreachPoint,
    /// Without a breach, nobody would ever know.
    #[error("the alert level BREACH is missing: say who hears of it")]
    NoBreach,
    /// A level without anybody to tell would be a promise that nobody keeps.
    #[error("{0} tells nobody: name who hears of it{or}", or = if *.0 == AlertLevel::Breach { "" } else { ", or leave the level out" })]
    TellsNobody(AlertLevel),
    /// A share of a budget is a percentage of it.
    #[error("{0} % of a budget is not possible: give 1 to 99")]
    Percent(u8),
    /// The time in another stage is no pause that anybody makes.
    #[error("{0} is not a reason that staff may pause for")]
    PauseReason(PauseReason),
}

impl PolicyError {
    /// The field of the input that is to be mended.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::NoDefault | Self::TwoBudgets(_) | Self::Ambiguous { .. } => "budgets",
            Self::DeadlineStage(_) => "budget",
            Self::LevelOrder
            | Self::PointOrder { .. }
            | Self::BreachPoint
            | Self::NoBreach
            | Self::TellsNobody(_)
            | Self::Percent(_) => "alerts",
            Self::PauseReason(_) => "pauseReasons",
        }
    }
}

fn level_words() -> String {
    AlertLevel::all().map(AlertLevel::word).collect::<Vec<_>>().join(", ")
}

impl PolicyTerms {
    /// What the process says of a stage: its SLA, the usual alerts, a new clock for each visit.
    pub fn of_process(stage: Stage, calendar_id: CalendarId) -> Self {
        let budget = match process::stage(stage).sla {
            StageSla::WorkingDays(days) => BudgetLength::new(days, 0).ok(),
            StageSla::DeliveryDate | StageSla::None => None,
        };
        Self {
            calendar_id,
            budgets: vec![BudgetRule { priority: None, tier: None, budget }],
            alerts: usual_alerts(stage),
            pause_reasons: usual_pause_reasons(stage),
            reentry: Reentry::NewVisit,
        }
    }

    /// The budget of a ticket: the most specific one that matches.
    pub fn budget(&self, priority: Option<Priority>, tier: Option<CompanyTier>) -> Option<BudgetLength> {
        let matches = |rule: &&BudgetRule| {
            rule.priority.is_none_or(|wanted| priority == Some(wanted))
                && rule.tier.is_none_or(|wanted| tier == Some(wanted))
        };
        self.budgets.iter().filter(matches).max_by_key(|rule| rule.specificity())?.budget
    }

    /// The budget of tickets that no other one is for.
    pub fn default_budget(&self) -> Option<BudgetLength> {
        self.budgets.iter().find(|rule| rule.specificity() == 0)?.budget
    }

    /// Refuses terms that leave a ticket without an answer, or with two.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, stage: Stage) -> Result<(), PolicyError> {
        let has_deadline = process::stage(stage).sla == StageSla::DeliveryDate;
        if has_deadline && self.budgets.iter().any(|rule| rule.budget.is_some()) {
            return Err(PolicyError::DeadlineStage(stage));
        }
        self.check_budgets()?;
        self.check_alerts()?;
        match self.pause_reasons.iter().find(|reason| !is_for_staff(**reason)) {
            Some(reason) => Err(PolicyError::PauseReason(*reason)),
            None => Ok(()),
        }
    }

    fn check_budgets(&self) -> Result<(), PolicyError> {
        let mut seen = BTreeSet::new();
        if let Some(rule) = self.budgets.iter().find(|rule| !seen.insert((rule.priority, rule.tier))) {
            return Err(PolicyError::TwoBudgets(rule.whose()));
        }
        if !seen.contains(&(None, None)) {
            return Err(PolicyError::NoDefault);
        }
        for (priority, tier) in
            Priority::all().flat_map(|priority| CompanyTier::all().map(move |tier| (priority, tier)))
        {
            let names = |rule: &(Option<Priority>, Option<CompanyTier>)| seen.contains(rule);
            let is_ambiguous = names(&(Some(priority), None)) && names(&(None, Some(tier)));
            if is_ambiguous && !names(&(Some(priority), Some(tier))) {
                return Err(PolicyError::Ambiguous { priority, tier });
            }
        }
        Ok(())
    }

    /// Refuses alert levels that tell nobody.
    ///
    /// # Errors
    /// The first such level.
    pub fn check_recipients(&self) -> Result<(), PolicyError> {
        match self.alerts.iter().find(|rule| rule.to == Recipients::default()) {
            Some(rule) => Err(PolicyError::TellsNobody(rule.level)),
            None => Ok(()),
        }
    }

    fn check_alerts(&self) -> Result<(), PolicyError> {
        if !self.alerts.is_sorted_by(|one, next| one.level < next.level) {
            return Err(PolicyError::LevelOrder);
        }
        for rule in &self.alerts {
            match (rule.level, rule.point) {
                (AlertLevel::Breach, AlertPoint::DuePassed) => {}
                (AlertLevel::Breach, _) | (_, AlertPoint::DuePassed) => return Err(PolicyError::BreachPoint),
                (_, AlertPoint::BudgetUsed { percent }) if !(1..=99).contains(&percent) => {
                    return Err(PolicyError::Percent(percent));
                }
                _ => {}
            }
        }
        if !self.alerts.iter().any(|rule| rule.level == AlertLevel::Breach) {
            return Err(PolicyError::NoBreach);
        }
        match self.alerts.array_windows().find(|[one, next]| !one.point.is_before(next.point)) {
            Some([one, next]) => Err(PolicyError::PointOrder { earlier: one.level, later: next.level }),
            None => Ok(()),
        }
    }
}

impl BudgetRule {
    fn specificity(&self) -> u8 {
        u8::from(self.priority.is_some()) + u8::from(self.tier.is_some())
    }

    fn whose(&self) -> String {
        let of = |word: Option<String>| word.unwrap_or_else(|| "any".to_owned());
        format!("priority {}, tier {}", of(self.priority.map(Priority::word)), of(self.tier.map(CompanyTier::word)))
    }
}

/// Whether staff may pause a clock for this reason; the others are Secondline's own.
pub fn is_for_staff(reason: PauseReason) -> bool {
    match reason {
        PauseReason::WaitingThirdParty | PauseReason::WaitingRelease | PauseReason::OnHold => true,
        PauseReason::WaitingClient | PauseReason::Away => false,
    }
}

/// The alerts that a stage has unless its policy says otherwise.
///
/// Source: the alert levels of the design, and the process's “overdue delivery → Tech's managers, Project Manager”.
pub fn usual_alerts(stage: Stage) -> Vec<AlertRule> {
    let owners = Recipients { assignee: true, owner_team: true, ..Recipients::default() };
    let breach = if process::stage(stage).sla == StageSla::DeliveryDate {
        Recipients { team_managers: true, teams: vec![Team::ProjectManager], ..Recipients::default() }
    } else {
        Recipients { team_managers: true, ..owners.clone() }
    };
    let managers = Recipients { all_managers: true, ..Recipients::default() };
    let days = |days| AlertPoint::Overdue { after: BudgetLength::whole_days(days) };
    vec![
        AlertRule { level: AlertLevel::Warning, point: AlertPoint::BudgetUsed { percent: 75 }, to: owners },
        AlertRule { level: AlertLevel::Breach, point: AlertPoint::DuePassed, to: breach },
        AlertRule { level: AlertLevel::EscalationTwo, point: days(1), to: managers.clone() },
        AlertRule { level: AlertLevel::EscalationThree, point: days(3), to: managers },
    ]
}

/// A deadline that was promised is not moved by a pause, so that none is offered there.
fn usual_pause_reasons(stage: Stage) -> Vec<PauseReason> {
    match process::stage(stage).sla {
        StageSla::DeliveryDate | StageSla::None => Vec::new(),
        StageSla::WorkingDays(_) => PauseReason::all().filter(|reason| is_for_staff(*reason)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn terms() -> PolicyTerms {
        PolicyTerms::of_process(Stage::Validating, CalendarId(Uuid::from_u128(1)))
    }

    fn rule(priority: Option<Priority>, tier: Option<CompanyTier>, budget: Option<&str>) -> BudgetRule {
        BudgetRule { priority, tier, budget: budget.map(|text| text.parse().unwrap()) }
    }

    #[test]
    fn what_the_process_says_of_every_stage_holds() {
        for stage in Stage::all().filter(|stage| process::is_open(*stage)) {
            assert_eq!(PolicyTerms::of_process(stage, CalendarId(Uuid::from_u128(1))).check(stage), Ok(()), "{stage}");
        }
    }

    #[test]
    fn the_most_specific_budget_holds() {
        let mut terms = terms();
        terms.budgets = vec![
            rule(None, None, Some("P2D")),
            rule(Some(Priority::Urgent), None, Some("PT4H")),
            rule(None, Some(CompanyTier::TierOne), Some("P1D")),
            rule(Some(Priority::Urgent), Some(CompanyTier::TierOne), Some("PT2H")),
            rule(Some(Priority::Low), Some(CompanyTier::TierOne), None),
            rule(Some(Priority::Low), None, None),
        ];
        assert_eq!(terms.check(Stage::Validating), Ok(()));
        let budget = |priority, tier| terms.budget(priority, tier).map(|budget| budget.to_string());
        assert_eq!(budget(None, None).as_deref(), Some("P2D"));
        assert_eq!(budget(Some(Priority::Urgent), None).as_deref(), Some("PT4H"));
        assert_eq!(budget(Some(Priority::Urgent), Some(CompanyTier::TierTwo)).as_deref(), Some("PT4H"));
        assert_eq!(budget(Some(Priority::Urgent), Some(CompanyTier::TierOne)).as_deref(), Some("PT2H"));
        assert_eq!(budget(Some(Priority::High), Some(CompanyTier::TierOne)).as_deref(), Some("P1D"));
        assert_eq!(budget(Some(Priority::Low), Some(CompanyTier::TierOne)), None);
    }

    #[test]
    fn every_combination_has_one_budget_or_the_terms_are_refused() {
        let refused =
            |budgets: Vec<BudgetRule>| PolicyTerms { budgets, ..terms() }.check(Stage::Validating).unwrap_err();
        let default = rule(None, None, None);
        let (urgent, top) = (rule(Some(Priority::Urgent), None, None), rule(None, Some(CompanyTier::TierOne), None));
        assert_eq!(refused(vec![]), PolicyError::NoDefault);
        assert_eq!(refused(vec![urgent]), PolicyError::NoDefault);
        assert_eq!(refused(vec![default, urgent, urgent]), PolicyError::TwoBudgets("priority URGENT, tier any".into()));
        let ambiguous = PolicyError::Ambiguous { priority: Priority::Urgent, tier: CompanyTier::TierOne };
        assert_eq!(refused(vec![default, urgent, top]), ambiguous);
        let in_fixing = PolicyTerms { budgets: vec![rule(None, None, Some("P1D"))], ..terms() };
        assert_eq!(in_fixing.check(Stage::Fixing), Err(PolicyError::DeadlineStage(Stage::Fixing)));
    }

    #[test]
    fn alert_levels_rise_in_order_and_in_time() {
        let refused = |change: &dyn Fn(&mut Vec<AlertRule>)| {
            let mut terms = terms();
            change(&mut terms.alerts);
            terms.check(Stage::Validating).unwrap_err()
        };
        assert_eq!(refused(&|alerts| alerts.swap(0, 1)), PolicyError::LevelOrder);
        assert_eq!(refused(&|alerts| drop(alerts.remove(1))), PolicyError::NoBreach);
        assert_eq!(
            refused(&|alerts| alerts[1].point = AlertPoint::BudgetUsed { percent: 90 }),
            PolicyError::BreachPoint
        );
        assert_eq!(
            refused(&|alerts| alerts[0].point = AlertPoint::BudgetUsed { percent: 100 }),
            PolicyError::Percent(100)
        );
        let (earlier, later) = (AlertLevel::EscalationTwo, AlertLevel::EscalationThree);
        let early = AlertPoint::Overdue { after: BudgetLength::whole_days(1) };
        assert_eq!(refused(&|alerts| alerts[3].point = early), PolicyError::PointOrder { earlier, later });
    }

    #[test]
    fn nobody_pauses_for_a_reason_of_secondline_itself() {
        let terms = PolicyTerms { pause_reasons: vec![PauseReason::Away], ..terms() };
        assert_eq!(terms.check(Stage::Validating), Err(PolicyError::PauseReason(PauseReason::Away)));
    }
}
