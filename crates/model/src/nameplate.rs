//! What people call a machine and where it stands on the board: what no sensor says.

use serde::{Deserialize, Serialize};

use crate::id::Title;

/// What people said of a machine. What nobody said is left as it is: its identifier, or what the
/// file of settings calls it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Nameplate {
    /// Its Japanese name.
    pub ja: Option<Title>,
    /// Its English name; the Japanese one where none is given.
    pub en: Option<Title>,
    /// The part of the factory it stands in; machines of one group stand together.
    pub group: Option<Title>,
    /// Its place in its group, smallest first; those without one stand behind the others.
    pub place: Option<u16>,
    /// It is gone: off the board and out of averages, with its past kept.
    pub is_archived: bool,
}

impl Nameplate {
    /// Before what it stands on the board: machines without a group come last.
    pub fn order(&self) -> (bool, Option<&Title>, bool, Option<u16>) {
        let (group, place) = (self.group.as_ref(), self.place);
        (group.is_none(), group, place.is_none(), place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_stand_by_group_and_place() {
        let plate = |group: &str, place: Option<u16>| Nameplate {
            group: Title::new(group).ok(),
            place,
            ..Nameplate::default()
        };
        let mut plates = [
            plate("", None),
            plate("旋盤", None),
            plate("プレス", Some(2)),
            plate("旋盤", Some(1)),
            plate("", Some(9)),
        ];
        plates.sort_by(|a, b| a.order().cmp(&b.order()));
        let order = plates.map(|plate| (plate.group.map(String::from), plate.place));
        let some = |group: &str| Some(group.to_owned());
        let wanted = [
            (some("プレス"), Some(2)),
            (some("旋盤"), Some(1)),
            (some("旋盤"), None),
            (None, Some(9)),
            (None, None),
        ];
        assert_eq!(order, wanted);
    }

    #[test]
    fn what_is_kept_comes_back_and_what_nobody_said_is_left_out() {
        let plate: Nameplate = serde_json::from_str(r#"{"ja": "旋盤1", "place": 3}"#).unwrap();
        assert_eq!(plate.ja, Title::new("旋盤1").ok());
        assert_eq!((plate.en, plate.is_archived), (None, false));
        assert!(serde_json::from_str::<Nameplate>(r#"{"ja": " "}"#).is_err());
        assert!(serde_json::from_str::<Nameplate>(r#"{"name": "x"}"#).is_err());
    }
}
