//! `observer doctor --json`.

use serde::Deserialize;

use super::summary::{Degraded, Hook, State};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Doctor {
    pub(crate) kernel: Kernel,
    pub(crate) race: Race,
    pub(crate) facts: Facts,
    /// Only with `--self-test`.
    pub(crate) self_test: Option<SelfTest>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Kernel {
    /// None: unknown.
    pub(crate) state: Option<State>,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) degraded: Vec<Degraded>,
}

/// The three facts about the race on this host, and what follows.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Race {
    pub(crate) vulnerable: String,
    pub(crate) reachable: String,
    pub(crate) observed: String,
    /// Why it is reachable or not.
    pub(crate) reason: String,
    pub(crate) data_loss: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Facts {
    pub(crate) symbols: Option<Symbols>,
    pub(crate) memory: Memory,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Symbols {
    pub(crate) addresses_hidden: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Memory {
    pub(crate) zswap: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SelfTest {
    pub(crate) passed: bool,
    pub(crate) pages: u64,
}
