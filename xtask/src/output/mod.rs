//! The JSON that observer prints, as far as tests and tables read it. Every key is named here and nowhere else.
//!
//! These types are declared separately from those that write the JSON, so that a renamed key fails a test.

pub(crate) mod bench;
pub(crate) mod doctor;
pub(crate) mod summary;
