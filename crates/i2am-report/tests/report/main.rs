//! Reports of runs that the tests make themselves.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests fail as tests do, and say what is skipped"
)]

mod browser;
mod page;
mod support;
mod tables;
mod webdriver;
