//! Tickets whose fix QA is verifying.

use entity::vocab::{Category, Severity};

use crate::demo::{
    cast::Who::{Daniel, Denise, Felix, Ines, Katrin, Kenji, Lucia, Noor, Owen, Priya, Sofia, Tobias},
    script::{
        ANDROID_APP, CHROME_ON_WINDOWS, Entry, Evidence, FIREFOX_ON_LINUX,
        Step::{Confirm, Fix, Promise, RejectFix, Replicate, Take},
        Story, at, days_ago, hours_ago,
    },
};

pub(super) static STORIES: [Story; 4] = [
    // Warned of in six minutes.
    Story {
        filed: days_ago(5, 12),
        client: Tobias,
        entry: Entry::Elevated("CS-47921"),
        category: Category::BugsDefects,
        subtype: "Crash or error message",
        subject: "Route planning fails with “Internal error” when a depot has no trucks",
        description: "If all trucks of a depot are out of service, planning its routes ends with “Internal error” and \
                      the routes of the other depots are not planned either.",
        device: CHROME_ON_WINDOWS,
        wanted_in_days: Some(3),
        evidence: Some(Evidence {
            severity: Severity::Major,
            target_url: "https://app.example.com/routes/plan",
            steps: "1. Set all trucks of the depot Walle to out of service.\n2. Plan the routes of tomorrow.",
            acceptance: "The depot is named as not planned, and the other depots are planned.",
            ops_can_reproduce: true,
            affects_other_clients: false,
            workaround: Some("Leave one truck in service and move its routes by hand."),
        }),
        path: &[
            at(days_ago(5, 9), Owen, Take),
            at(days_ago(4, 22), Owen, Confirm),
            at(days_ago(4, 10), Noor, Take),
            at(days_ago(3, 14), Noor, Replicate),
            at(days_ago(3, 2), Sofia, Promise(2)),
            at(days_ago(2, 20), Kenji, Take),
            at(hours_ago(17, 54), Kenji, Fix("https://github.com/example/portside-routing/pull/457")),
            at(hours_ago(15, 20), Noor, Take),
        ],
    },
    // Breached in 50 minutes.
    Story {
        filed: days_ago(6, 8),
        client: Denise,
        entry: Entry::Form,
        category: Category::DataIssues,
        subtype: "Report or dashboard",
        subject: "Dashboard counts cancelled orders as revenue",
        description: "The revenue of last week on the dashboard is 8,412 USD higher than in the accounts. It is \
                      exactly the sum of the orders that were cancelled.",
        device: CHROME_ON_WINDOWS,
        wanted_in_days: None,
        evidence: Some(Evidence {
            severity: Severity::Major,
            target_url: "https://app.example.com/dashboard/revenue",
            steps: "1. Note the revenue of the day.\n2. Make an order and cancel it.\n3. Reload the dashboard.",
            acceptance: "Cancelled orders count from the moment of their cancellation neither for the day nor for the \
                         week.",
            ops_can_reproduce: true,
            affects_other_clients: true,
            workaround: Some("Use the accounting report."),
        }),
        path: &[
            at(days_ago(6, 4), Priya, Take),
            at(days_ago(5, 18), Priya, Confirm),
            at(days_ago(5, 6), Felix, Take),
            at(days_ago(4, 12), Felix, Replicate),
            at(days_ago(4, 0), Daniel, Promise(3)),
            at(days_ago(3, 18), Lucia, Take),
            at(hours_ago(23, 10), Lucia, Fix("https://github.com/example/portside-web/pull/2871")),
        ],
    },
    // Breached.
    Story {
        filed: days_ago(7, 2),
        client: Ines,
        entry: Entry::Elevated("CS-47840"),
        category: Category::InfrastructureNetworking,
        subtype: "Slow or unstable connection",
        subject: "Live tracking drops after exactly ten minutes",
        description: "The map of live tracking stops moving after ten minutes and has to be reloaded. Our proxy shows \
                      that the server closes the connection.",
        device: FIREFOX_ON_LINUX,
        wanted_in_days: Some(5),
        evidence: Some(Evidence {
            severity: Severity::Minor,
            target_url: "https://track.example.com/live",
            steps: "1. Open live tracking.\n\
                    2. Leave it alone for eleven minutes.\n\
                    3. Look at the WebSocket in the browser's tools.",
            acceptance: "Live tracking runs for an hour, and connects again by itself after a lost connection.",
            ops_can_reproduce: true,
            affects_other_clients: true,
            workaround: Some("Reload the page."),
        }),
        path: &[
            at(days_ago(6, 23), Owen, Take),
            at(days_ago(6, 12), Owen, Confirm),
            at(days_ago(5, 16), Noor, Replicate),
            at(days_ago(5, 4), Sofia, Promise(4)),
            at(days_ago(4, 20), Kenji, Take),
            at(hours_ago(28, 30), Kenji, Fix("https://github.com/example/portside-edge/pull/331")),
        ],
    },
    // The second fix, after the first one was rejected.
    Story {
        filed: days_ago(9, 0),
        client: Katrin,
        entry: Entry::Elevated("CS-47688"),
        category: Category::SecurityIssues,
        subtype: "Access or permissions",
        subject: "Warehouse staff can open the payroll export by its address",
        description: "The menu hides the payroll export from warehouse staff, as it should. Whoever knows the address \
                      can open it all the same. A shift leader told us, after a colleague had sent him the link.",
        device: ANDROID_APP,
        wanted_in_days: Some(0),
        evidence: Some(Evidence {
            severity: Severity::Critical,
            target_url: "https://app.example.com/payroll/export",
            steps: "1. Sign in as a user with the role Warehouse.\n2. Open the address.",
            acceptance: "Whoever may not see the payroll gets “not found” for each of its addresses, the files too.",
            ops_can_reproduce: true,
            affects_other_clients: true,
            workaround: None,
        }),
        path: &[
            at(days_ago(8, 23), Priya, Take),
            at(days_ago(8, 20), Priya, Confirm),
            at(days_ago(8, 8), Felix, Take),
            at(days_ago(8, 2), Felix, Replicate),
            at(days_ago(7, 22), Sofia, Promise(1)),
            at(days_ago(7, 20), Kenji, Take),
            at(days_ago(3, 6), Kenji, Fix("https://github.com/example/portside-web/pull/2846")),
            at(days_ago(3, 0), Felix, Take),
            at(
                days_ago(2, 18),
                Felix,
                RejectFix("The page is refused now. The file below /payroll/export/files still comes for anybody."),
            ),
            at(days_ago(2, 16), Kenji, Take),
            at(hours_ago(2, 25), Kenji, Fix("https://github.com/example/portside-web/pull/2869")),
            at(hours_ago(1, 50), Felix, Take),
        ],
    },
];
