//! What is needed to follow the tasks of a watched command, and the gaps without it.

use super::{
    meaning::Meaning,
    missing::{Consequence, Missing, MissingReason},
    offsets::Offsets,
};
use crate::{btf::Btf, codes};

codes! {
    /// Tracepoints that follow the tasks of a watched command.
    pub enum Tracepoint {
        /// A task makes another one.
        New = "task_newtask",
        /// A thread executes a program, and gets the number of its process.
        Exec = "sched_process_exec",
        Exit = "sched_process_exit",
    }
}

/// Those that the kernel's types do not have.
pub fn missing_tracepoints(btf: &Btf) -> Vec<Tracepoint> {
    Tracepoint::ALL
        .into_iter()
        .filter(|tracepoint| !btf.has_typedef(&format!("btf_trace_{}", tracepoint.code())))
        .collect()
}

/// What is not seen of a watched command.
pub(super) fn gaps(missing: &[Tracepoint], offsets: &Offsets) -> Vec<Missing> {
    let gap = |meaning, reason, consequence| Missing { meaning, reason, consequence, partial: true };
    let tracepoint = |tracepoint: &Tracepoint| {
        let consequence = match tracepoint {
            Tracepoint::New => Consequence::NewTasksUnwatched,
            Tracepoint::Exec => Consequence::ExecutingThreadsUnwatched,
            Tracepoint::Exit => Consequence::TasksWatchedTooLong,
        };
        gap(Meaning::Watch, MissingReason::NoTracepoint { name: tracepoint.code().to_owned() }, consequence)
    };
    let owner = (offsets.mm_owner == 0).then(|| {
        let member = "mm_struct.owner".to_owned();
        gap(Meaning::Watch, MissingReason::NoMember { member }, Consequence::OthersFaultsUnwatched)
    });
    missing.iter().map(tracepoint).chain(owner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_that_is_missing_is_a_gap() {
        let with_owner = Offsets { mm_owner: 8, ..Offsets::default() };
        assert_eq!(gaps(&[], &with_owner), []);
        assert_eq!(gaps(&Tracepoint::ALL, &Offsets::default()).len(), 4);
        let [gap] = gaps(&[Tracepoint::Exec], &with_owner).try_into().unwrap();
        assert_eq!(gap.reason, MissingReason::NoTracepoint { name: "sched_process_exec".to_owned() });
        assert_eq!(gap.consequence, Consequence::ExecutingThreadsUnwatched);
    }
}
