//! Paper: A4 pages as PDF, made by the box itself, so that a mail or a folder gets them without a
//! browser. The letters come from a Japanese typeface that the computer has.

mod font;
mod layout;

pub mod daily;

pub use font::PaperProblem;
