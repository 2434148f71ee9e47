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
mod subscription;
mod types;

use std::{net::IpAddr, sync::Arc};

use async_graphql::{Response, Schema};
use futures_util::stream::BoxStream;

use self::{
    admission::{Admitted, Gate, Params, Policy, Principal, Refused},
    shape::Shape,
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

    /// The use cases, working on behalf of this request.
    pub fn service(&self, service: &Service) -> Service {
        let address = self.address.map(|address| address.to_string());
        service.on_behalf_of(Origin { address, request_id: self.request_id.clone() })
    }

    /// Whose budget the request is charged to.
    pub fn principal(&self) -> Principal {
        match self.actor().and_then(Actor::uuid) {
            Some(id) => Principal::Known(id),
            None => Principal::Unknown(self.address),
        }
    }
}

impl Api {
    /// The API over a service.
    pub fn new(service: Service, policy: Policy) -> Self {
        let schema = builder().data(service.clone()).disable_suggestions().finish();
        let gate = Gate::new(policy, service.clock().clone());
        Self { schema, service, shape: Arc::new(Shape::of(&sdl())), gate: Arc::new(gate) }
    }

    /// The use cases.
    pub const fn service(&self) -> &Service {
        &self.service
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
