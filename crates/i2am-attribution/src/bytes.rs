//! Arrays as the little-endian bytes of tensor files.

use half::f16;

/// Elements that safetensors stores in a fixed number of bytes.
pub(crate) trait Element: Copy {
    /// Appends the element's bytes.
    fn put(self, out: &mut Vec<u8>);
    /// Reads all elements of a buffer whose length is a multiple of the element's size.
    fn all(bytes: &[u8]) -> Vec<Self>;
}

impl Element for f32 {
    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn all(bytes: &[u8]) -> Vec<Self> {
        let (chunks, _) = bytes.as_chunks::<4>();
        chunks
            .iter()
            .map(|chunk| Self::from_le_bytes(*chunk))
            .collect()
    }
}

impl Element for f64 {
    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn all(bytes: &[u8]) -> Vec<Self> {
        let (chunks, _) = bytes.as_chunks::<8>();
        chunks
            .iter()
            .map(|chunk| Self::from_le_bytes(*chunk))
            .collect()
    }
}

impl Element for f16 {
    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn all(bytes: &[u8]) -> Vec<Self> {
        let (chunks, _) = bytes.as_chunks::<2>();
        chunks
            .iter()
            .map(|chunk| Self::from_le_bytes(*chunk))
            .collect()
    }
}

/// The bytes of `values`, in order.
pub(crate) fn to_little_endian<T: Element>(values: &[T]) -> Vec<u8> {
    let mut out = Vec::with_capacity(size_of_val(values));
    for value in values {
        value.put(&mut out);
    }
    out
}
