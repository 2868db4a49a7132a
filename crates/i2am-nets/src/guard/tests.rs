//! Failing operators, and what is made of them.

use tch::{Device, Kind, Tensor};

use super::{FailureKind, guard, kind_of, torch_message};

#[test]
fn work_that_succeeds_is_passed_on() {
    assert_eq!(guard(|| 7), Ok(7));
}

#[test]
fn shapes_that_do_not_fit_are_one_line() {
    let zeros = |rows| Tensor::zeros([rows, 3], (Kind::Float, Device::Cpu));
    let failure = guard(|| zeros(2).matmul(&zeros(5))).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Other);
    assert_eq!(
        failure.to_string(),
        "libtorch: mat1 and mat2 shapes cannot be multiplied (2x3 and 5x3)"
    );
}

#[test]
fn memory_that_no_machine_has_is_told_apart() {
    let failure = guard(|| Tensor::zeros([1 << 46], (Kind::Float, Device::Cpu))).unwrap_err();
    assert_eq!(failure.kind, FailureKind::OutOfMemory, "{failure}");
    assert!(
        failure
            .message
            .starts_with("libtorch: DefaultCPUAllocator: ")
            && !failure.message.contains('\n'),
        "{failure}"
    );
}

#[test]
fn a_fault_of_the_program_names_its_place() {
    let failure = guard(|| panic!("first\nsecond")).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Other);
    let start = format!("a fault of the program at {}:", file!());
    assert!(failure.message.starts_with(&start), "{failure}");
    assert!(failure.message.ends_with(": first"), "{failure}");
}

/// A guard inside another one ends with itself, and the gradient mode of the thread is as before.
#[test]
fn guards_nest_and_modes_are_restored() {
    let before = Tensor::zeros([1], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let outer = guard(|| {
        let inner = guard(|| {
            let _guard = tch::no_grad_guard();
            panic!("inner")
        });
        assert!(inner.is_err());
        panic!("outer")
    });
    assert!(outer.unwrap_err().message.ends_with(": outer"));
    assert!((&before * 2.0).requires_grad());
}

#[test]
fn messages_of_libtorch_are_sorted() {
    for (message, kind) in [
        (
            "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 78.00 GiB",
            FailureKind::OutOfMemory,
        ),
        ("CUDA error: out of memory", FailureKind::OutOfMemory),
        (
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
            FailureKind::OutOfMemory,
        ),
        (
            "DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes.",
            FailureKind::OutOfMemory,
        ),
        (
            "CUDA error: an illegal memory access was encountered",
            FailureKind::DeviceLost,
        ),
        (
            "CUDA error: device-side assert triggered",
            FailureKind::DeviceLost,
        ),
        (
            "CUDA error: unspecified launch failure",
            FailureKind::DeviceLost,
        ),
        (
            "CUDA error: uncorrectable ECC error encountered",
            FailureKind::DeviceLost,
        ),
        (
            "CUDA driver error: device not ready",
            FailureKind::DeviceLost,
        ),
        (
            "CUDA error: invalid configuration argument",
            FailureKind::Other,
        ),
        (
            "The size of tensor a (3) must match the size of tensor b (4)",
            FailureKind::Other,
        ),
    ] {
        let error = tch::TchError::Torch(format!("{message}\nException raised from f at \"x\""));
        let panic = format!("called `Result::unwrap()` on an `Err` value: {error:?}");
        assert_eq!(torch_message(&panic).as_deref(), Some(message));
        assert_eq!(kind_of(message), kind, "{message}");
    }
}
