use super::*;

fn resolve(text: &str) -> Convention {
    config(text).unwrap().resolve().unwrap()
}

fn config(text: &str) -> Result<ConventionConfig, toml::de::Error> {
    toml::from_str(text)
}

#[test]
fn an_empty_configuration_is_the_default_preset() {
    assert_eq!(resolve(""), Convention::preset(ConventionName::Spatial));
    assert_eq!(
        Convention::default(),
        Convention::preset(ConventionName::Spatial)
    );
}

#[test]
fn presets_are_found_by_name() {
    for name in ConventionName::ALL {
        let convention = resolve(&format!("convention = \"{name}\""));
        assert_eq!(convention, Convention::preset(name));
        assert_eq!(convention.label(), name.as_str());
        assert_eq!(name.as_str().parse::<ConventionName>().unwrap(), name);
        assert!(!name.description().is_empty());
    }
    let message = "released"
        .parse::<ConventionName>()
        .unwrap_err()
        .to_string();
    let expected = "unknown convention `released`: expected one of spatial, released-code, paper";
    assert_eq!(message, expected);
}

#[test]
fn the_released_code_reads_warp_block_4_and_3_to_5_for_time() {
    let convention = Convention::preset(ConventionName::ReleasedCode);
    let name = |slot| format!("warp_flow_blks.{slot}.transformer_blocks.0.attn2");
    assert_eq!(convention.g2r.layers, LayerChoice::Named(vec![name(4)]));
    let time = LayerChoice::Named(vec![name(3), name(4), name(5)]);
    assert_eq!(convention.g2r.time_layers, time);
}

#[test]
fn every_setting_can_be_replaced() {
    let convention = resolve(
        r#"
        convention = "released-code"
        layer_weighting = "unit-mean"
        resize = "torch-bilinear"
        clamp = "off"
        reference_mask = "ignored"
        mask_edges = "cut"
        floor = 0.25
        epsilon = 1e-6
        time_groups = 10
        reference = 1
        [r2g]
        reading = "share"
        layers = "all"
        averaged_over = "outside"
        polarity = "direct"
        [g2r]
        reading = "relative"
        layers = { named = ["warp_flow_blks.*"] }
        time_layers = "spatial"
        averaged_over = "inside"
        polarity = "inverted"
        "#,
    );
    let expected = Convention {
        name: ConventionName::ReleasedCode,
        r2g: DirectionSettings {
            reading: Reading::Share,
            layers: LayerChoice::All,
            time_layers: LayerChoice::All,
            averaged_over: Averaging::Outside,
            polarity: Polarity::Direct,
        },
        g2r: DirectionSettings {
            reading: Reading::Relative,
            layers: LayerChoice::Named(vec!["warp_flow_blks.*".to_owned()]),
            time_layers: LayerChoice::Spatial,
            averaged_over: Averaging::Inside,
            polarity: Polarity::Inverted,
        },
        reference: 1,
        carried: false,
        layer_weighting: LayerWeighting::UnitMean,
        resize: MapResize::TorchBilinear,
        clamp: Clamp::Off,
        reference_mask: ReferenceMask::Ignored,
        mask_edges: MaskEdges::Cut,
        floor: Some(0.25),
        epsilon: 1e-6,
        time_groups: 10,
    };
    assert_eq!(convention, expected);
    assert_eq!(convention.label(), "released-code+overrides");
}

#[test]
fn a_floor_of_zero_is_no_floor() {
    assert_eq!(resolve("floor = 0.0").floor, None);
    assert_eq!(resolve("convention = \"paper\"").floor, None);
}

#[test]
fn repeating_the_preset_is_no_override() {
    assert_eq!(resolve("floor = 0.4").label(), "spatial");
}

#[test]
fn unknown_keys_and_values_are_refused() {
    for text in [
        "flor = 0.4",
        "[r2g]\nlayer = \"all\"",
        "convention = \"Spatial\"",
        "[g2r]\nlayers = [\"warp_flow_blks.4\"]",
    ] {
        assert!(config(text).is_err(), "{text}");
    }
    let message = config("flor = 0.4").unwrap_err().to_string();
    assert!(message.contains("unknown field `flor`"), "{message}");
}

#[test]
fn numbers_out_of_range_are_refused() {
    for (text, expected) in [
        (
            "floor = 1.0",
            "`floor`: expected at least 0 and below 1, found 1",
        ),
        (
            "floor = -0.1",
            "`floor`: expected at least 0 and below 1, found -0.1",
        ),
        ("floor = nan", "`floor`"),
        (
            "epsilon = 0.0",
            "`epsilon`: expected above 0 and finite, found 0",
        ),
        ("epsilon = inf", "`epsilon`"),
        (
            "time_groups = 0",
            "`time_groups`: expected at least 1, found 0",
        ),
        (
            "[g2r]\nlayers = { named = [] }",
            "`g2r.layers`: expected at least one layer, found none",
        ),
    ] {
        let message = config(text).unwrap().resolve().unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_manifest_shows_every_setting() {
    let json = serde_json::to_value(Convention::preset(ConventionName::ReleasedCode)).unwrap();
    let expected = serde_json::json!({
        "convention": "released-code",
        "r2g": {
            "layers": "unet-one-token",
            "time_layers": "unet-one-token",
            "averaged_over": "all",
            "polarity": "inverted",
        },
        "g2r": {
            "layers": {"named": ["warp_flow_blks.4.transformer_blocks.0.attn2"]},
            "time_layers": {"named": [
                "warp_flow_blks.3.transformer_blocks.0.attn2",
                "warp_flow_blks.4.transformer_blocks.0.attn2",
                "warp_flow_blks.5.transformer_blocks.0.attn2",
            ]},
            "averaged_over": "all",
            "polarity": "direct",
        },
        "layer_weighting": "raw",
        "resize": "torch-bicubic",
        "clamp": "zero",
        "reference_mask": "before-min-max",
        "mask_edges": "soft",
        "floor": 0.4,
        "epsilon": 1e-8,
        "time_groups": 5,
    });
    assert_eq!(json, expected);
}
