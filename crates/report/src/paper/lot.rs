//! The way of a lot on paper, for the customer: where it was worked on, when, how many parts came
//! out and how its cycles went.

use app::known::Known;
use model::{Span, Time};
use text::{Lang, key, number};

use super::font::{PaperFont, PaperProblem};
use super::layout::{BLUE, GREY, MARGIN, PALE, Paper, PaperArea, PaperColumn, STAMP, Type, WIDTH};
use super::{PaperWriter, made_aside};
use crate::daily_words::{NOTHING, count};
use crate::lots::{LotStep, LotTrace};

/// Room for the names of machines beside the bars, and the height of a bar.
const NAMES: f32 = 120.0;
const BAR: f32 = 14.0;

/// The way as PDF.
pub async fn print(known: &Known, trace: LotTrace, lang: Lang) -> Result<Vec<u8>, PaperProblem> {
    let writer = PaperWriter::new(known, lang);
    made_aside(move || pdf(&trace, &writer, &PaperFont::find()?)).await
}

fn pdf(trace: &LotTrace, of: &PaperWriter, font: &PaperFont) -> Result<Vec<u8>, PaperProblem> {
    let mut page = LotPaper {
        trace,
        of,
        paper: Paper::new(font)?,
    };
    let title = format!("{} {}", of.lang.text(key::LOTS_ONE), trace.lot);
    page.head(&title);
    if let Some(span) = trace.span(of.now) {
        page.bars(span);
        page.steps();
    }
    page.paper.finish(&title, &of.foot(&title))
}

struct LotPaper<'a> {
    trace: &'a LotTrace,
    of: &'a PaperWriter,
    paper: Paper<'a>,
}

impl LotPaper<'_> {
    fn written(&self, t: Time) -> String {
        text::written(t, &self.of.zone)
    }

    fn head(&mut self, title: &str) {
        let lang = self.of.lang;
        let room = WIDTH - self.paper.stamps(lang) - 10.0;
        let title = self.paper.cut(title, room, 19.0);
        self.paper.text(MARGIN, MARGIN, &title, Type::new(19.0));
        let about = format!("{}{}", self.of.factory(), self.trace.state_text(lang));
        let about = self.paper.cut(&about, room, 11.0);
        self.paper
            .text(MARGIN, MARGIN + 29.0, &about, Type::new(11.0));
        self.paper.y = MARGIN + STAMP.1 + 10.0;
    }

    /// A bar for each step, on one axis.
    fn bars(&mut self, span: Span) {
        let length = span.to.since(span.from).max(1.0);
        let room = WIDTH - NAMES;
        let x = |t: Time| MARGIN + NAMES + (t.since(span.from) / length) as f32 * room;
        let heading = self.of.lang.text(key::LOTS_WAY);
        self.paper.heading(&heading, BAR * 2.0);
        for step in &self.trace.steps {
            self.paper.need(BAR + 4.0);
            let y = self.paper.y;
            let name = self.of.name(&step.machine);
            let name = self.paper.cut(&name, NAMES - 8.0, 9.0);
            self.paper.text(MARGIN, y, &name, Type::new(9.0));
            let mut bar = PaperArea {
                x: MARGIN + NAMES,
                y,
                width: room,
                height: BAR,
            };
            self.paper.fill(bar, PALE);
            bar.x = x(step.from).min(MARGIN + WIDTH - 1.5);
            bar.width = (x(step.until.unwrap_or(span.to)) - bar.x).max(1.5);
            self.paper.fill(bar, BLUE);
            self.paper.y = y + BAR + 4.0;
        }
        let (y, ends) = (self.paper.y, [span.from, span.to].map(|t| self.written(t)));
        let style = Type::new(7.5).ink(GREY);
        self.paper.text(MARGIN + NAMES, y, &ends[0], style);
        self.paper.text(MARGIN + WIDTH, y, &ends[1], style.right());
        self.paper.y = y + 14.0;
    }

    fn steps(&mut self) {
        let lang = self.of.lang;
        self.paper.heading(&lang.text(key::LOTS_STEPS), 40.0);
        let column = |head, share, is_number| PaperColumn::new(lang.text(head), share, is_number);
        let columns = [
            column(key::LOTS_MACHINE, 2.2, false),
            column(key::DAILY_FROM_TO, 3.4, false),
            column(key::DAILY_TIME, 1.2, true),
            column(key::RATES_PARTS, 1.0, true),
            column(key::LOTS_CYCLE, 1.6, true),
            column(key::LOTS_OUTSIDE, 1.4, true),
        ];
        let rows: Vec<Vec<String>> = self.trace.steps.iter().map(|step| self.row(step)).collect();
        self.paper.table(&columns, &rows, 8.5);
    }

    fn row(&self, step: &LotStep) -> Vec<String> {
        let lang = self.of.lang;
        let until = step
            .until
            .map_or_else(String::new, |until| self.written(until));
        let length = step.until.unwrap_or(self.of.now).since(step.from);
        let unit = lang.text(key::UNIT_S);
        let cycle = step.cycle_s.map(|s| format!("{} {unit}", number(s)));
        vec![
            self.of.name(&step.machine),
            format!("{} – {until}", self.written(step.from)),
            lang.length(length),
            count(step.parts),
            cycle.unwrap_or_else(|| NOTHING.to_owned()),
            lang.times(step.outside),
        ]
    }
}
