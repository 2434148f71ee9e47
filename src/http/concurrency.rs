//! How many requests of one principal are carried out at once.
//!
//! However many a principal sends, a few go on and the others wait for them: nobody takes the machine from everybody else. What they
//! may have of the database at once is bounded beside, for one request can ask for thirty lists.

use std::time::Duration;

use tokio::time::timeout;

use super::turns::{Turn, Turns};
use crate::graphql::admission::Principal;

/// A page of a front end asks for a handful of things at once.
const AT_ONCE: usize = 8;
/// Those who go on, and those who wait: a front end's server that asks for everybody with one token.
const IN_LINE: usize = 128;
/// Requests take milliseconds; whoever waits longer has asked for too much.
const WAIT: Duration = Duration::from_secs(5);
/// What is answered to a request that waited for nothing.
pub(super) const TOO_MANY: &str = "too many of your requests are carried out at once; send fewer at a time";

/// Lets the requests of each principal take turns.
#[derive(Clone, Debug)]
pub struct RequestLimiter(Turns<Principal>);

/// A request that is being carried out, until it is dropped.
#[derive(Debug)]
pub(super) struct RequestPermit(#[expect(dead_code, reason = "held until the request has ended")] Turn<Principal>);

impl Default for RequestLimiter {
    fn default() -> Self {
        Self(Turns::new(AT_ONCE, IN_LINE))
    }
}

impl RequestLimiter {
    /// Waits for the principal's turn; `None` where too many of theirs wait, or for too long.
    pub(super) async fn wait(&self, principal: Principal) -> Option<RequestPermit> {
        timeout(WAIT, self.0.wait(principal)).await.ok().flatten().map(RequestPermit)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::join_all};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_few_go_on_and_nobody_waits_long() {
        let limiter = RequestLimiter::default();
        let (ours, others) = (Principal::Known(uuid::Uuid::from_u128(1)), Principal::Known(uuid::Uuid::from_u128(2)));
        let permits = join_all((0..AT_ONCE).map(|_| limiter.wait(ours))).await;
        assert!(permits.iter().all(Option::is_some));
        assert!(limiter.wait(ours).await.is_none(), "nobody ended in time");
        assert!(limiter.wait(others).now_or_never().flatten().is_some(), "others go on");
        let waiting: Vec<_> = (AT_ONCE..IN_LINE).map(|_| tokio::spawn(wait(&limiter, ours))).collect();
        for _ in 0..IN_LINE {
            tokio::task::yield_now().await;
        }
        assert!(limiter.wait(ours).now_or_never().flatten().is_none(), "the line is full");
        drop(permits);
        assert!(join_all(waiting).await.into_iter().all(|went_on| matches!(went_on, Ok(true))));
    }

    fn wait(limiter: &RequestLimiter, principal: Principal) -> impl Future<Output = bool> + use<> {
        let limiter = limiter.clone();
        async move { limiter.wait(principal).await.is_some() }
    }
}
