//! Placement of the labels of moments. A label is a flag: its pole stands on its moment, its text is to the right of
//! the pole, and the pole is high enough that no text lies on another text or on a pole.

/// A flag to be placed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Flag {
    /// Place of the pole.
    pub(crate) x: f64,
    /// Width of the text and of the space behind it.
    pub(crate) width: f64,
}

/// The row of each flag, 0 being the lowest; `flags` are ordered by place. A text that reaches over later poles must be
/// above their flags, so rows are chosen from right to left.
pub(crate) fn rows(flags: &[Flag]) -> Vec<usize> {
    let mut rows = vec![0; flags.len()];
    for (index, flag) in flags.iter().enumerate().rev() {
        let later = flags.iter().zip(&rows).skip(index + 1);
        let under = later.filter(|(other, _)| other.x < flag.x + flag.width).map(|(_, row)| row + 1).max();
        if let Some(row) = rows.get_mut(index) {
            *row = under.unwrap_or(0);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(x: f64, width: f64) -> Flag {
        Flag { x, width }
    }

    #[test]
    fn flags_that_do_not_meet_are_in_the_lowest_row() {
        assert_eq!(rows(&[flag(0.0, 10.0), flag(10.0, 10.0), flag(50.0, 5.0)]), [0, 0, 0]);
    }

    #[test]
    fn crowded_flags_are_higher_to_the_left() {
        assert_eq!(rows(&[flag(0.0, 30.0), flag(5.0, 30.0), flag(10.0, 30.0), flag(36.0, 5.0)]), [3, 2, 1, 0]);
        assert_eq!(rows(&[flag(3.0, 9.0), flag(3.0, 9.0)]), [1, 0]);
    }

    #[test]
    fn no_text_lies_on_another_text_or_on_a_pole() {
        // All placements of four flags of two widths on nine places.
        for code in 0..9usize.pow(4) {
            let mut places: Vec<f64> = (0..4).map(|n| (code / 9usize.pow(n) % 9) as f64).collect();
            places.sort_by(f64::total_cmp);
            let flags: Vec<Flag> =
                places.iter().enumerate().map(|(n, x)| flag(*x, if n % 2 == 0 { 4.0 } else { 1.5 })).collect();
            let rows = rows(&flags);
            for (i, a) in flags.iter().enumerate() {
                for (j, b) in flags.iter().enumerate().skip(i + 1) {
                    let reaches = b.x < a.x + a.width;
                    assert!(!reaches || rows[i] > rows[j], "{flags:?} {rows:?}");
                }
            }
        }
    }
}
