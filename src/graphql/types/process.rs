//! The process itself, from the same table as the check.

use async_graphql::{Object, SimpleObject};
use entity::vocab::{MoveKind, Stage, Team, TicketField};

use crate::domain::process::{self, MoveSpec, ReasonRule, STAGES, StageSla, StageSpec};

/// The Level 2 Support process: a front end builds its forms from this.
pub struct Process {
    /// The pipelines that a ticket can be transferred to.
    pub pipelines: Vec<String>,
}

/// One stage of the process.
pub struct ProcessStage(&'static StageSpec);

/// One transition of the process.
#[derive(SimpleObject)]
pub struct ProcessMove {
    /// What the move is.
    kind: MoveKind,
    /// The stage it starts from.
    from: Stage,
    /// Where it leads. Null: to the stage that the ticket was closed from.
    to: Option<Stage>,
    /// The team that makes it; a manager or an administrator may make any.
    by: Option<Team>,
    /// Whether it needs a `reason` in words.
    needs_reason: bool,
    /// Whether it needs `deEscalationReasons`.
    needs_de_escalation_reasons: bool,
    /// When it is the right move.
    when: &'static str,
}

/// A field with its name for people.
#[derive(SimpleObject)]
pub struct ProcessField {
    /// The field.
    field: TicketField,
    /// Its name for people.
    label: &'static str,
}

/// The Level 2 Support process: a front end builds its forms from this.
#[Object]
impl Process {
    /// The pipeline's name.
    async fn name(&self) -> &str {
        process::PIPELINE_NAME
    }

    /// The stages, in order.
    async fn stages(&self) -> Vec<ProcessStage> {
        STAGES.iter().filter(|spec| spec.stage != Stage::Transferred).map(ProcessStage).collect()
    }

    /// The transitions.
    async fn moves(&self) -> Vec<ProcessMove> {
        process::MOVES.iter().flat_map(|spec| spec.from.iter().map(|from| ProcessMove::new(spec, *from))).collect()
    }

    /// The pipelines that a ticket can be transferred to.
    async fn other_pipelines(&self) -> &[String] {
        &self.pipelines
    }
}

impl ProcessMove {
    fn new(spec: &'static MoveSpec, from: Stage) -> Self {
        let to = match spec.to {
            process::Destination::Stage(stage) => Some(stage),
            process::Destination::AnotherPipeline => Some(Stage::Transferred),
            process::Destination::WhereItEnded => None,
        };
        Self {
            kind: spec.kind,
            from,
            to,
            by: spec.team(from),
            needs_reason: spec.reason == ReasonRule::Words,
            needs_de_escalation_reasons: spec.reason == ReasonRule::DeEscalationReasons,
            when: spec.when,
        }
    }
}

/// One stage of the process.
#[Object]
impl ProcessStage {
    /// Which stage.
    async fn stage(&self) -> Stage {
        self.0.stage
    }

    /// Its name for people.
    async fn name(&self) -> &str {
        self.0.stage.label()
    }

    /// The team that owns it.
    async fn owner_team(&self) -> Option<Team> {
        self.0.owner
    }

    /// Its default SLA in working days; null for Fixing, whose deadline is the Estimated Delivery Date, and when closed.
    /// `slaPolicies` has what is in force.
    async fn sla_working_days(&self) -> Option<u32> {
        match self.0.sla {
            StageSla::WorkingDays(days) => Some(days),
            StageSla::DeliveryDate | StageSla::None => None,
        }
    }

    /// Whether its deadline is the Estimated Delivery Date.
    async fn is_due_on_delivery_date(&self) -> bool {
        self.0.sla == StageSla::DeliveryDate
    }

    /// Required before a ticket may enter.
    async fn required_fields(&self) -> Vec<ProcessField> {
        fields(self.0.required)
    }

    /// Required as well when a ticket comes by de-escalation.
    async fn required_on_de_escalation(&self) -> Vec<ProcessField> {
        fields(self.0.required_on_de_escalation)
    }

    /// Asked for and shown, never blocking.
    async fn asked_fields(&self) -> Vec<ProcessField> {
        fields(self.0.asked)
    }

    /// What is done here.
    async fn description(&self) -> &str {
        self.0.description
    }

    /// What stands at its end.
    async fn outcome(&self) -> &str {
        self.0.outcome
    }
}

fn fields(fields: &[TicketField]) -> Vec<ProcessField> {
    fields.iter().map(|field| ProcessField { field: *field, label: field.label() }).collect()
}
