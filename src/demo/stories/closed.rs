//! Tickets that have ended: delivered, closed without a fix, or moved to another pipeline.

use entity::vocab::{Category, DeEscalationReason::Miscategorised, Severity};

use crate::demo::{
    cast::Who::{Daniel, Denise, Felix, Ines, Katrin, Kenji, Lucia, Marcus, Noor, Owen, Priya, Sofia, Tobias},
    script::{
        CHROME_ON_WINDOWS, Entry, Evidence, FIREFOX_ON_LINUX, IPHONE_APP, SAFARI_ON_MAC,
        Step::{
            Answer, Ask, Close, Confirm, DeEscalate, Fix, Postpone, Promise, RejectFix, Replicate, Resolve, Take,
            Transfer,
        },
        Story, at, days_ago, hours_ago,
    },
};

pub(super) static STORIES: [Story; 7] = [
    Story {
        filed: days_ago(12, 0),
        client: Katrin,
        entry: Entry::Elevated("CS-47402"),
        category: Category::BugsDefects,
        subtype: "Integration or API",
        subject: "EDI orders with more than 99 lines are cut off",
        description: "An order of 142 lines arrived with 99. The acknowledgement to the sender says 142, so nobody \
                      noticed until the goods were missing.",
        device: None,
        wanted_in_days: Some(-4),
        evidence: Some(Evidence {
            severity: Severity::Critical,
            target_url: "https://edi.example.com/inbox",
            steps: "1. Send an ORDERS message of 120 lines to the test mailbox.\n2. Open the order.",
            acceptance: "Orders of 2,000 lines arrive whole; what cannot be taken is refused with a message.",
            ops_can_reproduce: true,
            affects_other_clients: true,
            workaround: Some("Ask the sender to split the order."),
        }),
        path: &[
            at(days_ago(11, 22), Owen, Take),
            at(days_ago(11, 12), Owen, Confirm),
            at(days_ago(11, 2), Noor, Take),
            at(days_ago(10, 20), Noor, Replicate),
            at(days_ago(10, 12), Sofia, Promise(-6)),
            at(days_ago(10, 8), Kenji, Take),
            at(days_ago(8, 10), Kenji, Fix("https://github.com/example/portside-edi/pull/176")),
            at(days_ago(8, 4), Noor, Take),
            at(
                days_ago(7, 22),
                Noor,
                Resolve(
                    "Orders of any length are imported whole. The three orders of last month that had been cut off \
                         were imported again and are marked with a note.",
                ),
            ),
        ],
    },
    // With a rejected fix and a later date on the way.
    Story {
        filed: days_ago(11, 0),
        client: Marcus,
        entry: Entry::Form,
        category: Category::BugsDefects,
        subtype: "Crash or error message",
        subject: "App closes when the camera permission is refused",
        description: "If somebody taps Don't Allow when the app asks for the camera, it closes, and closes again on \
                      every start until the permission is given in the settings.",
        device: IPHONE_APP,
        wanted_in_days: None,
        evidence: Some(Evidence {
            severity: Severity::Major,
            target_url: "https://app.example.com/mobile/scan",
            steps: "1. Install the app anew.\n2. Tap Scan, and Don't Allow.",
            acceptance: "Without the permission the app explains what it needs it for and offers to type the number \
                         in.",
            ops_can_reproduce: true,
            affects_other_clients: true,
            workaround: Some("Allow the camera in the settings of the phone."),
        }),
        path: &[
            at(days_ago(10, 20), Priya, Take),
            at(days_ago(10, 8), Priya, Confirm),
            at(days_ago(9, 10), Felix, Replicate),
            at(days_ago(8, 22), Daniel, Promise(-3)),
            at(days_ago(8, 18), Lucia, Take),
            at(days_ago(6, 12), Lucia, Fix("https://github.com/example/portside-mobile/pull/884")),
            at(days_ago(6, 0), Felix, RejectFix("It no longer closes, but the screen stays black and offers nothing.")),
            at(days_ago(5, 20), Daniel, Postpone(-1, "The screen for typing a number in has to be made first.")),
            at(days_ago(3, 2), Lucia, Fix("https://github.com/example/portside-mobile/pull/897")),
            at(days_ago(2, 20), Felix, Take),
            at(
                days_ago(2, 12),
                Felix,
                Resolve("Version 7.4.2 explains why it needs the camera, and numbers can be typed in without it."),
            ),
        ],
    },
    Story {
        filed: days_ago(8, 0),
        client: Ines,
        entry: Entry::Elevated("CS-47760"),
        category: Category::DataIssues,
        subtype: "Incorrect data",
        subject: "Time zone of delivery events is missing in the data feed",
        description: "Events in the feed have local times without an offset, so that we cannot order those of \
                      different depots.",
        device: None,
        wanted_in_days: None,
        evidence: Some(Evidence {
            severity: Severity::Minor,
            target_url: "https://api.example.com/v2/events",
            steps: "1. Ask for the events of depots in two time zones.\n2. Look at the field occurredAt.",
            acceptance: "occurredAt is an RFC 3339 instant with an offset.",
            ops_can_reproduce: true,
            affects_other_clients: true,
            workaround: None,
        }),
        path: &[
            at(days_ago(7, 20), Owen, Take),
            at(days_ago(7, 10), Owen, Confirm),
            at(days_ago(6, 12), Noor, Replicate),
            at(days_ago(6, 0), Sofia, Promise(-1)),
            at(days_ago(5, 18), Kenji, Take),
            at(days_ago(3, 0), Kenji, Fix("https://github.com/example/portside-api/pull/640")),
            at(days_ago(2, 20), Noor, Take),
            at(
                days_ago(2, 10),
                Noor,
                Resolve(
                    "The feed states every time with its offset. Old events were converted with the zone of their \
                         depot; the change is announced in the API's change log.",
                ),
            ),
        ],
    },
    Story {
        filed: days_ago(6, 0),
        client: Denise,
        entry: Entry::Elevated("CS-47902"),
        category: Category::InfrastructureNetworking,
        subtype: "DNS or certificate",
        subject: "Shop cannot reach the payment gateway from two of our offices",
        description: "In Albany and Syracuse, paying ends with “Could not connect”. From the other offices and over \
                      the phone network it works.",
        device: SAFARI_ON_MAC,
        wanted_in_days: Some(-2),
        evidence: Some(Evidence {
            severity: Severity::Critical,
            target_url: "https://pay.example.com/status",
            steps: "1. From the network of the Albany office, resolve pay.example.com.\n\
                    2. Compare the AAAA record with the addresses of the gateway.",
            acceptance: "The gateway answers over IPv6 and over IPv4 from both offices.",
            ops_can_reproduce: false,
            affects_other_clients: true,
            workaround: Some("Use the phone network."),
        }),
        path: &[
            at(days_ago(5, 23), Priya, Take),
            at(days_ago(5, 22), Priya, Ask("May our network team call somebody in the Albany office this afternoon?")),
            at(days_ago(5, 18), Denise, Answer("Yes: Marcus is there until six, he knows that you will call.")),
            at(days_ago(5, 15), Priya, Confirm),
            at(days_ago(5, 8), Felix, Replicate),
            at(days_ago(5, 5), Daniel, Promise(-2)),
            at(days_ago(5, 4), Lucia, Take),
            at(days_ago(4, 14), Lucia, Fix("https://github.com/example/portside-network/pull/58")),
            at(
                days_ago(4, 6),
                Felix,
                Resolve(
                    "An IPv6 address that had been taken out of service was still published. It was removed, and \
                         both offices pay again.",
                ),
            ),
        ],
    },
    // Not an issue.
    Story {
        filed: days_ago(3, 10),
        client: Marcus,
        entry: Entry::Form,
        category: Category::DataIssues,
        subtype: "Missing data",
        subject: "Orders of the last two hours are missing in the export",
        description: "The export of today ends two hours ago, although there were orders since.",
        device: CHROME_ON_WINDOWS,
        wanted_in_days: None,
        evidence: None,
        path: &[
            at(days_ago(3, 9), Owen, Take),
            at(
                days_ago(3, 4),
                Owen,
                Close(
                    "The export contains orders once they are confirmed, which takes up to two hours for orders on \
                       account. The missing ones are in the export of this evening.",
                ),
            ),
        ],
    },
    // Sent back to Validating, and closed there as a duplicate.
    Story {
        filed: days_ago(3, 12),
        client: Tobias,
        entry: Entry::Elevated("CS-48029"),
        category: Category::InfrastructureNetworking,
        subtype: "Slow or unstable connection",
        subject: "Order desk in Rotterdam waits for the customer list",
        description: "Since the move to the new office, the customer list takes half a minute to open.",
        device: FIREFOX_ON_LINUX,
        wanted_in_days: None,
        evidence: Some(Evidence {
            severity: Severity::Minor,
            target_url: "https://app.example.com/customers",
            steps: "1. Open the customer list in the Rotterdam office.",
            acceptance: "The customer list opens within two seconds.",
            ops_can_reproduce: false,
            affects_other_clients: false,
            workaround: None,
        }),
        path: &[
            at(days_ago(3, 9), Priya, Take),
            at(days_ago(3, 0), Priya, Confirm),
            at(
                hours_ago(40, 0),
                Noor,
                DeEscalate(
                    &[Miscategorised],
                    "It is slow from our office too, so it is no matter of the network: it looks like the slow search.",
                ),
            ),
            at(
                hours_ago(29, 30),
                Priya,
                Close(
                    "The customer list waits for the same query as the order search. We go on with it in the ticket \
                       that Katrin Albers opened, and tell you there.",
                ),
            ),
        ],
    },
    // Not for Level 2.
    Story {
        filed: hours_ago(30, 0),
        client: Denise,
        entry: Entry::Form,
        category: Category::BugsDefects,
        subtype: "User interface",
        subject: "Packing slips should show the name of the gift's sender",
        description: "Before the holidays we send many gifts. The packing slip should name the person who ordered, not \
                      only the one who receives.",
        device: None,
        wanted_in_days: Some(14),
        evidence: None,
        path: &[
            at(hours_ago(27, 0), Owen, Take),
            at(
                hours_ago(21, 45),
                Owen,
                Transfer("Custom Requests", "Nothing is broken: it is a wish for a new field on the packing slip."),
            ),
        ],
    },
];
