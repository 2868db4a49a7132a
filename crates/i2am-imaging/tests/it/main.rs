//! Pictures read, written, resized and drawn, against the libraries that functions are named after.

mod damaged;
mod drawing;
mod files;
mod pictures;
mod resizes;
