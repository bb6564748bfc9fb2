//! The demand of each half hour against the contract for electricity, and how the half hour that
//! lasts will end.

use app::known::{Known, Unreadable};
use kpi::{DemandForecast, DemandPlan, DemandWindow, PowerMinute};
use model::{MachineId, Span, Time};
use schemars::JsonSchema;
use serde::Serialize;
use store::Reader;

use crate::accounts::power_minutes;
use crate::watched::MachineSeries;

/// A span that ended so many seconds ago ended just now: it takes a moment to read it.
const JUST_S: f64 = 30.0;

/// The demands of some time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DemandReport {
    /// What the contract allows; `None` where nobody said it.
    pub plan: Option<DemandPlan>,
    /// Half hours in which power was measured, oldest first; the last one may last.
    pub windows: Vec<DemandWindow>,
    /// The half hour that lasts, if the time reaches to now and somebody said the contract.
    pub now: Option<DemandForecast>,
    /// So many machines were measured; with a meter of the whole factory it is that one.
    pub measured: usize,
}

impl DemandReport {
    /// The demands of a span that ends now at the latest. What it costs grows with the minutes of
    /// what is measured.
    pub async fn read(known: &Known, span: Span) -> Result<Self, Unreadable> {
        let plan = known.board().factory.demand.clone();
        let measured = powers(known, plan.as_ref(), span).await?;
        let now = known.now();
        let lasts = plan.as_ref().filter(|_| now.since(span.to).abs() < JUST_S);
        Ok(Self {
            now: lasts.map(|plan| DemandForecast::at(plan, &measured, now)),
            windows: DemandWindow::all(&measured, span),
            measured: measured.len(),
            plan,
        })
    }

    /// The highest of them that is over, or that is sure by now.
    pub fn highest(&self) -> Option<DemandWindow> {
        let by_kw = |a: &&DemandWindow, b: &&DemandWindow| a.kwh.total_cmp(&b.kwh);
        self.windows.iter().max_by(by_kw).copied()
    }
}

/// How the half hour that lasts will end.
pub async fn forecast(known: &Known, plan: &DemandPlan) -> Result<DemandForecast, Unreadable> {
    let now = known.now();
    let measured = powers(known, Some(plan), DemandWindow::at(now)).await?;
    Ok(DemandForecast::at(plan, &measured, now))
}

/// The powers of what counts, each by the minute; what was not measured is left out.
async fn powers(
    known: &Known,
    plan: Option<&DemandPlan>,
    span: Span,
) -> Result<Vec<Vec<PowerMinute>>, Unreadable> {
    let machines: Vec<MachineId> = match plan.and_then(|plan| plan.machine.clone()) {
        Some(whole) => vec![whole],
        None => {
            let board = known.board();
            let all = board.machines.iter().chain(&board.archived);
            all.map(|machine| machine.id.clone()).collect()
        }
    };
    // What was measured last before the span still counts in it.
    let wider = Span::new(Time::from_ms(span.from.ms() - model::GAP_MS_MAX), span.to);
    let work = move |reader: &dyn Reader| {
        let series = MachineSeries::read(reader)?;
        let powers = series.powers(reader, &machines, wider)?;
        let each = machines.iter().zip(powers);
        let minutes = each.filter_map(|(machine, recap)| {
            Some(power_minutes(&recap?.minutes, &series.left_out(machine)))
        });
        Ok(minutes
            .filter(|minutes: &Vec<PowerMinute>| !minutes.is_empty())
            .collect())
    };
    known.read(work).await
}
