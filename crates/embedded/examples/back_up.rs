//! Fills a data folder and backs it up, again and again under other names, and says after each that
//! it is made: the counterpart of the power-cut test. `back_up FOLDER TIMES` works in
//! `FOLDER/data` and `FOLDER/usb`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test's counterpart"
)]

use std::io::Write as _;
use std::path::Path;

use embedded::Embedded;
use model::{Quality, Reading, Time};
use store::{Batch, Engine as _, NewBackup};

fn main() {
    let folder = std::env::args().nth(1).unwrap();
    let times: i64 = std::env::args().nth(2).unwrap().parse().unwrap();
    let (data, usb) = (
        Path::new(&folder).join("data"),
        Path::new(&folder).join("usb"),
    );
    let mut store = Embedded.open(&data).unwrap();
    let series = store.series("m1", "power_w", "W").unwrap();
    for time in 1..=times {
        let at = |n: i64| Time::from_ms(1_795_000_000_000 + time * 100_000 + n);
        let reading = |n: i64| Reading {
            series,
            t: at(n),
            value: n as f64,
            quality: Quality::Good,
        };
        let readings = (0..100).map(reading).collect();
        let batch = Batch {
            readings,
            arrived: at(0),
            ..Batch::default()
        };
        store.commit(&batch).unwrap();
        let to = usb.join(format!("{time}.tar.gz"));
        let backup = NewBackup {
            folder: &data,
            to: &to,
            made: at(0),
            passphrase: None,
        };
        Embedded.back_up(&backup, &|_| true).unwrap();
        println!("{time}");
        std::io::stdout().flush().unwrap();
    }
}
