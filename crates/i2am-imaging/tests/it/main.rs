//! Pictures read, written, resized and drawn, against the libraries that functions are named after.

mod damaged;
mod drawing;
mod files;
mod fuzz;
mod pictures;
mod resizes;
