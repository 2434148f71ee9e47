//! Every closed word list of the product, once.
//!
//! A word has one spelling (`SCREAMING_SNAKE_CASE`) in the database, in GraphQL and in JSON, and one label for people.
//! May import: sea-orm and async-graphql derives, serde. Example: `Stage::ClosedResolved` is stored and answered as
//! `CLOSED_RESOLVED` and shown in a mail as “Closed (Resolved)”.

use async_graphql::Enum;
use sea_orm::{ActiveEnum, DeriveActiveEnum, EnumIter, Iterable};
use serde::{Deserialize, Serialize};

macro_rules! vocabulary {
    ($($(#[$about:meta])* $name:ident { $($(#[$word_about:meta])* $word:ident => $label:literal,)+ })+) => {$(
        $(#[$about])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord,
            EnumIter, DeriveActiveEnum, Enum, Serialize, Deserialize,
        )]
        #[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
        #[graphql(rename_items = "SCREAMING_SNAKE_CASE")]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum $name {
            $($(#[$word_about])* $word,)+
        }

        impl $name {
            /// How the word reads to a person.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$word => $label,)+ }
            }

            /// How the word is stored and answered, such as `CLOSED_RESOLVED`.
            pub fn word(self) -> String {
                self.to_value()
            }

            /// Reads the stored spelling, in any case.
            pub fn parse(text: &str) -> Option<Self> {
                Self::iter().find(|candidate| candidate.word().eq_ignore_ascii_case(text.trim()))
            }

            /// All words of the list, in the order of their declaration.
            pub fn all() -> impl Iterator<Item = Self> {
                Self::iter()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(self.label())
            }
        }
    )+};
}

vocabulary! {
    /// Where a ticket stands in the Level 2 Support process.
    Stage {
        /// Operations confirms that the issue is real and gathers the minimum reproduction information.
        Validating => "Validating",
        /// QA gets reliable reproduction evidence.
        Replicating => "Replicating",
        /// The Project Manager sets the Estimated Delivery Date and verifies the priority.
        Estimating => "Estimating",
        /// Tech fixes the issue and opens a pull request.
        Fixing => "Fixing",
        /// QA verifies that the fix meets the acceptance criteria.
        Verifying => "Verifying",
        /// Delivered: the fix is merged and explained.
        ClosedResolved => "Closed (Resolved)",
        /// Ended without a fix.
        ClosedUnresolved => "Closed (Unresolved)",
        /// Not a stage of this process: the ticket left it for another pipeline.
        Transferred => "Transferred",
    }

    /// A team that owns stages of the process.
    Team {
        /// Confirms that issues are real.
        Operations => "Operations",
        /// Replicates issues and verifies fixes.
        Qa => "QA",
        /// Prioritises and estimates.
        ProjectManager => "Project Manager",
        /// Fixes.
        Tech => "Tech",
    }

    /// What a person is in a team.
    TeamRole {
        /// Works on the team's tickets.
        Member => "Member",
        /// Leads the team and hears of its breaches.
        Manager => "Manager",
    }

    /// What kind of issue a ticket is about.
    Category {
        /// Coding bugs or defects in any service or product.
        BugsDefects => "Bugs / Defects",
        /// Wrong, missing or duplicated data.
        DataIssues => "Data Issues",
        /// Servers, networks, connectivity.
        InfrastructureNetworking => "Infrastructure & Networking Issues",
        /// Anything that endangers confidentiality, integrity or access.
        SecurityIssues => "Security Issues",
    }

    /// How badly the issue hurts where it occurs.
    Severity {
        /// Work stops, or data or security is at risk.
        Critical => "Critical",
        /// A main function fails.
        Major => "Major",
        /// A function is impaired, and there is a way around.
        Minor => "Minor",
        /// Looks wrong, works right.
        Cosmetic => "Cosmetic",
    }

    /// How soon a ticket is worked on.
    Priority {
        /// Before everything else.
        Urgent => "Urgent",
        /// Next.
        High => "High",
        /// In turn.
        Normal => "Normal",
        /// When there is time.
        Low => "Low",
    }

    /// How important a company's contract is. The top tier raises a proposed priority.
    CompanyTier {
        /// The top tier.
        TierOne => "Tier 1",
        /// The middle tier.
        TierTwo => "Tier 2",
        /// The base tier.
        TierThree => "Tier 3",
    }

    /// Where the client met the issue.
    Platform {
        /// A web browser on a computer.
        Web => "Web",
        /// A web browser on a phone or tablet.
        MobileWeb => "Mobile web",
        /// The iOS app.
        Ios => "iOS",
        /// The Android app.
        Android => "Android",
        /// A program installed on a computer.
        Desktop => "Desktop",
        /// A program calling an API.
        Api => "API",
        /// Anything else.
        Other => "Other",
    }

    /// How a ticket entered the process.
    TicketSource {
        /// Client Support (level 1) moved its own ticket to “Elevating”.
        Elevation => "Elevated from Client Support",
        /// A contact filed it from the client dashboard.
        ClientForm => "Client form",
    }

    /// What a move through the process is.
    MoveKind {
        /// Forward to the next stage.
        Advance => "Advance",
        /// Back to Validating, with reasons.
        DeEscalate => "De-escalate",
        /// From Estimating back to Replicating: the evidence does not hold.
        ReturnToReplicating => "Return to Replicating",
        /// From Verifying back to Fixing: the fix does not meet the acceptance criteria.
        RejectFix => "Reject fix",
        /// The fix is delivered.
        CloseResolved => "Close as resolved",
        /// Ended without a fix: not an issue, withdrawn, duplicate, won't fix.
        CloseUnresolved => "Close as unresolved",
        /// Open again after closing, with a reason.
        Reopen => "Reopen",
        /// Out of Level 2, into another pipeline.
        Transfer => "Transfer",
    }

    /// Why QA sends a ticket back to Validating.
    DeEscalationReason {
        /// QA could not make the issue happen.
        CannotReplicate => "Cannot be replicated",
        /// Something needed is not known yet.
        MoreInformationNeeded => "More information is needed",
        /// It is another category or subtype of issue, or no Level 2 issue at all.
        Miscategorised => "Miscategorised",
        /// Another reason, explained in the move's reason.
        Other => "Other",
    }

    /// Why a stage's clock stands still.
    PauseReason {
        /// The client was asked for a clarification and has not answered.
        WaitingClient => "Waiting for the client",
        /// Somebody outside must act first: a supplier, a partner.
        WaitingThirdParty => "Waiting for a third party",
        /// The next step needs a release that is planned.
        WaitingRelease => "Waiting for a release",
        /// Put off for another reason, which the note tells.
        OnHold => "On hold",
        /// The ticket was in another stage for a moment and came back: that time is not this stage's.
        Away => "In another stage",
    }

    /// What a return to a stage does to its clock. A return within a moment always goes on with the visit that was left.
    Reentry {
        /// A new visit, with a full budget.
        NewVisit => "New visit",
        /// The latest visit goes on, with what is left of its budget; the time away is a pause.
        Resume => "Resume",
    }

    /// Whether a stretch of a visit counts, and why.
    SegmentKind {
        /// Working time: it counts.
        Working => "Working",
        /// Outside of working hours.
        OutsideHours => "Outside working hours",
        /// Usual working hours of a holiday.
        Holiday => "Holiday",
        /// The clock stood still.
        Paused => "Paused",
    }

    /// Where a stage's clock stands.
    SlaStatus {
        /// Running, and not near its due time.
        OnTrack => "On track",
        /// Running, and past the warning threshold.
        Warning => "Warning",
        /// Past its due time.
        Breached => "Breached",
        /// Standing still until the client answers.
        Paused => "Paused",
        /// Left in time.
        Met => "Met",
        /// Left late.
        Missed => "Missed",
        /// This stage has no clock.
        None => "No SLA",
    }

    /// How far an SLA alert has climbed.
    AlertLevel {
        /// A first reminder, where a policy has one.
        Reminder => "Reminder",
        /// Due soon: 75 % of the budget is used, unless the policy says otherwise.
        Warning => "Warning",
        /// The due time has passed.
        Breach => "Breach",
        /// Still breached one working day later, unless the policy says otherwise.
        EscalationTwo => "Escalation 2",
        /// Still breached three working days later, unless the policy says otherwise.
        EscalationThree => "Escalation 3",
    }

    /// What became of an alert.
    AlertOutcome {
        /// People were told.
        Raised => "Raised",
        /// Found late, together with a higher level, which was sent in its place.
        Superseded => "Superseded",
        /// Nobody could be told: neither those whom the policy names nor anybody in their place is active.
        NoRecipients => "No recipients",
    }

    /// What made many alerts come at once.
    AlertCause {
        /// The clock ran.
        Clock => "Clock",
        /// Nobody looked for a while: the alert was found long after it was reached.
        Downtime => "Downtime",
        /// A policy, a calendar or a due time was changed, which moved the alert into the past.
        Change => "Change",
    }

    /// What kind of actor did something.
    ActorKind {
        /// A member of staff.
        Person => "Person",
        /// A client's contact.
        Contact => "Contact",
        /// Secondline itself: a job, or the command line.
        System => "System",
        /// A program with a token of its own.
        Integration => "Integration",
    }

    /// What a token with scopes may do. What it does not name, it may not.
    Scope {
        /// See tickets of every company, with their clocks, alerts, history and comments.
        TicketsRead => "tickets:read",
        /// File, move, change and assign tickets, ask the client and record answers; sees tickets, too.
        TicketsWrite => "tickets:write",
        /// Write comments and attach files; sees tickets, too.
        CommentsWrite => "comments:write",
        /// See companies, contacts and staff, with their addresses and roles.
        DirectoryRead => "directory:read",
        /// Make and change companies and contacts; sees them, too.
        DirectoryWrite => "directory:write",
        /// See the ledger of mails.
        NoticesRead => "notices:read",
        /// See the audit log.
        AuditRead => "audit:read",
        /// Everything that an administrator may do.
        Admin => "admin",
    }

    /// What somebody did, as the audit log names it.
    AuditAction {
        /// A ticket was filed.
        TicketCreate => "ticket.create",
        /// A ticket was moved.
        TicketMove => "ticket.move",
        /// Facts of a ticket were changed.
        TicketUpdate => "ticket.update",
        /// The Estimated Delivery Date of a ticket was set.
        TicketSetDeliveryDate => "ticket.set_delivery_date",
        /// A ticket was assigned.
        TicketAssign => "ticket.assign",
        /// The client was asked a question.
        TicketAskClient => "ticket.ask_client",
        /// The client's answer was recorded.
        TicketRecordAnswer => "ticket.record_answer",
        /// A comment was added.
        CommentAdd => "comment.add",
        /// A comment was changed.
        CommentEdit => "comment.edit",
        /// A comment was deleted.
        CommentDelete => "comment.delete",
        /// Somebody watches a ticket.
        TicketWatch => "ticket.watch",
        /// Somebody watches a ticket no more.
        TicketUnwatch => "ticket.unwatch",
        /// Two tickets were linked.
        TicketLink => "ticket.link",
        /// A link between two tickets was removed.
        TicketUnlink => "ticket.unlink",
        /// An upload was asked for.
        AttachmentRequest => "attachment.request",
        /// A file was uploaded.
        AttachmentUpload => "attachment.upload",
        /// A file was removed.
        AttachmentDelete => "attachment.delete",
        /// A company was made.
        CompanyCreate => "company.create",
        /// A company was changed.
        CompanyUpdate => "company.update",
        /// A contact was made.
        ContactCreate => "contact.create",
        /// A contact was changed.
        ContactUpdate => "contact.update",
        /// A contact signed in by OpenID Connect for the first time.
        ContactLink => "contact.link",
        /// A contact was unlinked from their account at the OpenID Connect issuer.
        ContactUnlink => "contact.unlink",
        /// A member of staff was made.
        PersonCreate => "person.create",
        /// A member of staff was changed.
        PersonUpdate => "person.update",
        /// A member of staff signed in by OpenID Connect for the first time.
        PersonLink => "person.link",
        /// A member of staff was unlinked from their account at the OpenID Connect issuer.
        PersonUnlink => "person.unlink",
        /// A subtype was added.
        SubtypeCreate => "subtype.create",
        /// A subtype was archived.
        SubtypeArchive => "subtype.archive",
        /// An SLA policy was changed.
        PolicyUpdate => "policy.update",
        /// A calendar was made.
        CalendarCreate => "calendar.create",
        /// A calendar was changed.
        CalendarUpdate => "calendar.update",
        /// A failed mail was queued again.
        NoticeRetry => "notice.retry",
        /// A clock was paused.
        ClockPause => "clock.pause",
        /// A clock goes on.
        ClockResume => "clock.resume",
        /// A due time was set by hand.
        ClockOverrideDue => "clock.override_due",
        /// A breach was excused.
        BreachExcuse => "breach.excuse",
        /// An alert was acknowledged.
        AlertAcknowledge => "alert.acknowledge",
        /// Alerts were put off.
        AlertSnooze => "alert.snooze",
        /// A token was made.
        TokenCreate => "token.create",
        /// A token was revoked.
        TokenRevoke => "token.revoke",
    }

    /// What happened to a ticket.
    EventKind {
        /// It was filed.
        TicketCreated => "Ticket created",
        /// Facts of it were changed.
        FactsChanged => "Facts changed",
        /// It moved to another stage.
        TicketMoved => "Ticket moved",
        /// It left for another pipeline.
        TicketTransferred => "Ticket transferred",
        /// Its assignee changed.
        TicketAssigned => "Ticket assigned",
        /// A priority was proposed for it.
        PriorityProposed => "Priority proposed",
        /// Its Estimated Delivery Date was changed after it was promised.
        DeliveryDateChanged => "Delivery date changed",
        /// The client was asked a question.
        ClarificationRequested => "Clarification requested",
        /// The client's answer arrived.
        ClarificationAnswered => "Clarification answered",
        /// A clock reached an alert level.
        SlaAlertRaised => "SLA alert raised",
        /// A change of policy, calendar, priority or tier moved a running clock.
        ClockRecomputed => "Clock recomputed",
        /// A running clock follows a newer policy or calendar, which did not move its due time.
        PolicyFollowed => "Policy followed",
        /// Staff paused the stage's clock.
        ClockPaused => "Clock paused",
        /// The stage's clock goes on.
        ClockResumed => "Clock resumed",
        /// A manager set the due time by hand, or gave it back to the clock.
        DueTimeOverridden => "Due time overridden",
        /// A manager excused a breach.
        BreachExcused => "Breach excused",
        /// Somebody took charge of an alert: no later level follows.
        SlaAlertAcknowledged => "SLA alert acknowledged",
        /// The levels that follow were put off.
        SlaAlertsSnoozed => "SLA alerts snoozed",
        /// Somebody commented on it.
        CommentAdded => "Comment added",
        /// A comment was changed.
        CommentEdited => "Comment edited",
        /// A comment was deleted.
        CommentDeleted => "Comment deleted",
        /// It was linked to another ticket.
        TicketLinked => "Ticket linked",
        /// A link to another ticket was removed.
        TicketUnlinked => "Ticket unlinked",
        /// A file was attached.
        AttachmentAdded => "Attachment added",
        /// A file was removed.
        AttachmentRemoved => "Attachment removed",
        /// A mail to the client was given up. Where it was a question, its pause is undone.
        ClientNotTold => "Client not told",
    }

    /// Who reads a comment or an attachment.
    Visibility {
        /// Staff only.
        Internal => "Internal",
        /// Staff, and the contacts of the ticket's company.
        Client => "Visible to the client",
    }

    /// How a ticket relates to another one.
    LinkKind {
        /// It is about the same issue as the other one, which was there first or says more.
        Duplicates => "Duplicates",
        /// The other one's issue, or its fix, caused it.
        CausedBy => "Caused by",
    }

    /// How a ticket relates to another one, from either side.
    LinkRelation {
        /// It is about the same issue as the other one.
        Duplicates => "Duplicates",
        /// The other one is about the same issue as this one.
        DuplicatedBy => "Duplicated by",
        /// The other one's issue, or its fix, caused it.
        CausedBy => "Caused by",
        /// Its issue, or its fix, caused the other one.
        Causes => "Causes",
    }

    /// Where an attachment stands.
    AttachmentState {
        /// Its upload was allowed and has not come yet.
        Requested => "Requested",
        /// Uploaded and checked.
        Ready => "Ready",
        /// Removed; its bytes are about to be.
        Removed => "Removed",
    }

    /// What a mail is about.
    NoticeKind {
        /// The client hears the Estimated Delivery Date.
        DeliveryDateSet => "Delivery date",
        /// The client hears that the Estimated Delivery Date changed.
        DeliveryDateChanged => "Delivery date changed",
        /// The client hears that the fix is delivered.
        Delivered => "Delivered",
        /// The client hears that the ticket was closed without a fix.
        ClosedUnresolved => "Closed",
        /// The client is asked a question.
        ClarificationRequested => "Question to the client",
        /// The owner hears the client's answer.
        ClarificationAnswered => "Client's answer",
        /// A stage's SLA comes near.
        SlaWarning => "SLA warning",
        /// A stage's SLA is breached.
        SlaBreach => "SLA breach",
        /// A stage's SLA stays breached.
        SlaEscalation => "SLA escalation",
        /// The Estimated Delivery Date has passed while in Fixing.
        DeliveryOverdue => "Delivery overdue",
        /// Somebody commented on the ticket.
        CommentAdded => "Comment",
        /// The ticket was assigned to the recipient.
        Assigned => "Assigned",
        /// A watched ticket moved to another stage.
        TicketMoved => "Ticket moved",
        /// Several SLA alerts in one mail.
        SlaDigest => "SLA digest",
        /// A ticket was de-escalated again.
        DeEscalationLoop => "De-escalation loop",
        /// A pause ended by itself, and the clock goes on.
        PauseEnded => "Pause ended",
        /// Stored clocks are not what their history says.
        ClockDrift => "Clock drift",
        /// A mail to the client was given up.
        ClientNotTold => "Client not told",
        /// Mails fail in numbers.
        MailTrouble => "Mail trouble",
    }

    /// Where a notice stands on its way.
    NoticeState {
        /// Waiting for the recipient's working hours, and for what else they are to be alerted to.
        Held => "Held",
        /// Waiting for its turn, or for its next attempt.
        Queued => "Queued",
        /// Taken over by the mail server.
        Sent => "Sent",
        /// Given up: refused for good, or tried too often. `retryNotice` queues it again.
        Failed => "Failed",
        /// No longer true when its turn came.
        Cancelled => "Cancelled",
        /// Told together with others, in a digest.
        Digested => "Digested",
    }

    /// What stays in stages are grouped by in a report.
    ReportDimension {
        /// The stage.
        Stage => "Stage",
        /// The team that owns the stage.
        Team => "Team",
        /// The ticket's company.
        Company => "Company",
        /// The company's tier, when the budget was decided.
        Tier => "Tier",
        /// The ticket's priority, when the budget was decided.
        Priority => "Priority",
        /// Who had the ticket when it left the stage.
        Assignee => "Assignee",
        /// The ticket's category.
        Category => "Category",
    }

    /// What became of a delivery date that the client was told.
    PromiseOutcome {
        /// It can still be kept.
        Open => "Open",
        /// The fix was delivered by then.
        Kept => "Kept",
        /// Another date was promised in its place.
        Replaced => "Replaced",
        /// It has passed without a delivery, or the delivery came later.
        Broken => "Broken",
        /// The ticket was closed without a fix, or went to another pipeline.
        Withdrawn => "Withdrawn",
    }

    /// A fact of a ticket that the process names.
    TicketField {
        /// One line that says what is wrong.
        Subject => "Subject",
        /// What is wrong, in full.
        Description => "Description",
        /// The kind of issue.
        Category => "Category",
        /// The kind of issue within its category.
        Subtype => "Ticket Subtype",
        /// How badly it hurts.
        Severity => "Severity",
        /// What must hold for the fix to be accepted.
        AcceptanceCriteria => "Acceptance Criteria",
        /// Where the issue shows, as an http(s) address.
        TargetUrl => "Target URL",
        /// What to do to make it happen.
        StepsToReproduce => "Steps to Reproduce the Issue",
        /// Whether Operations could make it happen.
        OpsCanReproduce => "Ops Can Reproduce the Issue",
        /// Whether other clients have the issue too.
        AffectsOtherClients => "Issue affects other clients",
        /// By when the client wants it.
        ClientTargetDate => "Client Target Date",
        /// The tier of the ticket's company: a property of the company, not of the ticket.
        CompanyTier => "Company → Company Tier",
        /// Where the client met the issue.
        Platform => "Platform",
        /// Browser and version.
        Browser => "Browser",
        /// Operating system and version.
        OperatingSystem => "Operating System",
        /// Version of the app or program.
        AppVersion => "App Version",
        /// How the client can work meanwhile.
        Workaround => "Issue Workaround",
        /// The day on which the fix is promised.
        EstimatedDeliveryDate => "Estimated Delivery Date",
        /// How soon it is worked on.
        Priority => "Priority",
        /// The pull request with the fix, as an http(s) address.
        PullRequest => "Pull Request",
        /// When the pull request was merged.
        MergedPullRequest => "Merged Pull Request",
        /// What was done, in words for the client.
        ResolutionNotes => "Resolution Notes",
        /// Why QA sent the ticket back to Validating.
        DeEscalationReasons => "De-escalation Reasons",
        /// The level-1 ticket that this one was elevated from.
        LevelOneReference => "Level 1 Reference",
        /// The person who works on it.
        Assignee => "Assignee",
    }
}
