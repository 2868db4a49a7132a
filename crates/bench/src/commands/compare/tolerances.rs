//! How far scores may move that nobody has decided on: what another CPU makes of the same numbers, and no more.
//!
//! Seen in `configs/ci.toml` against AVX-512 on two threads (docs/regression.md has the table): nothing but the seventh digit of
//! `baseline` moves with the number of threads. With libtorch held to AVX2, and to SSE 4, a mean of IMACS moves by up to 2.2e-5, which is
//! one position at the floor; FID by 6e-5 of its size, KID by 3e-5, PSNR of a sample by 2e-5 dB, its SSIM by 2.4e-6, its LPIPS formula by
//! 6e-5 of its size. The tolerances are three to twenty times that. Changing one tensor of the `UNet` by a few percent moves scores by
//! far more.

use i2am_metrics::find;
use i2am_results::{Better, Bound, Tolerance};

/// The tolerance of a metric that has none of its own below.
const OTHER: Bound = relative(1e-3);

/// How far the scores of `metric` may move unless its baseline says otherwise.
pub(super) fn default(metric: &str) -> Tolerance {
    let better = better(metric);
    let (mean, sample) = match metric {
        // One position at the floor moves the score of a map by about 1e-4.
        "imacs_g" | "imacs_r" => (absolute(2e-4), Some(absolute(5e-4))),
        // Shares of attention between 0 and 1.
        _ if metric.starts_with("locality") => (absolute(1e-4), Some(absolute(5e-4))),
        // Sets have no samples.
        "fid" => (relative(3e-4), None),
        "kid" => (absolute(1e-4), None),
        "baseline" | "lpips" => (relative(1e-4), Some(relative(5e-4))),
        "psnr" => (absolute(2e-4), Some(absolute(1e-3))),
        "ssim" => (absolute(2e-5), Some(absolute(5e-5))),
        _ => (OTHER, None),
    };
    Tolerance {
        better,
        mean,
        sample,
    }
}

/// Which way `metric` goes, also where this build cannot measure it.
fn better(metric: &str) -> Better {
    if let Some(metric) = find(metric) {
        return match metric.info().better {
            i2am_metrics::Better::Higher => Better::Higher,
            i2am_metrics::Better::Lower => Better::Lower,
        };
    }
    match metric {
        "imacs_g" | "imacs_r" | "iou" | "locality_g2r" | "locality_r2g" | "locality_gain_g2r"
        | "locality_gain_r2g" => Better::Higher,
        "baseline" | "fid" | "kid" | "lpips" => Better::Lower,
        _ => Better::Neither,
    }
}

const fn absolute(absolute: f64) -> Bound {
    Bound {
        absolute,
        relative: 0.0,
    }
}

const fn relative(relative: f64) -> Bound {
    Bound {
        absolute: 0.0,
        relative,
    }
}
