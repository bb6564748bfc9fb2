//! What holds now, on paper: for the owner's file, a customer, an auditor. A sheet is worth what
//! the box could say at its moment, and says until when that holds.

use app::known::Known;
use assure::{Catalogue, FunctionView, MeasureView, ProofView, ProvenBy, Verdict};
use model::Time;
use text::{Lang, key};

use super::font::{PaperFont, PaperProblem};
use super::layout::{
    AMBER, BLUE, GREY, MARGIN, Paper, PaperArea, PaperColumn, RED, STAMP, Type, WIDTH,
};
use super::{PaperWriter, made_aside};
use crate::daily_words::NOTHING;
use crate::proofs::{catalogue_text, claim_text};

/// The sheet as PDF.
pub async fn print(known: &Known, view: ProofView, lang: Lang) -> Result<Vec<u8>, PaperProblem> {
    let writer = PaperWriter::new(known, lang);
    made_aside(move || pdf(&view, &writer, &PaperFont::find()?)).await
}

fn pdf(view: &ProofView, of: &PaperWriter, font: &PaperFont) -> Result<Vec<u8>, PaperProblem> {
    let mut page = ProofPaper {
        view,
        of,
        paper: Paper::new(font)?,
    };
    let title = of.lang.text(key::PROOF_TITLE);
    page.head(&title);
    page.counts();
    page.measures();
    for catalogue in view.catalogues.iter() {
        page.functions(catalogue);
    }
    page.paper.finish(&title, &of.foot(&title))
}

struct ProofPaper<'a> {
    view: &'a ProofView,
    of: &'a PaperWriter,
    paper: Paper<'a>,
}

impl ProofPaper<'_> {
    fn head(&mut self, title: &str) {
        let lang = self.of.lang;
        let room = WIDTH - self.paper.stamps(lang) - 10.0;
        self.paper.text(MARGIN, MARGIN, title, Type::new(19.0));
        let about = format!("{}{}", self.of.factory(), self.written(self.of.now));
        let about = self.paper.cut(&about, room, 11.0);
        self.paper
            .text(MARGIN, MARGIN + 29.0, &about, Type::new(11.0));
        self.paper.y = MARGIN + STAMP.1 + 8.0;
        if let Some(until) = self.view.valid_until() {
            let until = self.written(until);
            let said = lang.with(key::PROOF_PAPER_VALID, &[("until", &until)]);
            let area = PaperArea {
                x: MARGIN,
                y: self.paper.y,
                width: WIDTH,
                height: 0.0,
            };
            self.paper.y = self.paper.lines(area, &said, Type::new(9.0)) + 4.0;
        }
    }

    fn written(&self, t: Time) -> String {
        text::written(t, &self.of.zone)
    }

    fn verdict(&self, verdict: Verdict) -> String {
        let mark = match verdict {
            Verdict::Holds => "●",
            Verdict::Fails => "■",
            Verdict::Unknown => "×",
        };
        format!("{mark} {}", self.of.lang.coded("verdict-", verdict.code()))
    }

    /// How many hold, fail, and are known to nobody.
    fn counts(&mut self) {
        let all = self.view.measures.len();
        let width = WIDTH / 3.0;
        let inks = [BLUE, RED, AMBER];
        let verdicts = [Verdict::Holds, Verdict::Fails, Verdict::Unknown];
        for (n, (verdict, ink)) in verdicts.into_iter().zip(inks).enumerate() {
            let (x, y) = (MARGIN + width * n as f32, self.paper.y);
            let height = 3.0;
            let bar = PaperArea {
                x,
                y,
                width: width - 8.0,
                height,
            };
            self.paper.fill(bar, ink);
            let word = self.verdict(verdict);
            self.paper.text(x, y + 6.0, &word, Type::new(9.0).ink(GREY));
            let count = format!("{} / {all}", self.view.count(verdict));
            self.paper.text(x, y + 19.0, &count, Type::new(16.0));
        }
        self.paper.y += 46.0;
    }

    fn measures(&mut self) {
        let lang = self.of.lang;
        self.paper.heading(&lang.text(key::PROOF_MEASURES), 40.0);
        let column = |head, share| PaperColumn::new(lang.text(head), share, false);
        let columns = [
            column(key::PROOF_COLUMN_MEASURE, 3.4),
            column(key::PROOF_COLUMN_VERDICT, 1.9),
            column(key::PROOF_COLUMN_WHY, 4.2),
            column(key::PROOF_COLUMN_SEEN, 2.2),
            column(key::PROOF_COLUMN_UNTIL, 2.2),
        ];
        let rows: Vec<Vec<String>> = self.view.measures.iter().map(|m| self.measure(m)).collect();
        self.paper.table(&columns, &rows, 8.0);
    }

    fn measure(&self, measure: &MeasureView) -> Vec<String> {
        let (lang, judged) = (self.of.lang, &measure.judged);
        let moment = |t: Option<Time>| t.map_or_else(|| NOTHING.to_owned(), |t| self.written(t));
        vec![
            claim_text(lang, &measure.claim),
            self.verdict(judged.verdict),
            lang.coded("why-", &judged.reason),
            moment(judged.proven_at),
            moment(judged.valid_until),
        ]
    }

    /// The functions of a guideline, under what it requires.
    fn functions(&mut self, catalogue: &Catalogue) {
        let lang = self.of.lang;
        let source = format!(
            "{} {}",
            catalogue_text(lang, &catalogue.source),
            catalogue.dated
        );
        self.paper.heading(&source, 60.0);
        let column = |head, share| PaperColumn::new(lang.text(head), share, false);
        let columns = [
            column(key::PROOF_COLUMN_REQUIREMENT, 3.6),
            column(key::PROOF_COLUMN_FUNCTION, 3.6),
            column(key::PROOF_COLUMN_VERDICT, 1.5),
            column(key::PROOF_COLUMN_BY, 2.4),
        ];
        let mut rows = Vec::new();
        for requirement in &catalogue.requirement {
            let mut title = format!(
                "{} {}",
                requirement.id,
                catalogue_text(lang, &requirement.title)
            );
            for name in &requirement.functions {
                let mut functions = self.view.functions_of(catalogue);
                let Some(shown) = functions.find(|shown| shown.id.function == *name) else {
                    continue;
                };
                let words = catalogue
                    .function(name)
                    .map(|known| catalogue_text(lang, &known.title));
                rows.push(vec![
                    std::mem::take(&mut title),
                    format!("{name} {}", words.unwrap_or_default()),
                    self.verdict(shown.judged.verdict),
                    self.by(shown),
                ]);
            }
        }
        self.paper.table(&columns, &rows, 8.0);
        let note = Type::new(7.5).ink(GREY);
        self.paper.need(note.line() * 2.0);
        let area = PaperArea {
            x: MARGIN,
            y: self.paper.y + 4.0,
            width: WIDTH,
            height: 0.0,
        };
        let own = lang.text(key::PROOF_OWN_WORDS);
        self.paper.y = self.paper.lines(area, &own, note);
    }

    /// By whom it is shown; of what a person declared, who and until when.
    fn by(&self, shown: &FunctionView) -> String {
        let lang = self.of.lang;
        match (&shown.declared, shown.judged.by) {
            (Some(declared), ProvenBy::Person) => {
                let until = self.written(declared.until);
                let said = [("who", &*declared.by), ("until", &*until)];
                lang.with(key::PROOF_DECLARED, &said)
            }
            (_, by) => lang.coded("by-", by.code()),
        }
    }
}
