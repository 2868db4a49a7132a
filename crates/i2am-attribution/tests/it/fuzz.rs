//! Whatever the bytes of a record are, reading it ends in a record or an error, and every map of what was read can be made.

use std::path::Path;

use half::f16;
use i2am_attribution::{
    AttentionRecord, Carried, Convention, ConventionName, Direction, Grid, KeyRole, LayerRecord,
    Near, OtherKeys, Source, attribution_map, cells, levels, localities, normalise,
    reference_shares,
};
use i2am_testkit::fuzz;

/// Records of every kind of layer: one token, a grid, positions one by one, sums of what is near.
fn corpus() -> Vec<Vec<u8>> {
    let generated = Grid {
        height: 2,
        width: 3,
    };
    let layer = |name: &str, source: Source| {
        let tokens = source.tokens();
        let spatial = matches!(source, Source::Spatial { .. });
        LayerRecord {
            r2g: vec![0.125; 2 * 2 * 2 * 6],
            g2r: spatial.then(|| vec![0.25; 2 * 2 * 2 * tokens]),
            r2g_counts: [1, tokens as u64 - 1],
            g2r_counts: [2, 4],
            specific: spatial.then(|| vec![f16::from_f32(0.5); 6 * tokens]),
            near: spatial.then(|| Near {
                radii: vec![1, 2],
                r2g: vec![0.5; 2 * 4],
                g2r: vec![0.5; 2 * 4],
            }),
            ..LayerRecord::new(name, source, 2, generated)
        }
    };
    let pooled = layer(
        "down_blocks.1.attentions.0.transformer_blocks.0.attn2",
        Source::Tokens { count: 1 },
    );
    let grid = Source::Spatial {
        height: 2,
        width: 2,
    };
    let spatial = layer("warp_flow_blks.1.transformer_blocks.0.attn2", grid);
    let sums = |value: f32, size: usize| vec![value; 2 * 2 * 2 * size];
    let joint = LayerRecord {
        relative: Some(sums(0.25, 4)),
        share: Some(sums(0.25, 6)),
        others: vec![
            OtherKeys {
                role: KeyRole::Generated,
                share: vec![0.5; 4],
            },
            OtherKeys {
                role: KeyRole::Text,
                share: vec![0.0; 4],
            },
        ],
        carried: Some(Carried {
            r2g: sums(1.0, 6),
            g2r: Some(sums(1.0, 4)),
            share: sums(1.0, 6),
        }),
        ..layer(
            "down_blocks.0.attentions.0.transformer_blocks.0.attn1",
            grid,
        )
    };
    let second = LayerRecord {
        reference: 1,
        ..layer("transformer_blocks.0.attn#2", Source::Tokens { count: 3 })
    };
    let mixed = LayerRecord {
        g2r: Some(sums(0.25, 4)),
        ..layer(
            "down_blocks.0.attentions.0.transformer_blocks.0.attn2_ip",
            Source::Mixed {
                count: 3,
                height: 2,
                width: 2,
            },
        )
    };
    let record = |layers: Vec<LayerRecord>| AttentionRecord {
        layers,
        steps: vec![1, 2],
        latent_height: 4,
        latent_width: 6,
    };
    let records = [
        vec![pooled.clone()],
        vec![spatial.clone()],
        vec![pooled, spatial],
        vec![joint, second],
        vec![mixed],
    ];
    let records = records.map(|layers| record(layers).to_bytes().expect("a sound record"));
    records
        .into_iter()
        .chain([Vec::new(), b"{}".to_vec()])
        .collect()
}

#[test]
fn any_bytes_are_a_record_or_an_error() {
    let corpus = corpus();
    let corpus: Vec<&[u8]> = corpus.iter().map(Vec::as_slice).collect();
    let convention = Convention::preset(ConventionName::Paper);
    fuzz("record", &corpus, |bytes| {
        let Ok(record) = AttentionRecord::from_bytes(bytes, Path::new("x.safetensors")) else {
            return;
        };
        let again = record.to_bytes().expect("what was read can be written");
        assert_eq!(
            AttentionRecord::from_bytes(&again, Path::new("y.safetensors"))
                .expect("and read again"),
            record
        );
        for direction in Direction::ALL {
            let _ = localities(&record, direction);
            let _ = reference_shares(&record, 0);
            let _ = cells(&record, &convention, direction);
            for level in levels(&record, &convention, direction) {
                if let Ok(map) = attribution_map(&record, &convention, direction, &level) {
                    let _ = normalise(&map.plane, &convention, direction, 8, 8, None);
                }
            }
        }
    });
}
