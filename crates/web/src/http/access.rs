//! Who may use an address.

use model::Right;

/// Who may use an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, also another computer in clear text: what a browser needs before it can trust the
    /// box, and what pages look like.
    Clear,
    /// Anybody: what lets somebody in, what says nothing about the factory, and what a secret in
    /// the address shows to whoever was given it.
    Open,
    /// Whoever is signed in.
    SignedIn,
    /// Who has this right.
    May(Right),
    /// Whoever names a device and shows the secret that it was given.
    DeviceToken,
}

/// See [`Access::Clear`].
pub(crate) const CLEAR: Access = Access::Clear;
/// See [`Access::Open`].
pub(crate) const OPEN: Access = Access::Open;
/// See [`Access::SignedIn`].
pub(crate) const SIGNED_IN: Access = Access::SignedIn;
/// See [`Access::DeviceToken`].
pub(crate) const DEVICE_TOKEN: Access = Access::DeviceToken;
pub(crate) const LOOK_SHARED: Access = Access::May(Right::LookShared);
pub(crate) const LOOK: Access = Access::May(Right::Look);
pub(crate) const ACKNOWLEDGE: Access = Access::May(Right::Acknowledge);
pub(crate) const JUDGE: Access = Access::May(Right::Judge);
pub(crate) const OPERATE: Access = Access::May(Right::Operate);
pub(crate) const EVIDENCE: Access = Access::May(Right::Evidence);
pub(crate) const DEVICES: Access = Access::May(Right::Devices);
pub(crate) const PEOPLE: Access = Access::May(Right::People);
