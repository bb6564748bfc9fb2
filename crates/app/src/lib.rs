//! What the program offers to any face: views of the present, commands that change something, ports
//! to whoever carries them out, and the interlock of an order. A page, a script, the terminal and a
//! service come by here alike; nothing here knows HTTP.

/// Gives types a `Debug` that tells their name and nothing of what they hold: channels, locks,
/// secrets.
#[macro_export]
macro_rules! opaque_debug {
    ($($name:ident),+ $(,)?) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}

pub mod annotations;
pub mod backups;
pub mod chain;
pub mod clock;
pub mod commands;
pub mod day_accounts;
pub mod factory_clock;
pub mod keeping;
pub mod known;
pub mod photos;
pub mod ports;
pub mod proofs;
pub mod restores;
pub mod setting_changes;
pub mod stage;
pub mod switch_off;
pub mod threads;
pub mod upkeep;
pub mod views;
