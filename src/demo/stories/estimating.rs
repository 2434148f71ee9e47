//! Tickets that the Project Manager is estimating.

use entity::vocab::{Category, Severity};

use crate::demo::{
    cast::Who::{Daniel, Denise, Felix, Ines, Katrin, Noor, Owen, Priya, Sofia, Tobias},
    script::{
        CHROME_ON_WINDOWS, Entry, Evidence, FIREFOX_ON_LINUX, SAFARI_ON_MAC,
        Step::{Confirm, Replicate, Take},
        Story, at, days_ago, hours_ago,
    },
};

pub(super) static STORIES: [Story; 5] = [
    // Breached in three minutes.
    Story {
        filed: hours_ago(60, 0),
        client: Katrin,
        entry: Entry::Elevated("CS-48096"),
        category: Category::BugsDefects,
        subtype: "Performance",
        subject: "Exporting more than 5,000 orders ends in a time-out",
        description: "Our monthly export has 7,200 orders. Since last month it stops after 60 seconds with “Gateway \
                      time-out”. Splitting it by week works, but then the running numbers are wrong.",
        device: CHROME_ON_WINDOWS,
        wanted_in_days: Some(4),
        evidence: Some(Evidence {
            severity: Severity::Major,
            target_url: "https://app.example.com/orders/export",
            steps: "1. Filter the orders of a whole month of the client, more than 5,000.\n2. Choose Export → Excel.",
            acceptance: "An export of 20,000 orders completes, and the user is told when the file is ready.",
            ops_can_reproduce: true,
            affects_other_clients: true,
            workaround: Some("Export week by week."),
        }),
        path: &[
            at(hours_ago(58, 30), Priya, Take),
            at(hours_ago(50, 0), Priya, Confirm),
            at(hours_ago(44, 0), Noor, Take),
            at(hours_ago(23, 57), Noor, Replicate),
            at(hours_ago(21, 0), Sofia, Take),
        ],
    },
    // Warned of in half an hour.
    Story {
        filed: days_ago(2, 4),
        client: Tobias,
        entry: Entry::Form,
        category: Category::DataIssues,
        subtype: "Incorrect data",
        subject: "Weekend exchange rates are those of the following Monday",
        description: "Orders that are placed on a Saturday or Sunday are converted with the rate of the Monday after. \
                      They should use Friday's. Finance finds it when the accounts are closed.",
        device: FIREFOX_ON_LINUX,
        wanted_in_days: None,
        evidence: Some(Evidence {
            severity: Severity::Minor,
            target_url: "https://app.example.com/settings/exchange-rates",
            steps: "1. Open an order in USD that was placed on a Saturday.\n\
                    2. Compare its rate with the published ones.",
            acceptance: "An order placed at the weekend uses the rate of the Friday before, and shows its date.",
            ops_can_reproduce: true,
            affects_other_clients: true,
            workaround: None,
        }),
        path: &[
            at(hours_ago(50, 0), Owen, Take),
            at(hours_ago(42, 0), Owen, Confirm),
            at(hours_ago(30, 0), Felix, Take),
            at(hours_ago(17, 30), Felix, Replicate),
        ],
    },
    // Breached.
    Story {
        filed: days_ago(3, 0),
        client: Ines,
        entry: Entry::Elevated("CS-48020"),
        category: Category::InfrastructureNetworking,
        subtype: "Deployment",
        subject: "The sandbox still runs the release of two months ago",
        description: "We test our integration against the sandbox. It answers with version 26.9 while production is at \
                      26.11, so that the new shipment fields are missing.",
        device: None,
        wanted_in_days: Some(10),
        evidence: Some(Evidence {
            severity: Severity::Minor,
            target_url: "https://sandbox.example.com/version",
            steps: "1. Open the address.\n2. Compare it with https://app.example.com/version.",
            acceptance: "The sandbox runs the release of production, at most one day later.",
            ops_can_reproduce: true,
            affects_other_clients: true,
            workaround: Some("Test against production with a separate company."),
        }),
        path: &[
            at(hours_ago(70, 0), Owen, Take),
            at(hours_ago(64, 0), Owen, Confirm),
            at(hours_ago(30, 0), Felix, Replicate),
        ],
    },
    Story {
        filed: hours_ago(33, 0),
        client: Ines,
        entry: Entry::Elevated("CS-48285"),
        category: Category::SecurityIssues,
        subtype: "Vulnerability report",
        subject: "Script in the comment of a delivery note runs in the reader's browser",
        description: "A researcher reports that an image tag with an error handler in the comment of a delivery note \
                      is executed when somebody opens the note. He gives us 90 days before he publishes it.",
        device: FIREFOX_ON_LINUX,
        wanted_in_days: Some(2),
        evidence: Some(Evidence {
            severity: Severity::Critical,
            target_url: "https://app.example.com/delivery-notes",
            steps: "1. Write <img src=x onerror=alert(1)> as the comment of a delivery note.\n\
                    2. Open the note as another user.",
            acceptance: "Comments are shown as text, also those that are stored already; the content security policy \
                         refuses inline scripts.",
            ops_can_reproduce: true,
            affects_other_clients: true,
            workaround: None,
        }),
        path: &[
            at(hours_ago(32, 15), Priya, Take),
            at(hours_ago(26, 0), Priya, Confirm),
            at(hours_ago(20, 0), Noor, Take),
            at(hours_ago(5, 5), Noor, Replicate),
            at(hours_ago(2, 30), Daniel, Take),
        ],
    },
    Story {
        filed: hours_ago(40, 0),
        client: Denise,
        entry: Entry::Form,
        category: Category::BugsDefects,
        subtype: "User interface",
        subject: "Company logo is stretched on printed packing slips",
        description: "Our logo is twice as wide as high. On the screen it is right, on paper it is a square. Marcus \
                      says that it was fine before we changed the printer's paper size to Letter.",
        device: SAFARI_ON_MAC,
        wanted_in_days: Some(12),
        evidence: Some(Evidence {
            severity: Severity::Cosmetic,
            target_url: "https://app.example.com/settings/packing-slips",
            steps: "1. Upload a logo of 400 × 200 pixels.\n\
                    2. Choose Letter as the paper size.\n\
                    3. Print a packing slip.",
            acceptance: "The logo keeps its proportions on A4 and on Letter.",
            ops_can_reproduce: true,
            affects_other_clients: false,
            workaround: Some("Upload a square logo with white borders."),
        }),
        path: &[
            at(hours_ago(37, 0), Owen, Take),
            at(hours_ago(29, 0), Owen, Confirm),
            at(hours_ago(18, 0), Felix, Take),
            at(hours_ago(1, 10), Felix, Replicate),
        ],
    },
];
