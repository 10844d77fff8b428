//! What the engine reports, one by one, for a caller that selects from it.

use std::sync::Arc;

use crate::{
    areas::AreaEntry,
    event::Fault,
    overlap::Overlap,
    verdict::Finding,
    wait::{Hold, Wait},
};

/// One thing that was reported, with the entry that it is counted for.
#[derive(Clone, Debug)]
pub enum Reported {
    Finding {
        finding: Box<Finding>,
        of: AreaEntry,
    },
    Overlap {
        overlap: Overlap,
        of: AreaEntry,
        /// Those that take part; `overlap` lists the tasks of the first ones.
        faults: Vec<Arc<Fault>>,
    },
    Wait {
        wait: Box<Wait>,
        of: AreaEntry,
    },
    /// The hold of a contended pin.
    PinHold {
        hold: Hold,
        /// The fault that held it.
        fault: Arc<Fault>,
    },
}

/// Whether a fault of the overlap's group is part of the overlap.
pub(crate) fn takes_part(fault: &Fault, overlap: &Overlap) -> bool {
    let ranges = fault.base.0 < overlap.entry.0 + u64::from(overlap.nr)
        && overlap.entry.0 < fault.base.0 + u64::from(fault.nr.max(1));
    ranges && fault.start < overlap.to_ns && overlap.from_ns < fault.end
}
