//! The picture as SVG: one self-contained file with its own background, in light or dark mode as the viewer prefers.

mod sheet;
pub mod stacked;
mod style;

use super::{
    close_up::close_up,
    flags::{self, Flag},
    parts::{Fill, Lane, Moment, Role, Since},
    scale::Scale,
    story::Story,
};
use crate::units::{duration, offset, wrap};
use sheet::Sheet;

/// In pixels, unless the viewer scales the picture.
const WIDTH: f64 = 1280.0;

const MARGIN: f64 = 24.0;
/// Left and right edge of the time axis. Names are to the left of it; to the right is room for the texts of the last
/// flags.
const TRACK: (f64, f64) = (190.0, 930.0);
/// Upper bound of the width of a character at [`FLAG_SIZE`].
const FLAG_CHAR: f64 = 7.4;
const FLAG_SIZE: f64 = 12.0;
const FLAG_ROW: f64 = 17.0;
const BAR: f64 = 20.0;
const LANE_GAP: f64 = 22.0;
/// Characters per line of the description.
const DESCRIPTION: usize = 168;

pub fn draw(story: &Story) -> String {
    let scale = Scale { from: story.from, to: story.to, width: TRACK.1 - TRACK.0 };
    let mut drawing = Drawing { story, scale, sheet: Sheet::default(), y: 42.0 };
    drawing.heading();
    drawing.lanes();
    drawing.close_up();
    drawing.legend();
    drawing.sheet.finish(&story.title, &story.description, WIDTH, drawing.y + 10.0)
}

/// What the legend explains.
fn fills(story: &Story) -> impl Iterator<Item = Fill> + '_ {
    const FILLS: [Fill; 8] =
        [Fill::Fault, Fill::Read, Fill::Pin, Fill::Danger, Fill::Old, Fill::Free, Fill::Allocated, Fill::New];
    let used = |fill: &Fill| story.lanes.iter().flat_map(|lane| &lane.spans).any(|span| span.fill == *fill);
    FILLS.into_iter().filter(used)
}

#[derive(Clone, Debug, PartialEq)]
struct Placed<'a> {
    lane: &'a Lane,
    /// Upper edge of the bar.
    bar: f64,
    flags: Vec<PlacedFlag>,
}

#[derive(Clone, Debug, PartialEq)]
struct PlacedFlag {
    moment: Moment,
    text: String,
    x: f64,
    /// Base line of the text.
    y: f64,
}

#[cfg(test)]
impl PlacedFlag {
    fn width(&self) -> f64 {
        self.text.chars().count() as f64 * FLAG_CHAR
    }
}

/// Stacks lanes from `top` downwards, each as high as its flags need. Also returns the lower edge of the last bar.
fn place<'a>(story: &'a Story, scale: &Scale, top: f64) -> (Vec<Placed<'a>>, f64) {
    let mut y = top;
    let placed = story
        .lanes
        .iter()
        .map(|lane| {
            // The moments of the entry are shown on the lanes of the tasks that caused them.
            let moments: &[Moment] = if lane.role == Role::Entry { &[] } else { &lane.moments };
            let texts: Vec<String> =
                moments.iter().map(|event| format!("{} {}", offset(event.at), event.mark.words())).collect();
            let poles: Vec<f64> = moments.iter().map(|event| TRACK.0 + scale.place(event.at)).collect();
            let wanted: Vec<Flag> = poles
                .iter()
                .zip(&texts)
                .map(|(x, text)| Flag { x: *x, width: (text.chars().count() + 2) as f64 * FLAG_CHAR })
                .collect();
            let rows = flags::rows(&wanted);
            let high = rows.iter().max().map_or(0, |row| row + 1);
            let bar = y + high as f64 * FLAG_ROW + 6.0;
            y = bar + BAR + LANE_GAP;
            let flags = moments.iter().zip(texts).zip(poles.iter().zip(rows));
            let flags = flags
                .map(|((moment, text), (x, row))| PlacedFlag {
                    moment: *moment,
                    text,
                    x: *x,
                    y: bar - 8.0 - row as f64 * FLAG_ROW,
                })
                .collect();
            Placed { lane, bar, flags }
        })
        .collect();
    (placed, y - LANE_GAP)
}

struct Drawing<'a> {
    story: &'a Story,
    scale: Scale,
    sheet: Sheet,
    y: f64,
}

impl Drawing<'_> {
    fn x(&self, at: Since) -> f64 {
        TRACK.0 + self.scale.place(at)
    }

    fn heading(&mut self) {
        self.sheet.text(MARGIN, self.y, "title", &self.story.title);
        self.y += 22.0;
        self.sheet.text(MARGIN, self.y, "dim", &self.story.caption);
        self.y += 30.0;
        for line in wrap(&self.story.description, DESCRIPTION) {
            self.sheet.text(MARGIN, self.y, "description", &line);
            self.y += 20.0;
        }
        self.y += 20.0;
    }

    /// The same lanes again, magnified, with an axis of their own.
    fn close_up(&mut self) {
        let Some(story) = close_up(self.story) else { return };
        let scale = Scale { from: story.from, to: story.to, ..self.scale };
        self.y += 26.0;
        let times = (self.story.to - self.story.from) / (story.to - story.from).max(1);
        let length = duration((story.to - story.from).unsigned_abs());
        self.sheet.text(MARGIN, self.y, "name", &format!("close-up: {length}, magnified {times} times"));
        let y = self.y + 34.0;
        let mut inner = Drawing { story: &story, scale, sheet: std::mem::take(&mut self.sheet), y };
        inner.lanes();
        (self.sheet, self.y) = (inner.sheet, inner.y);
    }

    fn lanes(&mut self) {
        let top = self.y;
        let (placed, bottom) = place(self.story, &self.scale, top + 18.0);
        self.band(top, bottom);
        self.axis(top, bottom);
        let entry = placed.last().map_or(bottom, |lane| lane.bar);
        for lane in &placed {
            self.links(lane, entry);
        }
        for lane in &placed {
            self.lane(lane);
        }
        self.y = bottom + 14.0;
        let has_end = self.story.danger.is_some_and(|(_, to)| to < self.story.to);
        if has_end {
            self.danger();
        }
    }

    /// The time of the stale copy, behind everything else.
    fn band(&mut self, top: f64, bottom: f64) {
        if let Some((from, to)) = self.story.danger {
            let (left, right) = (self.x(from), self.x(to));
            self.sheet.rect(left, top, (right - left).max(1.0), bottom - top + 14.0, "band");
        }
    }

    fn axis(&mut self, top: f64, bottom: f64) {
        for tick in self.scale.ticks(9) {
            let x = self.x(tick.at);
            self.sheet.line((x, top), (x, bottom + 6.0), if tick.at == 0 { "zero" } else { "grid" });
            self.sheet.text(x, top - 6.0, "tick", &tick.label);
        }
    }

    /// Lines from what a task does to the entry down to the lane of the entry.
    fn links(&mut self, lane: &Placed<'_>, entry: f64) {
        use super::parts::Mark::{Allocated, Freed, Written};
        for flag in lane.flags.iter().filter(|flag| matches!(flag.moment.mark, Freed | Allocated | Written)) {
            self.sheet.line((flag.x, lane.bar + BAR), (flag.x, entry), "link");
        }
    }

    fn lane(&mut self, placed: &Placed<'_>) {
        let (lane, bar) = (placed.lane, placed.bar);
        self.sheet.text(MARGIN, bar + 9.0, if lane.role == Role::Reader { "name reader" } else { "name" }, &lane.name);
        self.sheet.text(MARGIN, bar + 23.0, "dim", &lane.detail);
        if lane.spans.is_empty() {
            // A task of which only actions are known.
            self.sheet.line((TRACK.0, bar + BAR / 2.0), (TRACK.1, bar + BAR / 2.0), "grid");
        }
        for span in &lane.spans {
            let (left, right) = (self.x(span.from), self.x(span.to));
            // A read is drawn narrower than its fault, so that both are visible.
            let (top, height) = match span.fill {
                Fill::Read | Fill::Pin => (bar + 4.0, BAR - 8.0),
                _ => (bar, BAR),
            };
            self.sheet.rect(left, top, (right - left).max(1.5), height, style::class(span.fill));
            let words = span.fill.words();
            let room = right - left > (words.chars().count() + 2) as f64 * FLAG_CHAR;
            if lane.role == Role::Entry && room {
                self.sheet.text(f64::midpoint(left, right), bar + 14.5, "inside", words);
            }
        }
        for flag in &placed.flags {
            let class = style::mark_class(flag.moment.mark);
            self.sheet.line((flag.x, flag.y - FLAG_SIZE + 2.0), (flag.x, bar + BAR), &format!("pole {class}"));
            self.sheet.dot(flag.x, bar + BAR / 2.0, &format!("dot {class}"));
            self.sheet.text(flag.x + 4.0, flag.y, "flag", &flag.text);
        }
    }

    /// A dimension line below the lanes.
    fn danger(&mut self) {
        let Some((from, to)) = self.story.danger else { return };
        let (left, right, y) = (self.x(from), self.x(to), self.y);
        self.sheet.line((left, y), (right, y), "measure");
        for x in [left, right] {
            self.sheet.line((x, y - 5.0), (x, y + 5.0), "measure");
        }
        let length = duration((to - from).unsigned_abs());
        let text = format!("the reader holds a stale copy for {length}");
        let half = text.chars().count() as f64 * FLAG_CHAR / 2.0;
        let middle = f64::midpoint(left, right).clamp(MARGIN + half, WIDTH - MARGIN - half);
        self.sheet.text(middle, y + 20.0, "danger-text", &text);
        self.y += 34.0;
    }

    fn legend(&mut self) {
        self.y += 12.0;
        let mut x = MARGIN;
        for fill in fills(self.story) {
            self.sheet.rect(x, self.y, 22.0, 12.0, style::class(fill));
            self.sheet.text(x + 28.0, self.y + 10.5, "dim", fill.words());
            x += 28.0 + (fill.words().chars().count() + 3) as f64 * FLAG_CHAR;
        }
        let made_by = concat!("observer ", env!("CARGO_PKG_VERSION"));
        self.sheet.text(WIDTH - MARGIN, self.y + 10.5, "dim end", made_by);
        self.y += 20.0;
    }
}

#[cfg(test)]
mod tests;
