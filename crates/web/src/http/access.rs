//! Who may use an address.

use model::Right;

/// Who may use an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, also another computer in clear text: what a browser needs before it can trust the
    /// box, and what pages look like.
    Clear,
    /// Anybody: what lets somebody in, and what says nothing about the factory.
    Open,
    /// Whoever is signed in.
    SignedIn,
    /// Who has this right.
    May(Right),
    /// Whoever names a device and shows the secret that it was given.
    DeviceToken,
}
