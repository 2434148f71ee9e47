//! Id newtypes over UUID, one per table, so that no id can stand in for another's.
//!
//! May import: sea-orm derives, serde, uuid. Ids are made by `secondline::clock`; this crate makes none. Example:
//! `TicketId` prints as `ticket_0199f3…` and reads the same text back; that text is the opaque id of the API.

use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is not an id of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseIdError;

macro_rules! id {
    ($($(#[$about:meta])* $name:ident($prefix:literal),)+) => {$(
        $(#[$about])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, DeriveValueType, Serialize, Deserialize,
        )]
        pub struct $name(pub Uuid);

        impl $name {
            /// What the text form starts with.
            pub const PREFIX: &'static str = $prefix;
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(out, "{}_{}", $prefix, self.0.simple())
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let (prefix, hex) = text.rsplit_once('_').ok_or(ParseIdError)?;
                if prefix != $prefix || hex.len() != 32 {
                    return Err(ParseIdError);
                }
                Uuid::parse_str(hex).map(Self).map_err(|_| ParseIdError)
            }
        }
    )+};
}

id! {
    /// A client company.
    CompanyId("company"),
    /// A client's contact.
    ContactId("contact"),
    /// A member of staff.
    PersonId("person"),
    /// An access token.
    AccessTokenId("access_token"),
    /// A subtype of a category.
    TicketSubtypeId("ticket_subtype"),
    /// A ticket.
    TicketId("ticket"),
    /// One stay of a ticket in one stage.
    StageVisitId("stage_visit"),
    /// A pause of a stage's clock.
    ClockPauseId("clock_pause"),
    /// A question to the client.
    ClarificationId("clarification"),
    /// An SLA alert.
    SlaAlertId("sla_alert"),
    /// A mail to one recipient.
    NoticeId("notice"),
    /// A working calendar.
    CalendarId("calendar"),
    /// A version of a working calendar.
    CalendarVersionId("calendar_version"),
    /// The SLA policy of a stage.
    SlaPolicyId("sla_policy"),
    /// A version of the SLA policy of a stage.
    SlaPolicyVersionId("sla_policy_version"),
    /// An entry of the audit log.
    AuditEntryId("audit_entry"),
    /// A comment on a ticket.
    CommentId("comment"),
    /// Somebody who watches a ticket.
    TicketWatcherId("ticket_watcher"),
    /// A link between two tickets.
    TicketLinkId("ticket_link"),
    /// A file of a ticket.
    AttachmentId("attachment"),
}
