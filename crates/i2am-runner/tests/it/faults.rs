//! A panic inside one sample fails that sample: the next one is as if nothing had happened, bit for bit.

use i2am_datasets::Sample;
use i2am_nets::unet::PixelKind;
use i2am_runner::RunnerError;
use i2am_runner::capture::CaptureConfig;
use i2am_runner::families::{Generated, Model, Pipeline, Request};
use tch::{Device, Kind, TchError, Tensor};
use tempfile::TempDir;

use crate::common::values;
use crate::tiny::{SIDE, TinyModel, sample, seeded};
use crate::{tiny_pasd, tiny_viton};

/// A small model of every pipeline, loaded, and a sample of its own.
fn models() -> Vec<(Box<dyn Pipeline>, Sample, TempDir)> {
    let folder = || tempfile::tempdir().unwrap();
    let load = |model: &dyn Model| model.load(Device::Cpu).unwrap();
    let (first, second, third) = (folder(), folder(), folder());
    let inpainting = TinyModel::new().write(first.path());
    let try_on = tiny_viton::write(second.path(), &tiny_viton::tensors());
    let enlarging = tiny_pasd::write(PixelKind::Modules, third.path());
    vec![
        (load(&inpainting), sample(SIDE), first),
        (load(&try_on), tiny_viton::sample(), second),
        (load(&enlarging), tiny_pasd::sample(8, 6), third),
    ]
}

/// One sample, with `at_step` called after every step.
fn generate(
    pipeline: &dyn Pipeline,
    sample: &Sample,
    at_step: &mut dyn FnMut(usize),
) -> Result<Generated, RunnerError> {
    let capture = CaptureConfig {
        time_groups: 2,
        ..CaptureConfig::default()
    };
    let request = Request {
        noise: &seeded(),
        capture: Some(&capture),
        on_step: at_step,
    };
    pipeline.generate(sample, request)
}

/// An operator that panics in the first step.
fn wrong_shapes(step: usize) {
    let zeros = |rows| Tensor::zeros([rows, 3], (Kind::Float, Device::Cpu));
    if step == 1 {
        let _ = zeros(2).matmul(&zeros(5));
    }
}

#[test]
fn the_next_sample_is_as_without_the_fault() {
    for (pipeline, sample, _folder) in models() {
        let bits = || {
            let done = generate(pipeline.as_ref(), &sample, &mut |_| {}).unwrap();
            let record = done.record.unwrap().to_bytes().unwrap();
            (values(&done.decoded), done.image.into_raw(), record)
        };
        let before = bits();
        let fault = generate(pipeline.as_ref(), &sample, &mut wrong_shapes).unwrap_err();
        assert!(matches!(fault, RunnerError::Torch(_)), "{fault:?}");
        assert_eq!(
            fault.to_string(),
            "libtorch: mat1 and mat2 shapes cannot be multiplied (2x3 and 5x3)"
        );
        assert!(bits() == before, "the fault has left a trace");
        let x = Tensor::ones([1], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        assert!((x * 2.0).requires_grad(), "gradients are still off");
    }
}

#[test]
fn too_little_memory_is_answered_with_advice() {
    for (pipeline, sample, _folder) in models() {
        let mut hungry = |_| drop(Tensor::zeros([1 << 46], (Kind::Float, Device::Cpu)));
        let fault = generate(pipeline.as_ref(), &sample, &mut hungry).unwrap_err();
        assert!(matches!(fault, RunnerError::OutOfMemory(_)), "{fault:?}");
        let message = fault.to_string();
        for part in ["DefaultCPUAllocator", "f16", "size", "chunk_mib"] {
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

/// There is no device to lose here, so the step fails as an operator on one does.
#[test]
fn a_lost_device_is_told_apart() {
    for (pipeline, sample, _folder) in models() {
        let mut lost = |step: usize| {
            if step == 1 {
                let error = "CUDA error: device-side assert triggered\nCUDA kernel errors might be";
                let error = TchError::Torch(error.to_owned());
                panic!("called `Result::unwrap()` on an `Err` value: {error:?}");
            }
        };
        let fault = generate(pipeline.as_ref(), &sample, &mut lost).unwrap_err();
        assert!(matches!(fault, RunnerError::DeviceLost(_)), "{fault:?}");
        assert_eq!(
            fault.to_string(),
            "the device cannot be used again by this process: libtorch: CUDA error: device-side assert triggered"
        );
    }
}
