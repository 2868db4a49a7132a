use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::*;
use crate::AttributionError;
use crate::testing::{joint, one_token, record, spatial};

const PATH: &str = "attention/model/00001.safetensors";

fn two_layers() -> AttentionRecord {
    record(vec![
        one_token("up_blocks.1.attentions.0", [2, 2], 2, &[0.25; 8]),
        spatial("warp_flow_blks.0", [2, 3], [3, 2], 2),
    ])
}

fn read(bytes: &[u8]) -> Result<AttentionRecord, AttributionError> {
    AttentionRecord::from_bytes(bytes, Path::new(PATH))
}

#[track_caller]
fn assert_refused(bytes: &[u8], expected: &str) {
    let message = read(bytes).unwrap_err().to_string();
    assert!(message.starts_with(PATH), "{message}");
    assert!(message.contains(expected), "{message}");
}

/// The file of [`two_layers`] with `change` made to its description and tensors.
fn changed(
    change: impl Fn(&mut String, &mut Vec<(String, Dtype, Vec<usize>, Vec<u8>)>),
) -> Vec<u8> {
    let bytes = two_layers().to_bytes().unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = header.metadata().as_ref().unwrap();
    let (key, json) = metadata.iter().next().unwrap();
    let mut json = json.clone();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> = file
        .iter()
        .map(|(name, view)| {
            let (shape, data) = (view.shape().to_vec(), view.data().to_vec());
            (name.to_owned(), view.dtype(), shape, data)
        })
        .collect();
    change(&mut json, &mut tensors);
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        let view = TensorView::new(*dtype, shape.clone(), data).unwrap();
        (name.clone(), view)
    });
    safetensors::serialize(views, Some(HashMap::from([(key.clone(), json)]))).unwrap()
}

#[test]
fn a_file_gives_back_the_record() {
    let record = two_layers();
    let bytes = record.to_bytes().unwrap();
    assert_eq!(read(&bytes).unwrap(), record);
    assert_eq!(record.to_bytes().unwrap(), bytes);
    // The same file after an edit that changes nothing: the helper of the tests below adds no fault of its own.
    assert_eq!(read(&changed(|_, _| {})).unwrap(), record);
}

#[test]
fn a_direction_that_was_not_recorded_stays_absent() {
    let mut record = two_layers();
    record.layers[1].g2r = None;
    record.layers[1].specific = None;
    assert_eq!(read(&record.to_bytes().unwrap()).unwrap(), record);
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bytes = two_layers().to_bytes().unwrap();
    for length in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        assert_refused(&bytes[..length], "not a readable attention record");
    }
}

#[test]
fn a_file_without_a_description_is_refused() {
    let data = [0; 4];
    let view = TensorView::new(Dtype::F32, vec![1], &data).unwrap();
    let bytes = safetensors::serialize([("x", view)], None).unwrap();
    assert_refused(&bytes, "the metadata lack `i2am.attention-record`");
}

#[test]
fn a_damaged_description_is_refused() {
    let bytes = changed(|json, _| *json = json.replace("\"heads\"", "\"hands\""));
    assert_refused(&bytes, "damaged description: unknown field `hands`");
    let bytes = changed(|json, _| json.truncate(json.len() / 2));
    assert_refused(&bytes, "damaged description");
}

#[test]
fn another_version_is_refused_whatever_else_changed() {
    let bytes = changed(|json, _| {
        *json = json.replace("\"version\":1", "\"version\":5,\"new\":true");
    });
    assert_refused(&bytes, "version 5; this program reads versions up to 4");
}

#[test]
fn tensors_must_be_those_of_the_description() {
    let missing = changed(|_, tensors| tensors.retain(|(name, ..)| name != "warp_flow_blks.0/r2g"));
    assert_refused(&missing, "without tensor `warp_flow_blks.0/r2g`");

    let added = changed(|_, tensors| {
        tensors.push(("stray".to_owned(), Dtype::U8, vec![1], vec![0]));
    });
    assert_refused(&added, "unexpected tensor `stray`");

    let reshaped = changed(|_, tensors| {
        for (name, _, shape, _) in tensors {
            if name == "warp_flow_blks.0/g2r" {
                shape.swap(3, 4);
            }
        }
    });
    let expected =
        "`warp_flow_blks.0/g2r`: expected F32 [2, 1, 2, 3, 2], found F32 [2, 1, 2, 2, 3]";
    assert_refused(&reshaped, expected);
}

#[test]
fn sizes_that_overflow_are_refused() {
    let huge = u64::MAX.to_string();
    let bytes =
        changed(|json, _| *json = json.replace("\"height\":3", &format!("\"height\":{huge}")));
    assert_refused(&bytes, "expected F32 [2, 1, 2, 18446744073709551615, 2]");
}

#[test]
fn content_is_validated_on_reading() {
    let bytes = changed(|_, tensors| {
        let (.., data) = tensors
            .iter_mut()
            .find(|(name, ..)| name == "warp_flow_blks.0/r2g")
            .unwrap();
        data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    assert_refused(
        &bytes,
        "layer `warp_flow_blks.0`: r2g: expected finite values, at least 0, found NaN",
    );
}

#[test]
fn validation_names_layer_field_expected_and_found() {
    type Change = fn(&mut AttentionRecord);
    let faults: [(Change, &str); 15] = [
        (
            |r| r.latent_width = 0,
            "latent size: expected at least 1x1, found 4x0",
        ),
        (
            |r| r.steps = vec![],
            "steps: expected at least 1 in each group, found []",
        ),
        (
            |r| r.steps = vec![0],
            "steps: expected at least 1 in each group, found [0]",
        ),
        (
            |r| r.layers.clear(),
            "layers: expected at least 1, found none",
        ),
        (
            |r| r.layers[1].name = r.layers[0].name.clone(),
            "layers: expected unique names, found `up_blocks.1.attentions.0` twice",
        ),
        (
            |r| r.layers[1].heads = 0,
            "layer `warp_flow_blks.0`: heads: expected at least 1, found 0",
        ),
        (
            |r| r.layers[1].height = 0,
            "generated size: expected at least 1, found 0",
        ),
        (
            |r| {
                r.layers[1].source = Source::Spatial {
                    height: 0,
                    width: 2,
                }
            },
            "reference size: expected at least 1, found 0",
        ),
        (
            |r| r.layers[1].r2g.push(0.0),
            "layer `warp_flow_blks.0`: r2g: expected 24 values, found 25",
        ),
        (
            |r| r.steps = vec![1, 1],
            "r2g: expected 32 values, found 16",
        ),
        (
            |r| r.layers[0].r2g[3] = -0.5,
            "r2g: expected finite values, at least 0, found -0.5",
        ),
        (
            |r| r.layers[0].r2g_counts = [1, 1],
            "r2g_counts: expected 1 in all, found 1 + 1",
        ),
        (
            |r| r.layers[1].g2r_counts = [u64::MAX, 7],
            "g2r_counts: expected 6 in all",
        ),
        (
            |r| r.layers[0].g2r = Some(vec![0.0; 8]),
            "g2r: expected none for pooled tokens",
        ),
        (
            |r| r.layers[1].specific = Some(vec![f16::ZERO; 35]),
            "specific: expected 36 values, found 35",
        ),
    ];
    for (fault, expected) in faults {
        let mut record = two_layers();
        record.validate().unwrap();
        fault(&mut record);
        let message = record.validate().unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert!(record.to_bytes().is_err(), "{expected}");
    }
}

/// [`two_layers`], the second with sums near the matching place at two radii.
fn with_near() -> AttentionRecord {
    let mut record = two_layers();
    record.layers[1].near = Some(Near {
        radii: vec![0, 2],
        r2g: vec![0.1, 0.2, 0.3, 0.4],
        g2r: vec![0.5, 0.0, 0.5, 1.0 / 3.0],
    });
    record
}

#[test]
fn sums_near_the_matching_place_come_back_and_raise_the_version() {
    let record = with_near();
    let bytes = record.to_bytes().unwrap();
    assert_eq!(read(&bytes).unwrap(), record);
    let version = |bytes: &[u8]| {
        let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
        let json = header.metadata().as_ref().unwrap().values().next().unwrap();
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        value["version"].as_u64().unwrap()
    };
    assert_eq!(version(&bytes), 2);
    // A record without is the file that it always was.
    assert_eq!(version(&two_layers().to_bytes().unwrap()), 1);
}

#[test]
fn a_file_that_lost_sums_near_the_matching_place_is_refused() {
    let bytes = with_near().to_bytes().unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let kept: Vec<_> = file
        .iter()
        .filter(|(name, _)| !name.ends_with("near-g2r"))
        .collect();
    let cut = safetensors::serialize(kept, header.metadata().clone()).unwrap();
    assert_refused(&cut, "without tensor `warp_flow_blks.0/near-g2r`");
}

#[test]
fn sums_near_the_matching_place_are_validated() {
    type Change = fn(&mut AttentionRecord);
    let faults: [(Change, &str); 6] = [
        (
            |r| r.layers[0].near = r.layers[1].near.clone(),
            "near: expected none for pooled tokens",
        ),
        (
            |r| r.layers[1].g2r = None,
            "near: expected none without g2r",
        ),
        (
            |r| r.layers[1].near.as_mut().unwrap().radii = vec![2, 0],
            "near radii: expected ascending, up to 16, found [2, 0]",
        ),
        (
            |r| r.layers[1].near.as_mut().unwrap().r2g.push(1.0),
            "near r2g: expected 4 values, found 5",
        ),
        (
            |r| r.layers[1].near.as_mut().unwrap().g2r[1] = f64::NAN,
            "near g2r: expected finite values, at least 0, found NaN",
        ),
        (
            |r| r.layers[1].near.as_mut().unwrap().g2r[2] = 0.25,
            "near g2r: expected sums that grow with the radius, found 0.25 after 0.5",
        ),
    ];
    for (fault, expected) in faults {
        let mut record = with_near();
        record.validate().unwrap();
        fault(&mut record);
        let message = record.validate().unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let mut record = with_near();
    let mut other = record.layers[1].clone();
    other.name.push('2');
    other.near.as_mut().unwrap().radii = vec![0, 1];
    record.layers.push(other);
    let message = record.validate().unwrap_err().to_string();
    assert!(
        message.contains("near radii: expected the same in all layers"),
        "{message}"
    );
}

/// A layer in which other keys compete, of a second reference.
fn competing() -> LayerRecord {
    LayerRecord {
        reference: 1,
        carried: Some(Carried {
            r2g: vec![2.0; 2 * 2 * 6],
            g2r: Some(vec![3.0; 2 * 2 * 6]),
            share: vec![4.0; 2 * 2 * 6],
        }),
        ..joint("attn#2", [2, 3], 2, 0.25)
    }
}

#[test]
fn other_keys_need_the_latest_version_and_come_back() {
    let mixed = LayerRecord {
        g2r: Some(vec![0.5; 2 * 2 * 4]),
        r2g: vec![0.5; 2 * 2 * 6],
        ..LayerRecord::new(
            "attn2_ip",
            Source::Mixed {
                count: 3,
                height: 2,
                width: 2,
            },
            2,
            Grid {
                height: 2,
                width: 3,
            },
        )
    };
    let tokens = LayerRecord {
        source: Source::Tokens { count: 4 },
        r2g_counts: [4, 0],
        ..one_token("attn2", [2, 2], 2, &[0.25; 8])
    };
    for layer in [competing(), mixed, tokens] {
        let record = record(vec![layer]);
        let bytes = record.to_bytes().unwrap();
        assert_eq!(read(&bytes).unwrap(), record);
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("\\\"version\\\":3"), "{text:.300}");
    }
    let old = two_layers().to_bytes().unwrap();
    let text = String::from_utf8_lossy(&old);
    assert!(
        text.contains("\\\"version\\\":1") && text.contains("image-token"),
        "{text:.300}"
    );
}

/// A layer whose prompt asks too, with its padding apart.
fn read_by_text() -> LayerRecord {
    let reader = |role, share| Reader {
        role,
        share: vec![share; 2],
    };
    let mut layer = competing();
    layer.others[0].role = KeyRole::Padding;
    layer.readers = vec![reader(KeyRole::Text, 0.5), reader(KeyRole::Padding, 0.25)];
    layer
}

#[test]
fn what_a_prompt_reads_needs_the_latest_version_and_comes_back() {
    let record = record(vec![read_by_text()]);
    let bytes = record.to_bytes().unwrap();
    assert_eq!(read(&bytes).unwrap(), record);
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("\\\"version\\\":4"), "{text:.300}");
}

#[test]
fn what_a_prompt_reads_is_validated() {
    let refused = |change: &dyn Fn(&mut LayerRecord), expected: &str| {
        let mut layer = read_by_text();
        change(&mut layer);
        let message = record(vec![layer]).validate().unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    refused(
        &|layer| layer.readers[1].share[0] = 1.01,
        "readers: expected at most the number of steps, found 1.01 of padding",
    );
    refused(
        &|layer| layer.readers[1].role = KeyRole::Text,
        "readers: expected each role once, found text",
    );
    refused(
        &|layer| layer.readers[0].share.truncate(1),
        "readers: expected 2 values, found 1",
    );
}

#[test]
fn shares_are_validated() {
    let refused = |change: &dyn Fn(&mut LayerRecord), expected: &str| {
        let mut layer = competing();
        change(&mut layer);
        let message = record(vec![layer]).validate().unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    refused(
        &|layer| layer.share.as_mut().unwrap()[0] = 1.01,
        "share: expected at most the number of steps, found 1.01",
    );
    refused(
        &|layer| layer.others.clear(),
        "share: expected there with other keys",
    );
    refused(
        &|layer| layer.share = None,
        "share: expected there with other keys",
    );
    refused(
        &|layer| layer.others.push(layer.others[0].clone()),
        "each role once",
    );
    refused(
        &|layer| layer.others[0].share[1] = 1.5,
        "found 1.5 of generated",
    );
    refused(
        &|layer| layer.carried.as_mut().unwrap().g2r = None,
        "carried g2r: expected as g2r",
    );
    refused(
        &|layer| layer.relative.as_mut().unwrap().truncate(3),
        "relative: expected 24 values",
    );
    assert!(record(vec![competing()]).validate().is_ok());
}
