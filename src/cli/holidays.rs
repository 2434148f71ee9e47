//! Public holidays from an iCalendar file.

use std::{io::Read, path::Path};

use anyhow::{Context, Result, bail};
use entity::calendar;
use secondline::{
    domain::{
        actor::Actor,
        calendar::{Holiday, icalendar::SkippedEvent},
    },
    service::{Service, holidays::HolidayImport},
};

use crate::cli::{HolidayArgs, print};

/// The largest file that is read; what is larger is refused as too large, whatever its size.
const MOST_BYTES: u64 = 1024 * 1024;

/// Adds the holidays of a file to a calendar.
pub(super) async fn import(arguments: HolidayArgs) -> Result<()> {
    let ics = read(&arguments.file)?;
    let service = arguments.common.service().await?;
    let calendar = named(&service, &arguments.calendar).await?;
    let (from_year, to_year) = arguments.years.unzip();
    let import = HolidayImport {
        ics,
        from_year,
        to_year,
        effective_at: arguments.effective_at,
        expected_version: Some(calendar.version),
        dry_run: arguments.dry_run,
    };
    let imported = service.import_holidays(&Actor::System, calendar.id, import).await?;
    service.close().await;
    let added = if arguments.dry_run { "to be added" } else { "added" };
    let holidays = imported.added.iter().map(|holiday| row(holiday, added));
    let known = imported.known.iter().map(|holiday| row(holiday, "known"));
    let skipped = imported.skipped.iter().map(skipped);
    let mut rows: Vec<_> = holidays.chain(known).chain(skipped).collect();
    rows.sort();
    print::table(["DATE", "CLOSED", "NAME", "WHAT"], &rows)?;
    let (count, name, version) = (imported.added.len(), &imported.calendar.name, imported.calendar.version);
    print::note(&match (count, arguments.dry_run) {
        (0, _) => format!("There is nothing to add: {name} stays at version {version}."),
        (_, true) => format!("{count} to be added to {name}, whose version is {version}; nothing was written."),
        (_, false) => format!("{count} added: this is version {version} of {name}, which running clocks follow."),
    })
}

fn read(file: &Path) -> Result<String> {
    let mut text = Vec::new();
    let shown = file.display();
    if file == Path::new("-") {
        std::io::stdin().take(MOST_BYTES).read_to_end(&mut text).context("standard input cannot be read")?;
    } else {
        let file = std::fs::File::open(file).with_context(|| format!("{shown} cannot be opened"))?;
        file.take(MOST_BYTES).read_to_end(&mut text).with_context(|| format!("{shown} cannot be read"))?;
    }
    String::from_utf8(text).with_context(|| format!("{shown} is not UTF-8: save it anew"))
}

async fn named(service: &Service, name: &str) -> Result<calendar::Model> {
    let mut calendars = service.calendars(&Actor::System).await?;
    let names = calendars.iter().map(|calendar| calendar.name.clone()).collect::<Vec<_>>().join(", ");
    let found = calendars.iter().position(|calendar| calendar.name == name || calendar.id.to_string() == name);
    match found {
        Some(place) => Ok(calendars.swap_remove(place)),
        None if names.is_empty() => bail!("there is no calendar yet: the first start of the server makes some"),
        None => bail!("there is no calendar {name}; there are {names}"),
    }
}

fn row(holiday: &Holiday, what: &str) -> [String; 4] {
    let closed = holiday.closed.map_or("all day".to_owned(), |closed| format!("{}–{}", closed.from, closed.to));
    [holiday.on.to_string(), closed, holiday.name.clone(), what.to_owned()]
}

fn skipped(event: &SkippedEvent) -> [String; 4] {
    let on = event.on.map_or_else(|| "-".to_owned(), |on| on.to_string());
    [on, "-".to_owned(), event.name.clone(), format!("skipped: {}", event.why.word())]
}
