//! STUB, replaced by the real schema.

use async_graphql::{Context, Data, Object, Request, Schema, Subscription as Subscribe};
use futures_util::Stream;

use crate::{domain::actor::Actor, service::Service};

/// The schema.
pub type SecondlineSchema = Schema<Query, Mutation, Subscription>;
pub struct Query;
pub struct Mutation;
pub struct Subscription;

#[Object]
impl Query {
    async fn process(&self) -> &'static str {
        "Level 2 Support"
    }
    async fn viewer(&self, ctx: &Context<'_>) -> async_graphql::Result<String> {
        Ok(format!("{:?}", ctx.data::<Option<Actor>>()?.as_ref().map(Actor::kind)))
    }
}

#[Object]
impl Mutation {
    async fn slow(&self, seconds: u64) -> u64 {
        tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
        tracing::info!("slow mutation done");
        seconds
    }
}

#[Subscribe]
impl Subscription {
    async fn ticks(&self) -> impl Stream<Item = i32> {
        futures_util::stream::unfold(0, |tick| async move {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            Some((tick, tick + 1))
        })
    }
}

pub fn schema(service: Service) -> SecondlineSchema {
    Schema::build(Query, Mutation, Subscription).data(service).finish()
}

pub fn prepare(request: Request, _service: &Service, caller: Option<Actor>) -> Request {
    request.data(caller)
}

pub fn socket_data(_service: &Service, caller: Option<Actor>) -> Data {
    let mut data = Data::default();
    data.insert(caller);
    data
}

pub fn sdl() -> String {
    Schema::build(Query, Mutation, Subscription).finish().sdl()
}
