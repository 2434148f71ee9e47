//! What a resolver needs of its request: the service, the caller, the loaders.

use async_graphql::{Context, dataloader::DataLoader};

use crate::{
    domain::actor::Actor,
    graphql::{error::ApiError, loader::Loaders},
    service::Service,
};

/// The use cases.
pub fn service<'a>(context: &Context<'a>) -> Result<&'a Service, ApiError> {
    context.data_opt::<Service>().ok_or_else(ApiError::internal)
}

/// Who asks.
pub fn actor<'a>(context: &Context<'a>) -> Result<&'a Actor, ApiError> {
    context.data_opt::<Actor>().ok_or_else(ApiError::unauthenticated)
}

/// Whether staff ask, who see what contacts do not.
pub fn is_internal(context: &Context<'_>) -> Result<bool, ApiError> {
    Ok(actor(context)?.is_internal())
}

/// What reads other tables in batches.
pub fn loaders<'a>(context: &Context<'a>) -> Result<&'a DataLoader<Loaders>, ApiError> {
    context.data_opt::<DataLoader<Loaders>>().ok_or_else(ApiError::unauthenticated)
}
