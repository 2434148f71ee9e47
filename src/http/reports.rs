//! Reports as CSV, for spreadsheets: `GET /reports/sla.csv` and `GET /reports/forecast.csv`, with a bearer token.
//!
//! RFC 4180 in UTF-8, every cell in quotes. What people typed cannot become a formula: where a cell begins like one, or what a
//! spreadsheet with other separators would take for a cell, an apostrophe stands before it.

use std::fmt::Display;

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use entity::vocab::{DeEscalationReason, ReportDimension, Team};
use serde::Deserialize;

use crate::{
    domain::{
        actor::Actor,
        process,
        report::{Deliveries, Figures, Group, Lost, SlaReport},
    },
    graphql::admission::REPORT,
    http::{
        HttpState,
        answer::{self, Code, ErrorAnswer, Media},
        auth,
        concurrency::{self, RequestPermit},
        operation, work,
    },
    logging::chain,
    service::{Result, Service, ServiceError, reports::ForecastRow},
};

/// What a formula begins with; the wide ones in some languages.
const FORMULAS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
/// What a spreadsheet may split a line at.
const SEPARATORS: [char; 6] = [',', ';', '|', '\t', '\n', '\r'];

/// What `sla.csv` is asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SlaQuery {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// Dimensions, separated by commas.
    #[serde(default)]
    group_by: String,
    #[serde(default)]
    part: Part,
}

/// A table of the report.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Part {
    #[default]
    Figures,
    LostByReason,
    LostByTeams,
    Deliveries,
}

/// What `forecast.csv` is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ForecastQuery {
    days: i32,
}

/// Rows under a header.
type Table = (Vec<&'static str>, Vec<Vec<String>>);

/// Answers the SLA report.
pub(super) async fn sla(
    State(state): State<HttpState>,
    query: std::result::Result<Query<SlaQuery>, QueryRejection>,
    parts: Parts,
) -> Response {
    let usage = "ask as /reports/sla.csv?from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z&groupBy=STAGE,TEAM, perhaps with \
                 &part=lost-by-reason, lost-by-teams or deliveries";
    let Ok(Query(query)) = query else { return answer::error(Code::BadRequest, usage).into_response() };
    let words = query.group_by.split(',').map(str::trim).filter(|word| !word.is_empty());
    let Some(group_by) = words.map(ReportDimension::parse).collect::<Option<Vec<_>>>() else {
        let known: Vec<_> = ReportDimension::all().map(ReportDimension::word).collect();
        let message = format!("groupBy takes {}, separated by commas", known.join(", "));
        return answer::error(Code::BadRequest, message).into_response();
    };
    let Asking { service, actor, permit } = match who(&state, &parts).await {
        Ok(who) => who,
        Err(refusal) => return refusal,
    };
    let work = async move {
        let _permit = permit;
        let report = service.sla_report(&actor, query.from, query.to, group_by.clone()).await?;
        Ok(match query.part {
            Part::Figures => figures(&report),
            Part::LostByReason => lost_by_reason(&report),
            Part::LostByTeams => lost_by_teams(&report),
            Part::Deliveries => deliveries(&report),
        })
    };
    respond(&state, "sla.csv", work).await
}

/// Answers the forecast.
pub(super) async fn forecast(
    State(state): State<HttpState>,
    query: std::result::Result<Query<ForecastQuery>, QueryRejection>,
    parts: Parts,
) -> Response {
    let Ok(Query(query)) = query else {
        return answer::error(Code::BadRequest, "ask as /reports/forecast.csv?days=7").into_response();
    };
    let Asking { service, actor, permit } = match who(&state, &parts).await {
        Ok(who) => who,
        Err(refusal) => return refusal,
    };
    let work = async move {
        let _permit = permit;
        let now = service.clock().now();
        Ok(forecasts(&service.breach_forecast_rows(&actor, query.days).await?, now))
    };
    respond(&state, "forecast.csv", work).await
}

/// Who asks, and may go on.
struct Asking {
    service: Service,
    actor: Actor,
    permit: RequestPermit,
}

/// Who asks, once they have paid and it is their turn; nobody in particular does not get a report.
async fn who(state: &HttpState, parts: &Parts) -> std::result::Result<Asking, Response> {
    let caller = auth::identify(state, parts).await.map_err(IntoResponse::into_response)?.caller;
    let Some(session) = &caller.session else {
        return Err(answer::error(Code::Unauthenticated, "send `Authorization: Bearer <token>`").into_response());
    };
    let actor = session.actor.clone();
    state.api.charge(&caller, REPORT).map_err(|refused| answer::refused(refused, Media::Json))?;
    let permit = state.turns.wait(caller.principal()).await;
    let permit = permit.ok_or_else(|| operation::too_many(concurrency::TOO_MANY).into_response())?;
    Ok(Asking { service: state.api.service_for(&caller), actor, permit })
}

/// Makes a report, whether or not its client still waits, and answers it as a file.
async fn respond(
    state: &HttpState,
    file: &'static str,
    making: impl Future<Output = Result<Table>> + Send + 'static,
) -> Response {
    match work::run(&state.requests, making).await {
        Ok(Ok(table)) => match written(&table) {
            Ok(text) => as_file(text, file),
            Err(error) => {
                tracing::error!(error = chain(&error), "a report could not be written as CSV");
                answer::internal().into_response()
            }
        },
        Ok(Err(error)) => failed(&error).into_response(),
        Err(unfinished) => ErrorAnswer::from(unfinished).into_response(),
    }
}

fn figures(report: &SlaReport) -> Table {
    let header = vec![
        "stage",
        "team",
        "company",
        "tier",
        "priority",
        "assignee",
        "category",
        "visits",
        "met",
        "missed",
        "excused",
        "without_clock",
        "paused",
        "paused_hours",
        "working_hours",
        "median_hours",
        "p90_hours",
        "p95_hours",
    ];
    let total = [(Group::default(), report.total)];
    let rows: &[_] = if report.groups.is_empty() { &total } else { &report.groups };
    let row = |(group, figures): &(Group, Figures)| {
        let counts =
            [figures.visits, figures.met, figures.missed, figures.excused, figures.unclocked(), figures.paused];
        let times = [figures.paused_time, figures.working_time, figures.median, figures.p90, figures.p95];
        let about = [
            shown(group.stage),
            shown(group.team),
            shown(group.company.as_ref().map(|(_, name)| name)),
            shown(group.tier),
            shown(group.priority),
            shown(group.assignee.as_ref().map(|(_, name)| name)),
            shown(group.category),
        ];
        let numbers = counts.map(|count| count.to_string()).into_iter().chain(times.map(hours));
        about.into_iter().chain(numbers).collect()
    };
    (header, rows.iter().map(row).collect())
}

fn lost_by_reason(report: &SlaReport) -> Table {
    let row = |lost: &Lost<DeEscalationReason>| vec![lost.key.to_string(), lost.count.to_string(), hours(lost.time)];
    (vec!["reason", "de_escalations", "lost_hours"], report.losses.by_reason.iter().map(row).collect())
}

fn lost_by_teams(report: &SlaReport) -> Table {
    let row = |lost: &Lost<(Team, Team)>| {
        let (from, to) = lost.key;
        vec![from.to_string(), to.to_string(), lost.count.to_string(), hours(lost.time)]
    };
    (vec!["from", "to", "de_escalations", "lost_hours"], report.losses.by_teams.iter().map(row).collect())
}

fn deliveries(report: &SlaReport) -> Table {
    let Deliveries { promised, kept, kept_first } = report.deliveries;
    let row = [promised, kept, kept_first].map(|count| count.to_string()).to_vec();
    (vec!["promised", "kept", "kept_first"], vec![row])
}

fn forecasts(rows: &[ForecastRow], now: DateTime<Utc>) -> Table {
    let row = |row: &ForecastRow| {
        let ticket = &row.ticket;
        let team = process::stage(row.forecast.stage).owner;
        vec![
            ticket.key(),
            ticket.facts.subject.clone(),
            ticket.company.name.clone(),
            row.forecast.stage.to_string(),
            shown(team),
            shown(ticket.assignee.as_ref().map(|person| &person.name)),
            row.forecast.late_at.to_rfc3339_opts(SecondsFormat::Secs, true),
            (row.forecast.late_at < now).to_string(),
        ]
    };
    let header = vec!["ticket", "subject", "company", "stage", "team", "assignee", "late_at", "is_late"];
    (header, rows.iter().map(row).collect())
}

/// What is not known is an empty cell.
fn shown(of: Option<impl Display>) -> String {
    of.map(|of| of.to_string()).unwrap_or_default()
}

/// A length of time in hours, to a third of a second.
fn hours(time: TimeDelta) -> String {
    let ten_thousandths = time.num_microseconds().unwrap_or(i64::MAX) / 360_000;
    format!("{}.{:04}", ten_thousandths / 10_000, ten_thousandths % 10_000)
}

fn written((header, rows): &Table) -> std::result::Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .quote_style(csv::QuoteStyle::Always)
        .from_writer(Vec::new());
    writer.write_record(header)?;
    for row in rows {
        writer.write_record(row.iter().map(|cell| harmless(cell)))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// A cell that no spreadsheet takes for a formula, nor any part of it.
///
/// A spreadsheet that splits at semicolons reads the commas between our cells as text, and with them the quotes: then a
/// semicolon, a tab or a line break in a cell begins another. So whatever begins like a formula after one of them is guarded too.
fn harmless(cell: &str) -> String {
    let mut guarded = String::with_capacity(cell.len() + 2);
    if cell.starts_with(['\t', '\r', '\n']) {
        guarded.push('\'');
    }
    let mut begins = true;
    for letter in cell.chars() {
        if begins && FORMULAS.contains(&letter) {
            guarded.push('\'');
        }
        // What stands before a formula and is skipped, or quotes it, does not hide it.
        begins = SEPARATORS.contains(&letter) || begins && (letter.is_whitespace() || "\"'".contains(letter));
        guarded.push(letter);
    }
    guarded
}

fn as_file(text: Vec<u8>, file: &str) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"));
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename={file}")) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}

fn failed(error: &ServiceError) -> ErrorAnswer {
    match error {
        ServiceError::Refused(refusal) => answer::error(Code::BadRequest, refusal.to_string()),
        ServiceError::Forbidden(_) | ServiceError::MissingScope(_) => answer::error(Code::Forbidden, error.to_string()),
        error if error.is_unavailable() => answer::error(Code::Unavailable, "not available now; try again"),
        error => {
            tracing::error!(error = chain(error), "a report could not be made");
            answer::internal()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_cell_becomes_a_formula() {
        for (cell, guarded) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            (" =1+1", " '=1+1"),
            ("\t=1+1", "'\t'=1+1"),
            ("\r\n=1+1", "'\r\n'=1+1"),
            ("\"=1+1", "\"'=1+1"),
            ("＝1", "'＝1"),
            ("x;=1+1", "x;'=1+1"),
            ("x; \"=cmd|' /C calc'!A0", "x; \"'=cmd|' /C calc'!A0"),
            ("x,=1+1", "x,'=1+1"),
            ("x|=1+1", "x|'=1+1"),
            ("x\t@A1", "x\t'@A1"),
            ("line\n-2+3", "line\n'-2+3"),
            ("=1;=2", "'=1;'=2"),
            ("Export stops - again", "Export stops - again"),
            ("a=b; c+d", "a=b; c+d"),
            ("2026-06-01T09:00:00Z", "2026-06-01T09:00:00Z"),
            ("", ""),
        ] {
            assert_eq!(harmless(cell), guarded, "{cell:?}");
        }
    }

    #[test]
    fn every_cell_is_quoted() {
        let table = (vec!["name", "count"], vec![vec!["Acme \"A\"; =1".to_owned(), "7".to_owned()]]);
        let text = String::from_utf8(written(&table).unwrap()).unwrap();
        assert_eq!(text, "\"name\",\"count\"\r\n\"Acme \"\"A\"\"; '=1\",\"7\"\r\n");
    }
}
