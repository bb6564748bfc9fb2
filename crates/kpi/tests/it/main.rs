//! The figures against machines and lines whose truth is known because they were made here.

mod account;
mod line;
