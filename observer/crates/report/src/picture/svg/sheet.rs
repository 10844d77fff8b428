//! SVG elements, one per line.

use std::fmt::Write as _;

use super::style::STYLE;

#[derive(Debug, Default)]
pub(super) struct Sheet {
    body: String,
}

type Point = (f64, f64);

impl Sheet {
    // Writing to a String cannot fail.

    pub(super) fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let _ = writeln!(self.body, r#"<text x="{x:.1}" y="{y:.1}" class="{class}">{}</text>"#, escape(text));
    }

    pub(super) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, class: &str) {
        let _ = writeln!(
            self.body,
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" class="{class}"/>"#
        );
    }

    pub(super) fn line(&mut self, (x1, y1): Point, (x2, y2): Point, class: &str) {
        let _ = writeln!(self.body, r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" class="{class}"/>"#);
    }

    pub(super) fn dot(&mut self, x: f64, y: f64, class: &str) {
        let _ = writeln!(self.body, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" class="{class}"/>"#);
    }

    pub(super) fn finish(self, title: &str, description: &str, width: f64, height: f64) -> String {
        format!(
            r##"<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" role="img">
<title>{}</title>
<desc>{}</desc>
<defs>
<pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect width="8" height="8" fill="#d55e00"/><rect width="3" height="8" fill="#ffffff" fill-opacity="0.35"/>
</pattern>
</defs>
<style>{STYLE}</style>
<rect width="{width:.0}" height="{height:.0}" rx="8" class="background"/>
{}</svg>
"##,
            escape(title),
            escape(description),
            self.body
        )
    }
}

/// For text and attributes. Printable characters are those that XML allows.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for ch in observer_text::line(text).chars() {
        match ch {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            ch => escaped.push(ch),
        }
    }
    escaped
}
