//! The GraphQL API: thin. A resolver parses, calls one service function and wraps what comes back.
//!
//! May import: `service`, `domain`, `entity::{vocab, id}`, async-graphql. Example: `moveTicket` turns its input into a
//! `MoveRequest`, calls `Service::move_ticket` and answers the ticket or `userErrors`.

mod connection;
mod context;
mod error;
mod execution;
mod filter;
mod id;
mod input;
mod loader;
mod mutation;
mod query;
mod scalar;
mod subscription;
mod types;

use async_graphql::{Data, Schema};

use crate::{domain::actor::Actor, service::Service};

pub use self::{execution::execute, mutation::Mutation, query::Query, subscription::Subscription};

/// The schema with its three roots.
pub type SecondlineSchema = Schema<Query, Mutation, Subscription>;

/// Deeper than any sensible query, and than the introspection query of front-end tools.
const DEPTH_LIMIT: usize = 24;

/// The schema over a service.
pub fn schema(service: Service) -> SecondlineSchema {
    builder().data(service).limit_depth(DEPTH_LIMIT).finish()
}

/// The schema's text, as `schema.graphql` holds it.
pub fn sdl() -> String {
    builder().finish().sdl_with_options(async_graphql::SDLExportOptions::new().sorted_fields().sorted_enum_items())
}

/// What the subscriptions of a socket need: the caller and their loaders.
pub fn socket_data(service: &Service, caller: Option<Actor>) -> Data {
    let mut data = Data::default();
    if let Some(actor) = caller {
        data.insert(loader::Loaders::batching(service.clone(), actor.clone()));
        data.insert(actor);
    }
    data
}

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription)
}
