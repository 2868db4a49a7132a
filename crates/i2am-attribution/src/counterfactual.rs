//! What a generated image would be without parts of its reference: the truth that maps claim to show, of one sample, as a file.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use crate::bytes::{Element as _, to_little_endian};
use crate::{AttributionError, Grid};

/// The metadata key that holds the [`Description`] as JSON.
const METADATA_KEY: &str = "i2am.counterfactual";
/// Goes up whenever an older program could not read a newer file.
const VERSION: u32 = 1;

/// What changed in a sample when cells of its reference were taken away, and what attention claims would.
///
/// # Shapes
/// `cells` are those of the reference, `latent` the positions of the generated image's latent, both row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Counterfactual {
    /// Rows and columns of the cells of the reference.
    pub cells: Grid,
    /// Rows and columns of the latent of the generated image.
    pub latent: Grid,
    /// `[latent]`: how much of each position is masked, 0 to 1.
    pub mask: Vec<f32>,
    /// Maps over the cells and baselines, by the names that rows have: `[cells]` each.
    pub claims: Vec<(String, Vec<f32>)>,
    /// What was found at each moment.
    pub moments: Vec<MomentTruth>,
}

/// What passes of one moment say.
#[derive(Debug, Clone, PartialEq)]
pub struct MomentTruth {
    /// Single passes of a step (`step 4`, counted from 0, the noisiest), or whole samplings (`whole sampling`).
    pub moment: String,
    /// `[latent]`: mean over channels of how far the predicted latent changes, absolute, when the reference is plain gray.
    pub whole: Vec<f32>,
    /// Attention between cells and positions in this pass, by reading: `column-softmax` (over the positions, by cell) and `row-softmax`
    /// (over the keys, by position); `[cells, latent]` each, mean over heads and layers.
    pub attention: Vec<(String, Vec<f32>)>,
    /// What taking cells away did, by operator.
    pub removed: Vec<Removed>,
}

/// What taking away each cell did.
#[derive(Debug, Clone, PartialEq)]
pub struct Removed {
    /// How cells were taken away, as configurations spell it.
    pub operator: String,
    /// `[cells, latent]`: mean over channels of how far the predicted latent changes, absolute.
    pub changed: Vec<f32>,
    /// `[cells]`: squared change inside the masked region, over that under a plain gray reference.
    pub effects: Vec<f32>,
    /// `[claims, 2, groups + 1]`: what is left of the image while groups of cells are taken away one after the other, least relevant first
    /// and most relevant first; empty if no curves were asked for.
    pub curves: Vec<f32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    version: u32,
    cells: Grid,
    latent: Grid,
    claims: Vec<String>,
    /// Groups of cells of curves; 0 for none.
    curve_groups: usize,
    moments: Vec<MomentDescription>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MomentDescription {
    moment: String,
    attention: Vec<String>,
    operators: Vec<String>,
}

impl Counterfactual {
    /// The bytes of a safetensors file. The same always gives the same bytes.
    ///
    /// # Errors
    /// [`AttributionError::Encode`].
    ///
    /// # Panics
    /// If an array has another length than its shape says.
    pub fn to_bytes(&self) -> Result<Vec<u8>, AttributionError> {
        let (cells, latent) = (self.cells.len(), self.latent.len());
        let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        let mut add = |name: String, shape: Vec<usize>, values: &[f32]| {
            assert_eq!(shape.iter().product::<usize>(), values.len(), "{name}");
            tensors.push((name, shape, to_little_endian(values)));
        };
        add("mask".to_owned(), vec![latent], &self.mask);
        let claims: Vec<f32> = self
            .claims
            .iter()
            .flat_map(|(_, map)| map)
            .copied()
            .collect();
        add("claims".to_owned(), vec![self.claims.len(), cells], &claims);
        let lines = 2 * self.claims.len();
        let mut curve_groups = 0;
        for at in &self.moments {
            let step = &at.moment;
            add(whole(step), vec![latent], &at.whole);
            for (reading, pairs) in &at.attention {
                add(attention(step, reading), vec![cells, latent], pairs);
            }
            for removed in &at.removed {
                let [changed, effects, curves] = removal(step, &removed.operator);
                add(changed, vec![cells, latent], &removed.changed);
                add(effects, vec![cells], &removed.effects);
                if !removed.curves.is_empty() {
                    let points = removed.curves.len() / lines.max(1);
                    curve_groups = points - 1;
                    add(curves, vec![self.claims.len(), 2, points], &removed.curves);
                }
            }
        }
        let names =
            |list: &[(String, Vec<f32>)]| list.iter().map(|(name, _)| name.clone()).collect();
        let description = Description {
            version: VERSION,
            cells: self.cells,
            latent: self.latent,
            claims: names(&self.claims),
            curve_groups,
            moments: self
                .moments
                .iter()
                .map(|at| MomentDescription {
                    moment: at.moment.clone(),
                    attention: names(&at.attention),
                    operators: at.removed.iter().map(|one| one.operator.clone()).collect(),
                })
                .collect(),
        };
        let encode = |source| AttributionError::Encode { source };
        let json = serde_json::to_string(&description).map_err(|source| encode(source.into()))?;
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?))
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(encode)?;
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), json)]);
        safetensors::serialize(views, Some(metadata)).map_err(encode)
    }

    /// Reads what [`Counterfactual::to_bytes`] wrote; `path` is only named in errors.
    ///
    /// # Errors
    /// [`AttributionError::Counterfactual`] with what is wrong: cut off, another kind of file, another version, an array that is missing
    /// or has another shape.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, AttributionError> {
        let wrong = |problem: String| AttributionError::Counterfactual {
            path: path.to_owned(),
            problem,
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| wrong(e.to_string()))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| wrong(e.to_string()))?;
        let metadata = header.metadata().as_ref();
        let json = metadata
            .and_then(|metadata| metadata.get(METADATA_KEY))
            .ok_or_else(|| wrong(format!("the metadata lack `{METADATA_KEY}`")))?;
        let description: Description =
            serde_json::from_str(json).map_err(|e| wrong(format!("damaged description: {e}")))?;
        if description.version != VERSION {
            let found = description.version;
            return Err(wrong(format!("expected version {VERSION}, found {found}")));
        }
        let read = |name: &str, shape: &[usize]| {
            let Ok(tensor) = tensors.tensor(name) else {
                return Err(wrong(format!("no tensor `{name}`")));
            };
            if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
                let (dtype, found) = (tensor.dtype(), tensor.shape());
                return Err(wrong(format!(
                    "tensor `{name}`: expected F32 {shape:?}, found {dtype} {found:?}"
                )));
            }
            Ok(f32::all(tensor.data()))
        };
        let (cells, latent) = (description.cells.len(), description.latent.len());
        let claimed = read("claims", &[description.claims.len(), cells])?;
        let maps = claimed.chunks(cells.max(1)).map(<[f32]>::to_vec);
        let groups = description.curve_groups;
        let at = |at: MomentDescription| {
            let pairs = |reading: String| {
                let values = read(&attention(&at.moment, &reading), &[cells, latent])?;
                Ok((reading, values))
            };
            let removed = |operator: String| {
                let [changed, effects, curves] = removal(&at.moment, &operator);
                let curves = match groups {
                    0 => Vec::new(),
                    _ => read(&curves, &[claimed.len() / cells.max(1), 2, groups + 1])?,
                };
                Ok(Removed {
                    curves,
                    changed: read(&changed, &[cells, latent])?,
                    effects: read(&effects, &[cells])?,
                    operator,
                })
            };
            Ok(MomentTruth {
                whole: read(&whole(&at.moment), &[latent])?,
                attention: at
                    .attention
                    .into_iter()
                    .map(pairs)
                    .collect::<Result<_, _>>()?,
                removed: at
                    .operators
                    .into_iter()
                    .map(removed)
                    .collect::<Result<_, _>>()?,
                moment: at.moment,
            })
        };
        Ok(Self {
            cells: description.cells,
            latent: description.latent,
            mask: read("mask", &[latent])?,
            claims: description.claims.into_iter().zip(maps).collect(),
            moments: description
                .moments
                .into_iter()
                .map(at)
                .collect::<Result<_, _>>()?,
        })
    }
}

fn whole(moment: &str) -> String {
    format!("{moment}/whole")
}

fn attention(moment: &str, reading: &str) -> String {
    format!("{moment}/attention/{reading}")
}

/// The names of `changed`, `effects` and `curves`.
fn removal(moment: &str, operator: &str) -> [String; 3] {
    ["changed", "effects", "curves"].map(|array| format!("{moment}/{operator}/{array}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Counterfactual {
        let grid = |height, width| Grid { height, width };
        let counted = |count: usize, from: f32| (0..count).map(|i| from + i as f32).collect();
        Counterfactual {
            cells: grid(2, 1),
            latent: grid(2, 3),
            mask: vec![0.0, 0.5, 1.0, 1.0, 0.0, 0.0],
            claims: vec![
                ("masked region".to_owned(), vec![0.25, 0.75]),
                ("baseline edges".to_owned(), vec![0.5, 0.125]),
            ],
            moments: ["step 3", "whole sampling"]
                .map(|moment| MomentTruth {
                    moment: moment.to_owned(),
                    whole: counted(6, moment.len() as f32),
                    attention: vec![("row-softmax".to_owned(), counted(12, 0.5))],
                    removed: vec![Removed {
                        operator: "forbid".to_owned(),
                        changed: counted(12, 7.0),
                        effects: vec![0.5, 1.0],
                        curves: counted(12, -1.0),
                    }],
                })
                .to_vec(),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let example = example();
        let bytes = example.to_bytes().unwrap();
        assert_eq!(bytes, example.to_bytes().unwrap());
        let path = Path::new("a.safetensors");
        assert_eq!(Counterfactual::from_bytes(&bytes, path).unwrap(), example);
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        let path = Path::new("a.safetensors");
        let refused = |bytes: &[u8]| {
            let error = Counterfactual::from_bytes(bytes, path).unwrap_err();
            error.to_string()
        };
        let bytes = example().to_bytes().unwrap();
        for length in [0, 7, 100, bytes.len() - 1] {
            let message = refused(&bytes[..length]);
            assert!(
                message.starts_with("a.safetensors: counterfactual maps: "),
                "{message}"
            );
        }
        let none = safetensors::serialize(Vec::<(String, TensorView<'_>)>::new(), None).unwrap();
        assert!(refused(&none).contains("the metadata lack `i2am.counterfactual`"));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let at = text.find("\"mask\"").unwrap();
        let mut renamed = bytes;
        renamed[at + 1..at + 5].copy_from_slice(b"musk");
        assert!(refused(&renamed).contains("no tensor `mask`"));
    }
}
