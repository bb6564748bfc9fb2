//! ECHONET Lite frames (format 1): what a controller asks and orders and what nodes say. No socket,
//! no time; what is wrong with bytes has a name. Source: the ECHONET Lite specification, part 2,
//! and the appendix of device objects (property maps).

/// UDP port of every node.
pub const PORT: u16 = 3610;
/// The group that all nodes listen to.
pub const GROUP: [u8; 4] = [224, 0, 23, 0];
/// The largest frame that is looked at: what one Ethernet frame carries.
pub const FRAME_BYTES_MAX: usize = 1_472;

/// Format 1 of ECHONET Lite.
const HEADER: [u8; 2] = [0x10, 0x81];
/// The list of a node's objects, asked for and announced.
pub const INSTANCES: u8 = 0xd6;
const INSTANCES_NEWS: u8 = 0xd5;
/// Properties from this number on are told as a bitmap.
const BITMAP_FROM: u8 = 16;

/// An object: class group, class, instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Object(pub [u8; 3]);

impl Object {
    /// A controller: what this program is.
    pub const CONTROLLER: Self = Self([0x05, 0xff, 0x01]);
    /// What every node has.
    pub const NODE: Self = Self([0x0e, 0xf0, 0x01]);

    /// Whether it is the profile of a node, whichever.
    pub fn is_node(self) -> bool {
        self.class() == Self::NODE.class()
    }

    /// Class group and class.
    pub fn class(self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }

    /// Which one of its class.
    pub fn instance(self) -> u8 {
        self.0[2]
    }
}

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Sets without (`SetI`) or with (`SetC`) an answer, or sets and gets.
    Set,
    /// Asks for properties.
    Get,
    /// Asks that properties be announced.
    InfRequest,
    /// All of what was asked for.
    GetAnswer,
    /// Some of what was asked for: what is not there is empty.
    GetRefused,
    /// The properties were set.
    SetAnswer,
    /// Not all of the properties were set.
    SetRefused,
    /// Announces properties.
    Inf,
    /// Announces properties and wants to hear that it was heard.
    InfConfirmed,
    /// Any other answer.
    Other(u8),
}

impl Service {
    fn of(code: u8) -> Self {
        match code {
            0x60 | 0x61 | 0x6e => Self::Set,
            0x62 => Self::Get,
            0x63 => Self::InfRequest,
            0x72 => Self::GetAnswer,
            0x52 => Self::GetRefused,
            0x71 => Self::SetAnswer,
            0x51 => Self::SetRefused,
            0x73 => Self::Inf,
            0x74 => Self::InfConfirmed,
            other => Self::Other(other),
        }
    }
}

/// One property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property<'a> {
    /// EPC: which property it is.
    pub code: u8,
    /// Its value; empty if it was only asked for or is not there.
    pub data: &'a [u8],
}

/// One packet of ECHONET Lite, format 1 (EHD2 0x81).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Which question it belongs to.
    pub transaction: u16,
    /// Who sent it.
    pub from: Object,
    /// Whom it is for.
    pub to: Object,
    /// What it is for.
    pub service: Service,
    /// Its properties; those of both halves where it sets and gets.
    pub properties: Vec<Property<'a>>,
}

/// The bytes are no frame: too short, too long, or of another format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoFrameError;

impl std::fmt::Display for NoFrameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no frame of ECHONET Lite")
    }
}

impl std::error::Error for NoFrameError {}

/// Takes bytes from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], NoFrameError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(NoFrameError)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, NoFrameError> {
        self.take(1)?.first().copied().ok_or(NoFrameError)
    }

    fn object(&mut self) -> Result<Object, NoFrameError> {
        let three = self.take(3)?.try_into().map_err(|_| NoFrameError)?;
        Ok(Object(three))
    }

    fn properties(&mut self, into: &mut Vec<Property<'a>>) -> Result<(), NoFrameError> {
        for _ in 0..self.byte()? {
            let (code, length) = (self.byte()?, self.byte()?);
            let data = self.take(usize::from(length))?;
            into.push(Property { code, data });
        }
        Ok(())
    }
}

impl<'a> Frame<'a> {
    /// The frame that these bytes are, all of them.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NoFrameError> {
        let mut bytes = Bytes(bytes);
        if bytes.take(2)? != HEADER {
            return Err(NoFrameError);
        }
        let transaction = u16::from_be_bytes([bytes.byte()?, bytes.byte()?]);
        let (from, to, code) = (bytes.object()?, bytes.object()?, bytes.byte()?);
        let mut properties = Vec::new();
        bytes.properties(&mut properties)?;
        // Sets and gets: two lists.
        if matches!(code, 0x6e | 0x7e | 0x5e) {
            bytes.properties(&mut properties)?;
        }
        if !bytes.0.is_empty() {
            return Err(NoFrameError);
        }
        Ok(Self {
            transaction,
            from,
            to,
            service: Service::of(code),
            properties,
        })
    }

    /// A property's value; `None` if the frame does not have it or it is empty.
    pub fn value(&self, code: u8) -> Option<&'a [u8]> {
        let found = self.properties.iter().find(|p| p.code == code)?;
        Some(found.data).filter(|data| !data.is_empty())
    }

    /// The objects that a node says it has; none if it says nothing of that. Only a node's profile
    /// lists objects: of others the same codes are other things.
    pub fn instances(&self) -> Vec<Object> {
        let mut lists = [INSTANCES, INSTANCES_NEWS].into_iter();
        let list = lists.find_map(|code| self.value(code));
        let list = list.filter(|_| self.from.is_node());
        list.and_then(instances).unwrap_or_default()
    }

    /// What tells the sender of an announcement that it was heard.
    pub fn heard(&self) -> Vec<u8> {
        let codes: Vec<u8> = self.properties.iter().map(|p| p.code).collect();
        bytes((self.transaction, 0x7a), (self.to, self.from), &codes)
    }
}

/// A question for properties of an object.
pub fn get(transaction: u16, object: Object, codes: &[u8]) -> Vec<u8> {
    bytes((transaction, 0x62), (Object::CONTROLLER, object), codes)
}

/// An order that sets one property of one byte and wants to hear whether it was set (SetC).
pub fn set_confirmed(transaction: u16, object: Object, code: u8, value: u8) -> Vec<u8> {
    let mut bytes = head(transaction, 0x61, Object::CONTROLLER, object, 1);
    bytes.extend([code, 1, value]);
    bytes
}

fn bytes(of: (u16, u8), between: (Object, Object), codes: &[u8]) -> Vec<u8> {
    let mut bytes = head(of.0, of.1, between.0, between.1, codes.len());
    bytes.extend(codes.iter().flat_map(|code| [*code, 0]));
    bytes
}

/// What stands before the properties.
fn head(transaction: u16, service: u8, from: Object, to: Object, count: usize) -> Vec<u8> {
    let mut bytes = HEADER.to_vec();
    bytes.extend(transaction.to_be_bytes());
    bytes.extend(from.0);
    bytes.extend(to.0);
    bytes.extend([service, count as u8]);
    bytes
}

/// The codes in a property map (`0x9D`, `0x9E`, `0x9F`); `None` if it is none.
pub fn property_map(data: &[u8]) -> Option<Vec<u8>> {
    let (count, rest) = data.split_first()?;
    if *count < BITMAP_FROM {
        return (rest.len() == usize::from(*count)).then(|| rest.to_vec());
    }
    if rest.len() != 16 {
        return None;
    }
    // Byte i, bit b: property 0x80 + 0x10·b + i.
    let of = |b: u8| {
        let bytes = rest.iter().zip(0_u8..);
        bytes.filter_map(move |(byte, i)| (byte >> b & 1 == 1).then_some(0x80 + 0x10 * b + i))
    };
    let codes: Vec<u8> = (0..8).flat_map(of).collect();
    (codes.len() == usize::from(*count)).then_some(codes)
}

/// The objects in an instance list; `None` if it is none.
fn instances(data: &[u8]) -> Option<Vec<Object>> {
    let (count, rest) = data.split_first()?;
    let (objects, left) = rest.as_chunks::<3>();
    let fits = left.is_empty() && objects.len() == usize::from(*count);
    fits.then(|| objects.iter().map(|three| Object(*three)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    fn hex(text: &str) -> Vec<u8> {
        HEXLOWER.decode(text.replace(' ', "").as_bytes()).unwrap()
    }

    #[test]
    fn what_a_foreign_node_was_seen_to_say_is_understood() {
        // A smart meter of the npm package echonet-lite: 123.45 kWh, 1234 W, 12.3 and 12.3 A.
        let bytes =
            hex("10810002 028801 05ff01 72 04 e00400003039 e10102 e704000004d2 e804007b007b");
        let frame = Frame::parse(&bytes).unwrap();
        assert_eq!((frame.transaction, frame.from.class()), (2, 0x0288));
        assert_eq!(frame.service, Service::GetAnswer);
        assert_eq!(frame.value(0xe7), Some(&[0, 0, 4, 0xd2][..]));
        let question = get(2, frame.from, &[0xe0, 0xe1, 0xe7, 0xe8]);
        assert_eq!(
            question,
            hex("10810002 05ff01 028801 62 04 e000e100e700e800")
        );
        let partly = hex("10810003 028801 05ff01 52 02 800130 ee00");
        let partly = Frame::parse(&partly).unwrap();
        assert_eq!(partly.service, Service::GetRefused);
        assert_eq!(
            [partly.value(0x80), partly.value(0xee)],
            [Some(&[0x30][..]), None]
        );
        let list = hex("03 028801 028701 001101");
        assert_eq!(instances(&list).unwrap()[1], Object([2, 0x87, 1]));
        assert_eq!(instances(&list[..9]), None);
    }

    #[test]
    fn what_sets_is_told_from_what_announces() {
        let set = hex("10810004 05ff01 028701 61 01 800131");
        assert_eq!(Frame::parse(&set).unwrap().service, Service::Set);
        assert_eq!(set, set_confirmed(4, Object([2, 0x87, 1]), 0x80, 0x31));
        for (answer, service) in [("71", Service::SetAnswer), ("51", Service::SetRefused)] {
            let answer = hex(&format!("10810004 028701 05ff01 {answer} 01 8000"));
            assert_eq!(Frame::parse(&answer).unwrap().service, service);
        }
        let both = hex("10810004 05ff01 028701 6e 01 800131 01 8000");
        assert_eq!(Frame::parse(&both).unwrap().properties.len(), 2);
        let inf = hex("10810005 028701 0ef001 74 01 800131");
        let inf = Frame::parse(&inf).unwrap();
        assert_eq!(inf.heard(), hex("10810005 0ef001 028701 7a 01 8000"));
    }

    #[test]
    fn maps_of_properties_come_in_two_forms() {
        assert_eq!(property_map(&[2, 0x80, 0x9f]), Some(vec![0x80, 0x9f]));
        assert_eq!(property_map(&[2, 0x80]), None);
        let mut bitmap = [0; 17];
        (bitmap[0], bitmap[1], bitmap[8]) = (16, 0b1111_1111, 0b1111_1111);
        let codes = property_map(&bitmap).unwrap();
        assert_eq!((codes.len(), codes[0], codes[15]), (16, 0x80, 0xf7));
        bitmap[0] = 17;
        assert_eq!(property_map(&bitmap), None);
    }

    #[test]
    fn bytes_that_are_too_few_too_many_or_others_are_no_frame() {
        let fine = hex("10810004 028701 05ff01 72 01 800130");
        for cut in 0..fine.len() {
            assert_eq!(Frame::parse(&fine[..cut]), Err(NoFrameError), "{cut}");
        }
        assert_eq!(Frame::parse(&[&fine[..], &[0]].concat()), Err(NoFrameError));
        let other = [&[0x10, 0x82], &fine[2..]].concat();
        assert_eq!(Frame::parse(&other), Err(NoFrameError));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let framed = [&HEADER[..], &bytes].concat();
            for bytes in [&bytes, &framed] {
                if let Ok(frame) = Frame::parse(bytes) {
                    frame.heard();
                }
            }
            property_map(&bytes);
            instances(&bytes);
        }
    }
}
