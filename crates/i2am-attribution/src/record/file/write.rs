//! Writing.

use std::collections::HashMap;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::{Description, METADATA_KEY, g2r_name, near_names, r2g_name, specific_name};
use crate::bytes::{Element, to_little_endian};
use crate::{AttentionRecord, AttributionError};

impl AttentionRecord {
    /// The record as the bytes of a safetensors file. The same record always gives the same bytes.
    ///
    /// # Errors
    /// As [`AttentionRecord::validate`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, AttributionError> {
        self.validate()?;
        let description = Description::of(self);
        let mut tensors = Vec::new();
        for (layer, described) in self.layers.iter().zip(&description.layers) {
            let shape = described.r2g_shape(self.groups());
            tensors.push(Owned::new(
                r2g_name(&layer.name),
                Dtype::F32,
                &shape,
                &layer.r2g,
            ));
            if let (Some(g2r), Some(shape)) = (&layer.g2r, described.g2r_shape(self.groups())) {
                tensors.push(Owned::new(g2r_name(&layer.name), Dtype::F32, &shape, g2r));
            }
            if let Some(specific) = &layer.specific {
                let shape = described.specific_shape();
                let name = specific_name(&layer.name);
                tensors.push(Owned::new(name, Dtype::F16, &shape, specific));
            }
            if let (Some(near), Some(shape)) = (&layer.near, described.near_shape(self.groups())) {
                for (name, sums) in near_names(&layer.name)
                    .into_iter()
                    .zip([&near.r2g, &near.g2r])
                {
                    tensors.push(Owned::new(name, Dtype::F64, &shape, sums));
                }
            }
        }

        let encode = |source| AttributionError::Encode { source };
        let json = serde_json::to_string(&description).map_err(|source| encode(source.into()))?;
        let views = tensors
            .iter()
            .map(Owned::view)
            .collect::<Result<Vec<_>, _>>()
            .map_err(encode)?;
        // One key only: a map of one entry has one order.
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), json)]);
        safetensors::serialize(views, Some(metadata)).map_err(encode)
    }
}

/// A tensor on its way into a file.
struct Owned {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Owned {
    fn new<T: Element>(name: String, dtype: Dtype, shape: &[usize], values: &[T]) -> Self {
        Self {
            name,
            dtype,
            shape: shape.to_vec(),
            bytes: to_little_endian(values),
        }
    }

    fn view(&self) -> Result<(&str, TensorView<'_>), safetensors::SafeTensorError> {
        let view = TensorView::new(self.dtype, self.shape.clone(), &self.bytes)?;
        Ok((self.name.as_str(), view))
    }
}
