//! The two text formats: their lines, and how they write values and labels.

use std::fmt::{Display, Write as _};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The Prometheus text format 0.0.4.
    Prometheus,
}

impl Dialect {
    /// Content type for HTTP.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

/// Families and samples, written so far.
pub(super) struct Exposition {
    text: String,
    dialect: Dialect,
    name: String,
    kind: Kind,
}

impl Exposition {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { text: String::new(), dialect, name: String::new(), kind: Kind::Gauge }
    }

    /// Starts a family. The older format gives a family the name of its samples.
    pub(super) fn family(&mut self, name: &str, kind: Kind, unit: &str, help: &str) -> &mut Self {
        name.clone_into(&mut self.name);
        self.kind = kind;
        let (family, type_name) = match (self.dialect, kind) {
            (Dialect::OpenMetrics, Kind::Info) => (name.to_owned(), "info"),
            (Dialect::Prometheus, Kind::Info) => (format!("{name}_info"), "gauge"),
            (Dialect::OpenMetrics, Kind::Counter) => (name.to_owned(), "counter"),
            (Dialect::Prometheus, Kind::Counter) => (format!("{name}_total"), "counter"),
            (_, Kind::Gauge) => (name.to_owned(), "gauge"),
            (_, Kind::Histogram) => (name.to_owned(), "histogram"),
        };
        self.line(format_args!("# HELP {family} {help}"));
        self.line(format_args!("# TYPE {family} {type_name}"));
        if self.dialect == Dialect::OpenMetrics && !unit.is_empty() {
            self.line(format_args!("# UNIT {family} {unit}"));
        }
        self
    }

    pub(super) fn count(&mut self, labels: &[(&str, &str)], count: u64) -> &mut Self {
        let suffix = self.suffix();
        self.write(suffix, labels, None, count)
    }

    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: f64) -> &mut Self {
        let suffix = self.suffix();
        self.write(suffix, labels, None, value)
    }

    /// The one sample of an info family.
    pub(super) fn info(&mut self, labels: &[(&str, &str)]) -> &mut Self {
        self.write("_info", labels, None, 1)
    }

    /// The number of values that are at most `bound`; `None` for all values.
    pub(super) fn bucket(&mut self, labels: &[(&str, &str)], bound: Option<f64>, count: u64) {
        let le = bound.map_or("+Inf".to_owned(), self::bound);
        self.write("_bucket", labels, Some(&le), count);
    }

    /// The end of a histogram.
    pub(super) fn histogram_sum(&mut self, labels: &[(&str, &str)], sum: f64, count: u64) {
        self.write("_sum", labels, None, sum).write("_count", labels, None, count);
    }

    pub(super) fn finish(mut self) -> String {
        if self.dialect == Dialect::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    const fn suffix(&self) -> &'static str {
        if matches!(self.kind, Kind::Counter) { "_total" } else { "" }
    }

    fn write(&mut self, suffix: &str, labels: &[(&str, &str)], le: Option<&str>, value: impl Display) -> &mut Self {
        let all = labels.iter().copied().chain(le.map(|le| ("le", le)));
        let written: Vec<String> = all.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let name = std::mem::take(&mut self.name);
        if written.is_empty() {
            self.line(format_args!("{name}{suffix} {value}"));
        } else {
            self.line(format_args!("{name}{suffix}{{{}}} {value}", written.join(",")));
        }
        self.name = name;
        self
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// A bound of a bucket. It is text, of which OpenMetrics wants that of a floating-point number.
pub(super) fn bound(seconds: f64) -> String {
    let text = seconds.to_string();
    if text.contains('.') { text } else { text + ".0" }
}

fn escaped(value: &str) -> String {
    observer_text::line(value).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_older_dialect_puts_the_suffix_of_a_counter_on_its_family() {
        let page = |dialect| {
            let mut page = Exposition::new(dialect);
            page.family("x", Kind::Counter, "", "Help.").count(&[("a", "b\"\n")], 3);
            page.finish()
        };
        let open = "# HELP x Help.\n# TYPE x counter\nx_total{a=\"b\\\"\\\\x0a\"} 3\n# EOF\n";
        let old = "# HELP x_total Help.\n# TYPE x_total counter\nx_total{a=\"b\\\"\\\\x0a\"} 3\n";
        assert_eq!((page(Dialect::OpenMetrics).as_str(), page(Dialect::Prometheus).as_str()), (open, old));
    }
}
