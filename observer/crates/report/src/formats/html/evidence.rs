//! The evidence of a finding.

use std::fmt::Write as _;

use super::markup::{
    Column::{Number, Text},
    Markup, escaped,
};
use crate::{
    picture::{
        story::{Setting, story},
        svg,
    },
    summary::{Summary, place::Placed},
    units::{offset_between, seconds},
    words,
};
use observer_engine::verdict::Finding;

/// The swim-lane picture, and its steps as a table.
pub(super) fn picture(summary: &Summary, finding: &Placed<Finding>) -> String {
    let setting = Setting {
        release: summary.kernel.release.clone(),
        state: summary.kernel.state,
        device: finding.device.as_ref().map(|path| path.without_prefix("/dev/").to_string()).unwrap_or_default(),
    };
    let story = story(finding, &setting);
    let mut page = Markup::default();
    page.write(format_args!(
        "<picture><source media=\"(max-width: {NARROW})\" srcset=\"data:image/svg+xml,{}\">\
         <img alt=\"{}\" src=\"data:image/svg+xml,{}\"></picture>\n",
        percent_encoded(&svg::stacked::draw(&story)),
        escaped(&story.description),
        percent_encoded(&svg::draw(&story))
    ));
    page.raw(&table(finding));
    page.finish()
}

/// Up to this width, of a screen or of paper, letters of the wide picture are too small. The same as in the style sheet.
const NARROW: &str = "900px";

/// For a `data:` address, and for one in a `srcset`, where spaces separate. The picture is an image rather than part of the page because both have style sheets.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/=;,".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn table(finding: &Finding) -> String {
    let mut page = Markup::default();
    let Finding { reader, address, read_start_ns: start, .. } = finding;
    let reader = reader.to_string();
    page.write(format_args!(
        "<p>{} faults at {address:#x}; its read starts at {} (monotonic clock).</p>\n",
        escaped(&reader),
        seconds(*start),
    ));
    let rows = words::steps(finding).into_iter().map(|step| {
        let at = step.at_ns.map_or_else(|| "?".to_owned(), |at| offset_between(*start, at));
        [at, step.task.map(ToString::to_string).unwrap_or_default(), step.what.to_owned()]
    });
    page.table([Number("time"), Text("task"), Text("step")], rows);
    page.finish()
}
