//! The Fréchet distance of two files of statistics, and the time that it alone takes: what `scripts/peers/metrics.sh` compares with
//! scipy's square root of a matrix.
//!
//!     cargo run --release -p i2am-metrics --example distance -- generated.npz real.npz

use std::path::Path;
use std::time::Instant;

use i2am_metrics::{Statistics, frechet_distance};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let [generated, real] = files.as_slice() else {
        return Err("expected two files of statistics".into());
    };
    let [generated, real] = [generated, real].map(|file| Statistics::read(Path::new(file), None));
    let (generated, real) = (generated?, real?);
    let started = Instant::now();
    let score = frechet_distance(&generated, &real);
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::print_stdout, reason = "an example prints what it found")]
    {
        println!("{}", json!({ "score": score, "seconds": seconds }));
    }
    Ok(())
}
