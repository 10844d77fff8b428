//! What the scale crowds together, once more and larger.

use super::{
    parts::{Role, Since},
    story::{Story, tidy},
};

/// Moments that a close-up must show at least.
const CROWD: usize = 3;

/// A close-up is worth it if it is at least so many times as large.
const LARGER: Since = 25;

/// The shortest stretch that holds most of the moments, where the whole picture shows them as one: the same lanes once
/// more, larger.
pub(super) fn close_up(story: &Story) -> Option<Story> {
    let times: Vec<Since> = story.moments().iter().map(|(_, moment)| moment.at).collect();
    let longest = (story.to - story.from) / LARGER;
    let stretches = times.iter().enumerate().flat_map(|(first, from)| {
        let ends = times.iter().enumerate().skip(first + CROWD - 1);
        ends.map(move |(last, to)| (last - first + 1, to - from, *from, *to))
    });
    let crowded = stretches.filter(|(_, length, ..)| (1..=longest).contains(length));
    let (_, length, first, last) = crowded.max_by_key(|(count, length, ..)| (*count, -length))?;
    let air = (length / 10).max(1);
    let (from, to) = (first - air, last + air);
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
    use crate::picture::{fixtures, story::story};

    #[test]
    fn what_is_crowded_is_shown_once_more() {
        let whole = story(&fixtures::stale(), &fixtures::setting());
        let close = close_up(&whole).unwrap();
        let marks: String = close.moments().iter().map(|(_, moment)| moment.mark.letter()).collect();
        assert_eq!(marks, "RrFI", "all of observer's fault");
        assert!(close.to - close.from <= (whole.to - whole.from) / 20);
        assert!(
            close.lanes.iter().flat_map(|lane| &lane.spans).all(|span| close.from <= span.from && span.to <= close.to)
        );
        assert!(close_up(&close).is_none(), "there it has room");
        assert!(close_up(&story(&fixtures::instant(), &fixtures::setting())).is_none());
    }
}
