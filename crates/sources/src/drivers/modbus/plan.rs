//! How the registers of a device are fetched in few reads. Neighbours and near neighbours go
//! together; a device that refuses a read because of what lies between gets it in smaller pieces,
//! until what it really lacks is known.

use wire::modbus::Read;

use super::map::{Map, Register};

/// Registers that nobody asked for and that are fetched along rather than asking twice.
const GAP_MAX: u32 = 16;

/// One read and the registers of the map that it brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) read: Read,
    /// Places in the map, in order of address.
    pub(super) members: Vec<usize>,
}

/// Groups all registers of a map.
pub(super) fn groups(unit: u8, map: &Map) -> Vec<Group> {
    let mut order: Vec<usize> = (0..map.registers.len()).collect();
    order.sort_by_key(|&i| map.registers.get(i).map(|r| (r.table, r.address)));
    gather(unit, map, &order, GAP_MAX)
}

/// A group that was refused, in smaller pieces: first without what lies between, then by halves.
/// `None` if there is nothing left to divide.
pub(super) fn divide(unit: u8, map: &Map, group: &Group) -> Option<Vec<Group>> {
    let pieces = gather(unit, map, &group.members, 0);
    if pieces.len() > 1 {
        return Some(pieces);
    }
    let half = group.members.len() / 2;
    if half == 0 {
        return None;
    }
    let (low, high) = group.members.split_at(half);
    let mut pieces = gather(unit, map, low, 0);
    pieces.extend(gather(unit, map, high, 0));
    Some(pieces)
}

fn gather(unit: u8, map: &Map, members: &[usize], gap_max: u32) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for &member in members {
        let Some(register) = map.registers.get(member) else {
            continue;
        };
        let fits = |group: &&mut Group| fits(group, register, map, gap_max);
        if let Some(group) = groups.last_mut().filter(fits) {
            let end = u32::from(group.read.address) + u32::from(group.read.count);
            let count = end.max(register.end()) - u32::from(group.read.address);
            group.read.count = count as u16;
            group.members.push(member);
        } else {
            let read = Read {
                unit,
                table: register.table,
                address: register.address,
                count: register.width(),
            };
            let members = vec![member];
            groups.push(Group { read, members });
        }
    }
    groups
}

/// Whether a register can be fetched along with a group before it.
fn fits(group: &Group, register: &Register, map: &Map, gap_max: u32) -> bool {
    let start = u32::from(group.read.address);
    let end = start + u32::from(group.read.count);
    let gap = u32::from(register.address).saturating_sub(end);
    let most = if register.table.is_bits() {
        register.table.count_max()
    } else {
        map.registers_max.min(register.table.count_max())
    };
    let is_near = group.read.table == register.table && gap <= gap_max;
    is_near && register.end() - start <= u32::from(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wire::modbus::{ByteOrder, NumberEncoding, RegisterTable};

    fn map(addresses: &[u16], encoding: NumberEncoding) -> Map {
        let register = |(i, address): (usize, &u16)| Register {
            point: format!("p{i}"),
            table: RegisterTable::Holding,
            address: *address,
            encoding,
            order: ByteOrder::Abcd,
            scale: 1.0,
            has_none: true,
        };
        Map {
            registers: addresses.iter().enumerate().map(register).collect(),
            registers_max: 60,
        }
    }

    fn reads(groups: &[Group]) -> Vec<(u16, u16)> {
        let read = |g: &Group| (g.read.address, g.read.count);
        groups.iter().map(read).collect()
    }

    #[test]
    fn near_neighbours_go_together_and_far_ones_do_not() {
        let map = map(&[12, 0, 6, 342], NumberEncoding::F32);
        assert_eq!(reads(&groups(1, &map)), [(0, 14), (342, 2)]);
    }

    #[test]
    fn what_is_refused_is_divided_until_one_register_is_left() {
        let map = map(&[0, 2, 6], NumberEncoding::F32);
        let all = groups(1, &map);
        assert_eq!(reads(&all), [(0, 8)]);
        let pieces = divide(1, &map, &all[0]).unwrap();
        assert_eq!(reads(&pieces), [(0, 4), (6, 2)]);
        let halves = divide(1, &map, &pieces[0]).unwrap();
        assert_eq!(reads(&halves), [(0, 2), (2, 2)]);
        assert_eq!(divide(1, &map, &halves[0]), None);
    }

    proptest! {
        #[test]
        fn every_register_is_in_one_read_that_the_device_takes(
            addresses in proptest::collection::vec(0_u16..65_000, 1..60),
        ) {
            let map = map(&addresses, NumberEncoding::F32);
            let groups = groups(1, &map);
            let mut seen: Vec<usize> = groups.iter().flat_map(|g| g.members.clone()).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..addresses.len()).collect::<Vec<_>>());
            for group in &groups {
                prop_assert!(group.read.count <= 60);
                for &member in &group.members {
                    let register = &map.registers[member];
                    prop_assert!(register.address >= group.read.address);
                    let end = u32::from(group.read.address) + u32::from(group.read.count);
                    prop_assert!(register.end() <= end);
                }
            }
        }
    }
}
