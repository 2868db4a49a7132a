//! One file per metric.

#[cfg(feature = "torch")]
mod baseline;
#[cfg(feature = "torch")]
mod fid;
#[cfg(feature = "torch")]
mod kid;
#[cfg(feature = "torch")]
mod lpips;
mod luma;
mod psnr;
mod ssim;

#[cfg(feature = "torch")]
pub use baseline::Baseline;
#[cfg(feature = "torch")]
pub use fid::Fid;
#[cfg(feature = "torch")]
pub use kid::Kid;
#[cfg(feature = "torch")]
pub use lpips::{Lpips, LpipsNet};
pub use psnr::Psnr;
pub use ssim::Ssim;

#[cfg(feature = "torch")]
mod inception_modes {
    use crate::error::MetricError;
    use crate::metric::Variant;
    use crate::set::Pictures;

    const PYTORCH_FID: Variant = Variant {
        name: "pytorch-fid",
        summary: "resized and scaled as pytorch-fid does",
    };
    const TORCH_FIDELITY: Variant = Variant {
        name: "torch-fidelity",
        summary: "resized and scaled as torch-fidelity does, that is as TensorFlow 1 did",
    };
    const CLEAN: Variant = Variant {
        name: "clean",
        summary: "resized and scaled as clean-fid does: antialiased",
    };

    /// For FID.
    pub(super) static PYTORCH_FID_FIRST: [Variant; 3] = [PYTORCH_FID, TORCH_FIDELITY, CLEAN];
    /// For KID, which pytorch-fid does not have.
    pub(super) static TORCH_FIDELITY_FIRST: [Variant; 3] = [TORCH_FIDELITY, CLEAN, PYTORCH_FID];

    pub(super) fn at_least(
        metric: &'static str,
        least: usize,
        pictures: &dyn Pictures,
    ) -> Result<(), MetricError> {
        let found = pictures.len();
        if found >= least {
            Ok(())
        } else {
            Err(MetricError::TooFew {
                metric,
                place: pictures.place(),
                least,
                found,
            })
        }
    }
}
