//! Carries out requests step by step, so that batches are whole, and completes their answers.
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
use futures_util::{
    StreamExt,
    future::poll_fn,
    stream::{self, BoxStream, FuturesUnordered},
    task::AtomicWaker,
};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::graphql::{
    Admitted, Api, Caller,
    admission::{Toll, of_reading, with_code},
    completion::{complete, never_ran},
    context::BeginsAt,
    loader::{Batch, Loaders},
};

/// Errors that are told of a document that is not valid; whoever mends those hears of the next.
const VALIDATION_ERRORS: usize = 20;

/// Carries out a query or a mutation.
pub(super) async fn execute(api: &Api, admitted: &Admitted, caller: &Caller) -> Response {
    let mut steps = Steps::new();
    let mut resolvers = pin!(api.schema.execute(steps.request(api, admitted, caller)));
    let response = poll_fn(|context| steps.poll(context, |context| resolvers.as_mut().poll(context))).await;
    if never_ran(&response) {
        // It was refused all the same where nothing is left to pay with.
        let _ = api.charge_refused(caller.principal(), of_reading(admitted.length()));
    }
    finished(api, admitted, response)
}

/// Carries out a subscription: one answer for each event, or one that says why there are none.
pub(super) fn subscribe(api: Api, admitted: Admitted, caller: &Caller) -> BoxStream<'static, Response> {
    let mut steps = Steps::new();
    let toll = Toll::new(&api.gate, caller.principal(), admitted.charge().cost);
    let mut resolvers = api.schema.execute_stream(steps.request(&api, &admitted, caller).data(toll));
    stream::poll_fn(move |context| steps.poll(context, |context| resolvers.poll_next_unpin(context)))
        .map(move |response| finished(&api, &admitted, response))
        .boxed()
}

/// The answer as the specification has it.
fn finished(api: &Api, admitted: &Admitted, mut response: Response) -> Response {
    if never_ran(&response) {
        let errors = std::mem::take(&mut response.errors).into_iter().take(VALIDATION_ERRORS);
        response.errors = errors.map(|error| with_code(error, "GRAPHQL_VALIDATION_FAILED")).collect();
        return response;
    }
    // What the library itself finds wrong while it carries a request out are values that arguments cannot take.
    let errors = std::mem::take(&mut response.errors);
    response.errors = errors.into_iter().map(|error| with_code(error, "BAD_INPUT")).collect();
    let document = admitted.document();
    match admitted.operation(&document) {
        Some(operation) => complete(response, &api.shape, &document, operation),
        None => response,
    }
}

/// What makes resolvers and batches take turns.
struct Steps {
    ready: UnboundedReceiver<Batch>,
    sender: Option<mpsc::UnboundedSender<Batch>>,
    under_way: FuturesUnordered<Batch>,
    wish: Arc<Wish>,
    waker: Waker,
}

impl Steps {
    fn new() -> Self {
        let (sender, ready) = mpsc::unbounded_channel();
        let wish = Arc::new(Wish::default());
        let waker = Waker::from(Arc::clone(&wish));
        Self { ready, sender: Some(sender), under_way: FuturesUnordered::new(), wish, waker }
    }

    /// The request, with loaders whose batches come here.
    fn request(&mut self, api: &Api, admitted: &Admitted, caller: &Caller) -> Request {
        let service = api.service_for(caller);
        let begins_at = BeginsAt(service.log_position());
        let request = admitted.request().data(service.clone()).data(begins_at);
        match (&caller.session, self.sender.take()) {
            (Some(session), Some(sender)) => {
                let actor = session.actor.clone();
                request.data(Loaders::stepwise(service, actor.clone(), sender)).data(actor).data(session.clone())
            }
            _ => request,
        }
    }

    /// Lets the resolvers go on until all of them wait, then the batches.
    fn poll<T>(&mut self, context: &mut Context<'_>, resolvers: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        self.wish.task.register(context.waker());
        self.wish.to_go_on.store(false, Ordering::SeqCst);
        if let Poll::Ready(done) = resolvers(&mut Context::from_waker(&self.waker)) {
            return Poll::Ready(done);
        }
        if self.wish.to_go_on.load(Ordering::SeqCst) {
            // Some resolver only made room for others; this task has been woken and goes on with them.
            return Poll::Pending;
        }
        while let Poll::Ready(Some(batch)) = self.ready.poll_recv(context) {
            self.under_way.push(batch);
        }
        while let Poll::Ready(Some(())) = self.under_way.poll_next_unpin(context) {}
        Poll::Pending
    }
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
