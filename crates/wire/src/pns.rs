//! PATLITE's PNS protocol for network stack lights, over TCP. Frame: two bytes product category,
//! one byte command, one zero byte, two bytes length (big-endian), data. The light answers
//! `06` (done) or `15` (refused). Sources: NHL series manual p. 27, LA6-POE manual and sample.

/// Which family of lights is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// NHL, NHP, NHB: red, amber, green, blue, white tiers. No status read-back.
    Nh,
    /// LA6-POE: five tiers and a status command.
    La6,
}

/// What one tier of the light shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tier {
    /// Dark.
    #[default]
    Off,
    /// Lit.
    On,
    /// Blinking.
    Flash,
}

/// What the whole light shows, from the top. The buzzer stays silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Light {
    /// Red tier.
    pub red: Tier,
    /// Amber tier.
    pub amber: Tier,
    /// Green tier.
    pub green: Tier,
}

/// Acknowledged.
pub const ACK: u8 = 0x06;
/// Refused.
pub const NAK: u8 = 0x15;
/// Bytes of the answer to [`status_request`]: 8 inputs, mode, 5 tiers, buzzer.
pub const STATUS_BYTES: usize = 15;

const COMMAND_WRITE: u8 = 0x53;
const COMMAND_STATUS: u8 = 0x47;

impl Family {
    /// Whether the light can be asked what it shows.
    pub fn reads_back(self) -> bool {
        self == Self::La6
    }

    fn category(self) -> [u8; 2] {
        match self {
            Self::Nh => *b"XX",
            Self::La6 => *b"AB",
        }
    }
}

fn tier_code(tier: Tier) -> u8 {
    match tier {
        Tier::Off => 0,
        Tier::On => 1,
        Tier::Flash => 2,
    }
}

/// The command that shows `light`.
pub fn write_request(family: Family, light: Light) -> [u8; 12] {
    let [first, second] = family.category();
    let [red, amber, green] = [light.red, light.amber, light.green].map(tier_code);
    [
        first,
        second,
        COMMAND_WRITE,
        0,
        0,
        6,
        red,
        amber,
        green,
        0,
        0,
        0,
    ]
}

/// The command that asks for the status (LA6 only).
pub fn status_request() -> [u8; 6] {
    let [first, second] = Family::La6.category();
    [first, second, COMMAND_STATUS, 0, 0, 0]
}

/// Why an answer is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PnsError {
    /// The light refused the command.
    Refused,
    /// Bytes that are no answer of this protocol.
    Garbled,
}

/// Reads the one-byte answer to a write.
pub fn read_ack(byte: u8) -> Result<(), PnsError> {
    match byte {
        ACK => Ok(()),
        NAK => Err(PnsError::Refused),
        _ => Err(PnsError::Garbled),
    }
}

/// Reads what the light shows from the answer to [`status_request`].
pub fn read_status(answer: &[u8; STATUS_BYTES]) -> Result<Light, PnsError> {
    let tier = |code: u8| match code {
        0 => Ok(Tier::Off),
        1 => Ok(Tier::On),
        2 => Ok(Tier::Flash),
        _ => Err(PnsError::Garbled),
    };
    let [_, _, _, _, _, _, _, _, _mode, red, amber, green, ..] = *answer;
    Ok(Light {
        red: tier(red)?,
        amber: tier(amber)?,
        green: tier(green)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes_of_the_nhl_manual() {
        // The manual's example shows red on, amber blinking, green blinking pattern 2 with buzzer;
        // Mimamori uses pattern 1 and no buzzer, the frame around it is the same.
        let light = Light {
            red: Tier::On,
            amber: Tier::Flash,
            green: Tier::Off,
        };
        assert_eq!(
            write_request(Family::Nh, light),
            [0x58, 0x58, 0x53, 0, 0, 6, 1, 2, 0, 0, 0, 0]
        );
        assert_eq!(write_request(Family::La6, light)[..2], [0x41, 0x42]);
        assert_eq!(status_request(), [0x41, 0x42, 0x47, 0, 0, 0]);
    }

    #[test]
    fn answers_are_read_or_named() {
        assert_eq!(read_ack(0x06), Ok(()));
        assert_eq!(read_ack(0x15), Err(PnsError::Refused));
        assert_eq!(read_ack(0x00), Err(PnsError::Garbled));
        let mut status = [0_u8; STATUS_BYTES];
        status[9] = 1;
        status[10] = 2;
        let shown = Light {
            red: Tier::On,
            amber: Tier::Flash,
            green: Tier::Off,
        };
        assert_eq!(read_status(&status), Ok(shown));
        status[11] = 77;
        assert_eq!(read_status(&status), Err(PnsError::Garbled));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(byte: u8, answer: [u8; STATUS_BYTES]) {
            read_ack(byte).ok();
            if let Ok(light) = read_status(&answer) {
                let request = write_request(Family::La6, light);
                proptest::prop_assert_eq!(&request[6..9], &answer[9..12]);
            }
        }
    }
}
