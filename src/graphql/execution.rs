//! Carries out a request step by step, so that batches are whole.
//!
//! Resolvers ask loaders for rows; a loader collects what is asked for and reads it in one batch. A batch that is read after
//! some time, as async-graphql's own loaders do, is cut wherever that time runs out. Here the resolvers run until all of them
//! wait, and only then are the batches read: a field costs one batch, however many rows there are and however slow the
//! machine is.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use async_graphql::{Request, Response};
use futures_util::{StreamExt, future::poll_fn, stream::FuturesUnordered, task::AtomicWaker};
use tokio::sync::mpsc;

use crate::{
    domain::actor::Actor,
    graphql::{SecondlineSchema, loader::Loaders},
    service::Service,
};

/// Carries out a query or a mutation for a caller; none sent no token.
pub async fn execute(
    schema: &SecondlineSchema,
    service: &Service,
    caller: Option<Actor>,
    request: Request,
) -> Response {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let request = match caller {
        Some(actor) => request.data(Loaders::stepwise(service.clone(), actor.clone(), sender)).data(actor),
        None => request,
    };
    let mut resolvers = pin!(schema.execute(request));
    let mut batches = FuturesUnordered::new();
    let wish = Arc::new(Wish::default());
    let waker = Waker::from(Arc::clone(&wish));
    poll_fn(|context| {
        wish.task.register(context.waker());
        wish.to_go_on.store(false, Ordering::SeqCst);
        if let Poll::Ready(response) = resolvers.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Poll::Ready(response);
        }
        if wish.to_go_on.load(Ordering::SeqCst) {
            // Some resolver only made room for others; this task has been woken and goes on with them.
            return Poll::Pending;
        }
        while let Poll::Ready(Some(batch)) = receiver.poll_recv(context) {
            batches.push(batch);
        }
        while let Poll::Ready(Some(())) = batches.poll_next_unpin(context) {}
        Poll::Pending
    })
    .await
}

/// Tells whether the resolvers want to go on at once, and wakes the task that carries them out.
#[derive(Default)]
struct Wish {
    to_go_on: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Wish {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.to_go_on.store(true, Ordering::SeqCst);
        self.task.wake();
    }
}
