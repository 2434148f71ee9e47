//! Tickets that QA is replicating.

use entity::vocab::{Category, DeEscalationReason::MoreInformationNeeded, Severity};

use crate::demo::{
    cast::Who::{Denise, Felix, Ines, Katrin, Marcus, Noor, Owen, Priya, Sofia, Tobias},
    script::{
        CHROME_ON_WINDOWS, Entry, Evidence, FIREFOX_ON_LINUX, IPHONE_APP, SAFARI_ON_MAC,
        Step::{Answer, Ask, Confirm, DeEscalate, Gather, Replicate, SendBack, Take},
        Story, at, days_ago, hours_ago,
    },
};

pub(super) static STORIES: [Story; 7] = [
    // Warned of in two minutes.
    Story {
        filed: hours_ago(49, 0),
        client: Denise,
        entry: Entry::Elevated("CS-48170"),
        category: Category::BugsDefects,
        subtype: "Regression",
        subject: "Keyboard shortcuts in the order grid do nothing since release 26.11",
        description: "Our order desk works without a mouse. Since the release, F2 and Ctrl+Enter no longer edit and \
                      save a row. The arrow keys still work.",
        device: CHROME_ON_WINDOWS,
        wanted_in_days: Some(5),
        evidence: Some(Evidence {
            severity: Severity::Minor,
            target_url: "https://app.example.com/orders?view=grid",
            steps: "1. Open the order grid.\n\
                    2. Select a row with the arrow keys.\n\
                    3. Press F2, change the quantity, press Ctrl+Enter.",
            acceptance: "F2 opens the row for editing, Ctrl+Enter saves it, Escape leaves it as it was.",
            ops_can_reproduce: true,
            affects_other_clients: true,
            workaround: Some("Double-click the row and use the Save button."),
        }),
        path: &[
            at(hours_ago(47, 25), Owen, Take),
            at(hours_ago(35, 58), Owen, Confirm),
            at(hours_ago(29, 30), Noor, Take),
        ],
    },
    // Breached in 40 minutes.
    Story {
        filed: hours_ago(55, 0),
        client: Marcus,
        entry: Entry::Form,
        category: Category::DataIssues,
        subtype: "Synchronisation",
        subject: "Stock in the web shop lags behind the warehouse by up to a day",
        description: "The shop sold 31 pairs of a boot that the warehouse had booked out the evening before. The stock \
                      level of an item is right again after somebody opens the item in Portside.",
        device: SAFARI_ON_MAC,
        wanted_in_days: Some(3),
        evidence: Some(Evidence {
            severity: Severity::Major,
            target_url: "https://app.example.com/stock/sync",
            steps: "1. Book ten pieces of an item out of warehouse Newark.\n\
                    2. Wait for the hourly synchronisation.\n\
                    3. Compare the stock in the shop with the stock in Portside.",
            acceptance: "A booking in a warehouse shows in the shop within 15 minutes, without anybody opening the \
                         item.",
            ops_can_reproduce: true,
            affects_other_clients: false,
            workaround: Some("Run Stock → Synchronise all by hand in the morning."),
        }),
        path: &[
            at(hours_ago(53, 10), Priya, Take),
            at(hours_ago(47, 20), Priya, Confirm),
            at(hours_ago(40, 15), Felix, Take),
        ],
    },
    // Breached.
    Story {
        filed: hours_ago(62, 0),
        client: Ines,
        entry: Entry::Elevated("CS-48088"),
        category: Category::InfrastructureNetworking,
        subtype: "Storage or backup",
        subject: "Attachments restored from the archive are empty files",
        description: "We restored the project Alder from the archive. All 214 attachments are there by name, and each \
                      of them has zero bytes.",
        device: FIREFOX_ON_LINUX,
        wanted_in_days: None,
        evidence: Some(Evidence {
            severity: Severity::Critical,
            target_url: "https://app.example.com/archive/restore",
            steps: "1. Archive a project with attachments of more than 5 MB.\n\
                    2. Wait for a day.\n\
                    3. Restore it and download an attachment.",
            acceptance: "A restored attachment has the size and the checksum it was archived with; if it cannot be \
                         restored, the restore says so.",
            ops_can_reproduce: false,
            affects_other_clients: true,
            workaround: None,
        }),
        path: &[
            at(hours_ago(60, 20), Owen, Take),
            at(hours_ago(55, 10), Owen, Confirm),
            at(hours_ago(51, 0), Felix, Take),
        ],
    },
    // Sent back by the Project Manager.
    Story {
        filed: days_ago(3, 1),
        client: Marcus,
        entry: Entry::Elevated("CS-48011"),
        category: Category::BugsDefects,
        subtype: "Wrong result",
        subject: "Sales tax is rounded per line for customers in Canada",
        description: "Invoices to Canadian customers differ from the tax office's calculation by one to four cents. \
                      The tax seems to be rounded on each line and then added up.",
        device: CHROME_ON_WINDOWS,
        wanted_in_days: None,
        evidence: Some(Evidence {
            severity: Severity::Minor,
            target_url: "https://app.example.com/invoices/88120",
            steps: "1. Make an invoice of seven lines of 1.07 CAD each for a customer in Ontario.\n\
                    2. Compare the tax with 13 % of the total.",
            acceptance: "The tax of an invoice to Canada is computed from its total and rounded once.",
            ops_can_reproduce: true,
            affects_other_clients: true,
            workaround: None,
        }),
        path: &[
            at(hours_ago(71, 0), Owen, Take),
            at(hours_ago(66, 0), Owen, Confirm),
            at(hours_ago(58, 0), Noor, Take),
            at(hours_ago(40, 0), Noor, Replicate),
            at(
                hours_ago(27, 0),
                Sofia,
                SendBack(
                    "The steps give the right tax on the test system. Which tax profile does the customer use, and \
                          does it happen in the United States too?",
                ),
            ),
        ],
    },
    // De-escalated, asked, answered, and back again.
    Story {
        filed: hours_ago(76, 30),
        client: Tobias,
        entry: Entry::Form,
        category: Category::DataIssues,
        subtype: "Duplicate data",
        subject: "Consolidated shipments are billed once per parcel",
        description: "When we consolidate parcels into one shipment, the carrier's fee is billed for every parcel. On \
                      the last statement this was 1,940 EUR too much.",
        device: CHROME_ON_WINDOWS,
        wanted_in_days: Some(7),
        evidence: Some(Evidence {
            severity: Severity::Major,
            target_url: "https://app.example.com/billing/statements",
            steps: "1. Add three parcels to a shipment of the carrier Hansa Express.\n\
                    2. Mark it as consolidated.\n\
                    3. Close the week and open the statement.",
            acceptance: "A consolidated shipment appears once on the statement, with the number of its parcels.",
            ops_can_reproduce: true,
            affects_other_clients: false,
            workaround: Some("Correct the statement by a credit note."),
        }),
        path: &[
            at(hours_ago(74, 0), Priya, Take),
            at(hours_ago(70, 0), Priya, Confirm),
            at(
                hours_ago(52, 0),
                Felix,
                DeEscalate(
                    &[MoreInformationNeeded],
                    "With the carriers of the test system the statement is right. Which carrier is it?",
                ),
            ),
            at(
                hours_ago(50, 30),
                Priya,
                Ask("Which carriers are on the statement, and were the parcels consolidated before or after their \
                     labels were printed?"),
            ),
            at(
                hours_ago(34, 20),
                Priya,
                Answer("By phone: only Hansa Express, and the parcels are consolidated after the labels are printed."),
            ),
            at(hours_ago(26, 15), Priya, Confirm),
            at(hours_ago(22, 0), Felix, Take),
        ],
    },
    Story {
        filed: hours_ago(20, 40),
        client: Katrin,
        entry: Entry::Elevated("CS-48319"),
        category: Category::BugsDefects,
        subtype: "Crash or error message",
        subject: "iOS app closes when a photo of more than 12 megapixels is attached",
        description: "Drivers with new phones cannot attach photos of damaged goods: the app closes as soon as they \
                      tap Use Photo. Older phones are fine.",
        device: IPHONE_APP,
        wanted_in_days: None,
        evidence: Some(Evidence {
            severity: Severity::Major,
            target_url: "https://driver.example.com/deliveries/damage",
            steps: "1. Open a delivery in the driver app and tap Report damage.\n\
                    2. Take a photo at 48 megapixels.\n\
                    3. Tap Use Photo.",
            acceptance: "Photos of up to 48 megapixels are attached, scaled down to 12; larger ones are refused with a \
                         message.",
            ops_can_reproduce: false,
            affects_other_clients: true,
            workaround: Some("Set the camera to 12 megapixels."),
        }),
        path: &[
            at(hours_ago(19, 0), Priya, Take),
            at(hours_ago(14, 10), Priya, Gather),
            at(hours_ago(12, 20), Priya, Confirm),
            at(hours_ago(5, 45), Noor, Take),
        ],
    },
    Story {
        filed: hours_ago(6, 10),
        client: Ines,
        entry: Entry::Elevated("CS-48371"),
        category: Category::SecurityIssues,
        subtype: "Data exposure",
        subject: "A shared report opens without its password",
        description: "We put a password on a report that had been shared by link before. Whoever has the old link \
                      still sees the report, without being asked.",
        device: FIREFOX_ON_LINUX,
        wanted_in_days: Some(1),
        evidence: Some(Evidence {
            severity: Severity::Critical,
            target_url: "https://reports.example.com/shared/q3-margins",
            steps: "1. Share a report by link.\n2. Set a password on it.\n3. Open the link in a private window.",
            acceptance: "From the moment a password is set, every link to the report asks for it.",
            ops_can_reproduce: true,
            affects_other_clients: true,
            workaround: Some("Stop sharing the report and share it again."),
        }),
        path: &[at(hours_ago(5, 50), Owen, Take), at(hours_ago(3, 5), Owen, Confirm)],
    },
];
