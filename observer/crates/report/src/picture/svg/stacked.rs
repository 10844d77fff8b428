//! The picture for narrow screens: the name of each lane is above its bar, and what happens in it is a list below the
//! bar. Numbers, in the order of time over all lanes, connect the list with the bar.

use super::{
    BAR, FLAG_CHAR, Fill, Lane, Role, Scale, Since, Story, close_up, duration,
    flags::{self, Flag},
    offset,
    sheet::Sheet,
    style, wrap,
};
use crate::picture::parts::Moment;

/// In pixels. Screens of this width show letters at their size.
const WIDTH: f64 = 400.0;
const MARGIN: f64 = 12.0;
/// Characters per line.
const LINE: usize = 50;
/// Height of a line of text, and of a row of numbers.
const TEXT: f64 = 17.0;
const ROW: f64 = 13.0;

pub fn draw(story: &Story) -> String {
    let scale = Scale { from: story.from, to: story.to, width: WIDTH - 2.0 * MARGIN };
    let mut drawing = Stacked { story, numbers: story.moments(), scale, sheet: Sheet::default(), y: 26.0 };
    drawing.heading();
    drawing.lanes();
    drawing.close_up();
    drawing.danger();
    drawing.legend();
    drawing.sheet.finish(&story.title, &story.description, WIDTH, drawing.y)
}

struct Stacked<'a> {
    story: &'a Story,
    /// The moments of tasks with their lanes, numbered from 1 by their place in this list, also in the close-up.
    numbers: Vec<(usize, Moment)>,
    scale: Scale,
    sheet: Sheet,
    y: f64,
}

impl Stacked<'_> {
    fn x(&self, at: Since) -> f64 {
        MARGIN + self.scale.place(at)
    }

    fn line(&mut self, class: &str, text: &str) {
        self.sheet.text(MARGIN, self.y, class, text);
        self.y += TEXT;
    }

    fn heading(&mut self) {
        for line in wrap(&self.story.title, 30) {
            self.sheet.text(MARGIN, self.y, "title", &line);
            self.y += 22.0;
        }
        for line in wrap(&self.story.caption, LINE) {
            self.line("dim", &line);
        }
        self.y += 4.0;
        for line in wrap(&self.story.description, LINE) {
            self.line("description", &line);
        }
        self.y += 12.0;
    }

    fn lanes(&mut self) {
        for tick in self.scale.ticks(4) {
            let x = self.x(tick.at);
            self.sheet.line((x, self.y + 4.0), (x, self.y + 10.0), "zero");
            let half = tick.label.chars().count() as f64 * FLAG_CHAR / 2.0;
            self.sheet.text(x.clamp(MARGIN + half, WIDTH - MARGIN - half), self.y, "tick", &tick.label);
        }
        self.y += 10.0;
        let story = self.story;
        for (index, lane) in story.lanes.iter().enumerate() {
            self.lane(index, lane);
        }
    }

    fn lane(&mut self, index: usize, lane: &Lane) {
        self.y += TEXT;
        let name = if lane.role == Role::Reader { "name reader" } else { "name" };
        for line in wrap(&format!("{}, {}", lane.name, lane.detail), LINE) {
            self.line(name, &line);
        }
        let moments: Vec<(usize, Moment)> = self.numbered(index).collect();
        let poles: Vec<f64> = moments.iter().map(|(_, moment)| self.x(moment.at)).collect();
        let flags: Vec<Flag> = moments.iter().zip(&poles).map(|((number, _), x)| flag(*number, *x)).collect();
        let rows = flags::rows(&flags);
        let high = rows.iter().max().map_or(0, |row| row + 1);
        let bar = self.y - TEXT + 8.0 + high as f64 * ROW;
        self.bar(lane, bar);
        for (((number, moment), pole), (flag, row)) in moments.iter().zip(&poles).zip(flags.iter().zip(&rows)) {
            let class = style::mark_class(moment.mark);
            let y = bar - 4.0 - *row as f64 * ROW;
            self.sheet.line((*pole, y - 8.0), (*pole, bar + BAR), &format!("pole {class}"));
            self.sheet.dot(*pole, bar + BAR / 2.0, &format!("dot {class}"));
            self.sheet.text(flag.x + 3.0, y, "number", &number.to_string());
        }
        self.y = bar + BAR + TEXT;
        for (number, moment) in moments {
            self.line("flag", &format!("{number:>2} {} {}", offset(moment.at), moment.mark.words()));
        }
        self.y -= 4.0;
    }

    fn bar(&mut self, lane: &Lane, bar: f64) {
        if let Some((from, to)) = self.story.danger {
            let (left, right) = (self.x(from), self.x(to));
            self.sheet.rect(left, bar - 4.0, (right - left).max(1.0), BAR + 8.0, "band");
        }
        if lane.spans.is_empty() {
            self.sheet.line((MARGIN, bar + BAR / 2.0), (WIDTH - MARGIN, bar + BAR / 2.0), "grid");
        }
        for span in &lane.spans {
            let (left, right) = (self.x(span.from), self.x(span.to));
            let (top, height) = match span.fill {
                Fill::Read | Fill::Pin => (bar + 4.0, BAR - 8.0),
                _ => (bar, BAR),
            };
            self.sheet.rect(left, top, (right - left).max(1.5), height, style::class(span.fill));
        }
    }

    /// The moments of a lane with their numbers. Those of the entry are on the lanes of the tasks that caused them.
    fn numbered(&self, index: usize) -> impl Iterator<Item = (usize, Moment)> + '_ {
        let in_lane = move |(_, (lane, moment)): &(usize, &(usize, Moment))| {
            *lane == index && (self.scale.from..=self.scale.to).contains(&moment.at)
        };
        let all = self.numbers.iter().enumerate().filter(in_lane);
        all.map(|(number, (_, moment))| (number + 1, *moment))
    }

    fn close_up(&mut self) {
        let Some(story) = close_up(self.story) else { return };
        let scale = Scale { from: story.from, to: story.to, ..self.scale };
        let times = (self.story.to - self.story.from) / (story.to - story.from).max(1);
        let length = duration((story.to - story.from).unsigned_abs());
        self.y += 2.0 * TEXT;
        self.line("name", &format!("close-up: {length}, magnified {times} times"));
        self.y += 8.0;
        let numbers = std::mem::take(&mut self.numbers);
        let mut inner = Stacked { story: &story, numbers, scale, sheet: std::mem::take(&mut self.sheet), y: self.y };
        inner.lanes();
        (self.sheet, self.y) = (inner.sheet, inner.y);
    }

    fn danger(&mut self) {
        let Some((from, to)) = self.story.danger else { return };
        self.y += TEXT;
        let length = duration((to - from).unsigned_abs());
        self.sheet.text(WIDTH / 2.0, self.y, "danger-text", &format!("the reader holds a stale copy for {length}"));
        self.y += TEXT;
    }

    fn legend(&mut self) {
        self.y += 6.0;
        let mut x = MARGIN;
        for fill in super::fills(self.story) {
            let width = 28.0 + (fill.words().chars().count() + 2) as f64 * FLAG_CHAR;
            if x + width > WIDTH - MARGIN {
                (x, self.y) = (MARGIN, self.y + 20.0);
            }
            self.sheet.rect(x, self.y, 22.0, 12.0, style::class(fill));
            self.sheet.text(x + 28.0, self.y + 10.5, "dim", fill.words());
            x += width;
        }
        self.y += 26.0;
    }
}

/// A number beside its pole, within the picture.
fn flag(number: usize, x: f64) -> Flag {
    let width = number.to_string().len() as f64 * FLAG_CHAR + 5.0;
    Flag { x: x.min(WIDTH - MARGIN - width), width }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures,
        picture::story::{setting, story},
    };

    #[test]
    fn everything_is_on_the_narrow_sheet() {
        for finding in fixtures::all() {
            let text = draw(&story(&finding, &setting()));
            let document = roxmltree::Document::parse(&text).unwrap();
            let height: f64 = document.root_element().attribute("height").unwrap().parse().unwrap();
            for node in document.descendants().filter(roxmltree::Node::is_element) {
                let number = |name: &str| node.attribute(name).map(|value| value.parse::<f64>().unwrap_or(0.0));
                if node.tag_name().name() == "text" {
                    let (x, y) = (number("x").unwrap(), number("y").unwrap());
                    let class = node.attribute("class").unwrap();
                    let letter = if class == "title" { 12.2 } else { FLAG_CHAR };
                    let width = node.text().unwrap().chars().count() as f64 * letter;
                    let left = if ["tick", "danger-text"].contains(&class) { x - width / 2.0 } else { x };
                    assert!((0.0..=WIDTH).contains(&left) && left + width <= WIDTH, "{:?}", node.text());
                    assert!((0.0..=height).contains(&y), "{:?}", node.text());
                }
                if node.tag_name().name() == "rect" && node.attribute("class") != Some("background") {
                    let right = number("x").unwrap_or(0.0) + number("width").unwrap();
                    assert!(right <= WIDTH, "{node:?}");
                }
            }
        }
    }

    #[test]
    fn moments_are_numbered_by_time_and_listed_in_their_lanes() {
        let story = story(&fixtures::stale(), &setting());
        let text = draw(&story);
        let document = roxmltree::Document::parse(&text).unwrap();
        let of_class = |class: &'static str| {
            document
                .descendants()
                .filter(move |node| node.attribute("class") == Some(class))
                .filter_map(|node| node.text())
        };
        let listed: Vec<usize> =
            of_class("flag").map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect();
        let count = story.moments().len();
        assert_eq!(count, 9);
        for number in 1..=count {
            assert!(listed.contains(&number), "{listed:?}");
            assert!(of_class("number").any(|text| text == number.to_string()));
        }
        let danger = of_class("flag").find(|line| line.contains("installs old data")).unwrap();
        assert!(danger.starts_with(" 9 +21.408 ms"), "{danger}");
    }

    #[test]
    fn numbers_do_not_meet() {
        for finding in fixtures::all() {
            let story = story(&finding, &setting());
            let width = WIDTH - 2.0 * MARGIN;
            let scale = Scale { from: story.from, to: story.to, width };
            for index in 0..story.lanes.len() {
                let moments = story.moments().into_iter().enumerate().filter(|(_, (lane, _))| *lane == index);
                let flags: Vec<Flag> =
                    moments.map(|(n, (_, moment))| flag(n + 1, MARGIN + scale.place(moment.at))).collect();
                let rows = flags::rows(&flags);
                for (i, a) in flags.iter().enumerate() {
                    for (j, b) in flags.iter().enumerate().skip(i + 1) {
                        assert!(rows[i] != rows[j] || a.x + a.width <= b.x, "{a:?} {b:?}");
                    }
                }
            }
        }
    }
}
