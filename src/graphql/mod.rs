//! The GraphQL API: thin. A resolver parses, calls one service function and wraps what comes back.
//!
//! May import: `service`, `domain`, `entity::{vocab, id}`, async-graphql. Example: `moveTicket` turns its input into a
//! `MoveRequest`, calls `Service::move_ticket` and answers the ticket or `userErrors`.

pub mod admission;
mod completion;
mod connection;
mod context;
mod error;
mod event_cursor;
mod execution;
mod filter;
mod id;
mod input;
mod loader;
mod mutation;
mod query;
mod scalar;
mod shape;
mod shares;
mod subscription;
mod types;

use std::{net::IpAddr, sync::Arc};

use async_graphql::{Response, Schema};
use futures_util::stream::BoxStream;

use self::{
    admission::{Admitted, Gate, Params, Policy, Principal, Refused},
    shape::Shape,
    shares::ConnectionShares,
};
use crate::{
    domain::actor::Actor,
    service::{Service, audit::Origin, sessions::Session},
};

pub use self::{completion::never_ran, mutation::Mutation, query::Query, subscription::Subscription};

type SecondlineSchema = Schema<Query, Mutation, Subscription>;

/// The API behind every transport: what is admitted is carried out.
#[derive(Clone)]
pub struct Api {
    schema: SecondlineSchema,
    service: Service,
    shape: Arc<Shape>,
    gate: Arc<Gate>,
    shares: Arc<ConnectionShares>,
}

/// Who sends a request, and from where.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// Who, and how that is known; none without a token.
    pub session: Option<Session>,
    /// From where, as far as it is known.
    pub address: Option<IpAddr>,
    /// The id of the request, for the audit log.
    pub request_id: Option<String>,
}

impl Caller {
    /// Who; none without a token.
    pub fn actor(&self) -> Option<&Actor> {
        self.session.as_ref().map(|session| &session.actor)
    }

    /// Whose budget the request is charged to.
    pub fn principal(&self) -> Principal {
        match self.actor().and_then(Actor::uuid) {
            Some(id) => Principal::Known(id),
            None => Principal::of_address(self.address),
        }
    }
}

impl Api {
    /// The API over a service.
    pub fn new(service: Service, policy: Policy) -> Self {
        let schema = builder().data(service.clone()).disable_suggestions().finish();
        let gate = Gate::new(policy, service.clock().clone());
        Self { schema, service, shape: Arc::new(Shape::of(&sdl())), gate: Arc::new(gate), shares: Arc::default() }
    }

    /// The use cases.
    pub const fn service(&self) -> &Service {
        &self.service
    }

    /// The use cases, working on behalf of a request, with the caller's share of the database.
    pub fn service_for(&self, caller: &Caller) -> Service {
        let address = caller.address.map(|address| address.to_string());
        let service = self.service.on_behalf_of(Origin { address, request_id: caller.request_id.clone() });
        service.sharing(self.shares.of(caller.principal(), &self.service))
    }

    /// Charges what does not pass the gate, such as a report as CSV; what is more than the caller has left is refused.
    pub fn charge(&self, caller: &Caller, cost: u64) -> Result<(), Refused> {
        self.gate.charge(caller.principal(), cost)
    }

    /// Charges what was refused: it was looked at all the same. Takes what is left where that is less, and then says when to go on.
    pub fn charge_refused(&self, principal: Principal, cost: u64) -> Result<(), Refused> {
        self.gate.charge_refused(principal, cost)
    }

    /// Admits a request, and charges its caller, or says why not.
    pub fn admit(&self, params: Params, caller: &Caller) -> Result<Admitted, Refused> {
        self.gate.admit(&self.shape, params, caller.principal())
    }

    /// Carries out a query or a mutation.
    pub async fn execute(&self, admitted: &Admitted, caller: &Caller) -> Response {
        execution::execute(self, admitted, caller).await
    }

    /// Carries out a subscription: one answer for each event, or one that says why there are none.
    pub fn subscribe(&self, admitted: Admitted, caller: &Caller) -> BoxStream<'static, Response> {
        execution::subscribe(self.clone(), admitted, caller)
    }
}

/// The schema's text, as `schema.graphql` holds it.
pub fn sdl() -> String {
    builder().finish().sdl_with_options(async_graphql::SDLExportOptions::new().sorted_fields().sorted_enum_items())
}

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription)
}
