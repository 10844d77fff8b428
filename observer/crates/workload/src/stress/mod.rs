//! Workloads that carry their own ground truth, on a swap device that they set up and take away again.
//!
//! `targeted` makes the lost page of CVE-2024-26759 on purpose and says, round by round, what the memory really held
//! afterwards; [`matching`] compares that truth with what the observer flagged. `storm` is a crowd on few pages, and
//! [`ledger`] does the same for it, pass by pass and page by page. Each runs in a process of its own ([`child`]) and
//! reports as lines of JSON ([`messages`]). Nothing in here knows how the observer comes to its verdicts.

mod ballast;
mod child;
mod clock;
mod cpus;
pub mod device;
mod error;
mod header;
mod host;
pub mod ledger;
pub mod matching;
pub(crate) mod memory;
pub mod messages;
mod module;
pub mod pagemap;
pub(crate) mod paging;
pub mod signals;
pub mod storm;
pub mod targeted;
mod tuning;
mod victim;

pub(crate) use clock::now_ns;
pub use error::{Result, StressError};
