//! Writes a recording of synthetic events: `recording FILE [EVENTS [EVENTS_PER_SECOND [SEED]]]`. The same arguments
//! give the same file, byte for byte.

use std::{error::Error, path::Path};

use observer_recordings::pinned;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: u64| args.get(index).map_or(Ok(default), |text| text.parse());
    let path = args.first().ok_or("usage: recording FILE [EVENTS [EVENTS_PER_SECOND [SEED]]]")?;
    let (events, rate, seed) = (number(1, 20_000)?, number(2, 2_000)?, number(3, 1)?);
    let written = pinned::record(Path::new(path), events, rate, seed)?;
    println!("{} events, {} bytes", written.events, written.bytes);
    Ok(())
}
