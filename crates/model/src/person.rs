//! Who may do what. A person has one role; a role has rights; every address asks for one right.

use serde::{Deserialize, Serialize};

/// What somebody is in the factory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    /// Decides; may do everything.
    Owner,
    /// Runs the floor: everything but other people.
    Manager,
    /// Repairs: also judges what is normal for a machine.
    Maintenance,
    /// Works at the machines.
    Operator,
    /// The IT coordinator: looks after the box and its devices, not the machines.
    Coordinator,
    /// A screen on the wall.
    Screen,
    /// Somebody the factory works for: sees the machines that were shared, and nothing else.
    Customer,
}

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::VariantArray)]
pub enum Right {
    /// See the machines that were shared with them.
    LookShared,
    /// See machines, events, devices and evidence.
    Look,
    /// Say "I have seen this alarm".
    Acknowledge,
    /// Approve references, have a machine learn anew, change tolerances.
    Judge,
    /// Register devices and end them.
    Devices,
    /// Consent to devices being switched off by the box, and have them switched off.
    Operate,
    /// Sign checkpoints and have the evidence checked.
    Evidence,
    /// Invite people, end their access, give tokens to scripts.
    People,
}

impl Right {
    /// Every right.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;
}

crate::coded!(Role);

impl Role {
    /// Whether the role has the right.
    pub fn may(self, right: Right) -> bool {
        match right {
            Right::LookShared => true,
            Right::Look => self != Self::Customer,
            Right::Acknowledge => {
                !matches!(self, Self::Coordinator | Self::Screen | Self::Customer)
            }
            Right::Judge | Right::Operate => {
                matches!(self, Self::Owner | Self::Manager | Self::Maintenance)
            }
            Right::Devices | Right::Evidence => {
                matches!(self, Self::Owner | Self::Manager | Self::Coordinator)
            }
            Right::People => self == Self::Owner,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_a_right_the_owner_lacks_and_who_only_looks_only_looks() {
        for right in Right::ALL.iter().copied() {
            assert!(Role::Owner.may(right));
            let looks = matches!(right, Right::Look | Right::LookShared);
            assert_eq!(Role::Screen.may(right), looks);
            assert_eq!(Role::Customer.may(right), right == Right::LookShared);
        }
        for role in Role::ALL.iter().copied() {
            assert_eq!(role.may(Right::People), role == Role::Owner);
            assert_eq!(Role::from_code(role.code()), Some(role));
        }
    }
}
