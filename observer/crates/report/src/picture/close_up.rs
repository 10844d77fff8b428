//! A close-up of moments that the scale of the picture does not separate.

use super::{
    parts::{Role, Since},
    story::{Story, tidy},
};

/// Fewest moments that are worth a close-up.
const CROWD: usize = 3;

/// Least magnification that is worth a close-up.
const LARGER: Since = 25;

/// The shortest span with the most moments that the whole picture shows as one: the same lanes, magnified.
pub(super) fn close_up(story: &Story) -> Option<Story> {
    let times: Vec<Since> = story.moments().iter().map(|(_, moment)| moment.at).collect();
    let longest = (story.to - story.from) / LARGER;
    let spans = times.iter().enumerate().flat_map(|(first, from)| {
        let ends = times.iter().enumerate().skip(first + CROWD - 1);
        ends.map(move |(last, to)| (last - first + 1, to - from, *from, *to))
    });
    let crowded = spans.filter(|(_, length, ..)| (1..=longest).contains(length));
    let (_, length, first, last) = crowded.max_by_key(|(count, length, ..)| (*count, -length))?;
    let margin = (length / 10).max(1);
    let (from, to) = (first - margin, last + margin);
    let mut lanes = story.lanes.clone();
    for lane in &mut lanes {
        tidy(lane, from, to);
    }
    lanes.retain(|lane| lane.role != Role::Other || !lane.moments.is_empty());
    let danger = story.danger.map(|(start, end)| (start.max(from), end.min(to))).filter(|(start, end)| start < end);
    Some(Story { lanes, from, to, danger, ..story.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures,
        picture::story::{setting, story},
    };

    #[test]
    fn crowded_moments_are_magnified() {
        let whole = story(&fixtures::stale(), &setting());
        let close = close_up(&whole).unwrap();
        let marks: String = close.moments().iter().map(|(_, moment)| moment.mark.letter()).collect();
        assert_eq!(marks, "RrFI", "all of observer's fault");
        assert!(close.to - close.from <= (whole.to - whole.from) / 20);
        assert!(
            close.lanes.iter().flat_map(|lane| &lane.spans).all(|span| close.from <= span.from && span.to <= close.to)
        );
        assert!(close_up(&close).is_none(), "the close-up separates them");
        assert!(close_up(&story(&fixtures::instant(), &setting())).is_none());
    }
}
