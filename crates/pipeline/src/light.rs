//! The stack light, as the recorder sets it and as pages show what it answers.

use act::{LightReport, Tier};
use app::views::{LightView, Shown};

/// A tier that is lit, or not.
pub(crate) fn tier(lit: bool) -> Tier {
    if lit { Tier::On } else { Tier::Off }
}

/// What the light says of itself, as pages show it.
pub(crate) fn light_view(report: LightReport) -> LightView {
    let shown = |tier: Tier| match tier {
        Tier::Off => Shown::Off,
        Tier::On => Shown::On,
        Tier::Flash => Shown::Flash,
    };
    match report {
        LightReport::Unknown => LightView::Unknown,
        LightReport::Silent => LightView::Silent,
        LightReport::Answers {
            wanted,
            shown: read_back,
        } => {
            let light = read_back.unwrap_or(wanted);
            LightView::Answers {
                red: shown(light.red),
                amber: shown(light.amber),
                green: shown(light.green),
                confirmed: read_back.is_some(),
            }
        }
    }
}
