//! Reports of runs that the tests make themselves.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod browser;
mod browsing;
mod page;
mod paper;
mod quantities;
mod support;
mod tables;
mod webdriver;
