//! A workshop to look at before there are machines of one's own: a program of its own beside this
//! one, with its own data, which is removed as a whole.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use text::Lang;

/// How the sample is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SampleState {
    /// There is none.
    #[default]
    Absent,
    /// Its past is being made; so many percent of it.
    Beginning(u8),
    /// It can be looked at.
    Running,
    /// It ended by itself.
    Failed,
    /// It is being removed.
    Removing,
    /// What one of before has written is there, and nothing runs.
    Left,
}

/// A way into the sample that works once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleLink {
    /// Where its pages are for whoever sits at this PC.
    pub http: SocketAddr,
    /// The port of its pages for others, if it has one.
    pub https_port: Option<u16>,
    /// What stands behind the address.
    pub path: String,
}

/// A link that takes a while.
pub type Entering<'a> = Pin<Box<dyn Future<Output = Option<SampleLink>> + Send + 'a>>;

/// Begins and removes the sample.
pub trait SampleShop: Send + Sync + 'static {
    /// How it is doing.
    fn state(&self) -> SampleState;

    /// Begins it, if there is none; its words are in this language. `false` if that is impossible.
    fn begin(&self, lang: Lang) -> bool;

    /// A link into it, for one look.
    fn enter(&self) -> Entering<'_>;

    /// Ends it and removes all it has written.
    fn remove(&self);
}
