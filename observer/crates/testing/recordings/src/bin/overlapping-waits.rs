//! Writes a recording of faults whose wait for the folio lock overlaps their read: `overlapping-waits FILE`.

use std::{error::Error, path::Path};

use observer_recordings::overlapping_waits;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: overlapping-waits FILE")?;
    let written = overlapping_waits::record(Path::new(&path))?;
    println!("{} events, {} bytes", written.events, written.bytes);
    Ok(())
}
