//! Mutations of tickets and of the ledger.

use async_graphql::{Context, ID, InputObject, Object};
use entity::{
    id::{CompanyId, ContactId, NoticeId, PersonId},
    vocab::{DeEscalationReason, Stage},
};
use uuid::Uuid;

use crate::{
    domain::{self, moves::Target},
    graphql::{
        context::{actor, service},
        error::{ApiError, payload},
        id::{self, parse_reference},
        input::TicketFactsInput,
        mutation::payloads,
        scalar::Date,
        types::{notice::Notice, ticket::Ticket},
    },
    service::{
        Result as ServiceResult,
        tickets::{FactsInput, MoveRequest, NewTicket},
    },
};

/// Mutations of tickets.
#[derive(Debug, Default)]
pub struct TicketMutations;

/// A ticket to be filed.
#[derive(Debug, InputObject)]
struct CreateTicketInput {
    /// An id that you made, so that a retry is the same ticket.
    id: Option<Uuid>,
    /// The client. A contact may leave it out: their own company.
    company_id: Option<ID>,
    /// The client's person who hears about it. A contact may leave it out: themselves.
    contact_id: Option<ID>,
    /// The level-1 ticket that it is elevated from.
    level_one_reference: Option<String>,
    /// What is known. Subject, description, category and subtype are required.
    facts: TicketFactsInput,
}

/// Facts to be changed.
#[derive(Debug, InputObject)]
struct UpdateTicketInput {
    /// The ticket, by id or key.
    ticket_id: ID,
    /// The facts; what is left out stays, null clears.
    facts: TicketFactsInput,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

/// A move to another stage.
#[derive(Debug, InputObject)]
struct MoveTicketInput {
    /// The ticket, by id or key.
    ticket_id: ID,
    /// Where to; `availableMoves` lists what is possible and what each move needs.
    to: Stage,
    /// Facts stated with the move; they count for its gate.
    facts: Option<TicketFactsInput>,
    /// Why, in words, where the move needs it.
    reason: Option<String>,
    /// Why, for a de-escalation.
    de_escalation_reasons: Option<Vec<DeEscalationReason>>,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

/// A move out of Level 2.
#[derive(Debug, InputObject)]
struct TransferTicketInput {
    /// The ticket, by id or key.
    ticket_id: ID,
    /// The pipeline's name; `process { otherPipelines }` lists them.
    pipeline: String,
    /// Why, in words.
    reason: Option<String>,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

/// An assignment.
#[derive(Debug, InputObject)]
struct AssignTicketInput {
    /// The ticket, by id or key.
    ticket_id: ID,
    /// Who works on it; null for nobody.
    assignee_id: Option<ID>,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

/// A new promise.
#[derive(Debug, InputObject)]
struct SetEstimatedDeliveryDateInput {
    /// The ticket, by id or key.
    ticket_id: ID,
    /// The day on which the fix is promised.
    estimated_delivery_date: Date,
    /// Why it changes; staff read it in the history.
    reason: String,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

/// A question to the client.
#[derive(Debug, InputObject)]
struct AskClientInput {
    /// The ticket, by id or key.
    ticket_id: ID,
    /// The question, which is mailed to the ticket's contact.
    question: String,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

/// The client's answer.
#[derive(Debug, InputObject)]
struct RecordClientAnswerInput {
    /// The ticket, by id or key.
    ticket_id: ID,
    /// What the client says.
    answer: String,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

/// A failed notice to be sent again.
#[derive(Debug, InputObject)]
struct RetryNoticeInput {
    /// The notice.
    notice_id: ID,
}

payloads! {
    /// What `createTicket` answers.
    CreateTicketPayload {
        /// The ticket; null when refused.
        ticket: Ticket
    }
    /// What `updateTicket` answers.
    UpdateTicketPayload {
        /// The ticket; null when refused.
        ticket: Ticket
    }
    /// What `moveTicket` answers.
    MoveTicketPayload {
        /// The ticket; null when refused.
        ticket: Ticket
    }
    /// What `transferTicket` answers.
    TransferTicketPayload {
        /// The ticket; null when refused.
        ticket: Ticket
    }
    /// What `assignTicket` answers.
    AssignTicketPayload {
        /// The ticket; null when refused.
        ticket: Ticket
    }
    /// What `setEstimatedDeliveryDate` answers.
    SetEstimatedDeliveryDatePayload {
        /// The ticket; null when refused.
        ticket: Ticket
    }
    /// What `askClient` answers.
    AskClientPayload {
        /// The ticket; null when refused.
        ticket: Ticket
    }
    /// What `recordClientAnswer` answers.
    RecordClientAnswerPayload {
        /// The ticket; null when refused.
        ticket: Ticket
    }
    /// What `retryNotice` answers.
    RetryNoticePayload {
        /// The notice; null when refused.
        notice: Notice
    }
}

/// Mutations of tickets.
#[Object]
impl TicketMutations {
    /// Files a ticket, which enters Validating. Staff file what level 1 elevated; contacts file for their own company.
    async fn create_ticket(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A ticket to be filed.")] input: CreateTicketInput,
    ) -> Result<CreateTicketPayload, ApiError> {
        let new = NewTicket {
            id: input.id,
            company_id: input.company_id.map(|id| parse_reference::<CompanyId>(&id)),
            contact_id: input.contact_id.map(|id| parse_reference::<ContactId>(&id)),
            level_one_reference: input.level_one_reference,
            facts: input.facts.read(),
        };
        ticket_payload(service(context)?.create_ticket(actor(context)?, new).await)
    }

    /// Changes facts of an open ticket.
    async fn update_ticket(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Facts to be changed.")] input: UpdateTicketInput,
    ) -> Result<UpdateTicketPayload, ApiError> {
        let id = id::ticket(context, &input.ticket_id).await?;
        let facts = input.facts.read();
        ticket_payload(service(context)?.update_ticket(actor(context)?, id, facts, input.expected_version).await)
    }

    /// Moves a ticket to another stage: forward, back with reasons, closed, or open again.
    async fn move_ticket(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A move to another stage.")] input: MoveTicketInput,
    ) -> Result<MoveTicketPayload, ApiError> {
        let id = id::ticket(context, &input.ticket_id).await?;
        let request = MoveRequest {
            target: Target::Stage(input.to),
            facts: input.facts.unwrap_or_default().read(),
            reason: input.reason,
            de_escalation_reasons: input.de_escalation_reasons.unwrap_or_default(),
            expected_version: input.expected_version,
        };
        ticket_payload(service(context)?.move_ticket(actor(context)?, id, request).await)
    }

    /// Moves a ticket out of Validating into another pipeline: it is no issue for Level 2.
    async fn transfer_ticket(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A move out of Level 2.")] input: TransferTicketInput,
    ) -> Result<TransferTicketPayload, ApiError> {
        let id = id::ticket(context, &input.ticket_id).await?;
        let request = MoveRequest {
            target: Target::Pipeline(input.pipeline),
            facts: FactsInput::default(),
            reason: input.reason,
            de_escalation_reasons: Vec::new(),
            expected_version: input.expected_version,
        };
        ticket_payload(service(context)?.move_ticket(actor(context)?, id, request).await)
    }

    /// Assigns an open ticket to a person, or to nobody.
    async fn assign_ticket(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "An assignment.")] input: AssignTicketInput,
    ) -> Result<AssignTicketPayload, ApiError> {
        let id = id::ticket(context, &input.ticket_id).await?;
        let assignee = input.assignee_id.map(|id| parse_reference::<PersonId>(&id));
        ticket_payload(service(context)?.assign_ticket(actor(context)?, id, assignee, input.expected_version).await)
    }

    /// Sets the Estimated Delivery Date, with a reason. From Fixing on the client hears of the change.
    async fn set_estimated_delivery_date(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A new promise.")] input: SetEstimatedDeliveryDateInput,
    ) -> Result<SetEstimatedDeliveryDatePayload, ApiError> {
        let id = id::ticket(context, &input.ticket_id).await?;
        let date = input.estimated_delivery_date.0;
        let actor = actor(context)?;
        let changed =
            service(context)?.set_estimated_delivery_date(actor, id, date, &input.reason, input.expected_version);
        ticket_payload(changed.await)
    }

    /// Mails the client a question; the stage's clock stands still until the answer.
    async fn ask_client(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A question to the client.")] input: AskClientInput,
    ) -> Result<AskClientPayload, ApiError> {
        let id = id::ticket(context, &input.ticket_id).await?;
        let asked = service(context)?.ask_client(actor(context)?, id, &input.question, input.expected_version);
        ticket_payload(asked.await)
    }

    /// Records the client's answer: the clock goes on, and the owner is told. Contacts answer for their own company.
    async fn record_client_answer(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The client's answer.")] input: RecordClientAnswerInput,
    ) -> Result<RecordClientAnswerPayload, ApiError> {
        let id = id::ticket(context, &input.ticket_id).await?;
        let actor = actor(context)?;
        let answered = service(context)?.record_client_answer(actor, id, &input.answer, input.expected_version);
        ticket_payload(answered.await)
    }

    /// Queues a failed notice again. For managers.
    async fn retry_notice(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A failed notice to be sent again.")] input: RetryNoticeInput,
    ) -> Result<RetryNoticePayload, ApiError> {
        let id: NoticeId = id::parse_reference(&input.notice_id);
        payload(service(context)?.retry_notice(actor(context)?, id).await.map(Notice::from))
    }
}

fn ticket_payload<P>(result: ServiceResult<domain::ticket::Ticket>) -> Result<P, ApiError>
where
    P: From<(Option<Ticket>, Vec<crate::graphql::error::UserError>)>,
{
    payload(result.map(Ticket::from))
}
