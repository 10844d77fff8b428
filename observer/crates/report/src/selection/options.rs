//! A selection as it was given.

use std::collections::BTreeMap;

use observer_observation::Clocks;
use observer_text::{Name, joined};

use super::Selection;

impl Selection {
    /// The values by option, several of one option separated by commas. Times of day have the date that follows from the
    /// start.
    pub fn options(&self, start: Clocks) -> BTreeMap<&'static str, Name> {
        let texts =
            |values: &mut dyn Iterator<Item = String>| joined(&values.map(Name::from).collect::<Vec<_>>(), ", ");
        let comms: Vec<Name> = self.comms.iter().map(|comm| comm.as_bytes().into()).collect();
        let moment =
            |moment: Option<super::Moment>| moment.map_or_else(Name::default, |moment| moment.words(start).into());
        let all = [
            ("verdict", texts(&mut self.verdicts.iter().map(ToString::to_string))),
            ("pid", texts(&mut self.pids.iter().map(ToString::to_string))),
            ("comm", joined(&comms, ", ")),
            ("entry", texts(&mut self.entries.iter().map(ToString::to_string))),
            ("device", joined(&self.devices, ", ")),
            ("cgroup", joined(&self.cgroups, ", ")),
            ("since", moment(self.since)),
            ("until", moment(self.until)),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }
}
