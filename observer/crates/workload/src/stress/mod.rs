//! Workloads that reproduce the race and check the memory themselves.
//!
//! [`targeted`] reproduces the data loss of CVE-2024-26759 round by round and reports what the page held at the end of
//! each; [`matching`] compares that with the observer's flags. [`storm`] has many threads increment few pages, and
//! [`ledger`] compares its data losses with the flags, pass by pass and page by page. Each runs in a separate process
//! ([`child`]) and reports as lines of JSON ([`messages`]).

mod ballast;
mod child;
pub mod ledger;
pub mod matching;
pub mod messages;
pub mod storm;
pub mod targeted;
