//! Writing.

use std::collections::HashMap;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::{Description, METADATA_KEY, array};
use crate::bytes::{Element, to_little_endian};
use crate::{AttentionRecord, AttributionError, LayerRecord};

impl AttentionRecord {
    /// The record as the bytes of a safetensors file. The same record always gives the same bytes.
    ///
    /// # Errors
    /// As [`AttentionRecord::validate`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, AttributionError> {
        self.validate()?;
        let description = Description::of(self);
        let groups = self.groups();
        let mut tensors = Vec::new();
        for (layer, described) in self.layers.iter().zip(&description.layers) {
            let mut add = |tensor: Owned| tensors.push(tensor);
            let f32 = |array: &str, shape: &[usize], values: &[f32]| {
                Owned::new(layer, array, Dtype::F32, shape, values)
            };
            let generated = described.r2g_shape(groups);
            add(f32(array::R2G, &generated, &layer.r2g));
            if let Some(shape) = described.g2r_shape(groups) {
                for (name, sums) in [(array::G2R, &layer.g2r), (array::RELATIVE, &layer.relative)] {
                    if let Some(sums) = sums {
                        add(f32(name, &shape, sums));
                    }
                }
            }
            if let Some(share) = &layer.share {
                add(f32(array::SHARE, &generated, share));
            }
            if !layer.others.is_empty() {
                // Roles innermost.
                let rows = 0..groups * layer.heads;
                let of_row = |row: usize| layer.others.iter().map(move |other| other.share[row]);
                let values: Vec<f32> = rows.flat_map(of_row).collect();
                add(f32(array::OTHERS, &described.other_shape(groups), &values));
            }
            if !layer.readers.is_empty() {
                let rows = 0..groups * layer.heads;
                let of_row = |row: usize| layer.readers.iter().map(move |reader| reader.share[row]);
                let values: Vec<f32> = rows.flat_map(of_row).collect();
                add(f32(
                    array::READERS,
                    &described.reader_shape(groups),
                    &values,
                ));
            }
            if let Some(carried) = &layer.carried {
                let [r2g, g2r, share] = array::CARRIED;
                add(f32(r2g, &generated, &carried.r2g));
                if let (Some(sums), Some(shape)) = (&carried.g2r, described.g2r_shape(groups)) {
                    add(f32(g2r, &shape, sums));
                }
                add(f32(share, &generated, &carried.share));
            }
            if let (Some(specific), Some(shape)) = (&layer.specific, described.specific_shape()) {
                add(Owned::new(
                    layer,
                    array::SPECIFIC,
                    Dtype::F16,
                    &shape,
                    specific,
                ));
            }
            if let (Some(near), Some(shape)) = (&layer.near, described.near_shape(groups)) {
                for (name, sums) in array::NEAR.into_iter().zip([&near.r2g, &near.g2r]) {
                    add(Owned::new(layer, name, Dtype::F64, &shape, sums));
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
    fn new<T: Element>(
        layer: &LayerRecord,
        array: &str,
        dtype: Dtype,
        shape: &[usize],
        values: &[T],
    ) -> Self {
        Self {
            name: format!("{}/{array}", layer.name),
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
