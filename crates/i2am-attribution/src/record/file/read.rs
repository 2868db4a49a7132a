//! Reading.

use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use super::{Description, LayerDescription, METADATA_KEY, RECORD_VERSION, array};
use crate::bytes::Element;
use crate::{
    AttentionRecord, AttributionError, Carried, KeyRole, LayerRecord, Near, OtherKeys, Reader,
};

/// The only part that is read before the version is known.
#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

impl AttentionRecord {
    /// Reads what [`AttentionRecord::to_bytes`] wrote; `path` is only named in errors.
    ///
    /// # Errors
    /// [`AttributionError`] saying what is wrong with the file: cut off, no record, another version, tensors missing, left over or
    /// of another shape, values that [`AttentionRecord::validate`] refuses.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, AttributionError> {
        let corrupt = |source| AttributionError::Corrupt {
            path: path.to_owned(),
            source,
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(corrupt)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(corrupt)?;
        let json = header
            .metadata()
            .as_ref()
            .and_then(|metadata| metadata.get(METADATA_KEY))
            .ok_or_else(|| AttributionError::NotARecord {
                path: path.to_owned(),
                key: METADATA_KEY,
            })?;
        let description = parse_description(json, path)?;

        let groups = description.steps.len();
        let mut file = OpenFile {
            path,
            tensors,
            unread: header.offset_keys(),
        };
        let layers = description
            .layers
            .into_iter()
            .map(|layer| file.layer(layer, groups))
            .collect::<Result<Vec<_>, _>>()?;
        file.all_read()?;

        let record = Self {
            layers,
            steps: description.steps,
            latent_height: description.latent_height,
            latent_width: description.latent_width,
        };
        record
            .validate()
            .map_err(|source| AttributionError::InFile {
                path: path.to_owned(),
                source: Box::new(source),
            })?;
        Ok(record)
    }
}

fn parse_description(json: &str, path: &Path) -> Result<Description, AttributionError> {
    let damaged = |source| AttributionError::Description {
        path: path.to_owned(),
        source,
    };
    let VersionOnly { version } = serde_json::from_str(json).map_err(damaged)?;
    if !(1..=RECORD_VERSION).contains(&version) {
        return Err(AttributionError::Version {
            path: path.to_owned(),
            expected: RECORD_VERSION,
            found: version,
        });
    }
    serde_json::from_str(json).map_err(damaged)
}

/// A file while its layers are read.
struct OpenFile<'a> {
    path: &'a Path,
    tensors: SafeTensors<'a>,
    /// Names of tensors that no layer has asked for yet.
    unread: Vec<String>,
}

impl OpenFile<'_> {
    fn layer(
        &mut self,
        layer: LayerDescription,
        groups: usize,
    ) -> Result<LayerRecord, AttributionError> {
        let name = |array: &str| format!("{}/{array}", layer.name);
        let generated = layer.r2g_shape(groups);
        let r2g = self.need(name(array::R2G), Dtype::F32, &generated)?;
        let over_reference = layer.g2r_shape(groups);
        let of_reference = |file: &mut Self, array: &str| match over_reference {
            Some(shape) => file.read(&name(array), Dtype::F32, &shape),
            None => Ok(None),
        };
        let g2r = of_reference(self, array::G2R)?;
        let relative = of_reference(self, array::RELATIVE)?;
        let [carried_r2g, carried_g2r, carried_share] = array::CARRIED;
        let carried_g2r = of_reference(self, carried_g2r)?;
        let carried = match self.read(&name(carried_r2g), Dtype::F32, &generated)? {
            Some(r2g) => Some(Carried {
                r2g,
                g2r: carried_g2r,
                share: self.need(name(carried_share), Dtype::F32, &generated)?,
            }),
            None => None,
        };
        let share = self.read(&name(array::SHARE), Dtype::F32, &generated)?;
        let others = self.by_role(
            name(array::OTHERS),
            &layer.others,
            layer.other_shape(groups),
        )?;
        let others = others.into_iter();
        let readers = self.by_role(
            name(array::READERS),
            &layer.readers,
            layer.reader_shape(groups),
        )?;
        let readers = readers.into_iter();
        let specific = match layer.specific_shape() {
            Some(shape) => self.read(&name(array::SPECIFIC), Dtype::F16, &shape)?,
            None => None,
        };
        let near = match (&layer.near, layer.near_shape(groups)) {
            (Some(radii), Some(shape)) => {
                let [r2g, g2r] = array::NEAR.map(name);
                Some(Near {
                    radii: radii.clone(),
                    r2g: self.need(r2g, Dtype::F64, &shape)?,
                    g2r: self.need(g2r, Dtype::F64, &shape)?,
                })
            }
            _ => None,
        };
        Ok(LayerRecord {
            reference: layer.reference,
            source: layer.source,
            heads: layer.heads,
            height: layer.height,
            width: layer.width,
            r2g,
            g2r,
            relative,
            share,
            others: others
                .map(|(role, share)| OtherKeys { role, share })
                .collect(),
            readers: readers
                .map(|(role, share)| Reader { role, share })
                .collect(),
            carried,
            r2g_counts: layer.r2g_counts,
            g2r_counts: layer.g2r_counts,
            specific,
            near,
            name: layer.name,
        })
    }

    /// The tensor `name`, whose last axis is that of `roles`, apart; nothing without roles.
    fn by_role(
        &mut self,
        name: String,
        roles: &[KeyRole],
        shape: [usize; 3],
    ) -> Result<Vec<(KeyRole, Vec<f32>)>, AttributionError> {
        if roles.is_empty() {
            return Ok(Vec::new());
        }
        let all: Vec<f32> = self.need(name, Dtype::F32, &shape)?;
        let of_role = |(index, &role): (usize, &KeyRole)| {
            let own = all.iter().skip(index).step_by(roles.len());
            (role, own.copied().collect())
        };
        Ok(roles.iter().enumerate().map(of_role).collect())
    }

    /// The tensor `name`, which has to be there.
    fn need<T: Element>(
        &mut self,
        name: String,
        dtype: Dtype,
        shape: &[usize],
    ) -> Result<Vec<T>, AttributionError> {
        self.read(&name, dtype, shape)?
            .ok_or_else(|| AttributionError::MissingTensor {
                path: self.path.to_owned(),
                name,
            })
    }

    /// The tensor `name`, `None` if the file has none.
    fn read<T: Element>(
        &mut self,
        name: &str,
        dtype: Dtype,
        shape: &[usize],
    ) -> Result<Option<Vec<T>>, AttributionError> {
        let Some(index) = self.unread.iter().position(|unread| unread == name) else {
            return Ok(None);
        };
        self.unread.swap_remove(index);
        let tensor = self
            .tensors
            .tensor(name)
            .map_err(|source| AttributionError::Corrupt {
                path: self.path.to_owned(),
                source,
            })?;
        if tensor.dtype() != dtype || tensor.shape() != shape {
            return Err(AttributionError::TensorKind {
                path: self.path.to_owned(),
                name: name.to_owned(),
                expected: format!("{dtype} {shape:?}"),
                found: format!("{} {:?}", tensor.dtype(), tensor.shape()),
            });
        }
        Ok(Some(T::all(tensor.data())))
    }

    fn all_read(&self) -> Result<(), AttributionError> {
        match self.unread.iter().min() {
            Some(name) => Err(AttributionError::UnexpectedTensor {
                path: self.path.to_owned(),
                name: name.clone(),
            }),
            None => Ok(()),
        }
    }
}
