//! The daily report on paper, and that of a week or a month.

use app::known::Known;
use model::{MachineId, Time};
use text::{Lang, key};

use super::font::{PaperFont, PaperProblem};
use super::layout::{
    AMBER, BLACK, BLUE, GREY, MARGIN, PALE, Paper, PaperArea, PaperColumn, RED, STAMP, Type, WIDTH,
};
use super::{PaperWriter, made_aside};
use crate::daily::{DailyReport, OutputBar, ReportPeriod};
use crate::daily_words::{MACHINE_COLUMNS, NOTHING, SHIFT_COLUMNS, count, machine_cells};
use crate::losses::Loss;

/// Downtimes that are listed, the longest.
const STOPS_LISTED: usize = 40;
/// Parts to replace that are named.
const PARTS_NAMED: usize = 5;
/// Causes of which each gets a bar.
const CAUSES: usize = 8;
/// Height of the pictures.
const PICTURE: f32 = 128.0;

/// The report as PDF, made beside the threads that serve others.
pub async fn print(
    known: &Known,
    report: DailyReport,
    lang: Lang,
) -> Result<Vec<u8>, PaperProblem> {
    let writer = PaperWriter::new(known, lang);
    made_aside(move || pdf(&report, &writer, &PaperFont::find()?)).await
}

fn pdf(report: &DailyReport, of: &PaperWriter, font: &PaperFont) -> Result<Vec<u8>, PaperProblem> {
    let mut page = DailyPaper {
        report,
        of,
        paper: Paper::new(font)?,
    };
    let title = of.lang.coded("report-", report.period.code());
    page.head(&title);
    if report.machines.is_empty() {
        let nothing = of.lang.text(key::DAILY_NOTHING);
        page.paper.heading(&nothing, 0.0);
    } else {
        page.figures();
        page.pictures();
        page.shifts();
        page.machines();
        page.stops();
        page.notes();
    }
    let title = format!("{title} {}", report.days());
    page.paper.finish(&title, &of.foot(&title))
}

/// One row of the causes.
struct CauseRow {
    name: String,
    lost_s: f64,
    yen: Option<f64>,
}

impl CauseRow {
    fn of(loss: &Loss, lang: Lang) -> Self {
        Self {
            name: loss.cause.text(lang),
            lost_s: loss.lost_s,
            yen: loss.yen,
        }
    }

    /// What is left over, in one.
    fn together(losses: &[Loss], lang: Lang) -> Self {
        Self {
            name: lang.with(key::DAILY_MORE, &[("n", &losses.len().to_string())]),
            lost_s: losses.iter().map(|loss| loss.lost_s).sum(),
            yen: losses
                .iter()
                .filter_map(|loss| loss.yen)
                .reduce(|a, b| a + b),
        }
    }
}

struct DailyPaper<'a> {
    report: &'a DailyReport,
    of: &'a PaperWriter,
    paper: Paper<'a>,
}

impl DailyPaper<'_> {
    fn name(&self, id: &MachineId) -> String {
        self.of.name(id)
    }

    fn clock(&self, t: Time) -> String {
        text::clock(t, &self.of.zone)
    }

    fn day(&self, t: Time) -> String {
        text::month_day(t, &self.of.zone)
    }

    /// Title, factory, days, a few sentences; at the right the boxes for three stamps.
    fn head(&mut self, title: &str) {
        let lang = self.of.lang;
        let stamps = self.paper.stamps(lang);
        self.paper.text(MARGIN, MARGIN, title, Type::new(19.0));
        let about = format!("{}{}", self.of.factory(), self.report.days());
        let about = self.paper.cut(&about, WIDTH - stamps - 10.0, 11.0);
        self.paper
            .text(MARGIN, MARGIN + 29.0, &about, Type::new(11.0));
        if !self.report.is_closed() {
            let until = self.clock(self.report.span.to);
            let until = lang.with(key::RATES_UNTIL, &[("time", &until)]);
            self.paper
                .text(MARGIN, MARGIN + 45.0, &until, Type::new(8.5).ink(GREY));
        }
        self.paper.y = MARGIN + STAMP.1 + 10.0;
        if !self.report.machines.is_empty() {
            let mut said = self.report.sentences(lang);
            said.extend(self.parts_due());
            let said = said.join(lang.pick("", " "));
            let (x, y, width, height) = (MARGIN, self.paper.y, WIDTH, 0.0);
            self.paper.y = self.paper.lines(
                PaperArea {
                    x,
                    y,
                    width,
                    height,
                },
                &said,
                Type::new(10.5),
            );
        }
    }

    /// Which parts are to be replaced soon, in one sentence: a table would take a second page.
    fn parts_due(&self) -> Option<String> {
        let lang = self.of.lang;
        let due = &self.report.parts_due;
        let named = due.iter().take(PARTS_NAMED).map(|one| {
            let machine = self.name(&one.part.machine);
            let space = lang.pick("", " ");
            format!("{}{space}({machine})", one.part.name.as_str())
        });
        let mut names = named.collect::<Vec<_>>().join(lang.pick("、", ", "));
        if due.len() > PARTS_NAMED {
            names.push('…');
        }
        let said = || lang.with(key::DAILY_SAID_PARTS_DUE, &[("parts", &names)]);
        (!due.is_empty()).then(said)
    }

    /// The report in a row of figures.
    fn figures(&mut self) {
        let (lang, report) = (self.of.lang, self.report);
        let of_plan = report.against_plan().map(|against| against.text(lang));
        let scrap = report.scrap().map_or_else(|| NOTHING.to_owned(), count);
        let cost = report
            .lost_yen()
            .map_or_else(String::new, |yen| lang.yen(yen));
        let figures = [
            (
                key::RATES_PARTS,
                count(report.parts()),
                of_plan.unwrap_or_default(),
            ),
            (key::DAILY_SCRAP, scrap, String::new()),
            (key::DAILY_LOST, lang.length(report.lost_s()), cost),
            (
                key::STOP_SHORT,
                lang.times(report.short_stops()),
                String::new(),
            ),
            (
                key::STOP_UNTOLD,
                lang.times(report.open_questions()),
                String::new(),
            ),
        ];
        let gap = 6.0;
        let width = (WIDTH - 4.0 * gap) / 5.0;
        let (y, height) = (self.paper.y + 8.0, 46.0);
        for (n, (label, value, note)) in figures.iter().enumerate() {
            let x = MARGIN + (width + gap) * n as f32;
            self.paper.fill(
                PaperArea {
                    x,
                    y,
                    width,
                    height,
                },
                PALE,
            );
            let label = self.paper.cut(&lang.text(*label), width - 10.0, 7.5);
            let value = &self.paper.cut(value, width - 10.0, 13.0);
            let note = &self.paper.cut(note, width - 10.0, 6.5);
            self.paper
                .text(x + 6.0, y + 4.0, &label, Type::new(7.5).ink(GREY));
            self.paper.text(x + 6.0, y + 14.0, value, Type::new(13.0));
            self.paper
                .text(x + 6.0, y + 33.0, note, Type::new(6.5).ink(GREY));
        }
        self.paper.y = y + height;
    }

    /// What came out, and beside it why machines stood still.
    fn pictures(&mut self) {
        let lang = self.of.lang;
        let y = self.paper.y + 12.0;
        let half = (WIDTH - 18.0) / 2.0;
        let heads = [key::DAILY_OUTPUT, key::DAILY_LOSSES].map(|head| lang.text(head));
        let lefts = [MARGIN, MARGIN + half + 18.0];
        for (x, head) in lefts.into_iter().zip(&heads) {
            self.paper.text(x, y, head, Type::new(11.5));
        }
        let (y, width, height) = (y + 22.0, half, PICTURE);
        let [left, right] = lefts;
        self.output(PaperArea {
            x: left,
            y,
            width,
            height,
        });
        self.losses(PaperArea {
            x: right,
            y,
            width,
            height,
        });
        self.paper.y = y + PICTURE + 4.0;
    }

    fn output(&mut self, area: PaperArea) {
        let bars = &self.report.output;
        let top = bars.iter().map(OutputBar::top).fold(1.0, f64::max);
        let foot = area.y + area.height - 14.0;
        let room = area.width / bars.len().max(1) as f32;
        let height = |parts: f64| (parts / top) as f32 * (area.height - 30.0);
        let every = bars.len().div_ceil(8).max(1);
        self.paper.rule(area.x, foot, area.width);
        let most = highest(bars).map(|bar| (bar, count(bar.parts)));
        for (i, bar) in bars.iter().enumerate() {
            let x = area.x + room * i as f32;
            let (tall, width) = (height(bar.parts), room * 0.72);
            let y = foot - tall;
            let ink = if bar.is_less() { AMBER } else { BLUE };
            let bar_area = PaperArea {
                x: x + room * 0.14,
                y,
                width,
                height: tall,
            };
            self.paper.fill(bar_area, ink);
            if let Some(planned) = bar.planned.filter(|planned| *planned > 0.0) {
                let y = foot - height(planned);
                self.paper.fill(
                    PaperArea {
                        x,
                        y,
                        width: room,
                        height: 1.2,
                    },
                    BLACK,
                );
            }
            if i % every == 0 {
                let label = self.report.bar_name(bar.from, &self.of.zone);
                self.paper
                    .text(x, foot + 3.0, &label, Type::new(6.5).ink(GREY));
            }
            if let Some((most, n)) = &most
                && *most == bar
            {
                self.paper.text(x, y - 10.0, n, Type::new(7.0).ink(GREY));
            }
        }
    }

    fn losses(&mut self, area: PaperArea) {
        let (lang, losses) = (self.of.lang, &self.report.losses);
        let longest = losses.first().map_or(1.0, |loss| loss.lost_s.max(1.0));
        let step = area.height / CAUSES as f32;
        let (shown, others) = losses.split_at(losses.len().min(CAUSES - 1));
        let mut rows: Vec<CauseRow> = shown.iter().map(|loss| CauseRow::of(loss, lang)).collect();
        match others {
            [] => {}
            [one] => rows.push(CauseRow::of(one, lang)),
            several => rows.push(CauseRow::together(several, lang)),
        }
        for (n, row) in rows.iter().enumerate() {
            let y = area.y + step * n as f32;
            let style = Type::new(8.0);
            let name = self.paper.cut(&row.name, 98.0, style.size);
            self.paper.text(area.x, y, &name, style);
            let width = (row.lost_s / longest).min(1.0) as f32 * 44.0;
            let bar = PaperArea {
                x: area.x + 102.0,
                y: y + 1.5,
                width,
                height: 8.0,
            };
            self.paper.fill(bar, RED);
            let right = area.x + area.width;
            let length = lang.length(row.lost_s);
            self.paper.text(right - 46.0, y, &length, style.right());
            let cost = row.yen.map_or_else(String::new, |yen| lang.yen(yen));
            self.paper.text(right, y, &cost, style.right());
        }
    }

    fn shifts(&mut self) {
        let lang = self.of.lang;
        if self.report.shifts.is_empty() {
            return;
        }
        self.paper.heading(&lang.text(key::SHIFTS_TITLE), 40.0);
        let shares = [1.6, 1.6, 1.0, 2.0, 2.0, 1.0];
        let columns = SHIFT_COLUMNS.iter().zip(shares).enumerate();
        let columns =
            columns.map(|(n, (column, share))| PaperColumn::new(lang.text(*column), share, n > 1));
        let columns: Vec<PaperColumn> = columns.collect();
        let shifts = self.report.shifts.iter();
        let rows = shifts.map(|shift| shift.cells(lang, &self.of.zone).to_vec());
        let rows: Vec<Vec<String>> = rows.collect();
        self.paper.table(&columns, &rows, 8.0);
    }

    fn machines(&mut self) {
        let lang = self.of.lang;
        self.paper.heading(&lang.text(key::DAILY_BY_MACHINE), 40.0);
        let shares = [
            1.15, 1.35, 0.95, 1.55, 1.55, 1.15, 1.25, 1.5, 0.95, 1.85, 1.4,
        ];
        let named = PaperColumn::new(lang.text(key::DAILY_MACHINE), 2.1, false);
        let columns = MACHINE_COLUMNS
            .iter()
            .zip(shares)
            .map(|(column, share)| PaperColumn::new(lang.text(*column), share, true));
        let columns: Vec<PaperColumn> = std::iter::once(named).chain(columns).collect();
        let target_s = self.of.board.factory.setup_target_s;
        let rows = self.report.machines.iter().map(|machine| {
            let name = self.name(&machine.machine);
            let cells = machine_cells(lang, machine, target_s);
            std::iter::once(name).chain(cells).collect()
        });
        let rows: Vec<Vec<String>> = rows.collect();
        self.paper.table(&columns, &rows, 7.2);
    }

    fn stops(&mut self) {
        let (lang, report) = (self.of.lang, self.report);
        let stops = report.long_stops();
        if stops.is_empty() {
            return;
        }
        let more = stops.len().saturating_sub(STOPS_LISTED);
        let mut title = lang.text(key::DAILY_STOPS);
        if more > 0 {
            let more = lang.with(key::DAILY_MORE, &[("n", &more.to_string())]);
            title = format!("{title} ({more})");
        }
        self.paper.heading(&title, 40.0);
        let column = |head, share, is_number| PaperColumn::new(lang.text(head), share, is_number);
        let columns = [
            column(key::DAILY_FROM_TO, 1.5, false),
            column(key::DAILY_MACHINE, 2.0, false),
            column(key::DAILY_TIME, 1.0, true),
            column(key::DAILY_CAUSE, 3.0, false),
        ];
        let rows = stops.iter().take(STOPS_LISTED).map(|(machine, downtime)| {
            let day = match report.period {
                ReportPeriod::Day => String::new(),
                ReportPeriod::Week | ReportPeriod::Month => self.day(downtime.start) + " ",
            };
            let (from, to) = (self.clock(downtime.start), self.clock(downtime.end));
            let untold = || lang.text(key::STOP_UNTOLD);
            vec![
                format!("{day}{from} – {to}"),
                self.name(&machine.machine),
                lang.length(downtime.lost_s),
                downtime.why(lang).unwrap_or_else(untold),
            ]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        self.paper.table(&columns, &rows, 8.0);
    }

    fn notes(&mut self) {
        let lang = self.of.lang;
        let notes = self.report.notes();
        if notes.is_empty() {
            return;
        }
        let rows = notes.iter().map(|(note, words)| {
            vec![
                format!("{} {}", self.day(note.at), self.clock(note.at)),
                self.name(&note.machine),
                (*words).to_owned(),
            ]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        self.paper.heading(&lang.text(key::DAILY_NOTES), 40.0);
        let column = |head, share| PaperColumn::new(lang.text(head), share, false);
        let columns = [
            column(key::DAILY_FROM_TO, 1.0),
            column(key::DAILY_MACHINE, 1.5),
            column(key::DAILY_NOTES, 5.0),
        ];
        self.paper.table(&columns, &rows, 8.0);
    }
}

/// The highest bar, which is the one that is named; the first of several.
fn highest(bars: &[OutputBar]) -> Option<&OutputBar> {
    bars.iter()
        .reduce(|most, bar| if bar.parts > most.parts { bar } else { most })
}
