//! Distributions as an `HdrHistogram` V2 interval log: one interval for each observation and distribution, tagged with
//! the name of the distribution. The tools of `HdrHistogram` merge the logs of many hosts. Values are nanoseconds.

use std::{
    io::{self, Write},
    time::{Duration, UNIX_EPOCH},
};

use hdrhistogram::serialization::{
    V2DeflateSerializer,
    interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError, Tag},
};

use crate::{observed::Observed, summary::Source, words};
use observer_text::line;

/// Nanoseconds per unit in which the log gives the largest value of each interval: milliseconds, by convention.
const MAX_UNIT: f64 = 1e6;

/// Writes every distribution that is not empty.
///
/// # Errors
/// When the output cannot be written.
pub(super) fn write(parts: &[Observed], out: &mut dyn Write) -> io::Result<()> {
    let mut parts: Vec<&Observed> = parts.iter().collect();
    parts.sort_by_key(|part| start(part));
    let mut out = Adapter(out);
    let mut builder = IntervalLogWriterBuilder::new();
    builder.add_comment("observer: durations of swap-ins and of contention, nanoseconds; tag = distribution");
    for part in &parts {
        let summary = &part.summary;
        builder.add_comment(&line(&format!("host {}, kernel {}", summary.host, summary.kernel.release)));
        for (option, value) in &summary.filters {
            builder.add_comment(&line(&format!("filter {option} {value}")));
        }
        if let Some(selected) = &summary.selection {
            let options = words::selection(selected);
            builder.add_comment(&line(&format!("selection {options}: {}; {}", words::SELECTED, words::WHOLE)));
        }
    }
    let first = parts.first().map_or(Duration::ZERO, |part| start(part));
    builder.with_start_time(UNIX_EPOCH + first);
    builder.with_base_time(UNIX_EPOCH + first);
    builder.with_max_value_divisor(MAX_UNIT);
    let mut serializer = V2DeflateSerializer::new();
    let mut log = builder.begin_log_with(&mut out, &mut serializer)?;
    for part in &parts {
        let length = part.summary.sources.iter().map(|source| source.elapsed_ns).max().unwrap_or(0);
        for (measure, histogram) in part.histograms.filled() {
            let tag = Tag::new(measure.code());
            log.write_histogram(histogram, start(part).saturating_sub(first), Duration::from_nanos(length), tag)
                .map_err(io_error)?;
        }
    }
    Ok(())
}

/// Start of an observation, since 1970, as the wall clock was set then.
fn start(part: &Observed) -> Duration {
    let starts = part.summary.sources.iter().map(|Source { wall_clock, .. }| wall_clock.start().realtime_ns);
    Duration::from_nanos(starts.min().unwrap_or(0))
}

fn io_error(error: IntervalLogWriterError<impl std::fmt::Debug>) -> io::Error {
    match error {
        IntervalLogWriterError::IoError(error) => error,
        IntervalLogWriterError::SerializeError(error) => io::Error::other(format!("{error:?}")),
    }
}

/// The writer of the log accepts only sized types.
struct Adapter<'a>(&'a mut dyn Write);

impl Write for Adapter<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
