//! Inputs of users that were once misread in silence, or lost what was computed. Each test prints one line when its case comes out as
//! expected; `scripts/cases` shows the lines of all.

#[cfg(feature = "torch")]
mod inputs;
#[cfg(feature = "torch")]
mod measure;
#[cfg(feature = "torch")]
mod robust;
#[cfg(feature = "torch")]
mod weights;

/// The line of a case that came out as expected.
#[cfg(feature = "torch")]
#[expect(clippy::print_stdout, reason = "scripts/cases shows these lines")]
fn as_expected(name: &str) {
    println!("case {name}: as expected");
}
