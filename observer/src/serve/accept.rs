//! Which text format a client accepts: the header `Accept` of RFC 9110, 12.5.1.

use observer_report::formats::openmetrics::Dialect;

/// How a media range refers to a format, the more specific the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Specificity {
    /// `*/*`
    Any,
    /// `text/*`
    Kind,
    /// `text/plain`
    Named,
    /// `text/plain;version=0.0.4`
    Version,
}

/// A media range with its quality, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    version: Option<&'a str>,
    quality: f32,
}

/// What a client thinks of a format.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Opinion {
    specificity: Specificity,
    quality: f32,
}

/// The format with the highest quality. Of two with the same quality OpenMetrics, if it is named. A client that names
/// neither format gets the one that every client reads. `None`: it excludes both.
pub(super) fn dialect(accept: &str) -> Option<Dialect> {
    let ranges: Vec<Range<'_>> = split(accept, ',').filter_map(range).collect();
    let open = opinion(&ranges, "application", "openmetrics-text", "1.0.0");
    let plain = opinion(&ranges, "text", "plain", "0.0.4");
    let excluded = |opinion: Option<Opinion>| opinion.is_some_and(|opinion| opinion.quality == 0.0);
    match (open, plain) {
        _ if excluded(open) && excluded(plain) => None,
        _ if excluded(open) => Some(Dialect::Prometheus),
        _ if excluded(plain) => Some(Dialect::OpenMetrics),
        (Some(open), Some(plain)) if open.quality < plain.quality => Some(Dialect::Prometheus),
        (Some(open), Some(plain)) if open.quality > plain.quality => Some(Dialect::OpenMetrics),
        (Some(open), _) if open.specificity > Specificity::Any => Some(Dialect::OpenMetrics),
        _ => Some(Dialect::Prometheus),
    }
}

/// The quality of the most specific range that matches a format.
fn opinion(ranges: &[Range<'_>], kind: &str, subtype: &str, version: &str) -> Option<Opinion> {
    let opinions = ranges.iter().filter_map(|range| {
        let is = |name: &str, expected: &str| name.eq_ignore_ascii_case(expected);
        let specificity = match (range.kind, range.subtype, range.version) {
            ("*", "*", None) => Specificity::Any,
            (found, "*", None) if is(found, kind) => Specificity::Kind,
            (found, named, None) if is(found, kind) && is(named, subtype) => Specificity::Named,
            (found, named, Some(asked)) if is(found, kind) && is(named, subtype) && asked == version => {
                Specificity::Version
            }
            _ => return None,
        };
        Some(Opinion { specificity, quality: range.quality })
    });
    opinions.max_by(|a, b| a.specificity.cmp(&b.specificity).then(a.quality.total_cmp(&b.quality)))
}

/// One media range; `None`: malformed.
fn range(text: &str) -> Option<Range<'_>> {
    let mut parts = split(text, ';').map(str::trim);
    let (kind, subtype) = parts.next()?.split_once('/')?;
    if kind.is_empty() || subtype.is_empty() {
        return None;
    }
    let (mut version, mut quality) = (None, 1.0);
    for parameter in parts.filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=')?;
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => quality = self::quality(value.trim())?,
            "version" => version = Some(value.trim().trim_matches('"')),
            _ => {}
        }
    }
    Some(Range { kind, subtype, version, quality })
}

/// Digits with at most one point, from 0 to 1.
fn quality(text: &str) -> Option<f32> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let value: f32 = text.parse().ok().filter(|_| is_plain)?;
    (0.0..=1.0).contains(&value).then_some(value)
}

/// The parts between separators outside quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Option<Dialect> = Some(Dialect::OpenMetrics);
    const PLAIN: Option<Dialect> = Some(Dialect::Prometheus);

    #[test]
    fn the_accepted_format_of_the_highest_quality_is_served() {
        for (accept, expected) in [
            // Clients that name one or none.
            ("", PLAIN),
            ("*/*", PLAIN),
            ("text/*", PLAIN),
            ("text/plain", PLAIN),
            ("application/json", PLAIN),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", PLAIN),
            ("application/openmetrics-text", OPEN),
            ("application/*", OPEN),
            ("Application/OpenMetrics-Text; Version=1.0.0; charset=utf-8", OPEN),
            ("application/openmetrics-text; version=\"1.0.0\"", OPEN),
            // Prometheus 2.x and 3.x.
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                OPEN,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
                 application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                OPEN,
            ),
            // Qualities.
            ("text/plain;q=1, application/openmetrics-text;q=0", PLAIN),
            ("text/plain;q=0.2, application/openmetrics-text;q=0.1", PLAIN),
            ("text/plain;q=0.1, application/openmetrics-text;q=0.2", OPEN),
            ("text/plain, application/openmetrics-text", OPEN),
            ("*/*, application/openmetrics-text;q=0.9", PLAIN),
            ("*/*;q=0.9, application/openmetrics-text;q=0.9", OPEN),
            ("application/openmetrics-text;q=0", PLAIN),
            ("application/openmetrics-text;q=0.000, */*", PLAIN),
            ("text/plain;q=0, */*", OPEN),
            ("text/*;q=0, */*;q=0.1", OPEN),
            // The more specific range counts, whatever the order and the quality.
            ("*/*;q=0, application/openmetrics-text;q=0.1", OPEN),
            ("*/*;q=0, text/plain;q=0.1", PLAIN),
            ("application/*;q=0, application/openmetrics-text;q=0.5, text/plain;q=0.4", OPEN),
            ("application/openmetrics-text;q=0, application/openmetrics-text;version=1.0.0;q=0.5", OPEN),
            // Versions that are not served.
            ("application/openmetrics-text;version=2.0.0, text/plain;q=0.1", PLAIN),
            ("application/openmetrics-text;version=0.0.1", PLAIN),
            // Neither.
            ("*/*;q=0", None),
            ("text/plain;q=0, application/openmetrics-text;q=0.0", None),
            ("text/*;q=0, application/*;q=0, */*", None),
        ] {
            assert_eq!(dialect(accept), expected, "{accept}");
        }
    }

    #[test]
    fn malformed_ranges_are_ignored_and_the_others_count() {
        for malformed in [
            "application/openmetrics-text;q=2",
            "application/openmetrics-text;q=-1",
            "application/openmetrics-text;q=NaN",
            "application/openmetrics-text;q=inf",
            "application/openmetrics-text;q=1e0",
            "application/openmetrics-text;q=",
            "application/openmetrics-text;q",
            "application/openmetrics-text;q=.",
            "application/",
            "/openmetrics-text",
            "openmetrics-text",
            ";;;,,,",
            "*",
            "not application/openmetrics-text",
            "x/y;z=\"application/openmetrics-text, application/openmetrics-text",
            "application/openmetrics-textual",
        ] {
            assert_eq!(dialect(malformed), PLAIN, "{malformed}");
            assert_eq!(dialect(&format!("application/openmetrics-text;q=0.5,{malformed}")), OPEN, "{malformed}");
        }
        assert_eq!(dialect("x/y;z=\",application/openmetrics-text,\", text/plain"), PLAIN, "in quotes");
        assert_eq!(dialect("application/openmetrics-text; q=0.4 ; , text/plain ; q=0.3"), OPEN, "odd spaces");
    }
}
