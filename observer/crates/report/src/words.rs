//! Codes as prose: the one place where the sentences that people read are made.

mod sentence;

pub use self::sentence::sentence;

/// A count. A plain 0 stands only where no events were dropped.
pub fn seen(count: u64, dropped: u64) -> String {
    if dropped == 0 { count.to_string() } else { format!("{count} seen, {dropped} events dropped") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_is_plain_only_when_no_events_were_dropped() {
        assert_eq!(seen(0, 0), "0");
        assert_eq!(seen(0, 3), "0 seen, 3 events dropped");
    }
}
