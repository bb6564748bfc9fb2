//! Reports: what is computed from what is kept when somebody looks, and how it is written down,
//! alike for pages, scripts, the terminal, daily files and messages.

pub mod accounts;
pub mod alarm_words;
pub mod daily;
pub mod daily_words;
pub mod demand;
pub mod downtimes;
pub mod losses;
pub mod lots;
pub mod machine_account;
pub mod notices;
pub mod paper;
pub mod proofs;
pub mod remarks;
pub mod support;
pub mod tables;
pub mod watched;
pub mod wear;
mod workbook;
