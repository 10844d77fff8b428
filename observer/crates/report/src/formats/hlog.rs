//! Distributions as an `HdrHistogram` V2 interval log: one interval for each observation and distribution, its name the tag.
//! Logs of many hosts are merged by the tools that come with `HdrHistogram`. Values are nanoseconds.

use std::{
    io::{self, Write},
    time::{Duration, UNIX_EPOCH},
};

use hdrhistogram::serialization::{
    V2DeflateSerializer,
    interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError, Tag},
};

use crate::{observed::Observed, summary::Source};

/// The log shows each interval's largest value in this unit of nanoseconds: milliseconds, as is usual.
const MAX_UNIT: f64 = 1e6;

/// Writes the log: of every observation every distribution that holds anything.
///
/// # Errors
/// When the output cannot be written.
pub fn write(parts: &[Observed], out: &mut dyn Write) -> io::Result<()> {
    let mut parts: Vec<&Observed> = parts.iter().collect();
    parts.sort_by_key(|part| start(part));
    let mut out = Adapter(out);
    let mut builder = IntervalLogWriterBuilder::new();
    builder.add_comment("observer: durations of swap-ins and of contention, nanoseconds; tag = distribution");
    for part in &parts {
        let summary = &part.summary;
        builder.add_comment(&one_line(&format!("host {}, kernel {}", summary.host, summary.kernel.release)));
        for (option, value) in &summary.filters {
            builder.add_comment(&one_line(&format!("filter {option} {value}")));
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
            let tag = Tag::new(measure.name());
            log.write_histogram(histogram, start(part).saturating_sub(first), Duration::from_nanos(length), tag)
                .map_err(io_error)?;
        }
    }
    Ok(())
}

/// When an observation started, since 1970.
fn start(part: &Observed) -> Duration {
    let starts = part.summary.sources.iter().map(|Source { clocks, .. }| clocks.realtime_ns);
    Duration::from_nanos(starts.min().unwrap_or(0))
}

/// A comment goes up to the end of its line.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn io_error(error: IntervalLogWriterError<impl std::fmt::Debug>) -> io::Error {
    match error {
        IntervalLogWriterError::IoError(error) => error,
        IntervalLogWriterError::SerializeError(error) => io::Error::other(format!("{error:?}")),
    }
}

/// The log's writer takes only types of a known size.
struct Adapter<'a>(&'a mut dyn Write);

impl Write for Adapter<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
