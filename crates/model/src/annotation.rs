//! What people add to a machine's past: why it stood still, how many parts were bad, which lot it
//! worked on, a note. What was said is never changed; it is withdrawn, and said anew.

use serde::{Deserialize, Serialize};

use crate::{
    DAY_MS, FindingKind, Hindsight, IdError, MachineId, NoticedCycle, PowerBand, ProductId, Right,
    Span, Time, Title, lot_number,
};

/// Longest note, in letters.
const NOTE_CHARS_MAX: usize = 500;
/// Most bad parts told at once.
const SCRAP_MAX: f64 = 1e6;
/// Most that a part is used.
const USED_MAX: f64 = 1e12;

/// Why a machine stood still.
///
/// A usual reason is kept by its code, so that it is shown in the reader's language; an own one is
/// kept as it was written, so that it stays readable when it is no longer offered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum StopReason {
    /// One that any factory knows.
    Usual(UsualReason),
    /// The factory's own words.
    Own(Title),
}

crate::described_as!(StopReason, String);

/// Reasons that any factory knows.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::EnumString,
)]
#[strum(serialize_all = "snake_case")]
pub enum UsualReason {
    /// No material, or no room for what was made.
    Material,
    /// Set up, or adjusted.
    Setup,
    /// Broken, or being repaired.
    Breakdown,
    /// A tool was changed.
    Tool,
    /// Quality was checked, or put right.
    Quality,
    /// Cleaned, or looked after.
    Cleaning,
    /// Nobody was there.
    Staff,
    /// It was not to run: no order, a trial, a meeting.
    Planned,
}

crate::coded!(UsualReason);

impl StopReason {
    /// The code of a usual reason, or the factory's own words.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Usual(usual) => usual.code(),
            Self::Own(words) => words.as_str(),
        }
    }
}

impl TryFrom<String> for StopReason {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Ok(match UsualReason::from_code(&text) {
            Some(usual) => Self::Usual(usual),
            None => Self::Own(Title::new(&text)?),
        })
    }
}

impl From<StopReason> for String {
    fn from(reason: StopReason) -> Self {
        reason.as_str().to_owned()
    }
}

/// What is said of a moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Remark {
    /// Why the machine stood still then.
    StopReason {
        /// `material`, `setup`, `breakdown`, `tool`, `quality`, `cleaning`, `staff`, `planned`, or
        /// the factory's own words.
        reason: StopReason,
    },
    /// So many of the parts made until then, since it was told last, are bad; none is told as 0.
    Scrap {
        /// How many.
        parts: f64,
    },
    /// A part that wears was replaced, cleaned or oiled then.
    Replaced {
        /// What it is called.
        part: Title,
        /// How much of it was used until then, in its measure.
        used: f64,
    },
    /// A lot came to the machine then. It has left where it was before, and what the machine worked
    /// on until then is done there.
    LotBegan {
        /// Its number, as it was scanned or typed.
        lot: Title,
    },
    /// The machine was done with a lot then.
    LotEnded {
        /// Its number.
        lot: Title,
    },
    /// The machine is looked after from then on: nobody is told of its alarms meanwhile, and it was
    /// not to run.
    Maintenance {
        /// To when (not included).
        until: Time,
    },
    /// What was measured from then on was wrong: it is kept, and counts in no figure.
    LeftOut {
        /// To when (not included).
        until: Time,
        /// What of it.
        #[serde(default)]
        what: LeftOutWhat,
        /// Why, in the words of whoever says it.
        why: Title,
    },
    /// The machine made nothing from then on, whatever its power showed: it was set up, or it
    /// waited. Its cycles then are no parts, and are neither judged nor learned from.
    NotProducing {
        /// To when (not included).
        until: Time,
        /// As a stop is explained.
        why: StopReason,
        /// What it drew then: from now on that is no work, unless a usual cycle draws as much for
        /// as long. The box fills it in from what it keeps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        power: Option<PowerBand>,
    },
    /// What was noticed at that very moment was one, or was none. From then on the box heeds it:
    /// such a cycle, or the change as it lasts, is normal where it was none; where it was one, it
    /// is recognised when it comes again.
    Hindsight {
        /// What it was noticed as.
        finding: FindingKind,
        /// Whether it was.
        was: Hindsight,
        /// Why, or what it was, in the words of whoever says it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<Title>,
        /// The numbers that were noticed. The box fills them in from what it keeps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        noticed: Option<NoticedCycle>,
    },
    /// What the box took for another product at that very moment is the one made before, made in
    /// another way.
    SameProduct {
        /// What the box calls it. The box fills both in from what it keeps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        product: Option<ProductId>,
        /// The one made before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        earlier: Option<ProductId>,
    },
    /// Anything else worth knowing.
    Note {
        /// The words, at most 500 letters.
        text: String,
    },
}

impl Remark {
    /// What is said of a stretch of time reaches over this much of it at most, in milliseconds.
    pub const LASTING_MS_MAX: i64 = 31 * DAY_MS;

    /// The same, if it can be kept: an amount that can be counted, words that are some.
    pub fn checked(self) -> Option<Self> {
        match self {
            Self::Scrap { parts } => (0.0..=SCRAP_MAX).contains(&parts).then_some(self),
            Self::Note { text } => {
                let text = text.trim().to_owned();
                let is_note = (1..=NOTE_CHARS_MAX).contains(&text.chars().count())
                    && !text.chars().any(|c| c.is_control() && !c.is_whitespace());
                is_note.then_some(Self::Note { text })
            }
            Self::Replaced { used, .. } => (0.0..=USED_MAX).contains(&used).then_some(self),
            Self::LotBegan { lot } => Some(Self::LotBegan {
                lot: lot_number(lot.as_str()).ok()?,
            }),
            Self::LotEnded { lot } => Some(Self::LotEnded {
                lot: lot_number(lot.as_str()).ok()?,
            }),
            Self::StopReason { .. }
            | Self::Maintenance { .. }
            | Self::LeftOut { .. }
            | Self::NotProducing { .. }
            | Self::Hindsight { .. }
            | Self::SameProduct { .. } => Some(self),
        }
    }

    /// What whoever says it, or takes it back, has to be allowed.
    pub fn needs(&self) -> Right {
        match self {
            Self::LeftOut { .. } | Self::Hindsight { .. } | Self::SameProduct { .. } => {
                Right::Judge
            }
            _ => Right::Acknowledge,
        }
    }

    /// Whether the box heeds it when it judges from then on.
    pub fn teaches(&self) -> bool {
        matches!(
            self,
            Self::Hindsight { .. } | Self::SameProduct { .. } | Self::NotProducing { .. }
        )
    }

    /// Whether two of one moment are about the same thing that was noticed, so that the later one
    /// is in the place of the other.
    pub fn is_about(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Hindsight { finding: one, .. }, Self::Hindsight { finding, .. }) => {
                one == finding
            }
            (Self::SameProduct { .. }, Self::SameProduct { .. }) => true,
            _ => false,
        }
    }

    /// To when it holds, if it is said of a stretch of time and not of a moment.
    pub fn until(&self) -> Option<Time> {
        match self {
            Self::Maintenance { until }
            | Self::LeftOut { until, .. }
            | Self::NotProducing { until, .. } => Some(*until),
            _ => None,
        }
    }

    /// The lot that it is about.
    pub fn lot(&self) -> Option<&Title> {
        match self {
            Self::LotBegan { lot } | Self::LotEnded { lot } => Some(lot),
            _ => None,
        }
    }
}

/// What of a stretch of time is left out.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum LeftOutWhat {
    /// States, cycles and energy.
    #[default]
    All,
    /// Energy alone: its meter was wrong, what the machine did is known.
    Energy,
}

crate::coded!(LeftOutWhat);

/// What somebody said of a machine at a moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Annotation {
    /// Its number.
    pub id: i64,
    /// The machine that it is about.
    pub machine: MachineId,
    /// The moment that it is about.
    pub at: Time,
    /// What.
    #[serde(flatten)]
    pub said: Remark,
    /// When it was said.
    pub told_at: Time,
    /// By whom, as the evidence writes it.
    pub told_by: String,
    /// When it was taken back; `None` while it holds.
    pub withdrawn_at: Option<Time>,
    /// By whom.
    pub withdrawn_by: Option<String>,
}

impl Annotation {
    /// The stretch of time that it holds for; `None` for what is said of a moment, and for what was
    /// taken back.
    pub fn span(&self) -> Option<Span> {
        let until = self.said.until().filter(|_| self.withdrawn_at.is_none())?;
        Some(Span::new(self.at, until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_kept_is_refused() {
        let note = |text: &str| Remark::Note { text: text.into() }.checked();
        assert_eq!(
            note(" 刃を替えた\n"),
            Some(Remark::Note {
                text: "刃を替えた".into()
            })
        );
        assert_eq!((note("  "), note("\u{7}bell")), (None, None));
        assert!(note(&"あ".repeat(500)).is_some() && note(&"あ".repeat(501)).is_none());
        let scrap = |parts| Remark::Scrap { parts }.checked().is_some();
        assert_eq!(
            [scrap(0.0), scrap(2.0), scrap(-1.0), scrap(f64::NAN)],
            [true, true, false, false]
        );
    }

    #[test]
    fn a_reason_is_kept_by_its_code_or_in_own_words() {
        let reason = |text: &str| StopReason::try_from(text.to_owned()).unwrap();
        for usual in UsualReason::ALL.iter().copied() {
            assert_eq!(reason(usual.code()), StopReason::Usual(usual));
        }
        assert_eq!(reason("金型の温度待ち").as_str(), "金型の温度待ち");
        let json = r#"{"kind":"stop_reason","reason":"tool"}"#;
        let said: Remark = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&said).unwrap(), json);
        assert!(serde_json::from_str::<Remark>(r#"{"kind":"stop_reason","reason":""}"#).is_err());
    }
}
