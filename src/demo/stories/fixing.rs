//! Tickets that Tech is fixing. Their deadline is the end of the promised day.

use entity::vocab::{Category, Priority, Severity};

use crate::demo::{
    cast::Who::{
        Daniel, Denise, Felix, Helen, Ines, Katrin, Kenji, Lucia, Marcus, Noor, Owen, Priya, Sofia, Tobias, Viktor,
    },
    script::{
        ANDROID_APP, API_CLIENT, CHROME_ON_WINDOWS, Entry, Evidence, FIREFOX_ON_LINUX, SAFARI_ON_IPAD, SAFARI_ON_MAC,
        Step::{Assign, Confirm, Fix, Note, Postpone, Promise, PromiseAs, RejectFix, Replicate, Say, Take},
        Story, at, days_ago, hours_ago,
    },
};

pub(super) static STORIES: [Story; 8] = [
    // Promised for today.
    Story {
        filed: days_ago(5, 3),
        client: Katrin,
        entry: Entry::Elevated("CS-47958"),
        category: Category::DataIssues,
        subtype: "Missing data",
        subject: "Customs numbers are missing on export declarations to Norway",
        description: "Since we changed to the new form, the customs number of each line is blank on declarations to \
                      Norway. The forwarder fills it in by hand, about 60 lines a day.",
        device: CHROME_ON_WINDOWS,
        wanted_in_days: Some(0),
        evidence: Some(Evidence {
            severity: Severity::Major,
            target_url: "https://app.example.com/customs/declarations",
            steps: "1. Open a shipment to Oslo with at least one dutiable line.\n\
                    2. Choose Customs → Export declaration.\n\
                    3. Look at column 33.",
            acceptance: "Column 33 shows the customs number of each line, for Norway and for Switzerland.",
            ops_can_reproduce: true,
            affects_other_clients: true,
            workaround: Some("Copy the numbers from the item list."),
        }),
        path: &[
            at(days_ago(5, 1), Priya, Take),
            at(days_ago(4, 14), Priya, Confirm),
            at(days_ago(4, 5), Noor, Take),
            at(days_ago(3, 12), Noor, Replicate),
            at(days_ago(3, 1), Sofia, Promise(0)),
            at(days_ago(2, 22), Kenji, Take),
        ],
    },
    // Promised for yesterday: overdue.
    Story {
        filed: days_ago(7, 0),
        client: Denise,
        entry: Entry::Elevated("CS-47811"),
        category: Category::BugsDefects,
        subtype: "Integration or API",
        subject: "Carrier labels are requested twice and paid twice",
        description: "For about one shipment in thirty, two labels are requested from the carrier within a second. We \
                      pay for both. The second one is visible only on the carrier's invoice.",
        device: API_CLIENT,
        wanted_in_days: None,
        evidence: Some(Evidence {
            severity: Severity::Major,
            target_url: "https://app.example.com/shipments/labels",
            steps: "1. Slow the network down to 3G in the browser's tools.\n\
                    2. Click Print label twice within a second.\n\
                    3. Look at the carrier's log.",
            acceptance: "However often the button is pressed, one label is requested per parcel.",
            ops_can_reproduce: true,
            affects_other_clients: true,
            workaround: Some("Wait for the label before clicking again."),
        }),
        path: &[
            at(days_ago(6, 21), Owen, Take),
            at(days_ago(6, 10), Owen, Confirm),
            at(days_ago(6, 0), Felix, Take),
            at(days_ago(5, 8), Felix, Replicate),
            at(days_ago(4, 20), Daniel, Promise(-1)),
            at(days_ago(4, 12), Lucia, Take),
        ],
    },
    // Promised for three days ago: all managers have heard of it.
    Story {
        filed: days_ago(10, 2),
        client: Ines,
        entry: Entry::Elevated("CS-47520"),
        category: Category::InfrastructureNetworking,
        subtype: "Outage",
        subject: "Report service is unreachable for minutes after each night's backup",
        description: "Between 03:30 and 03:50 UTC the report service answers 503. Our scheduled reports run in that \
                      time and fail without being repeated.",
        device: API_CLIENT,
        wanted_in_days: None,
        evidence: Some(Evidence {
            severity: Severity::Minor,
            target_url: "https://reports.example.com/health",
            steps: "1. Ask the address once a minute from 03:20 to 04:00 UTC.",
            acceptance: "No request is answered with 503 during three backups; a failed report is repeated once.",
            ops_can_reproduce: true,
            affects_other_clients: true,
            workaround: Some("Schedule reports for 05:00 UTC."),
        }),
        path: &[
            at(days_ago(9, 22), Priya, Take),
            at(days_ago(9, 10), Priya, Confirm),
            at(days_ago(8, 12), Noor, Replicate),
            at(days_ago(8, 0), Helen, Promise(-3)),
            at(days_ago(7, 20), Viktor, Assign(Lucia)),
        ],
    },
    // Promised, and then promised for later.
    Story {
        filed: days_ago(6, 6),
        client: Marcus,
        entry: Entry::Form,
        category: Category::BugsDefects,
        subtype: "Performance",
        subject: "Stocktaking screen freezes with more than 400 items on a tablet",
        description: "Our shops count about 900 items each. On the tablets the list stands still for half a minute \
                      after each scanned item once there are about 400 in it.",
        device: SAFARI_ON_IPAD,
        wanted_in_days: Some(6),
        evidence: Some(Evidence {
            severity: Severity::Major,
            target_url: "https://app.example.com/stock/stocktaking",
            steps: "1. Open a stocktaking on an iPad.\n\
                    2. Scan 400 different items.\n\
                    3. Scan one more and take the time.",
            acceptance: "With 1,500 items in the list, a scanned item shows within a second.",
            ops_can_reproduce: true,
            affects_other_clients: false,
            workaround: Some("Count in parts of at most 300 items."),
        }),
        path: &[
            at(days_ago(6, 2), Owen, Take),
            at(days_ago(5, 14), Owen, Confirm),
            at(days_ago(5, 4), Felix, Take),
            at(days_ago(4, 6), Felix, Replicate),
            at(days_ago(3, 20), Sofia, Promise(1)),
            at(days_ago(3, 12), Kenji, Take),
            at(
                hours_ago(10, 20),
                Sofia,
                Postpone(
                    5,
                    "The list has to be virtualised for all screens that use it; testing takes four more days.",
                ),
            ),
        ],
    },
    // Its first fix was rejected.
    Story {
        filed: days_ago(8, 4),
        client: Tobias,
        entry: Entry::Elevated("CS-47733"),
        category: Category::BugsDefects,
        subtype: "Wrong result",
        subject: "Delivery windows shift by an hour for depots in Portugal",
        description: "A window from 08:00 to 10:00 in Lisbon is shown to the driver as 09:00 to 11:00. Depots in \
                      Germany are right.",
        device: ANDROID_APP,
        wanted_in_days: Some(2),
        evidence: Some(Evidence {
            severity: Severity::Major,
            target_url: "https://driver.example.com/routes/today",
            steps: "1. Plan a delivery from 08:00 to 10:00 for the depot in Porto.\n\
                    2. Open the route in the driver app.",
            acceptance: "A window shows the local time of its depot, on both days of a change of the clocks too.",
            ops_can_reproduce: true,
            affects_other_clients: false,
            workaround: Some("Tell the drivers by phone."),
        }),
        path: &[
            at(days_ago(8, 1), Priya, Take),
            at(days_ago(7, 12), Priya, Confirm),
            at(days_ago(7, 2), Noor, Take),
            at(days_ago(6, 6), Noor, Replicate),
            at(days_ago(5, 20), Daniel, Promise(1)),
            at(days_ago(5, 16), Lucia, Take),
            at(hours_ago(38, 0), Lucia, Fix("https://github.com/example/portside-mobile/pull/902")),
            at(hours_ago(34, 0), Noor, Take),
            at(
                hours_ago(25, 30),
                Noor,
                RejectFix(
                    "Right for today, wrong for the last Sunday of March: the window shows 07:00 to 10:00 there.",
                ),
            ),
            at(
                hours_ago(24, 45),
                Daniel,
                Postpone(3, "The first fix did not cover the days of a change of the clocks."),
            ),
            at(hours_ago(23, 10), Lucia, Take),
        ],
    },
    // Put before everything else by the Project Manager.
    Story {
        filed: days_ago(2, 2),
        client: Ines,
        entry: Entry::Elevated("CS-48174"),
        category: Category::SecurityIssues,
        subtype: "Suspicious activity",
        subject: "Hundreds of failed sign-ins from one network every night",
        description: "Our audit log shows 300 to 500 failed sign-ins a night for accounts whose names are public. None \
                      of them succeeded so far, and no account was locked.",
        device: None,
        wanted_in_days: None,
        evidence: Some(Evidence {
            severity: Severity::Major,
            target_url: "https://app.example.com/sign-in",
            steps: "1. Sign in with a wrong password 50 times within five minutes.\n2. Sign in with the right one.",
            acceptance: "After ten failures an account waits 15 minutes and its owner is told; a network with 100 \
                         failures is slowed down.",
            ops_can_reproduce: true,
            affects_other_clients: false,
            workaround: Some("Turn on two-factor sign-in for all users."),
        }),
        path: &[
            at(hours_ago(49, 0), Owen, Take),
            at(hours_ago(45, 0), Owen, Confirm),
            at(hours_ago(36, 0), Felix, Replicate),
            at(hours_ago(28, 0), Sofia, PromiseAs(Priority::Urgent, 2)),
            at(hours_ago(27, 10), Viktor, Assign(Kenji)),
        ],
    },
    Story {
        filed: days_ago(3, 20),
        client: Katrin,
        entry: Entry::Form,
        category: Category::DataIssues,
        subtype: "Synchronisation",
        subject: "Addresses that were changed in the CRM come back after a day",
        description: "We correct an address in the CRM, it appears in Portside within the hour, and the next morning \
                      the old one is in both systems again.",
        device: FIREFOX_ON_LINUX,
        wanted_in_days: Some(8),
        evidence: Some(Evidence {
            severity: Severity::Minor,
            target_url: "https://app.example.com/customers/sync",
            steps: "1. Change an address in the CRM.\n2. Wait for the nightly run at 01:00.\n3. Compare both systems.",
            acceptance: "The later change wins, in whichever system it was made, and the log says which one it was.",
            ops_can_reproduce: false,
            affects_other_clients: true,
            workaround: Some("Change the address in both systems."),
        }),
        path: &[
            at(days_ago(3, 17), Priya, Take),
            at(days_ago(3, 6), Priya, Confirm),
            at(days_ago(2, 20), Noor, Take),
            at(
                days_ago(2, 1),
                Noor,
                Note("Both systems stamp changes with their own clock, and the CRM's is two hours ahead."),
            ),
            at(days_ago(1, 22), Noor, Replicate),
            at(days_ago(1, 10), Daniel, Promise(6)),
            at(
                days_ago(1, 9),
                Daniel,
                Say("We found the cause. Until the fix is there, please change addresses in both systems."),
            ),
            at(days_ago(1, 6), Katrin, Say("Thank you, we can live with that until next week.")),
        ],
    },
    Story {
        filed: days_ago(4, 8),
        client: Denise,
        entry: Entry::Elevated("CS-47990"),
        category: Category::BugsDefects,
        subtype: "User interface",
        subject: "Long product names overlap the price on quotation PDFs",
        description: "Names of more than about 60 characters run into the price column. Two customers asked us which \
                      price is the right one.",
        device: SAFARI_ON_MAC,
        wanted_in_days: None,
        evidence: Some(Evidence {
            severity: Severity::Cosmetic,
            target_url: "https://app.example.com/quotations/5531/pdf",
            steps: "1. Make a quotation for an item with a name of 80 characters.\n2. Open its PDF.",
            acceptance: "Long names wrap, and the row grows with them.",
            ops_can_reproduce: true,
            affects_other_clients: true,
            workaround: Some("Use the short names."),
        }),
        path: &[
            at(days_ago(4, 5), Owen, Take),
            at(days_ago(3, 18), Owen, Confirm),
            at(days_ago(2, 16), Felix, Replicate),
            at(days_ago(2, 3), Sofia, PromiseAs(Priority::Low, 9)),
            at(days_ago(1, 23), Lucia, Take),
        ],
    },
];
