//! Tickets that Operations is looking at.

use entity::vocab::{
    Category,
    DeEscalationReason::{CannotReplicate, MoreInformationNeeded},
    Severity, Stage,
};

use crate::demo::{
    cast::Who::{Daniel, Denise, Felix, Ines, Katrin, Kenji, Marcus, Noor, Owen, Priya, Tobias},
    script::{
        ANDROID_APP, API_CLIENT, CHROME_ON_WINDOWS, Entry, Evidence, FIREFOX_ON_LINUX, SAFARI_ON_MAC,
        Step::{Answer, Ask, Confirm, DeEscalate, Fix, Gather, Promise, Reopen, Replicate, Resolve, Take},
        Story, at, days_ago, hours_ago,
    },
};

/// Lacks nothing: Operations can move it to Replicating at once.
pub(in crate::demo) static SAMPLE: Story = Story {
    filed: hours_ago(5, 20),
    client: Denise,
    entry: Entry::Elevated("CS-48377"),
    category: Category::BugsDefects,
    subtype: "Wrong result",
    subject: "Discount is applied twice when an order is split into two shipments",
    description: "A customer with a 10 % discount split order 20417 into two shipments. The first invoice carries the \
                  discount of the whole order, the second one its own on top. The customer paid 61.20 USD too little.",
    device: CHROME_ON_WINDOWS,
    wanted_in_days: Some(4),
    evidence: Some(Evidence {
        severity: Severity::Major,
        target_url: "https://app.example.com/orders/20417/shipments",
        steps: "1. Make an order of two positions for a customer with a 10 % discount.\n\
                2. Open Shipments, choose Split, and put one position into each.\n\
                3. Invoice both shipments and add up the discounts.",
        acceptance: "The discounts of all invoices of an order add up to the discount of the order, to the cent.",
        ops_can_reproduce: true,
        affects_other_clients: true,
        workaround: Some("Invoice the whole order before splitting it."),
    }),
    path: &[at(hours_ago(4, 35), Priya, Take), at(hours_ago(3, 10), Priya, Gather)],
};

pub(super) static STORIES: [Story; 10] = [
    // Nobody has taken it: the first scan of the server finds its warning.
    Story {
        filed: hours_ago(18, 0),
        client: Tobias,
        entry: Entry::Form,
        category: Category::DataIssues,
        subtype: "Report or dashboard",
        subject: "Weekly volume report leaves out three of our terminals",
        description: "Since we renamed the terminals Bremen 2, Bremen 4 and Stade, the weekly volume report shows no \
                      rows for them. The shipments themselves are there when I search for them.",
        device: FIREFOX_ON_LINUX,
        wanted_in_days: None,
        evidence: None,
        path: &[],
    },
    // Breached in a minute.
    Story {
        filed: hours_ago(23, 59),
        client: Ines,
        entry: Entry::Form,
        category: Category::InfrastructureNetworking,
        subtype: "E-mail delivery",
        subject: "Order confirmations reach Gmail addresses hours late",
        description: "Customers with Gmail addresses get their confirmation two to five hours after the order. Other \
                      providers are fine. The headers show that the mail waits at mail-out-3.example.com.",
        device: None,
        wanted_in_days: Some(6),
        evidence: None,
        path: &[at(hours_ago(22, 5), Owen, Take)],
    },
    // Breached for hours, and nobody's.
    Story {
        filed: hours_ago(31, 15),
        client: Katrin,
        entry: Entry::Elevated("CS-48291"),
        category: Category::BugsDefects,
        subtype: "Performance",
        subject: "Order search takes 20 to 40 seconds",
        description: "Searching by customer reference used to answer at once and now takes 20 to 40 seconds, for all \
                      users in Hamburg and Rotterdam. Level 1 saw it in a screen share. Searching by order number is \
                      fast.",
        device: CHROME_ON_WINDOWS,
        wanted_in_days: None,
        evidence: None,
        path: &[],
    },
    // Forgotten: breached for more than a day, so that all managers have heard of it.
    Story {
        filed: hours_ago(52, 30),
        client: Marcus,
        entry: Entry::Elevated("CS-48140"),
        category: Category::InfrastructureNetworking,
        subtype: "DNS or certificate",
        subject: "Certificate warning on the old tracking address",
        description: "Links in mails from before the relaunch point to track-legacy.example.com, and browsers warn \
                      that the certificate is for another name. About 40 customers a day call the shops about it.",
        device: SAFARI_ON_MAC,
        wanted_in_days: Some(1),
        evidence: None,
        path: &[at(hours_ago(49, 40), Owen, Take)],
    },
    // The clock stands still: Ines was asked and has not answered.
    Story {
        filed: hours_ago(27, 30),
        client: Ines,
        entry: Entry::Form,
        category: Category::BugsDefects,
        subtype: "Integration or API",
        subject: "Some webhook calls arrive without a signature header",
        description: "Roughly one in fifty calls to our endpoint has no X-Portside-Signature header, and our gateway \
                      rejects it. We see no pattern in the event types.",
        device: API_CLIENT,
        wanted_in_days: None,
        evidence: None,
        path: &[
            at(hours_ago(25, 50), Priya, Take),
            at(
                hours_ago(24, 10),
                Priya,
                Ask("Could you send us the X-Request-Id and the time of three calls without a signature, and tell us \
                     whether they came from the same subscription?"),
            ),
        ],
    },
    // Asked and answered: the clock went on where it had stopped.
    Story {
        filed: days_ago(2, 3),
        client: Tobias,
        entry: Entry::Elevated("CS-48163"),
        category: Category::DataIssues,
        subtype: "Import or export",
        subject: "CSV import skips suppliers with umlauts in their names",
        description: "Of 1,312 suppliers in our file only 1,187 were imported. The missing ones have ä, ö, ü or ß in \
                      their names. The import reports success and names no skipped rows.",
        device: CHROME_ON_WINDOWS,
        wanted_in_days: Some(9),
        evidence: None,
        path: &[
            at(hours_ago(50, 10), Owen, Take),
            at(
                hours_ago(49, 0),
                Owen,
                Ask(
                    "Which program writes the file, and which character encoding does it offer when saving? A file of \
                     five suppliers that shows the problem would help.",
                ),
            ),
            at(
                hours_ago(6, 30),
                Tobias,
                Answer(
                    "It is an export from our old ERP, Windows-1252, there is no choice. The file of five suppliers \
                        is in the shared folder: two of them are skipped.",
                ),
            ),
        ],
    },
    // Came back by de-escalation.
    Story {
        filed: hours_ago(54, 0),
        client: Katrin,
        entry: Entry::Elevated("CS-48155"),
        category: Category::BugsDefects,
        subtype: "User interface",
        subject: "Signature pad loses the drawing when the phone is turned",
        description: "Drivers turn their phone to give the customer more room to sign. The signature is gone \
                      afterwards, and some deliveries were completed with an empty one.",
        device: ANDROID_APP,
        wanted_in_days: None,
        evidence: Some(Evidence {
            severity: Severity::Minor,
            target_url: "https://driver.example.com/deliveries/sign",
            steps: "1. Open a delivery in the driver app and tap Sign.\n2. Draw half a signature.\n3. Turn the phone.",
            acceptance: "A signature begun upright is still there, and can be completed, after the phone was turned.",
            ops_can_reproduce: false,
            affects_other_clients: false,
            workaround: Some("Lock the rotation of the screen."),
        }),
        path: &[
            at(hours_ago(51, 20), Priya, Take),
            at(hours_ago(44, 0), Priya, Confirm),
            at(hours_ago(30, 45), Noor, Take),
            at(
                hours_ago(9, 15),
                Noor,
                DeEscalate(
                    &[CannotReplicate, MoreInformationNeeded],
                    "It works on a Pixel 8 and on a Galaxy A54, 30 times in a row. Which phones do the drivers have, \
                     and is the battery saver on?",
                ),
            ),
            at(hours_ago(8, 40), Priya, Take),
        ],
    },
    // Reopened: the fix did not last.
    Story {
        filed: days_ago(9, 5),
        client: Katrin,
        entry: Entry::Elevated("CS-47702"),
        category: Category::InfrastructureNetworking,
        subtype: "Slow or unstable connection",
        subject: "Depot scanners lose their connection every night shortly after two",
        description: "All hand scanners in the depots Altona and Walle go offline at about 02:10 and come back between \
                      02:25 and 02:40. The night shift writes on paper meanwhile.",
        device: ANDROID_APP,
        wanted_in_days: Some(3),
        evidence: Some(Evidence {
            severity: Severity::Major,
            target_url: "https://scan.example.com/health",
            steps: "1. Keep a scanner of depot Altona signed in over night.\n2. Watch the session log from 02:05 on.",
            acceptance: "Scanners stay connected from 01:00 to 04:00 in three nights in a row.",
            ops_can_reproduce: true,
            affects_other_clients: false,
            workaround: Some("Sign the scanners in again at 02:30."),
        }),
        path: &[
            at(days_ago(9, 2), Owen, Take),
            at(days_ago(8, 20), Owen, Confirm),
            at(days_ago(8, 2), Felix, Take),
            at(days_ago(7, 14), Felix, Replicate),
            at(days_ago(7, 4), Daniel, Promise(-2)),
            at(days_ago(6, 22), Kenji, Take),
            at(days_ago(4, 6), Kenji, Fix("https://github.com/example/portside-edge/pull/318")),
            at(
                days_ago(3, 20),
                Felix,
                Resolve(
                    "The nightly rotation of keys closed all scanner sessions at once. Sessions now outlive the \
                         rotation; three nights in a row were without an interruption.",
                ),
            ),
            at(
                hours_ago(7, 40),
                Owen,
                Reopen(
                    Stage::Validating,
                    "Katrin called: the scanners of depot Walle were offline again tonight, from 02:12 to 02:31.",
                ),
            ),
        ],
    },
    Story {
        filed: hours_ago(17, 51),
        client: Denise,
        entry: Entry::Elevated("CS-48340"),
        category: Category::SecurityIssues,
        subtype: "Phishing or malware",
        subject: "Suppliers receive mails that imitate our invoice notifications",
        description: "Two suppliers forwarded mails that look like Portside invoice notifications, name real order \
                      numbers and link to a sign-in page on another domain. We would like to know where the numbers \
                      come from.",
        device: None,
        wanted_in_days: Some(2),
        evidence: None,
        path: &[at(hours_ago(16, 30), Priya, Take)],
    },
    // Just in.
    Story {
        filed: hours_ago(0, 25),
        client: Katrin,
        entry: Entry::Form,
        category: Category::SecurityIssues,
        subtype: "Access or permissions",
        subject: "A former employee is still asked to approve purchases",
        description: "Jan left at the end of last month and his account is closed, but the purchase workflow still \
                      sends approvals to him. Three purchases are stuck because nobody else may approve them.",
        device: CHROME_ON_WINDOWS,
        wanted_in_days: Some(2),
        evidence: None,
        path: &[],
    },
];
