//! Where the labels of moments go: like flags, each with a pole down to its moment and its text to the right of the pole,
//! high enough that no text lies on another text or on a pole.

/// A flag to be placed: where its pole stands, and how long its text is. In order of place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flag {
    /// Place of the pole.
    pub x: f64,
    /// Length of the text, space behind it included.
    pub width: f64,
}

/// The height of each flag, in rows from 0, the lowest. A text that reaches over later poles must be above their flags;
/// so heights are chosen from right to left, and nothing ever crosses.
pub fn rows(flags: &[Flag]) -> Vec<usize> {
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
    fn flags_with_room_are_all_low() {
        assert_eq!(rows(&[flag(0.0, 10.0), flag(10.0, 10.0), flag(50.0, 5.0)]), [0, 0, 0]);
    }

    #[test]
    fn crowded_flags_rise_to_the_left() {
        assert_eq!(rows(&[flag(0.0, 30.0), flag(5.0, 30.0), flag(10.0, 30.0), flag(36.0, 5.0)]), [3, 2, 1, 0]);
        assert_eq!(rows(&[flag(3.0, 9.0), flag(3.0, 9.0)]), [1, 0]);
    }

    #[test]
    fn no_text_lies_on_a_text_or_on_a_pole() {
        // All the ways to put four flags of two lengths on nine places.
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
