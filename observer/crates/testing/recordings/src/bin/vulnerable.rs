//! Writes a recording of synthetic events on a vulnerable kernel, for `observer replay`:
//! `vulnerable FILE [SECONDS [EVENTS_PER_SECOND]]`.

use std::{error::Error, path::Path};

use observer_recordings::vulnerable;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let path = args.first().ok_or("usage: vulnerable FILE [SECONDS [EVENTS_PER_SECOND]]")?;
    let number = |index: usize, default: u64| args.get(index).map_or(Ok(default), |text| text.parse());
    vulnerable::record(Path::new(path), number(1, 60)?, number(2, 1_000)?)
}
