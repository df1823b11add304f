//! Contract files: one rule of a vendor's contract each. The grammar stands in
//! `tests/contracts/README.md`.

mod parse;
mod run;

pub use parse::{Contract, ParseError};
pub use run::run;
