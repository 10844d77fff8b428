//! The overhead of observing.

use observer_observation::StatsRefusal;

/// Why the run times of programs are unknown.
pub(crate) fn stats_refusal(refusal: &StatsRefusal) -> String {
    match refusal {
        StatsRefusal::RequestFailed { detail } => {
            format!("the kernel refused to count them: {detail}; run observer with CAP_SYS_ADMIN")
        }
        StatsRefusal::NotCounted => "the kernel did not count them for every program".to_owned(),
        StatsRefusal::Described { text } => text.clone(),
        StatsRefusal::Unknown => "recorded by a newer version".to_owned(),
    }
}
