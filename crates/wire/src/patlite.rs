//! PATLITE's other ways to set a light. PHN: two bytes to write, one to read (NHL series manual
//! p. 25). HTTP and MQTT: six digits, one a tier and the buzzer (LA6-POE manual p. 62, NH-FV
//! manual p. 17).

use crate::pns::{Light, PnsError, Tier};

/// The answers of PHN to a write.
pub const PHN_DONE: &[u8; 3] = b"ACK";
/// What a PHN answers to an order it does not take.
pub const PHN_REFUSED: &[u8; 3] = b"NAK";

/// Bits of a lit and of a blinking tier; a lit one wins.
const RED: (u8, u8) = (0x01, 0x20);
const AMBER: (u8, u8) = (0x02, 0x40);
const GREEN: (u8, u8) = (0x04, 0x80);

/// The command that shows `light`.
pub fn phn_write(light: Light) -> [u8; 2] {
    let bits = |tier: Tier, (lit, blinking): (u8, u8)| match tier {
        Tier::Off => 0,
        Tier::On => lit,
        Tier::Flash => blinking,
    };
    let red = bits(light.red, RED);
    [
        b'W',
        red | bits(light.amber, AMBER) | bits(light.green, GREEN),
    ]
}

/// The command that asks what is shown.
pub fn phn_read() -> [u8; 1] {
    *b"R"
}

/// Reads the answer to a write.
pub fn phn_ack(answer: &[u8; 3]) -> Result<(), PnsError> {
    match answer {
        PHN_DONE => Ok(()),
        PHN_REFUSED => Err(PnsError::Refused),
        _ => Err(PnsError::Garbled),
    }
}

/// Reads what is shown from the answer to [`phn_read`].
pub fn phn_status(answer: [u8; 2]) -> Result<Light, PnsError> {
    let [b'R', shown] = answer else {
        return Err(PnsError::Garbled);
    };
    let tier = |(lit, blinking): (u8, u8)| {
        if shown & lit != 0 {
            Tier::On
        } else if shown & blinking != 0 {
            Tier::Flash
        } else {
            Tier::Off
        }
    };
    Ok(Light {
        red: tier(RED),
        amber: tier(AMBER),
        green: tier(GREEN),
    })
}

/// The six digits of HTTP and MQTT: red, amber, green, blue, white, buzzer.
pub fn digits(light: Light) -> String {
    let digit = |tier: Tier| match tier {
        Tier::Off => '0',
        Tier::On => '1',
        Tier::Flash => '2',
    };
    let tiers = [light.red, light.amber, light.green].map(digit);
    tiers.into_iter().chain("000".chars()).collect()
}

/// The path that shows `light` over HTTP.
pub fn http_path(light: Light) -> String {
    format!("/api/control?alert={}", digits(light))
}

/// Reads the answer over HTTP.
pub fn http_ack(body: &str) -> Result<(), PnsError> {
    match body.trim() {
        "Success." => Ok(()),
        "Error." => Err(PnsError::Refused),
        _ => Err(PnsError::Garbled),
    }
}

/// The message that shows `light` over MQTT.
pub fn mqtt_message(light: Light) -> String {
    format!("{{\"alert\":\"{}\"}}", digits(light))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIGHT: Light = Light {
        red: Tier::On,
        amber: Tier::Flash,
        green: Tier::On,
    };

    #[test]
    fn golden_bytes_of_the_manuals() {
        // The manual's example, `57 55`, has the buzzer (bit 4) as well.
        assert_eq!(phn_write(LIGHT), [0x57, 0x55 & !0x10]);
        assert_eq!(phn_read(), [0x52]);
        assert_eq!(http_path(LIGHT), "/api/control?alert=121000");
        assert_eq!(mqtt_message(LIGHT), r#"{"alert":"121000"}"#);
    }

    #[test]
    fn answers_are_read_or_named() {
        assert_eq!(phn_ack(b"ACK"), Ok(()));
        assert_eq!(phn_ack(b"NAK"), Err(PnsError::Refused));
        assert_eq!(phn_ack(b"???"), Err(PnsError::Garbled));
        assert_eq!(phn_status([0x52, 0x45]), Ok(LIGHT));
        assert_eq!(
            phn_status([0x52, 0x65]).unwrap().red,
            Tier::On,
            "lit beats blinking"
        );
        assert_eq!(phn_status([0x51, 0]), Err(PnsError::Garbled));
        assert_eq!(http_ack("Success.\r\n"), Ok(()));
        assert_eq!(http_ack("Error."), Err(PnsError::Refused));
        assert_eq!(http_ack("<html>"), Err(PnsError::Garbled));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(ack: [u8; 3], status: [u8; 2], body in "\\PC{0,40}") {
            phn_ack(&ack).ok();
            phn_status(status).ok();
            http_ack(&body).ok();
        }
    }
}
