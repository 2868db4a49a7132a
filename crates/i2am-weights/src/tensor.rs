//! Where a tensor lies in its storage, and copying it out in row-major order.

use crate::dtype::DType;
use crate::error::WeightError;
use crate::source::Source;

/// Axes a tensor may have; networks have up to five.
pub(crate) const MAX_RANK: usize = 16;

/// Bytes that a view may grow to beyond its storage. `x.expand(...)` stores one element and asks for any number
/// of them.
const MAX_EXPANDED_BYTES: u64 = 256 << 20;

/// What a tensor is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TensorInfo {
    /// Element type on disk.
    pub dtype: DType,
    /// Axis lengths, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Product of the shape; 1 for a scalar.
    pub elements: usize,
}

impl TensorInfo {
    /// Bytes of the tensor's elements; 0 for [`DType::Other`].
    pub fn bytes(&self) -> usize {
        self.elements * self.dtype.size()
    }
}

/// A tensor as a file describes it, before it is known to fit. Offset and strides count elements.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<usize>,
    pub(crate) offset: usize,
}

/// A tensor that lies within its storage, or one that is only known to be there.
#[derive(Debug)]
pub(crate) struct Tensor {
    pub(crate) info: TensorInfo,
    /// What its elements are, if they cannot be read.
    pub(crate) unread: Option<String>,
    /// Index of the storage in the file's list.
    pub(crate) storage: usize,
    /// First element's byte in the storage.
    start: usize,
    /// Elements from one index to the next along each axis; `None` if the tensor is contiguous.
    strides: Option<Vec<usize>>,
}

impl Layout {
    /// Checks the tensor `name` against the `available` bytes of its storage. Nothing is read.
    pub(crate) fn fit(
        self,
        source: Source<'_>,
        name: &str,
        storage: usize,
        available: usize,
    ) -> Result<Tensor, WeightError> {
        let part = || format!("tensor `{name}`");
        let size = self.dtype.size();
        let elements = element_count(&self.shape);
        let bytes = elements
            .and_then(|n| n.checked_mul(size))
            .filter(|&bytes| isize::try_from(bytes).is_ok());
        let (Some(elements), Some(bytes)) = (elements, bytes) else {
            let found = format!("shape {:?}", self.shape);
            return Err(source.malformed(part(), "a shape whose size is a number of bytes", found));
        };
        let info = TensorInfo {
            dtype: self.dtype,
            elements,
            shape: self.shape,
        };
        if elements == 0 {
            return Ok(Tensor::contiguous(info, storage, 0));
        }
        let end = last_element(&info.shape, &self.strides, self.offset)
            .and_then(|last| last.checked_add(1)?.checked_mul(size))
            .unwrap_or(usize::MAX);
        if end > available {
            return Err(source.length(part(), end as u64, available as u64));
        }
        let start = self.offset * size;
        if is_contiguous(&info.shape, &self.strides) {
            return Ok(Tensor::contiguous(info, storage, start));
        }
        if bytes as u64 > MAX_EXPANDED_BYTES.max(available as u64) {
            let found = format!("{bytes} bytes in a view of {available}");
            return Err(source.malformed(part(), "a view about as large as its storage", found));
        }
        // The stride of an axis of length one is never used and may be anything.
        let strides = self
            .strides
            .iter()
            .zip(&info.shape)
            .map(|(&s, &d)| if d == 1 { 0 } else { s })
            .collect();
        Ok(Tensor {
            strides: Some(strides),
            ..Tensor::contiguous(info, storage, start)
        })
    }
}

impl Tensor {
    /// A tensor at `start` of its storage, in row-major order. The caller has checked that it fits.
    pub(crate) fn contiguous(info: TensorInfo, storage: usize, start: usize) -> Self {
        Self {
            info,
            unread: None,
            storage,
            start,
            strides: None,
        }
    }

    /// A tensor of this shape whose elements, in words `kind`, cannot be read. Where they lie does not matter.
    pub(crate) fn unread(shape: Vec<usize>, kind: String) -> Self {
        let info = TensorInfo {
            dtype: DType::Other,
            elements: element_count(&shape).unwrap_or(usize::MAX),
            shape,
        };
        Self {
            unread: Some(kind),
            ..Self::contiguous(info, 0, 0)
        }
    }

    /// The tensor's bytes if they lie one after the other in `storage`.
    pub(crate) fn borrow<'a>(&self, storage: &'a [u8]) -> Option<&'a [u8]> {
        self.strides
            .is_none()
            .then(|| &storage[self.start..][..self.info.bytes()])
    }

    /// The tensor's bytes in row-major order, or `None` if there is no memory for them.
    pub(crate) fn gather(&self, storage: &[u8]) -> Option<Vec<u8>> {
        let Some(strides) = &self.strides else {
            return self.borrow(storage).map(<[u8]>::to_vec);
        };
        let view = &storage[self.start..];
        match self.info.dtype.size() {
            1 => gather::<1>(view, &self.info, strides),
            2 => gather::<2>(view, &self.info, strides),
            4 => gather::<4>(view, &self.info, strides),
            _ => gather::<8>(view, &self.info, strides),
        }
    }
}

/// Product of the axis lengths; `None` if it or one of them is no `isize`, as tensors count. A zero axis makes it zero whatever the others
/// are.
pub(crate) fn element_count(shape: &[usize]) -> Option<usize> {
    if shape.iter().any(|&length| isize::try_from(length).is_err()) {
        return None;
    }
    if shape.contains(&0) {
        return Some(0);
    }
    shape
        .iter()
        .try_fold(1_usize, |product, &length| product.checked_mul(length))
        .filter(|&product| isize::try_from(product).is_ok())
}

/// Index of the last element of a tensor that is not empty.
fn last_element(shape: &[usize], strides: &[usize], offset: usize) -> Option<usize> {
    let axes = shape.iter().zip(strides);
    axes.filter(|&(&length, _)| length > 1)
        .try_fold(offset, |last, (&length, &stride)| {
            last.checked_add((length - 1).checked_mul(stride)?)
        })
}

fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    for (&length, &stride) in shape.iter().zip(strides).rev() {
        if length != 1 && stride != expected {
            return false;
        }
        expected *= length;
    }
    true
}

/// Copies elements of `N` bytes in row-major order; `view` begins at the first element.
fn gather<const N: usize>(view: &[u8], info: &TensorInfo, strides: &[usize]) -> Option<Vec<u8>> {
    let (elements, _) = view.as_chunks::<N>();
    let (&inner_length, outer_shape) = info.shape.split_last()?;
    let (&inner_stride, outer_strides) = strides.split_last()?;
    let mut gathered: Vec<[u8; N]> = Vec::new();
    gathered.try_reserve_exact(info.elements).ok()?;
    let mut index = vec![0; outer_shape.len()];
    let mut at = 0;
    while gathered.len() < info.elements {
        gathered.extend((0..inner_length).map(|i| elements[at + i * inner_stride]));
        // The next row: count up like an odometer, last axis first.
        for axis in (0..index.len()).rev() {
            index[axis] += 1;
            at += outer_strides[axis];
            if index[axis] < outer_shape[axis] {
                break;
            }
            at -= outer_strides[axis] * outer_shape[axis];
            index[axis] = 0;
        }
    }
    Some(gathered.into_flattened())
}

#[cfg(test)]
mod tests;
