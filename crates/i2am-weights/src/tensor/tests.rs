use std::path::Path;

use proptest::prelude::*;

use super::*;

fn fit(
    shape: &[usize],
    strides: &[usize],
    offset: usize,
    available: usize,
) -> Result<Tensor, String> {
    let layout = Layout {
        dtype: DType::I16,
        shape: shape.to_vec(),
        strides: strides.to_vec(),
        offset,
    };
    let source = Source {
        path: Path::new("file"),
        bytes: &[],
    };
    layout
        .fit(source, "w", 0, available)
        .map_err(|error| error.to_string())
}

#[test]
fn a_view_must_lie_within_its_storage() {
    assert!(fit(&[2, 3], &[3, 1], 0, 12).is_ok());
    assert_eq!(
        fit(&[2, 3], &[3, 1], 1, 12).err().as_deref(),
        Some("file: tensor `w`: expected 14 bytes, found 12")
    );
    assert_eq!(
        fit(&[2, 3], &[4, 1], 0, 12).err().as_deref(),
        Some("file: tensor `w`: expected 14 bytes, found 12")
    );
    assert!(fit(&[], &[], 5, 12).is_ok());
    assert!(fit(&[], &[], 6, 12).is_err());
    // The stride of an axis of length one is never used.
    assert!(fit(&[1, 3], &[usize::MAX, 1], 0, 6).is_ok());
    assert!(fit(&[1, 3], &[usize::MAX, 2], 0, 10).is_ok_and(|t| t.gather(&[0; 10]).is_some()));
}

#[test]
fn sizes_beyond_all_numbers_are_errors() {
    let huge = usize::MAX;
    assert!(fit(&[2, 2], &[huge, huge], 0, 12).is_err());
    assert!(fit(&[2], &[1], huge, 12).is_err());
    assert!(fit(&[huge, huge], &[0, 0], 0, 12).is_err());
    assert!(fit(&[1 << 62], &[0], 0, 12).is_err());
    // 2 TB out of one element.
    let message = fit(&[1 << 20, 1 << 20], &[0, 0], 0, 2).expect_err("too large");
    assert!(
        message.contains("expected a view about as large as its storage"),
        "{message}"
    );
}

#[test]
fn empty_tensors_need_no_storage() {
    /// As long as tensors count.
    const LONGEST: usize = isize::MAX as usize;
    for (shape, strides) in [
        (vec![0, 3], vec![3, 1]),
        (vec![LONGEST, 0, LONGEST], vec![1, 1, 1]),
    ] {
        let tensor = fit(&shape, &strides, 7, 0).expect("empty");
        assert_eq!(tensor.info.elements, 0);
        assert_eq!(tensor.borrow(&[]), Some(&[][..]));
    }
}

/// Shape, strides and offset of a view that may jump, overlap and stand still.
fn views() -> impl Strategy<Value = (Vec<usize>, Vec<usize>, usize)> {
    let axes = prop::collection::vec((1..5_usize, 0..7_usize), 0..5);
    (axes, 0..4_usize).prop_map(|(axes, offset)| {
        let (shape, strides) = axes.into_iter().unzip();
        (shape, strides, offset)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn gathering_is_indexing((shape, strides, offset) in views()) {
        let storage: Vec<i16> = (0..128).collect();
        let bytes: Vec<u8> = storage.iter().flat_map(|value| value.to_le_bytes()).collect();
        let tensor = fit(&shape, &strides, offset, bytes.len()).expect("128 elements are enough");
        let count: usize = shape.iter().product();
        let want: Vec<u8> = (0..count)
            .flat_map(|flat| {
                let mut rest = flat;
                let mut at = offset;
                for (&length, &stride) in shape.iter().zip(&strides).rev() {
                    at += rest % length * stride;
                    rest /= length;
                }
                storage[at].to_le_bytes()
            })
            .collect();
        prop_assert_eq!(tensor.gather(&bytes), Some(want.clone()));
        prop_assert!(tensor.borrow(&bytes).is_none_or(|borrowed| borrowed == want));
    }
}
