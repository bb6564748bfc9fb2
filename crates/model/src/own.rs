//! Names of what the box does to itself on purpose, so that people can tell it from what happens to
//! the factory. Nothing that judges looks at them.

use std::net::Ipv4Addr;

/// Host and program in the lines the box sends itself, to see that they arrive.
pub const SELF_CHECK: (&str, &str) = ("mimamori", "self-check");

/// Where the box knocks at its own door from: on loopback, and used by nothing else.
pub const KNOCKS_FROM: Ipv4Addr = Ipv4Addr::new(127, 7, 7, 7);

/// The box's own device, which tries what devices may not do.
pub const PROBER: &str = "mimamori-prober";

/// The device and machine on which faults are made on purpose; on no board and in no figure.
pub const TWIN: &str = "mimamori-twin";
