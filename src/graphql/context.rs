//! What a resolver needs of its request: the service, the caller, the loaders.

use async_graphql::{Context, dataloader::DataLoader};

use crate::{
    domain::actor::Actor,
    graphql::{admission::Toll, error::ApiError, loader::Loaders},
    service::{Service, sessions::Session},
};

/// The use cases.
pub fn service<'a>(context: &Context<'a>) -> Result<&'a Service, ApiError> {
    context.data_opt::<Service>().ok_or_else(ApiError::internal)
}

/// Who asks.
pub fn actor<'a>(context: &Context<'a>) -> Result<&'a Actor, ApiError> {
    context.data_opt::<Actor>().ok_or_else(ApiError::unauthenticated)
}

/// Under which session, for what goes on longer than a request.
pub fn session<'a>(context: &Context<'a>) -> Result<&'a Session, ApiError> {
    context.data_opt::<Session>().ok_or_else(ApiError::unauthenticated)
}

/// What a subscription pays for each answer about what is past.
pub fn toll(context: &Context<'_>) -> Result<Toll, ApiError> {
    context.data_opt::<Toll>().cloned().ok_or_else(ApiError::internal)
}

/// How far the log of events was complete before anything else was read for the request; none where that is not known yet.
#[derive(Clone, Copy, Debug)]
pub struct BeginsAt(pub Option<i64>);

/// How far the log of events was complete when the request began.
pub fn begins_at(context: &Context<'_>) -> Option<i64> {
    context.data_opt::<BeginsAt>().and_then(|BeginsAt(position)| *position)
}

/// Whether staff ask, who see what contacts do not.
pub fn is_internal(context: &Context<'_>) -> Result<bool, ApiError> {
    Ok(actor(context)?.is_internal())
}

/// What reads other tables in batches.
pub fn loaders<'a>(context: &Context<'a>) -> Result<&'a DataLoader<Loaders>, ApiError> {
    context.data_opt::<DataLoader<Loaders>>().ok_or_else(ApiError::unauthenticated)
}
