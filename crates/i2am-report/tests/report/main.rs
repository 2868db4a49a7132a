//! Reports of runs that the tests make themselves.

mod browser;
mod page;
mod support;
mod tables;
mod webdriver;
