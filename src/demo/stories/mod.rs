//! What happens to each ticket, one file per stage in which the stories end.
//!
//! The clients use Portside, a platform that takes trade orders from the first offer to the paid invoice. The demo's
//! policies count round the clock: one day in Validating, Estimating and Verifying, two in Replicating, with a warning
//! at three quarters. So a ticket that has been in Validating for 18 hours is about to be warned of. Comments say what
//! comes soon.

mod closed;
mod estimating;
mod fixing;
mod replicating;
mod validating;
mod verifying;

use chrono::TimeDelta;

use crate::demo::script::Story;

pub(super) use self::validating::SAMPLE;

/// All stories, the sample first.
pub(super) fn all() -> impl Iterator<Item = &'static Story> {
    std::iter::once(&SAMPLE)
        .chain(&validating::STORIES)
        .chain(&replicating::STORIES)
        .chain(&estimating::STORIES)
        .chain(&fixing::STORIES)
        .chain(&verifying::STORIES)
        .chain(&closed::STORIES)
}

/// How long ago the first ticket was filed.
pub(super) fn longest_ago() -> TimeDelta {
    all().map(|story| story.length_of(story.filed)).max().unwrap_or_default()
}
