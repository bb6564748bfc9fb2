//! Modbus as a client speaks it: reads of the four tables, over TCP (MBAP header) and over serial
//! lines (RTU, checksum). Source: Modbus Application Protocol V1.1b3 and Modbus over Serial Line
//! V1.02. Only reading exists here: nothing in the program can write to a meter or a PLC.

/// The four tables of a device, by the function that reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegisterTable {
    /// Coils, function 1.
    Coil,
    /// Discrete inputs, function 2.
    Input,
    /// Holding registers, function 3.
    Holding,
    /// Input registers, function 4.
    InputRegister,
}

/// A read of neighbouring values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// The device on the line, 1 to 247; 0 and 255 mean "the device itself" over TCP.
    pub unit: u8,
    /// Coils, inputs, or one of the two kinds of registers.
    pub table: RegisterTable,
    /// The first address, counted from 0 as it goes over the wire.
    pub address: u16,
    /// How many bits or registers.
    pub count: u16,
}

/// Why bytes are not the answer that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerError {
    /// Not a frame of the protocol: wrong checksum, length or header.
    Garbled,
    /// A frame for another device.
    OtherUnit(u8),
    /// A frame for an earlier question.
    Late,
    /// A good frame that answers something else: another function or another number of values.
    OtherAnswer,
    /// The device says no, with this code.
    Exception(u8),
}

/// Most bits of one read.
pub const BITS_MAX: u16 = 2_000;
/// Most registers of one read.
pub const REGISTERS_MAX: u16 = 125;
/// Longest frame of either kind.
pub const FRAME_BYTES_MAX: usize = 260;

/// Bytes of the MBAP header: transaction, protocol, length, unit.
const HEADER_BYTES: usize = 7;
/// What the device sets in the function to say no.
const EXCEPTION: u8 = 0x80;

impl RegisterTable {
    fn function(self) -> u8 {
        match self {
            Self::Coil => 1,
            Self::Input => 2,
            Self::Holding => 3,
            Self::InputRegister => 4,
        }
    }

    /// Whether it holds bits, not registers.
    pub fn is_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Input)
    }

    /// Most values of one read.
    pub fn count_max(self) -> u16 {
        if self.is_bits() {
            BITS_MAX
        } else {
            REGISTERS_MAX
        }
    }
}

impl Read {
    fn data_bytes(self) -> usize {
        let count = usize::from(self.count);
        if self.table.is_bits() {
            count.div_ceil(8)
        } else {
            2 * count
        }
    }

    fn pdu(self) -> [u8; 5] {
        let [address, address_low] = self.address.to_be_bytes();
        let [count, count_low] = self.count.to_be_bytes();
        let function = self.table.function();
        [function, address, address_low, count, count_low]
    }

    /// The question over TCP.
    pub fn tcp_request(self, transaction: u16) -> [u8; 12] {
        let mut frame = [0; 12];
        frame[..2].copy_from_slice(&transaction.to_be_bytes());
        frame[5] = 6;
        frame[6] = self.unit;
        frame[7..].copy_from_slice(&self.pdu());
        frame
    }

    /// The question over a serial line.
    pub fn rtu_request(self) -> [u8; 8] {
        let mut frame = [0; 8];
        frame[0] = self.unit;
        frame[1..6].copy_from_slice(&self.pdu());
        let sum = checksum(&frame[..6]).to_le_bytes();
        frame[6..].copy_from_slice(&sum);
        frame
    }

    /// What the device answered, without header and checksum.
    fn answer(self, pdu: &[u8]) -> Result<&[u8], AnswerError> {
        match pdu {
            [function, code] if *function == self.table.function() | EXCEPTION => {
                Err(AnswerError::Exception(*code))
            }
            [function, bytes, data @ ..]
                if *function == self.table.function()
                    && usize::from(*bytes) == self.data_bytes()
                    && data.len() == self.data_bytes() =>
            {
                Ok(data)
            }
            _ => Err(AnswerError::OtherAnswer),
        }
    }

    /// Reads the answer over TCP from a whole frame of [`tcp_frame`]; gives the bytes of the
    /// values.
    pub fn tcp_answer(self, transaction: u16, frame: &[u8]) -> Result<&[u8], AnswerError> {
        let [first, second, _, _, _, _, unit, pdu @ ..] = frame else {
            return Err(AnswerError::Garbled);
        };
        if u16::from_be_bytes([*first, *second]) != transaction {
            return Err(AnswerError::Late);
        }
        if *unit != self.unit {
            return Err(AnswerError::OtherUnit(*unit));
        }
        self.answer(pdu)
    }

    /// How long the answer over a serial line will be, as far as these first bytes say; `None`
    /// while they are too few to say.
    pub fn rtu_length(self, begun: &[u8]) -> Option<usize> {
        match begun {
            [_, function, ..] if function & EXCEPTION != 0 => Some(5),
            [_, _, bytes, ..] => Some(5 + usize::from(*bytes)),
            _ => None,
        }
    }

    /// Reads the answer over a serial line; gives the bytes of the values.
    pub fn rtu_answer(self, frame: &[u8]) -> Result<&[u8], AnswerError> {
        let Some((body, sum)) = frame.split_last_chunk::<2>() else {
            return Err(AnswerError::Garbled);
        };
        if checksum(body) != u16::from_le_bytes(*sum) {
            return Err(AnswerError::Garbled);
        }
        match body {
            [unit, pdu @ ..] if *unit == self.unit => self.answer(pdu),
            [unit, ..] => Err(AnswerError::OtherUnit(*unit)),
            [] => Err(AnswerError::Garbled),
        }
    }
}

/// Finds the first whole frame in what has come over TCP: its length, or `None` while it is not
/// whole. A header that is not of the protocol is garbled: where the next frame begins is unknown.
pub fn tcp_frame(bytes: &[u8]) -> Result<Option<usize>, AnswerError> {
    let [_, _, protocol, protocol_low, length, length_low, ..] = bytes else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([*length, *length_low]));
    let whole = HEADER_BYTES - 1 + length;
    if [*protocol, *protocol_low] != [0, 0] || length < 3 || whole > FRAME_BYTES_MAX {
        return Err(AnswerError::Garbled);
    }
    Ok((bytes.len() >= whole).then_some(whole))
}

/// The checksum of a serial line: polynomial A001, low byte first on the wire.
pub fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte), |sum, _| {
            if sum & 1 == 1 {
                (sum >> 1) ^ 0xa001
            } else {
                sum >> 1
            }
        })
    })
}

/// How a number lies in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NumberEncoding {
    /// One bit: of a register its given bit, else the coil or input itself.
    Bit(u8),
    /// Unsigned, 16 bits.
    U16,
    /// Signed, 16 bits.
    I16,
    /// Unsigned, 32 bits.
    U32,
    /// Signed, 32 bits.
    I32,
    /// Unsigned, 64 bits.
    U64,
    /// Signed, 64 bits.
    I64,
    /// IEEE 754, 32 bits.
    F32,
    /// IEEE 754, 64 bits.
    F64,
}

/// In which order the bytes of a number lie in its registers, for a number of bytes A B C D.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ByteOrder {
    /// A B C D: the high register first, as the standard has it.
    #[default]
    Abcd,
    /// C D A B: the low register first.
    Cdab,
    /// B A D C: bytes swapped in each register.
    Badc,
    /// D C B A: everything reversed.
    Dcba,
}

/// 2⁴⁸ − 1.
const COUNTER_48_NONE: f64 = 281_474_976_710_655.0;

impl NumberEncoding {
    /// Registers a number takes.
    pub fn registers(self) -> u16 {
        match self {
            Self::Bit(_) | Self::U16 | Self::I16 => 1,
            Self::U32 | Self::I32 | Self::F32 => 2,
            Self::U64 | Self::I64 | Self::F64 => 4,
        }
    }

    /// Whether makers write this number where there is none: the smallest of the signed, the
    /// largest of the unsigned (SunSpec, SMA), or the largest of 48 bits in a counter of 64.
    pub fn is_none(self, number: f64) -> bool {
        let none = match self {
            Self::Bit(_) | Self::F32 | Self::F64 => return false,
            Self::U16 => f64::from(u16::MAX),
            Self::I16 => f64::from(i16::MIN),
            Self::U32 => f64::from(u32::MAX),
            Self::I32 => f64::from(i32::MIN),
            Self::U64 if number == COUNTER_48_NONE => return true,
            Self::U64 => u64::MAX as f64,
            Self::I64 => i64::MIN as f64,
        };
        number == none
    }

    /// The number in these bytes, `None` if they are too few.
    pub fn number(self, order: ByteOrder, bytes: &[u8]) -> Option<f64> {
        let registers = usize::from(self.registers());
        let mut raw = [0_u8; 8];
        let raw = raw.get_mut(..2 * registers)?;
        raw.copy_from_slice(bytes.get(..2 * registers)?);
        if matches!(order, ByteOrder::Badc | ByteOrder::Dcba) {
            raw.chunks_exact_mut(2).for_each(<[u8]>::reverse);
        }
        if matches!(order, ByteOrder::Cdab | ByteOrder::Dcba) {
            raw.reverse();
            raw.chunks_exact_mut(2).for_each(<[u8]>::reverse);
        }
        let whole = raw.iter().fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
        Some(match self {
            Self::Bit(bit) => (whole >> bit.min(15) & 1) as f64,
            Self::U16 | Self::U32 | Self::U64 => whole as f64,
            Self::I16 => f64::from(whole as u16 as i16),
            Self::I32 => f64::from(whole as u32 as i32),
            Self::I64 => whole as i64 as f64,
            Self::F32 => f64::from(f32::from_bits(whole as u32)),
            Self::F64 => f64::from_bits(whole),
        })
    }
}

/// One of the bits an answer holds, the first in the lowest place.
pub fn bit(bytes: &[u8], number: usize) -> Option<bool> {
    let byte = bytes.get(number / 8)?;
    Some(byte >> (number % 8) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const READ: Read = Read {
        unit: 1,
        table: RegisterTable::Holding,
        address: 3,
        count: 3,
    };

    #[test]
    fn a_read_over_tcp_has_the_bytes_a_foreign_server_was_seen_to_take() {
        assert_eq!(READ.tcp_request(1), [0, 1, 0, 0, 0, 6, 1, 3, 0, 3, 0, 3]);
        let frame = [0, 1, 0, 0, 0, 9, 1, 3, 6, 3, 0xe8, 3, 0xe9, 3, 0xea];
        assert_eq!(tcp_frame(&frame), Ok(Some(15)));
        let data = READ.tcp_answer(1, &frame).unwrap();
        assert_eq!(
            NumberEncoding::U16.number(ByteOrder::Abcd, data),
            Some(1000.0)
        );
        let no = [0, 1, 0, 0, 0, 3, 1, 0x83, 2];
        assert_eq!(READ.tcp_answer(1, &no), Err(AnswerError::Exception(2)));
    }

    #[test]
    fn a_read_over_a_serial_line_is_checked_by_its_sum() {
        let read = Read {
            unit: 5,
            table: RegisterTable::InputRegister,
            address: 0,
            count: 2,
        };
        assert_eq!(read.rtu_request(), [5, 4, 0, 0, 0, 2, 0x70, 0x4f]);
        let frame = [5, 4, 4, 0x43, 0x66, 0x80, 0, 0x2a, 0x1f];
        assert_eq!(read.rtu_length(&frame[..2]), None);
        assert_eq!(read.rtu_length(&frame[..3]), Some(9));
        let data = read.rtu_answer(&frame).unwrap();
        assert_eq!(
            NumberEncoding::F32.number(ByteOrder::Abcd, data),
            Some(230.5)
        );
        let mut broken = frame;
        broken[4] ^= 1;
        assert_eq!(read.rtu_answer(&broken), Err(AnswerError::Garbled));
    }

    #[test]
    fn what_is_no_answer_has_its_name() {
        let frame = [0, 1, 0, 0, 0, 9, 1, 3, 6, 3, 0xe8, 3, 0xe9, 3, 0xea];
        assert_eq!(READ.tcp_answer(2, &frame), Err(AnswerError::Late));
        let other = Read { unit: 2, ..READ };
        assert_eq!(other.tcp_answer(1, &frame), Err(AnswerError::OtherUnit(1)));
        let more = Read { count: 4, ..READ };
        assert_eq!(more.tcp_answer(1, &frame), Err(AnswerError::OtherAnswer));
        assert_eq!(tcp_frame(&[0, 1, 0, 9, 0, 9]), Err(AnswerError::Garbled));
        assert_eq!(tcp_frame(&[0, 1, 0, 0, 9, 9]), Err(AnswerError::Garbled));
        assert_eq!(tcp_frame(&frame[..14]), Ok(None));
    }

    #[test]
    fn numbers_lie_in_four_orders() {
        // 123456789 = 07 5b cd 15.
        for (order, bytes) in [
            (ByteOrder::Abcd, [0x07, 0x5b, 0xcd, 0x15]),
            (ByteOrder::Cdab, [0xcd, 0x15, 0x07, 0x5b]),
            (ByteOrder::Badc, [0x5b, 0x07, 0x15, 0xcd]),
            (ByteOrder::Dcba, [0x15, 0xcd, 0x5b, 0x07]),
        ] {
            let number = NumberEncoding::U32.number(order, &bytes);
            assert_eq!(number, Some(123_456_789.0), "{order:?}");
        }
        let nones = [
            (NumberEncoding::U16, &[0xff; 2][..]),
            (NumberEncoding::I16, &[0x80, 0]),
            (NumberEncoding::U32, &[0xff; 4]),
            (NumberEncoding::I32, &[0x80, 0, 0, 0]),
            (NumberEncoding::U64, &[0xff; 8]),
            (
                NumberEncoding::U64,
                &[0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            ),
            (NumberEncoding::I64, &[0x80, 0, 0, 0, 0, 0, 0, 0]),
        ];
        for (encoding, bytes) in nones {
            let number = encoding.number(ByteOrder::Abcd, bytes).unwrap();
            assert!(encoding.is_none(number), "{encoding:?}");
            assert!(!encoding.is_none(230.0), "{encoding:?}");
        }
        let i16 = NumberEncoding::I16.number(ByteOrder::Abcd, &[0xff, 0xfe]);
        assert_eq!(i16, Some(-2.0));
        let f64 = NumberEncoding::F64.number(ByteOrder::Abcd, &1.5_f64.to_be_bytes());
        assert_eq!(f64, Some(1.5));
        assert_eq!(
            NumberEncoding::U32.number(ByteOrder::Abcd, &[1, 2, 3]),
            None
        );
        assert_eq!(
            NumberEncoding::Bit(9).number(ByteOrder::Abcd, &[2, 0]),
            Some(1.0)
        );
        assert_eq!(bit(&[0b100], 2), Some(true));
        assert_eq!(bit(&[0], 8), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            unit in any::<u8>(),
            count in any::<u16>(),
        ) {
            let read = Read { unit, table: RegisterTable::Input, address: 0, count };
            if let Ok(Some(whole)) = tcp_frame(&bytes) {
                prop_assert!(whole <= bytes.len());
            }
            read.tcp_answer(0, &bytes).ok();
            read.rtu_length(&bytes);
            if let Ok(data) = read.rtu_answer(&bytes) {
                prop_assert_eq!(data.len(), read.data_bytes());
            }
        }

        #[test]
        fn every_order_finds_its_number(n in any::<u64>()) {
            let high_first = n.to_be_bytes();
            let mut low_first: Vec<u8> = high_first.to_vec();
            low_first.reverse();
            prop_assert_eq!(NumberEncoding::U64.number(ByteOrder::Abcd, &high_first), Some(n as f64));
            prop_assert_eq!(NumberEncoding::U64.number(ByteOrder::Dcba, &low_first), Some(n as f64));
        }
    }
}
