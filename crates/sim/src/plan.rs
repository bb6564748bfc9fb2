//! What will happen, from a seed: which machine is changed how, and when. Without an end the same
//! round is played again and again.

/// A machine of the factory. Its one device has the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineName {
    /// Identifier in topics and in the API.
    pub id: &'static str,
    /// Japanese name.
    pub ja: &'static str,
    /// English name.
    pub en: &'static str,
}

/// The machines: the source's robot cell, a lathe seen only by its power, a press seen only by
/// pulses, an old machine seen only by its lamp, and a mill that changes product.
pub const MACHINES: [MachineName; 5] = [
    MachineName {
        id: "robot-1",
        ja: "溶接ロボット 1",
        en: "Welding robot 1",
    },
    MachineName {
        id: "lathe-1",
        ja: "旋盤 1(電力のみ)",
        en: "Lathe 1 (power only)",
    },
    MachineName {
        id: "press-1",
        ja: "プレス 1(パルス)",
        en: "Press 1 (pulses)",
    },
    MachineName {
        id: "old-1",
        ja: "古い研削盤(ランプ)",
        en: "Old grinder (lamp)",
    },
    MachineName {
        id: "mill-2",
        ja: "フライス盤 2",
        en: "Milling machine 2",
    },
];

/// The devices that need a token.
pub const DEVICES: [&str; 5] = ["robot-1", "lathe-1", "press-1", "old-1", "mill-2"];

/// The product is killed this many seconds into the run and started again.
pub const POWER_CUT_S: f64 = 39.0;

/// Seconds a whole round takes.
pub const SECONDS_FULL: u64 = 90;

/// Time after an event in which its last cycle ends and its alarm clears.
const MARGIN_S: f64 = 6.0;

/// What is done to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlanKind {
    /// It runs faster.
    Speed,
    /// It needs more energy at the same speed.
    Energy,
    /// It makes another product.
    Changeover,
    /// Its device falls silent.
    Gap,
    /// Its red lamp comes on.
    Stop,
    /// It waits for work.
    Wait,
}

impl PlanKind {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Speed => "speed",
            Self::Energy => "energy",
            Self::Changeover => "changeover",
            Self::Gap => "gap",
            Self::Stop => "stop",
            Self::Wait => "wait",
        }
    }
}

/// Something that happens to a machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Event {
    pub(crate) kind: PlanKind,
    pub(crate) machine: &'static str,
    pub(crate) from_s: f64,
    pub(crate) to_s: f64,
}

/// The events of one run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) events: Vec<Event>,
}

/// A small generator of random numbers (SplitMix64): the same seed gives the same factory.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self(seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Between 0 and 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal, mean 0, standard deviation 1 (sum of twelve).
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.share()).sum::<f64>() - 6.0
    }

    fn pick<T: Copy>(&mut self, from: &[T], otherwise: T) -> T {
        let index = (self.share() * from.len() as f64) as usize;
        from.get(index).copied().unwrap_or(otherwise)
    }
}

impl Plan {
    pub(crate) fn new(seed: u64, seconds: Option<u64>) -> Self {
        let mut random = Random::new(seed, 0);
        let last_s = seconds.unwrap_or(u64::MAX) as f64;
        // A run without an end repeats the round for an hour and then stays normal.
        let rounds = if seconds.is_none() { 50 } else { 1 };
        let mut events = Vec::new();
        for round in 0..rounds {
            let offset_s = 64.0 * f64::from(round);
            events.extend(one_round(&mut random).map(|event| Event {
                from_s: event.from_s + offset_s,
                to_s: event.to_s + offset_s,
                ..event
            }));
        }
        events.retain(|event| event.to_s + MARGIN_S <= last_s);
        Self { seed, events }
    }

    /// What is being done to a machine at a moment of the run.
    pub(crate) fn active(&self, machine: &str, kind: PlanKind, at_s: f64) -> bool {
        self.events.iter().any(|event| {
            event.machine == machine
                && event.kind == kind
                && (event.from_s..event.to_s).contains(&at_s)
        })
    }

    /// How often a machine has changed product by a moment.
    pub(crate) fn changeovers(&self, machine: &str, by_s: f64) -> usize {
        let of =
            |e: &&Event| e.machine == machine && e.kind == PlanKind::Changeover && e.from_s <= by_s;
        self.events.iter().filter(of).count()
    }
}

fn one_round(random: &mut Random) -> impl Iterator<Item = Event> + use<> {
    let fast = random.pick(&["robot-1", "lathe-1", "mill-2"], "robot-1");
    let hungry = random.pick(&["robot-1", "lathe-1"], "robot-1");
    let silent = random.pick(&["robot-1", "lathe-1"], "lathe-1");
    let mut event = |kind, machine, from_s: f64, length_s: f64| {
        let from_s = from_s + random.share();
        Event {
            kind,
            machine,
            from_s,
            to_s: from_s + length_s,
        }
    };
    [
        event(PlanKind::Wait, "robot-1", 22.0, 2.0),
        event(PlanKind::Speed, fast, 26.0, 8.0),
        event(PlanKind::Energy, hungry, 44.0, 8.0),
        event(PlanKind::Changeover, "mill-2", 55.0, 1.0),
        event(PlanKind::Gap, silent, 59.0, 7.0),
        event(PlanKind::Stop, "old-1", 70.0, 6.0),
    ]
    .into_iter()
}
