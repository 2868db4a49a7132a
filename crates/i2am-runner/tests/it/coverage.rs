//! Every attention layer of every family is recorded, or left out for a reason.

use i2am_runner::families::{Attends, FAMILIES};

/// Recorded layers by family, at the published size.
const RECORDED: [(&str, usize); 9] = [
    ("catvton", 15),
    ("dci-vton", 15),
    ("flux2-klein", 5 + 20),
    ("ip-adapter", 15),
    ("leffa", 15),
    ("paint-by-example", 15),
    ("pasd", 12),
    ("pasd-light", 9),
    ("stable-viton", 15 + 9),
];

#[test]
fn no_attention_layer_is_unknown() {
    for family in FAMILIES {
        let name = family.info().name;
        let all = family.attentions();
        let unknown: Vec<&str> = all
            .iter()
            .filter(|(_, attends)| attends.is_none())
            .map(|(layer, _)| layer.name.as_str())
            .collect();
        assert!(unknown.is_empty(), "{name} does not know {unknown:?}");
        let recorded = all
            .iter()
            .filter(|(_, attends)| attends.is_some_and(Attends::is_recorded));
        assert!(RECORDED.contains(&(name, recorded.count())), "{name}");
        for (layer, attends) in &all {
            if let Some(Attends::Unrecorded(why) | Attends::UnrecordedPositions(why)) = attends {
                assert!(!why.is_empty(), "{name}: {}", layer.name);
            }
        }
    }
    assert_eq!(RECORDED.len(), FAMILIES.len());
}

/// What a new layer would be called.
#[test]
fn a_new_layer_would_be_noticed() {
    for family in FAMILIES {
        let attends = family.info().attends;
        for layer in [
            "up_blocks.1.attentions.0.transformer_blocks.0.attn3",
            "up_blocks.1.motion_modules.0.attention",
        ] {
            assert_eq!(attends("unet", layer), None, "{}", family.info().name);
        }
    }
}
