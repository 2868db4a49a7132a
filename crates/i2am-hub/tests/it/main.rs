//! The client against a server on the loopback address that speaks the protocol of the hub.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod failures;
mod fetch;
mod server;
