//! The typeface: found among those that the computer has, read when something is printed and let
//! go afterwards. Japanese on a line needs no shaping: a letter is a glyph.

use std::path::Path;
use std::sync::Arc;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::charmap::Charmap;
use skrifa::instance::{LocationRef, Size};
use skrifa::metrics::GlyphMetrics;
use skrifa::{FontRef, MetadataProvider as _};

/// Where Debian and others keep Japanese typefaces, and which of the file is the Japanese one.
const PLACES: [(&str, u32); 7] = [
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", 0),
    ("/usr/share/fonts/opentype/ipaexfont-gothic/ipaexg.ttf", 0),
    ("/usr/share/fonts/opentype/ipafont-gothic/ipag.ttf", 0),
    (
        "/usr/share/fonts/truetype/vlgothic/VL-Gothic-Regular.ttf",
        0,
    ),
    ("/usr/share/fonts/truetype/takao-gothic/TakaoGothic.ttf", 0),
    ("/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc", 0),
    ("/System/Library/Fonts/ヒラギノ角ゴシック W3.ttc", 0),
];
/// What is printed for a letter that the typeface does not have: 〓 (geta), as printers always did.
const GETA: char = '〓';

/// Why nothing can be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PaperProblem {
    /// The computer has no Japanese typeface where one is looked for.
    #[error("no Japanese typeface was found; Debian's package fonts-noto-cjk has one")]
    NoFont,
    /// The pages could not be written.
    #[error("the pages could not be written")]
    Writing,
}

/// A Japanese typeface.
pub(super) struct PaperFont {
    /// Shared with what is printed: it is large.
    bytes: Arc<dyn AsRef<[u8]> + Send + Sync>,
    index: u32,
    pub(super) font: Font,
}

impl std::fmt::Debug for PaperFont {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PaperFont").finish_non_exhaustive()
    }
}

/// How letters of a typeface are measured.
pub(super) struct Letters<'a> {
    map: Charmap<'a>,
    widths: GlyphMetrics<'a>,
}

impl PaperFont {
    /// The first typeface that is found.
    pub(super) fn find() -> Result<Self, PaperProblem> {
        let found = PLACES
            .iter()
            .find_map(|(path, index)| Self::read(Path::new(path), *index));
        found.ok_or(PaperProblem::NoFont)
    }

    fn read(path: &Path, index: u32) -> Option<Self> {
        let bytes: Arc<dyn AsRef<[u8]> + Send + Sync> = Arc::new(std::fs::read(path).ok()?);
        let font = Font::new(Arc::clone(&bytes).into(), index)?;
        FontRef::from_index((*bytes).as_ref(), index).ok()?;
        Some(Self { bytes, index, font })
    }

    /// What tells which glyph a letter is, and how wide.
    pub(super) fn letters(&self) -> Result<Letters<'_>, PaperProblem> {
        let font = FontRef::from_index((*self.bytes).as_ref(), self.index);
        let font = font.map_err(|_| PaperProblem::NoFont)?;
        Ok(Letters {
            map: font.charmap(),
            // In shares of the size of the letters.
            widths: font.glyph_metrics(Size::new(1.0), LocationRef::default()),
        })
    }
}

impl Letters<'_> {
    fn glyph(&self, letter: char) -> skrifa::GlyphId {
        let found = self.map.map(letter).or_else(|| self.map.map(GETA));
        found.unwrap_or_default()
    }

    /// How wide a letter is, in shares of its size.
    pub(super) fn width_of(&self, letter: char) -> f32 {
        self.widths.advance_width(self.glyph(letter)).unwrap_or(1.0)
    }

    /// How wide a text is on one line.
    pub(super) fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|c| self.width_of(c)).sum::<f32>() * size
    }

    /// What is drawn for a text.
    pub(super) fn glyphs(&self, text: &str) -> Vec<KrillaGlyph> {
        let each = text.char_indices().map(|(at, letter)| KrillaGlyph {
            glyph_id: GlyphId::new(self.glyph(letter).to_u32()),
            text_range: at..at + letter.len_utf8(),
            x_advance: self.width_of(letter),
            x_offset: 0.0,
            y_offset: 0.0,
            y_advance: 0.0,
            location: None,
        });
        each.collect()
    }
}
