//! What a story is made of: who files what, how long ago, and the beats that follow.
//!
//! May import: the vocabulary and the cast's names; it is plain data. Example: `at(hours_ago(4, 35), Priya, Take)`
//! reads “4 hours and 35 minutes ago, Priya took it”.

use chrono::TimeDelta;
use entity::vocab::{Category, DeEscalationReason, Platform, Priority, Severity, Stage};

use crate::demo::cast::Who;

/// Less than an hour, so that what is written an hour apart stays in its order.
const SECONDS_OF_A_ROUGH_HOUR: u32 = 3_500;

/// One ticket and everything that happened to it, in the order in which it happened.
#[derive(Debug)]
pub(super) struct Story {
    pub filed: Ago,
    /// The contact who reported it.
    pub client: Who,
    pub entry: Entry,
    pub category: Category,
    /// A name from the list of the category's subtypes.
    pub subtype: &'static str,
    /// Unique: it tells the stories apart.
    pub subject: &'static str,
    pub description: &'static str,
    pub device: Option<Device>,
    /// The client wants it within so many days from today.
    pub wanted_in_days: Option<i64>,
    /// What Operations and QA find out; none while nobody has.
    pub evidence: Option<Evidence>,
    pub path: &'static [Beat],
}

/// How the ticket came.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entry {
    /// From Client Support, with the key of its ticket.
    Elevated(&'static str),
    /// The contact filed it.
    Form,
}

/// Where the client met the issue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Device {
    pub platform: Platform,
    pub browser: Option<&'static str>,
    pub operating_system: Option<&'static str>,
    pub app_version: Option<&'static str>,
}

/// What is needed to replicate and estimate an issue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    pub severity: Severity,
    pub target_url: &'static str,
    pub steps: &'static str,
    pub acceptance: &'static str,
    pub ops_can_reproduce: bool,
    pub affects_other_clients: bool,
    pub workaround: Option<&'static str>,
}

/// Somebody did something, some time ago.
#[derive(Debug)]
pub(super) struct Beat {
    pub ago: Ago,
    pub who: Who,
    pub step: Step,
}

/// What somebody did. Days are counted from today, so that -1 is yesterday.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Assigned it to themselves.
    Take,
    /// Assigned it to somebody else.
    Assign(Who),
    /// Wrote the evidence down without moving it.
    Gather,
    /// Asked the client, which stops the clock.
    Ask(&'static str),
    /// Recorded the client's answer, which starts the clock again; clients answer by a comment.
    Answer(&'static str),
    /// Commented for colleagues.
    Note(&'static str),
    /// Commented for everybody, the client too.
    Say(&'static str),
    /// Validating → Replicating, with the evidence.
    Confirm,
    /// Replicating → Validating, with reasons.
    DeEscalate(&'static [DeEscalationReason], &'static str),
    /// Replicating → Estimating, with scope and workaround.
    Replicate,
    /// Estimating → Replicating: the evidence does not hold.
    SendBack(&'static str),
    /// Estimating → Fixing, to be delivered on that day, with the proposed priority.
    Promise(i64),
    /// The same, with another priority than the proposed one.
    PromiseAs(Priority, i64),
    /// Changed the promised day.
    Postpone(i64, &'static str),
    /// Fixing → Verifying, with the pull request.
    Fix(&'static str),
    /// Verifying → Fixing.
    RejectFix(&'static str),
    /// Verifying → Closed (Resolved), with the resolution notes.
    Resolve(&'static str),
    /// To Closed (Unresolved), with the resolution notes.
    Close(&'static str),
    /// Out of Level 2, into this pipeline.
    Transfer(&'static str, &'static str),
    /// Opened it again, in this stage.
    Reopen(Stage, &'static str),
}

/// How long before now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ago {
    minutes: u32,
    is_rough: bool,
}

/// To the hour: it happened at some minute of it, so that not everything in a history happens at the same one.
pub(super) const fn days_ago(days: u32, hours: u32) -> Ago {
    Ago { minutes: 60 * (24 * days + hours), is_rough: true }
}

/// To the minute, for what a clock depends on.
pub(super) const fn hours_ago(hours: u32, minutes: u32) -> Ago {
    Ago { minutes: 60 * hours + minutes, is_rough: false }
}

impl Story {
    /// How long ago something of this story happened; the same in every demo, and at most an hour more than is written.
    pub(super) fn length_of(&self, ago: Ago) -> TimeDelta {
        let written = TimeDelta::minutes(i64::from(ago.minutes));
        if !ago.is_rough {
            return written;
        }
        let mixed =
            self.subject.bytes().fold(ago.minutes, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        written + TimeDelta::seconds(i64::from(mixed % SECONDS_OF_A_ROUGH_HOUR))
    }
}

pub(super) const fn at(ago: Ago, who: Who, step: Step) -> Beat {
    Beat { ago, who, step }
}

pub(super) const CHROME_ON_WINDOWS: Option<Device> = Some(Device {
    platform: Platform::Web,
    browser: Some("Chrome 142"),
    operating_system: Some("Windows 11 24H2"),
    app_version: None,
});

pub(super) const FIREFOX_ON_LINUX: Option<Device> = Some(Device {
    platform: Platform::Web,
    browser: Some("Firefox 145"),
    operating_system: Some("Ubuntu 24.04"),
    app_version: None,
});

pub(super) const SAFARI_ON_MAC: Option<Device> = Some(Device {
    platform: Platform::Web,
    browser: Some("Safari 26.1"),
    operating_system: Some("macOS 26.1"),
    app_version: None,
});

pub(super) const SAFARI_ON_IPAD: Option<Device> = Some(Device {
    platform: Platform::MobileWeb,
    browser: Some("Safari 26.1"),
    operating_system: Some("iPadOS 26.1"),
    app_version: None,
});

pub(super) const IPHONE_APP: Option<Device> = Some(Device {
    platform: Platform::Ios,
    browser: None,
    operating_system: Some("iOS 26.1"),
    app_version: Some("7.4.2 (1180)"),
});

pub(super) const ANDROID_APP: Option<Device> = Some(Device {
    platform: Platform::Android,
    browser: None,
    operating_system: Some("Android 16"),
    app_version: Some("7.4.1 (1176)"),
});

pub(super) const API_CLIENT: Option<Device> =
    Some(Device { platform: Platform::Api, browser: None, operating_system: None, app_version: Some("API 2026-04") });
