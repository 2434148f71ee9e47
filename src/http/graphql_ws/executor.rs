//! Carries out what comes over a WebSocket.

use std::{any::TypeId, sync::Arc};

use async_graphql::{Data, Executor, Request, Response, ServerError, Value, parser::types::OperationType};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tracing::Instrument;

use crate::{
    domain::actor::Actor,
    graphql,
    http::{HttpState, answer::Code},
};

/// Who opened the connection; part of its data.
pub(super) struct Caller(pub(super) Option<Actor>);

/// Subscriptions end with their connection; everything else runs to its end in a task of its own.
#[derive(Clone)]
pub(super) struct SocketExecutor {
    state: HttpState,
}

impl SocketExecutor {
    pub(super) const fn new(state: HttpState) -> Self {
        Self { state }
    }
}

impl Executor for SocketExecutor {
    async fn execute(&self, request: Request) -> Response {
        self.state.schema.execute(request).await
    }

    fn execute_stream(&self, mut request: Request, data: Option<Arc<Data>>) -> BoxStream<'static, Response> {
        let data = data.unwrap_or_default();
        let schema = self.state.schema.clone();
        if is_subscription(&mut request) {
            return schema.execute_stream_with_session_data(request, data);
        }
        let caller = data.get(&TypeId::of::<Caller>()).and_then(|caller| caller.downcast_ref::<Caller>());
        let caller = caller.and_then(|Caller(actor)| actor.clone());
        let service = self.state.service.clone();
        let work = async move { graphql::execute(&schema, &service, caller, request).await };
        let done = self.state.requests.spawn(work.in_current_span());
        stream::once(async move { done.await.unwrap_or_else(|_| internal()) }).boxed()
    }
}

/// Whether the operation that is asked for is a subscription. What does not parse is none, and its errors are answered.
fn is_subscription(request: &mut Request) -> bool {
    let name = request.operation_name.clone();
    let Ok(document) = request.parsed_query() else { return false };
    let mut operations = document.operations.iter();
    let asked = match name {
        Some(name) => operations.find(|(operation, _)| operation.is_some_and(|operation| operation.as_str() == name)),
        None => operations.next(),
    };
    asked.is_some_and(|(_, operation)| operation.node.ty == OperationType::Subscription)
}

/// The panic itself was logged where it happened.
fn internal() -> Response {
    let mut error = ServerError::new("something went wrong here; it was logged", None);
    let mut extensions = async_graphql::ErrorExtensionValues::default();
    extensions.set("code", Value::from(Code::Internal.word()));
    error.extensions = Some(extensions);
    Response::from_errors(vec![error])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operation_that_is_asked_for_decides() {
        let both = "query a { x } subscription b { y }";
        for (query, name, expected) in [
            ("subscription { y }", None, true),
            ("mutation { y }", None, false),
            ("{ x }", None, false),
            (both, Some("a"), false),
            (both, Some("b"), true),
            ("subscription {", None, false),
        ] {
            let mut request = Request::new(query);
            request.operation_name = name.map(str::to_owned);
            assert_eq!(is_subscription(&mut request), expected, "{query} {name:?}");
        }
    }
}
