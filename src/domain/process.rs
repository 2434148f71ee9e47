//! THE table: the Level 2 Support process as data, to be laid beside the process page.
//!
//! Pure: imports only the vocabulary. To change the process, change this file first. Example: [`stage`] of Fixing says that
//! Tech owns it and that an Estimated Delivery Date and a Priority are required to enter it.

use entity::vocab::{MoveKind, Stage, Team, TicketField};

use TicketField::{
    AcceptanceCriteria, AffectsOtherClients, Category, ClientTargetDate, CompanyTier, DeEscalationReasons,
    EstimatedDeliveryDate, MergedPullRequest, OpsCanReproduce, Priority, PullRequest, ResolutionNotes, Severity,
    StepsToReproduce, Subtype, TargetUrl, Workaround,
};

/// The name of the pipeline that this process is.
pub const PIPELINE_NAME: &str = "Level 2 Support";

/// The pipelines that a ticket can be transferred to, unless the deployment names more.
pub const OTHER_PIPELINES: [&str; 3] = ["Client Support", "Custom Requests", "Custom Deliveries"];

/// How long a stage may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageSla {
    /// So many working days by default; the stage's SLA policy can say otherwise.
    WorkingDays(u32),
    /// Until the end of the working day of the Estimated Delivery Date.
    DeliveryDate,
    /// No clock runs.
    None,
}

/// One stage of the process.
#[derive(Clone, Copy, Debug)]
pub struct StageSpec {
    /// Which stage it is.
    pub stage: Stage,
    /// The team that owns it; none owns an ended ticket.
    pub owner: Option<Team>,
    /// How long it may take.
    pub sla: StageSla,
    /// Required before a ticket may enter.
    pub required: &'static [TicketField],
    /// Required as well when the ticket comes by de-escalation.
    pub required_on_de_escalation: &'static [TicketField],
    /// Asked for and shown, never blocking.
    pub asked: &'static [TicketField],
    /// What is done here.
    pub description: &'static str,
    /// What stands at its end.
    pub outcome: &'static str,
}

/// The stages, in the order of the process.
pub static STAGES: [StageSpec; 8] = [
    StageSpec {
        stage: Stage::Validating,
        owner: Some(Team::Operations),
        sla: StageSla::WorkingDays(1),
        required: &[Category, Subtype],
        required_on_de_escalation: &[DeEscalationReasons],
        asked: &[],
        description: "Operations confirms that it is a real issue and gathers the minimum reproduction information. \
                      Not an issue: close as unresolved, or transfer to the right pipeline. Data for the next stage \
                      unknown: ask the client. All known: try to reproduce it and move it to Replicating.",
        outcome: "A proven issue, with severity estimated and maybe replicated by Operations",
    },
    StageSpec {
        stage: Stage::Replicating,
        owner: Some(Team::Qa),
        sla: StageSla::WorkingDays(2),
        required: &[AcceptanceCriteria, TargetUrl, Severity, StepsToReproduce, OpsCanReproduce, CompanyTier],
        required_on_de_escalation: &[],
        asked: &[AffectsOtherClients, ClientTargetDate],
        description: "QA gets reliable reproduction evidence: reproduces what Operations could not, checks Severity, \
                      Acceptance Criteria, Target URL, Steps to Reproduce and scope, and adds device information and \
                      screenshots. Cannot be replicated, or more information is needed: de-escalate to Validating.",
        outcome: "A proven and replicated issue, with severity estimated",
    },
    StageSpec {
        stage: Stage::Estimating,
        owner: Some(Team::ProjectManager),
        sla: StageSla::WorkingDays(1),
        required: &[AcceptanceCriteria, TargetUrl, Severity, StepsToReproduce, AffectsOtherClients],
        required_on_de_escalation: &[],
        asked: &[Workaround],
        description: "The Project Manager sets the Estimated Delivery Date and verifies the priority, which is \
                      proposed from severity, company tier, client target date and scope.",
        outcome: "A prioritised and estimated (due date) issue",
    },
    StageSpec {
        stage: Stage::Fixing,
        owner: Some(Team::Tech),
        sla: StageSla::DeliveryDate,
        required: &[EstimatedDeliveryDate, Priority],
        required_on_de_escalation: &[],
        asked: &[],
        description: "The Estimated Delivery Date is communicated to the client, and so is any change to it from here \
                      on. Tech fixes the issue and creates a pull request with the fix.",
        outcome: "A fix for the issue (a pull request)",
    },
    StageSpec {
        stage: Stage::Verifying,
        owner: Some(Team::Qa),
        sla: StageSla::WorkingDays(1),
        required: &[PullRequest],
        required_on_de_escalation: &[],
        asked: &[],
        description: "QA verifies the fix against the Acceptance Criteria. If everything is good, QA writes the \
                      resolution notes and closes the ticket as resolved; if not, the fix is rejected.",
        outcome: "A validated fix (a merged pull request) and an explanation of the resolution",
    },
    StageSpec {
        stage: Stage::ClosedResolved,
        owner: None,
        sla: StageSla::None,
        required: &[MergedPullRequest, ResolutionNotes],
        required_on_de_escalation: &[],
        asked: &[],
        description: "The delivery is communicated to the client, with the resolution notes.",
        outcome: "The client knows what was delivered",
    },
    StageSpec {
        stage: Stage::ClosedUnresolved,
        owner: None,
        sla: StageSla::None,
        required: &[ResolutionNotes],
        required_on_de_escalation: &[],
        asked: &[],
        description: "The closure is communicated to the client, with the resolution notes.",
        outcome: "The client knows why nothing will be fixed",
    },
    StageSpec {
        stage: Stage::Transferred,
        owner: None,
        sla: StageSla::None,
        required: &[],
        required_on_de_escalation: &[],
        asked: &[],
        description: "Not a stage of this process: the ticket was moved to another pipeline.",
        outcome: "The other pipeline owns the ticket",
    },
];

/// The stages in which a ticket is worked on.
pub const OPEN: [Stage; 5] =
    [Stage::Validating, Stage::Replicating, Stage::Estimating, Stage::Fixing, Stage::Verifying];

/// Where a move leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To this stage.
    Stage(Stage),
    /// To the stage that the ticket was closed or transferred from.
    WhereItEnded,
    /// Out of this process.
    AnotherPipeline,
}

/// Who may make a move. A manager or an administrator may make any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// This team.
    Team(Team),
    /// The team that owns the stage the ticket is in.
    Owner,
}

/// What a move must explain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasonRule {
    /// Nothing.
    NotNeeded,
    /// A reason in words.
    Words,
    /// De-escalation Reasons; words as well where they say “other”.
    DeEscalationReasons,
}

/// One row of the transition table.
#[derive(Clone, Copy, Debug)]
pub struct MoveSpec {
    /// What the move is.
    pub kind: MoveKind,
    /// The stages it starts from.
    pub from: &'static [Stage],
    /// Where it leads.
    pub to: Destination,
    /// Who may make it.
    pub by: By,
    /// What it must explain.
    pub reason: ReasonRule,
    /// When it is the right one.
    pub when: &'static str,
}

/// The transitions. No two rows share a start and a destination.
pub static MOVES: [MoveSpec; 13] = [
    MoveSpec {
        kind: MoveKind::Advance,
        from: &[Stage::Validating],
        to: Destination::Stage(Stage::Replicating),
        by: By::Team(Team::Operations),
        reason: ReasonRule::NotNeeded,
        when: "real issue, all data known",
    },
    MoveSpec {
        kind: MoveKind::CloseUnresolved,
        from: &[Stage::Validating],
        to: Destination::Stage(Stage::ClosedUnresolved),
        by: By::Team(Team::Operations),
        reason: ReasonRule::NotNeeded,
        when: "not an issue",
    },
    MoveSpec {
        kind: MoveKind::Transfer,
        from: &[Stage::Validating],
        to: Destination::AnotherPipeline,
        by: By::Team(Team::Operations),
        reason: ReasonRule::NotNeeded,
        when: "not an issue for Level 2",
    },
    MoveSpec {
        kind: MoveKind::Advance,
        from: &[Stage::Replicating],
        to: Destination::Stage(Stage::Estimating),
        by: By::Team(Team::Qa),
        reason: ReasonRule::NotNeeded,
        when: "replicated",
    },
    MoveSpec {
        kind: MoveKind::DeEscalate,
        from: &[Stage::Replicating],
        to: Destination::Stage(Stage::Validating),
        by: By::Team(Team::Qa),
        reason: ReasonRule::DeEscalationReasons,
        when: "cannot be replicated, or more information is needed",
    },
    MoveSpec {
        kind: MoveKind::Advance,
        from: &[Stage::Estimating],
        to: Destination::Stage(Stage::Fixing),
        by: By::Team(Team::ProjectManager),
        reason: ReasonRule::NotNeeded,
        when: "estimated and prioritised",
    },
    MoveSpec {
        kind: MoveKind::Advance,
        from: &[Stage::Fixing],
        to: Destination::Stage(Stage::Verifying),
        by: By::Team(Team::Tech),
        reason: ReasonRule::NotNeeded,
        when: "the pull request is ready",
    },
    MoveSpec {
        kind: MoveKind::CloseResolved,
        from: &[Stage::Verifying],
        to: Destination::Stage(Stage::ClosedResolved),
        by: By::Team(Team::Qa),
        reason: ReasonRule::NotNeeded,
        when: "meets the acceptance criteria, pull request merged, resolution notes written",
    },
    MoveSpec {
        kind: MoveKind::RejectFix,
        from: &[Stage::Verifying],
        to: Destination::Stage(Stage::Fixing),
        by: By::Team(Team::Qa),
        reason: ReasonRule::Words,
        when: "does not meet the acceptance criteria",
    },
    MoveSpec {
        kind: MoveKind::ReturnToReplicating,
        from: &[Stage::Estimating],
        to: Destination::Stage(Stage::Replicating),
        by: By::Team(Team::ProjectManager),
        reason: ReasonRule::Words,
        when: "the evidence does not hold",
    },
    MoveSpec {
        kind: MoveKind::CloseUnresolved,
        from: &[Stage::Replicating, Stage::Estimating, Stage::Fixing, Stage::Verifying],
        to: Destination::Stage(Stage::ClosedUnresolved),
        by: By::Owner,
        reason: ReasonRule::NotNeeded,
        when: "withdrawn, duplicate, won't fix",
    },
    MoveSpec {
        kind: MoveKind::Reopen,
        from: &[Stage::ClosedResolved, Stage::ClosedUnresolved, Stage::Transferred],
        to: Destination::Stage(Stage::Validating),
        by: By::Team(Team::Operations),
        reason: ReasonRule::Words,
        when: "the issue is back, or the other pipeline returned it",
    },
    MoveSpec {
        kind: MoveKind::Reopen,
        from: &[Stage::ClosedResolved, Stage::ClosedUnresolved],
        to: Destination::WhereItEnded,
        by: By::Team(Team::Operations),
        reason: ReasonRule::Words,
        when: "closed by mistake, or the fix did not last",
    },
];

/// The row of a stage.
pub fn stage(stage: Stage) -> &'static StageSpec {
    let [validating, replicating, estimating, fixing, verifying, resolved, unresolved, transferred] = &STAGES;
    match stage {
        Stage::Validating => validating,
        Stage::Replicating => replicating,
        Stage::Estimating => estimating,
        Stage::Fixing => fixing,
        Stage::Verifying => verifying,
        Stage::ClosedResolved => resolved,
        Stage::ClosedUnresolved => unresolved,
        Stage::Transferred => transferred,
    }
}

/// Whether a ticket in this stage is worked on.
pub fn is_open(stage: Stage) -> bool {
    OPEN.contains(&stage)
}

/// The moves that start from a stage, each with the stage it leads to; `ended_in` is where the ticket was closed from.
pub fn moves_from(from: Stage, ended_in: Option<Stage>) -> Vec<(&'static MoveSpec, Stage)> {
    let mut moves: Vec<(&'static MoveSpec, Stage)> = Vec::new();
    for spec in MOVES.iter().filter(|spec| spec.from.contains(&from)) {
        let to = match spec.to {
            Destination::Stage(stage) => Some(stage),
            Destination::WhereItEnded => ended_in,
            Destination::AnotherPipeline => Some(Stage::Transferred),
        };
        if let Some(to) = to.filter(|to| !moves.iter().any(|(_, known)| known == to)) {
            moves.push((spec, to));
        }
    }
    moves
}

impl StageSpec {
    /// Everything required before a ticket may enter by this kind of move.
    pub fn required_for(&self, kind: MoveKind) -> impl Iterator<Item = TicketField> {
        let more = if kind == MoveKind::DeEscalate { self.required_on_de_escalation } else { &[] };
        self.required.iter().chain(more).copied()
    }
}

impl MoveSpec {
    /// The team that may make this move out of `from`.
    pub fn team(&self, from: Stage) -> Option<Team> {
        match self.by {
            By::Team(team) => Some(team),
            By::Owner => stage(from).owner,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_has_its_own_row() {
        for word in Stage::all() {
            assert_eq!(stage(word).stage, word);
        }
    }

    #[test]
    fn a_start_and_a_destination_name_one_move() {
        for from in Stage::all() {
            for ended_in in Stage::all().map(Some).chain([None]) {
                let moves = moves_from(from, ended_in);
                let mut targets: Vec<_> = moves.iter().map(|(_, to)| *to).collect();
                targets.sort();
                targets.dedup();
                assert_eq!(targets.len(), moves.len(), "{from:?} {ended_in:?}");
            }
        }
    }

    #[test]
    fn every_open_stage_has_an_owner_and_a_way_out() {
        for from in OPEN {
            assert!(stage(from).owner.is_some());
            assert!(moves_from(from, None).iter().any(|(_, to)| *to == Stage::ClosedUnresolved), "{from:?}");
        }
    }

    #[test]
    fn the_stages_are_those_of_the_process_page() {
        let names = |fields: &[TicketField]| fields.iter().map(|field| field.label()).collect::<Vec<_>>().join(", ");
        let page = STAGES.each_ref().map(|spec| {
            let owner = spec.owner.map_or("nobody", Team::label);
            let required = names(spec.required);
            let on_de_escalation = names(spec.required_on_de_escalation);
            let asked = names(spec.asked);
            format!(
                "{} [{owner}, {:?}]\n  required: {required}\n  on de-escalation: {on_de_escalation}\n  asked: {asked}",
                spec.stage, spec.sla
            )
        });
        insta::assert_snapshot!(page.join("\n"));
    }

    #[test]
    fn the_moves_are_those_of_the_process_page() {
        let page: Vec<String> = Stage::all()
            .flat_map(|from| moves_from(from, Some(Stage::Verifying)).into_iter().map(move |pair| (from, pair)))
            .map(|(from, (spec, to))| {
                let team = spec.team(from).map_or("nobody", Team::label);
                format!("{from} -> {to} [{}] by {team}, {:?}", spec.kind, spec.reason)
            })
            .collect();
        insta::assert_snapshot!(page.join("\n"));
    }
}
