//! Pages of A4: what stands where is put down first, with every line broken and every page full;
//! then it is drawn, and each page knows how many there are.

use krilla::Document;
use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use text::Lang;

use super::font::{Letters, PaperFont, PaperProblem};

/// A4, in points.
const PAGE: (f32, f32) = (595.28, 841.89);
/// The room around what is printed: enough for holes and for printers that do not reach the edge.
pub(super) const MARGIN: f32 = 42.0;
/// The width that is printed on.
pub(super) const WIDTH: f32 = PAGE.0 - 2.0 * MARGIN;
/// Where the last line above the foot ends.
const BOTTOM: f32 = PAGE.1 - MARGIN - 14.0;
/// The height of a line, in shares of the size of its letters.
const LEADING: f32 = 1.45;
/// Where letters stand in their line.
const BASELINE: f32 = 1.08;
/// Size of the foot.
const FOOT: f32 = 7.5;
/// A box for a stamp.
pub(super) const STAMP: (f32, f32) = (46.0, 52.0);
/// Room for the number of a page.
const NUMBER_WIDTH: f32 = 48.0;
/// Room inside of a cell.
const CELL: f32 = 3.0;
/// What may not begin a line.
const NOT_FIRST: &str = "、。，．,.・：；:;？！?!）)」』】〉》々ー％%";
/// What may not end one.
const NOT_LAST: &str = "(「『【〈（";

/// A colour, as red, green and blue.
pub(super) type Ink = [u8; 3];
pub(super) const BLACK: Ink = [0x15, 0x20, 0x2b];
pub(super) const GREY: Ink = [0x52, 0x61, 0x6f];
pub(super) const LINE: Ink = [0xb9, 0xc2, 0xca];
pub(super) const PALE: Ink = [0xee, 0xf2, 0xf5];
pub(super) const BLUE: Ink = [0x0b, 0x5d, 0x7a];
pub(super) const AMBER: Ink = [0xf0, 0xad, 0x00];
pub(super) const RED: Ink = [0xa8, 0x1c, 0x1c];

/// A place on the page, from its left upper corner, with its size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PaperArea {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Type {
    pub(super) size: f32,
    pub(super) ink: Ink,
    pub(super) is_right: bool,
}

impl Type {
    pub(super) const fn new(size: f32) -> Self {
        Self {
            size,
            ink: BLACK,
            is_right: false,
        }
    }

    pub(super) const fn ink(self, ink: Ink) -> Self {
        Self { ink, ..self }
    }

    pub(super) const fn right(self) -> Self {
        Self {
            is_right: true,
            ..self
        }
    }

    pub(super) fn line(self) -> f32 {
        self.size * LEADING
    }
}

/// Something that is drawn.
enum PaperMark {
    Text(Point, String, Type),
    Filled(PaperArea, Ink),
}

/// A column of a table: what stands above it, its share of the width, whether it holds numbers.
pub(super) struct PaperColumn {
    pub(super) head: String,
    pub(super) share: f32,
    pub(super) is_number: bool,
}

impl PaperColumn {
    pub(super) fn new(head: String, share: f32, is_number: bool) -> Self {
        Self {
            head,
            share,
            is_number,
        }
    }
}

/// Pages that are being filled.
pub(super) struct Paper<'a> {
    font: &'a PaperFont,
    letters: Letters<'a>,
    pages: Vec<Vec<PaperMark>>,
    /// How far down the last page is full.
    pub(super) y: f32,
}

impl<'a> Paper<'a> {
    pub(super) fn new(font: &'a PaperFont) -> Result<Self, PaperProblem> {
        Ok(Self {
            font,
            letters: font.letters()?,
            pages: vec![Vec::new()],
            y: MARGIN,
        })
    }

    fn mark(&mut self, mark: PaperMark) {
        if let Some(page) = self.pages.last_mut() {
            page.push(mark);
        }
    }

    /// Begins another page if so much does not fit on this one.
    pub(super) fn need(&mut self, height: f32) -> bool {
        let is_full = self.y + height > BOTTOM && self.y > MARGIN;
        if is_full {
            self.pages.push(Vec::new());
            self.y = MARGIN;
        }
        is_full
    }

    pub(super) fn fill(&mut self, area: PaperArea, ink: Ink) {
        self.mark(PaperMark::Filled(area, ink));
    }

    /// A thin line across a width.
    pub(super) fn rule(&mut self, x: f32, y: f32, width: f32) {
        let height = 0.5;
        self.fill(
            PaperArea {
                x,
                y,
                width,
                height,
            },
            LINE,
        );
    }

    /// The edges of an area.
    pub(super) fn frame(&mut self, area: PaperArea) {
        let PaperArea {
            x,
            y,
            width,
            height,
        } = area;
        self.rule(x, y, width);
        self.rule(x, y + height, width);
        for x in [x, x + width] {
            let width = 0.5;
            self.fill(
                PaperArea {
                    x,
                    y,
                    width,
                    height,
                },
                LINE,
            );
        }
    }

    /// Boxes for the stamps of those who made, checked and approved a sheet, at the right of its
    /// head; how wide they are together.
    pub(super) fn stamps(&mut self, lang: Lang) -> f32 {
        let (width, height) = (STAMP.0, STAMP.1);
        let stamps = 3.0 * width;
        for (n, who) in ["made", "checked", "approved"].into_iter().enumerate() {
            let x = MARGIN + WIDTH - stamps + width * n as f32;
            self.frame(PaperArea {
                x,
                y: MARGIN,
                width,
                height,
            });
            self.rule(x, MARGIN + 12.0, width);
            let word = lang.coded("stamp-", who);
            self.text(x + 4.0, MARGIN + 1.5, &word, Type::new(7.0).ink(GREY));
        }
        stamps
    }

    /// A text that fits into a width, cut with an ellipsis where it is longer.
    pub(super) fn cut(&self, text: &str, width: f32, size: f32) -> String {
        if self.letters.width(text, size) <= width {
            return text.to_owned();
        }
        let mut cut = String::new();
        let mut has = self.letters.width_of('…') * size;
        for letter in text.chars() {
            has += self.letters.width_of(letter) * size;
            if has > width {
                break;
            }
            cut.push(letter);
        }
        cut + "…"
    }

    /// One line of text whose upper left corner is there; at the right end of its width if it is so
    /// asked.
    pub(super) fn text(&mut self, x: f32, y: f32, text: &str, style: Type) {
        let width = if style.is_right {
            self.letters.width(text, style.size)
        } else {
            0.0
        };
        let at = Point::from_xy(x - width, y + style.size * BASELINE);
        self.mark(PaperMark::Text(at, text.to_owned(), style));
    }

    /// Text in lines of a width; gives how far down it goes.
    pub(super) fn lines(&mut self, area: PaperArea, text: &str, style: Type) -> f32 {
        let mut y = area.y;
        for line in self.broken(text, area.width, style.size) {
            let x = if style.is_right {
                area.x + area.width
            } else {
                area.x
            };
            self.text(x, y, &line, style);
            y += style.line();
        }
        y
    }

    /// A text broken into lines of a width: between words, and between any two Japanese letters but
    /// before those that may not begin a line.
    fn broken(&self, text: &str, width: f32, size: f32) -> Vec<String> {
        let mut lines = vec![String::new()];
        for word in words(text) {
            let line = lines.last().map_or("", String::as_str);
            let has = self.letters.width(line, size);
            let wants = self.letters.width(word.trim_end(), size);
            if has + wants > width && !line.is_empty() {
                lines.push(String::new());
            }
            for letter in word.chars() {
                let line = lines.last().map_or("", String::as_str);
                let full = self.letters.width(line, size) + self.letters.width_of(letter) * size;
                // A word that is longer than a line is broken anywhere.
                if full > width && !line.is_empty() && !letter.is_whitespace() {
                    lines.push(String::new());
                }
                if let Some(line) = lines.last_mut() {
                    line.push(letter);
                }
            }
        }
        lines
            .iter()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }

    /// A heading above what follows, which needs at least so much room.
    pub(super) fn heading(&mut self, text: &str, follows: f32) {
        let style = Type::new(11.5);
        self.need(style.line() + 10.0 + follows);
        self.y += 10.0;
        self.text(MARGIN, self.y, text, style);
        self.y += style.line() + 2.0;
    }

    /// A table over the whole width; its head stands again on every page.
    pub(super) fn table(&mut self, columns: &[PaperColumn], rows: &[Vec<String>], size: f32) {
        let head: Vec<String> = columns.iter().map(|column| column.head.clone()).collect();
        let head_style = Type::new(size - 0.5).ink(GREY);
        self.row(columns, &head, head_style);
        for row in rows {
            let style = Type::new(size);
            if self.need(self.row_height(columns, row, style)) {
                self.row(columns, &head, head_style);
            }
            self.row(columns, row, style);
        }
    }

    fn widths(columns: &[PaperColumn]) -> impl Iterator<Item = f32> {
        let all: f32 = columns.iter().map(|column| column.share).sum();
        columns.iter().map(move |column| column.share / all * WIDTH)
    }

    fn row_height(&self, columns: &[PaperColumn], cells: &[String], style: Type) -> f32 {
        let lines = Self::widths(columns).zip(cells).map(|(width, cell)| {
            let parts = cell.split(" · ");
            let lines = parts.map(|part| self.broken(part, width - 2.0 * CELL, style.size).len());
            lines.sum::<usize>()
        });
        lines.max().unwrap_or(1) as f32 * style.line() + 2.0 * CELL
    }

    fn row(&mut self, columns: &[PaperColumn], cells: &[String], style: Type) {
        let height = self.row_height(columns, cells, style);
        let mut x = MARGIN;
        let widths: Vec<f32> = Self::widths(columns).collect();
        for ((column, width), cell) in columns.iter().zip(widths).zip(cells) {
            let style = if column.is_number {
                style.right()
            } else {
                style
            };
            let mut y = self.y + CELL;
            for part in cell.split(" · ") {
                let (x, width) = (x + CELL, width - 2.0 * CELL);
                let height = style.line();
                y = self.lines(
                    PaperArea {
                        x,
                        y,
                        width,
                        height,
                    },
                    part,
                    style,
                );
            }
            x += width;
        }
        self.y += height;
        self.rule(MARGIN, self.y, WIDTH);
    }

    /// The file: every page with its foot, which names what it is and which page of how many.
    pub(super) fn finish(mut self, title: &str, foot: &str) -> Result<Vec<u8>, PaperProblem> {
        let mut document = Document::new();
        document.set_metadata(Metadata::new().title(title.to_owned()));
        let pages = std::mem::take(&mut self.pages);
        let count = pages.len();
        for (n, mut marks) in pages.into_iter().enumerate() {
            let style = Type::new(FOOT).ink(GREY);
            let y = PAGE.1 - MARGIN + BASELINE * FOOT;
            let foot = self.cut(foot, WIDTH - NUMBER_WIDTH, FOOT);
            marks.push(PaperMark::Text(Point::from_xy(MARGIN, y), foot, style));
            let number = format!("{} / {count}", n + 1);
            let x = MARGIN + WIDTH - self.letters.width(&number, FOOT);
            marks.push(PaperMark::Text(Point::from_xy(x, y), number, style));
            let size = PageSettings::from_wh(PAGE.0, PAGE.1).ok_or(PaperProblem::Writing)?;
            let mut page = document.start_page_with(size);
            let mut surface = page.surface();
            for mark in &marks {
                self.draw(&mut surface, mark);
            }
            surface.finish();
            page.finish();
        }
        document.finish().map_err(|_| PaperProblem::Writing)
    }

    fn draw(&self, surface: &mut Surface<'_>, mark: &PaperMark) {
        let paint = |[red, green, blue]: Ink| Fill {
            paint: rgb::Color::new(red, green, blue).into(),
            ..Fill::default()
        };
        match mark {
            PaperMark::Text(at, text, style) => {
                surface.set_fill(Some(paint(style.ink)));
                let glyphs = self.letters.glyphs(text);
                let font = self.font.font.clone();
                surface.draw_glyphs(*at, &glyphs, font, text, style.size, false);
            }
            PaperMark::Filled(area, ink) => {
                let mut path = PathBuilder::new();
                let PaperArea {
                    x,
                    y,
                    width,
                    height,
                } = *area;
                let rect = Rect::from_xywh(x, y, width.max(0.01), height.max(0.01));
                if let Some(rect) = rect {
                    path.push_rect(rect);
                }
                surface.set_fill(Some(paint(*ink)));
                if let Some(path) = path.finish() {
                    surface.draw_path(&path);
                }
            }
        }
    }
}

/// What a line may be broken between: words with the room behind them, Japanese letters with what
/// may not begin a line behind them, and before them what may not end one.
fn words(text: &str) -> Vec<String> {
    let is_wide = |c: char| u32::from(c) >= 0x2e80;
    let mut words: Vec<String> = Vec::new();
    for letter in text.chars() {
        let joins = words.last().is_some_and(|word| {
            let last = word.chars().next_back().unwrap_or(' ');
            NOT_FIRST.contains(letter)
                || NOT_LAST.contains(last)
                || letter.is_whitespace()
                || (!last.is_whitespace() && !is_wide(last) && !is_wide(letter))
        });
        match words.last_mut().filter(|_| joins) {
            Some(word) => word.push(letter),
            None => words.push(letter.to_string()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_never_before_a_full_stop() {
        assert_eq!(words("two words"), ["two ", "words"]);
        assert_eq!(
            words("生産です。12 個"),
            ["生", "産", "で", "す。", "12 ", "個"]
        );
        assert_eq!(words("石(旋盤)"), ["石", "(旋", "盤)"]);
        let font = PaperFont::find().unwrap();
        let paper = Paper::new(&font).unwrap();
        let lines = paper.broken("止まっていた時間は2時間です。", 62.0, 10.0);
        assert!(
            lines.len() > 1 && lines.iter().all(|line| !line.starts_with('。')),
            "{lines:?}"
        );
        assert!(
            lines
                .iter()
                .all(|line| paper.letters.width(line, 10.0) <= 72.0),
            "{lines:?}"
        );
        assert_eq!(lines.concat(), "止まっていた時間は2時間です。");
        let long = paper.broken(&"x".repeat(100), 50.0, 10.0);
        assert!(long.len() > 5);
    }
}
