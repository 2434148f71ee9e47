//! Reports for managers: what the clocks showed, and what they will show if nobody acts.

use chrono::{DateTime, Utc};
use entity::vocab::ReportDimension;

use crate::{
    domain::{
        actor::{Action, Actor},
        refusal::{Code, Problem},
        report::{Group, ReportRequest, SlaReport, forecast_until},
        ticket::Ticket,
    },
    service::{Result, Service, require},
    store::{
        self,
        page::{Page, Window},
        reports::Forecast,
    },
};

/// A report with more rows is for nobody's eyes.
const MOST_GROUPS: u64 = 5_000;
/// A table with more rows is for nobody's eyes, either.
const MOST_FORECASTS: u64 = 10_000;
pub(super) const LEADS: &str = "only managers and administrators see reports";

impl Service {
    /// What the clocks of the visits showed that ended in the time of the report.
    pub async fn sla_report(
        &self,
        actor: &Actor,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        group_by: Vec<ReportDimension>,
    ) -> Result<SlaReport> {
        require(actor, Action::SeeReports, LEADS)?;
        let request = ReportRequest::new(from, to, group_by)?;
        let all = ReportRequest { group_by: Vec::new(), ..request.clone() };
        // One state of the database, so that the parts agree.
        let db = self.db.begin_snapshot().await?;
        let total = store::reports::figures(&db, &all, 1).await?.pop().map(|(_, figures)| figures);
        let mut groups = if request.group_by.is_empty() {
            Vec::new()
        } else {
            store::reports::figures(&db, &request, MOST_GROUPS + 1).await?
        };
        if u64::try_from(groups.len()).is_ok_and(|groups| groups > MOST_GROUPS) {
            let message =
                format!("that makes more than {MOST_GROUPS} groups; group by less, or ask for a shorter time");
            return Err(Problem::at(Code::Invalid, "groupBy", message).into());
        }
        groups.sort_by_key(|(group, _)| order(group));
        Ok(SlaReport {
            total: total.unwrap_or_default(),
            groups,
            losses: store::reports::losses(&db, &request).await?,
            deliveries: store::reports::deliveries(&db, &request).await?,
        })
    }

    /// A page of the running clocks that are late within some days if nobody acts, the first to be late first; with until when.
    pub async fn breach_forecast(
        &self,
        actor: &Actor,
        days: i32,
        window: Window,
    ) -> Result<(Page<Forecast>, DateTime<Utc>)> {
        require(actor, Action::SeeReports, LEADS)?;
        let until = forecast_until(days, self.clock.now())?;
        Ok((store::reports::late_by(&self.db, until, window).await?, until))
    }
}

/// A running clock that is late within some days if nobody acts, with its ticket.
#[derive(Clone, Debug)]
pub struct ForecastRow {
    /// The clock.
    pub forecast: Forecast,
    /// Its ticket.
    pub ticket: Ticket,
}

impl Service {
    /// All of the forecast, the first to be late first.
    pub async fn breach_forecast_rows(&self, actor: &Actor, days: i32) -> Result<Vec<ForecastRow>> {
        let (page, _) = self.breach_forecast(actor, days, Window::first(MOST_FORECASTS)).await?;
        if page.has_next {
            let message = format!("more than {MOST_FORECASTS} clocks are late by then; ask for fewer days");
            return Err(Problem::at(Code::Invalid, "days", message).into());
        }
        let ids: Vec<_> = page.rows.iter().map(|forecast| forecast.ticket_id).collect();
        let mut tickets = self.tickets_by_id(actor, &ids).await?;
        let with_ticket =
            |forecast: Forecast| Some(ForecastRow { forecast, ticket: tickets.remove(&forecast.ticket_id)?.ticket });
        Ok(page.rows.into_iter().filter_map(with_ticket).collect())
    }
}

/// The order in which groups are listed: that of the dimensions, words as they are declared and names as they are read.
fn order(group: &Group) -> impl Ord + use<> {
    (
        (group.stage, group.team),
        group.company.as_ref().map(|(id, name)| (name.clone(), *id)),
        (group.tier, group.priority),
        group.assignee.as_ref().map(|(id, name)| (name.clone(), *id)),
        group.category,
    )
}
