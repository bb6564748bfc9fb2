//! What standing still came to by reason, over many machines.

use std::collections::BTreeMap;

use crate::downtimes::LossCause;
use crate::machine_account::MachineAccount;

/// What standing still for one cause came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    /// Why.
    pub cause: LossCause,
    /// How often.
    pub times: u32,
    /// Seconds.
    pub lost_s: f64,
    /// What it cost, if somebody said what an hour costs.
    pub yen: Option<f64>,
}

/// What standing still came to by cause, over all these machines, the largest first.
pub fn losses(accounts: &[MachineAccount]) -> Vec<Loss> {
    let mut by_cause: BTreeMap<LossCause, Loss> = BTreeMap::new();
    for account in accounts {
        for downtime in &account.downtimes {
            let Some(cause) = downtime.cause() else {
                continue;
            };
            let loss = by_cause.entry(cause.clone()).or_insert(Loss {
                cause,
                times: 0,
                lost_s: 0.0,
                yen: None,
            });
            loss.times += 1;
            loss.lost_s += downtime.lost_s;
            if let Some(yen) = account.yen_of_standing(downtime.lost_s) {
                *loss.yen.get_or_insert(0.0) += yen;
            }
        }
    }
    let mut losses: Vec<Loss> = by_cause.into_values().collect();
    losses.sort_by(|a, b| b.lost_s.total_cmp(&a.lost_s));
    losses
}
