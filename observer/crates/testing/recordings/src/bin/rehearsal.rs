//! Writes a recording of made-up events on an unfixed kernel, for `observer replay` to show:
//! `rehearsal FILE [SECONDS [EVENTS_PER_SECOND]]`.

use std::{error::Error, path::Path};

use observer_recordings::unfixed;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let path = args.first().ok_or("usage: rehearsal FILE [SECONDS [EVENTS_PER_SECOND]]")?;
    let number = |index: usize, default: u64| args.get(index).map_or(Ok(default), |text| text.parse());
    unfixed::record(Path::new(path), number(1, 60)?, number(2, 1_000)?)
}
