//! The command line: config to plan, stages in order, progress and exit codes.

fn main() {}
