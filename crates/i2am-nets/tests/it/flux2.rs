//! The transformer and the autoencoder of FLUX.2 against the diffusers library on a tiny klein, and at their published sizes.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use i2am_nets::flux2::{Flux2, Flux2Config, Placed, Sequence};
use i2am_nets::layout::Checkpoint;
use i2am_nets::vae::{PackedVae, PackedVaeConfig};
use i2am_nets::{
    AttentionProbe, CheckpointSource, ExpectedSource, NetError, NoProbe, Observation, Precision,
    Role, Scope,
};
use i2am_testkit::{FixtureDir, Tensors, assert_close, fixtures, workspace_root};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

/// Of the largest magnitude: two correct CPU implementations differ by up to 1.8e-5.
const TOLERANCE: f64 = 1e-4;

pub(crate) fn klein() -> Vec<FixtureDir> {
    let committed = workspace_root().join("crates/i2am-runner/tests/fixtures");
    fixtures(&committed, "flux2-klein")
}

/// The fixture's networks as a diffusers folder.
pub(crate) fn write(fixture: &FixtureDir, root: &Path) {
    for network in ["transformer", "vae"] {
        let folder = root.join(network);
        fs::create_dir_all(&folder).unwrap();
        let weights = folder.join("diffusion_pytorch_model.safetensors");
        fs::copy(
            fixture.path().join(format!("{network}.safetensors")),
            weights,
        )
        .unwrap();
        let config = fixture.json(network)["diffusers_config"].to_string();
        i2am_files::write_atomic(folder.join("config.json"), config).unwrap();
    }
}

fn networks(folder: &Path) -> (Flux2, PackedVae) {
    let checkpoint = Checkpoint::open(folder).unwrap();
    let source = CheckpointSource::new(&checkpoint, Precision::F32, Device::Cpu);
    let config = Flux2Config::of(&checkpoint).unwrap();
    let transformer = Flux2::new(&Scope::root(&source, "transformer"), config);
    let vae = PackedVaeConfig::of(&checkpoint).unwrap();
    let vae = PackedVae::new(&Scope::root(&source, "vae"), vae);
    let report = source.finish().unwrap();
    assert_eq!(report.unused, Vec::<String>::new());
    (transformer, vae)
}

fn tensor(tensors: &Tensors, name: &str) -> Tensor {
    let shape: Vec<i64> = tensors.shape(name).iter().map(|&n| n as i64).collect();
    Tensor::from_slice(&tensors.f32(name)).reshape(shape)
}

pub(crate) fn values(x: &Tensor) -> Vec<f32> {
    Vec::try_from(x.to_kind(Kind::Float).contiguous().view(-1)).unwrap()
}

fn grid(config: &Value, key: &str) -> (i64, i64) {
    let side = |index: usize| config[key][index].as_i64().unwrap();
    (side(0), side(1))
}

/// Text, generated image and as many references as `grids` has.
fn sequence(
    transformer: &Flux2,
    words: i64,
    generated: (i64, i64),
    grids: &[(i64, i64)],
) -> Sequence {
    let references = grids.iter().enumerate().map(|(index, &grid)| Placed {
        role: Role::Reference(index),
        grid,
        image: 10 + 10 * index as i64,
    });
    let generated = Placed {
        role: Role::Generated,
        grid: generated,
        image: 0,
    };
    let images: Vec<Placed> = [generated].into_iter().chain(references).collect();
    let config = transformer.config();
    Sequence::new(config, &[(Role::Text, words)], &images, Device::Cpu)
}

/// Keeps what blocks give, and queries and keys of every layer.
#[derive(Default)]
struct Kept {
    blocks: BTreeMap<String, Tensor>,
    seen: BTreeMap<String, [Tensor; 3]>,
}

impl AttentionProbe for Kept {
    fn observe(&mut self, seen: &Observation<'_>) {
        let carried = (seen.carried)();
        let kept = [seen.query, seen.key, &carried].map(Tensor::copy);
        self.seen.insert(seen.layer.to_owned(), kept);
    }

    fn block(&mut self, name: &str, output: &Tensor) {
        self.blocks.insert(name.to_owned(), output.copy());
    }
}

#[test]
fn parity_of_every_block() {
    let _guard = tch::no_grad_guard();
    for fixture in klein() {
        let folder = tempfile::tempdir().unwrap();
        write(&fixture, folder.path());
        let (transformer, _) = networks(folder.path());
        let (name, golden) = (fixture.name(), fixture.tensors("single"));
        let close = |what: &str, got: &Tensor| {
            let what_of = format!("{name}: {what}");
            assert_close(&what_of, &values(got), &golden.f32(what), TOLERANCE);
        };
        let json = fixture.json("single");
        let config = &json["config"];
        let (generated, reference) = (
            grid(config, "generated_grid"),
            grid(config, "reference_grid"),
        );
        let text = tensor(&fixture.tensors("inputs"), "text.prompt");
        let words = text.size()[1];
        let all = sequence(&transformer, words, generated, &[reference]);
        let [cos, sin] = all.rotation();
        close("rope.cos", cos);
        close("rope.sin", sin);
        let sigma = f64::from(golden.f32("t")[0]);
        close("temb", &transformer.time(sigma));
        let x = tensor(&golden, "x");
        let mut kept = Kept::default();
        let v = transformer.forward(&x, &text, sigma, &all, &mut kept);
        let own = generated.0 * generated.1;
        let first = |x: &Tensor| x.narrow(x.dim() as i64 - 2, 0, own);
        let expected = values(&first(&tensor(&golden, "v")));
        assert_close(&format!("{name}: v"), &values(&v), &expected, TOLERANCE);
        let expected = values(&first(&tensor(&golden, "norm_out")));
        let found = values(&kept.blocks["norm_out"]);
        assert_close(&format!("{name}: norm_out"), &found, &expected, TOLERANCE);
        for index in 0..transformer.config().num_layers {
            let block = format!("transformer_blocks.{index}");
            let parts = [format!("{block}.text"), block].map(|name| kept.blocks[&name].copy());
            close(&format!("block.double.{index}"), &Tensor::cat(&parts, 1));
        }
        for index in 0..transformer.config().num_single_layers {
            let block = format!("single_transformer_blocks.{index}");
            close(&format!("block.single.{index}"), &kept.blocks[&block]);
        }
        let alone = sequence(&transformer, words, generated, &[]);
        let v = transformer.forward(&first(&x), &text, sigma, &alone, &mut NoProbe);
        close("v.no_reference", &v);
        probes_see_turned_queries_and_keys(&name, &kept, &fixture.tensors("maps"));
    }
}

fn probes_see_turned_queries_and_keys(name: &str, kept: &Kept, maps: &Tensors) {
    let mut compared = 0;
    for (golden, layer) in [
        ("double.0", "transformer_blocks.0.attn"),
        ("single.2", "single_transformer_blocks.2.attn"),
    ] {
        if !maps.contains(&format!("{golden}.q")) {
            continue;
        }
        let [query, key, carried] = &kept.seen[layer];
        for (part, found) in [("q", query), ("k", key)] {
            let golden = format!("{golden}.{part}");
            let expected = maps.f32(&golden);
            assert_close(
                &format!("{name}: {golden}"),
                &values(found),
                &expected,
                TOLERANCE,
            );
        }
        let p = tensor(maps, &format!("{golden}.p"));
        let (share, own) = (
            format!("{golden}.carried_share"),
            maps.shape(&format!("{golden}.share")),
        );
        let (words, positions) = (
            maps.shape(&format!("{golden}.text_reads"))[2],
            own[1] * own[2],
        );
        let start = (words + positions) as i64;
        let rows = p.narrow(1, words as i64, positions as i64);
        let rows = rows.narrow(2, start, rows.size()[2] - start);
        let lengths = carried.squeeze_dim(0).narrow(1, start, rows.size()[2]);
        let found =
            (rows * lengths.unsqueeze(1)).sum_dim_intlist([2_i64].as_slice(), false, Kind::Float);
        assert_close(
            &format!("{name}: {share}"),
            &values(&found),
            &maps.f32(&share),
            TOLERANCE,
        );
        compared += 1;
    }
    assert!(
        compared > 0,
        "{name}: no layer whose queries and keys are stored"
    );
}

#[test]
fn parity_of_the_autoencoder() {
    let _guard = tch::no_grad_guard();
    for fixture in klein() {
        let folder = tempfile::tempdir().unwrap();
        write(&fixture, folder.path());
        let (_, vae) = networks(folder.path());
        let (inputs, golden) = (fixture.tensors("inputs"), fixture.tensors("parts"));
        let name = fixture.name();
        let close = |what: &str, got: &Tensor| {
            assert_close(
                &format!("{name}: {what}"),
                &values(got),
                &golden.f32(what),
                2e-5,
            );
        };
        let shape: Vec<i64> = inputs
            .shape("reference")
            .iter()
            .map(|&n| n as i64)
            .collect();
        let levels: Vec<f32> = inputs
            .u8("reference")
            .iter()
            .map(|&level| f32::from(level))
            .collect();
        let picture = Tensor::from_slice(&levels)
            .reshape(shape)
            .permute([2, 0, 1])
            .unsqueeze(0);
        let picture = picture / 127.5 - 1.0;
        close("vae.moments", &vae.vae().moments(&picture));
        let packed = vae.encode(&picture);
        close("vae.packed", &packed);
        close("vae.decoded", &vae.vae().decode(&tensor(&golden, "vae.z")));
        // Packing and its reverse are the same map.
        let z = vae.vae().encode(&picture).mean;
        assert_close("unpacked", &values(&vae.unpack(&packed)), &values(&z), 1e-6);
    }
}

/// A folder that diffusers saved, in shards, with other sizes: the same velocity, latent and picture. The reverse is
/// `scripts/golden/flux2_round_trip.py compare`.
#[test]
fn a_folder_that_diffusers_saved() {
    let _guard = tch::no_grad_guard();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for fixture in fixtures(&own, "flux2-diffusers") {
        let (transformer, vae) = networks(fixture.path());
        let given = fixture.tensors("computed");
        let close = |what: &str, got: &Tensor| {
            assert_close(what, &values(got), &given.f32(what), TOLERANCE);
        };
        let text = tensor(&given, "text");
        let grids: Vec<i64> = given.f32("grids").iter().map(|&side| side as i64).collect();
        let (generated, reference) = ((grids[0], grids[1]), (grids[2], grids[3]));
        let all = sequence(&transformer, text.size()[1], generated, &[reference]);
        let sigma = f64::from(given.f32("sigma")[0]);
        let x = tensor(&given, "x");
        close(
            "velocity",
            &transformer.forward(&x, &text, sigma, &all, &mut NoProbe),
        );
        let packed = vae.encode(&tensor(&given, "picture"));
        close("packed", &packed);
        close("decoded", &vae.decode(&packed));
    }
}

fn asked(config: Flux2Config) -> (ExpectedSource, usize) {
    let source = ExpectedSource::new();
    let _ = Flux2::new(&Scope::root(&source, "transformer"), config);
    let tensors = source.shapes().len();
    (source, tensors)
}

/// From configurations alone: klein 4B in bfloat16 is 7.75 GB.
#[test]
fn published_sizes() {
    let (source, tensors) = asked(Flux2Config::klein_4b());
    assert_eq!((tensors, source.parameters()), (169, 3_875_544_576));
    let shapes = source.shapes();
    for (name, shape) in [
        ("context_embedder.weight", vec![3072, 7680]),
        (
            "double_stream_modulation_txt.linear.weight",
            vec![18_432, 3072],
        ),
        (
            "transformer_blocks.4.attn.to_add_out.weight",
            vec![3072, 3072],
        ),
        (
            "transformer_blocks.4.ff_context.linear_in.weight",
            vec![18_432, 3072],
        ),
        (
            "single_transformer_blocks.19.attn.to_qkv_mlp_proj.weight",
            vec![27_648, 3072],
        ),
        (
            "single_transformer_blocks.19.attn.to_out.weight",
            vec![3072, 12_288],
        ),
        ("norm_out.linear.weight", vec![6144, 3072]),
        ("proj_out.weight", vec![128, 3072]),
    ] {
        assert_eq!(shapes[&format!("transformer.{name}")], shape, "{name}");
    }
    let layers: BTreeSet<String> = source
        .attentions("transformer")
        .into_iter()
        .map(|l| l.name)
        .collect();
    assert_eq!(layers.len(), 25);
    let (source, tensors) = asked(Flux2Config::klein_9b());
    assert_eq!(
        (tensors, source.parameters()),
        (16 * 8 + 4 * 24 + 9, 9_078_581_248)
    );
}

#[test]
fn autoencoder_of_flux2() {
    let source = ExpectedSource::new();
    let config = PackedVaeConfig::flux2();
    assert_eq!((config.channels(), config.factor()), (128, 16));
    let _ = PackedVae::new(&Scope::root(&source, "vae"), config);
    let shapes = source.shapes();
    // As the autoencoder of Stable Diffusion, and the statistics.
    assert_eq!(shapes.len(), 248 + 2);
    assert_eq!(shapes["vae.bn.running_var"], [128]);
    assert_eq!(shapes["vae.decoder.conv_in.weight"], [512, 32, 3, 3]);
}

/// Every key that asks for what is not built here is named with what was found.
#[test]
fn other_configurations_are_refused() {
    let fixture = &klein()[0];
    for (network, key, value, expected) in [
        (
            "transformer",
            "guidance_embeds",
            Value::from(true),
            "`guidance_embeds`: expected false or null, found true",
        ),
        (
            "transformer",
            "axes_dims_rope",
            vec![8, 8, 8].into(),
            "`axes_dims_rope`: expected 4 even numbers that add up to `attention_head_dim`, 32, found [8, 8, 8]",
        ),
        (
            "transformer",
            "out_channels",
            8.into(),
            "`out_channels`: expected 16 to 16, found 8",
        ),
        (
            "transformer",
            "num_attention_heads",
            0.into(),
            "`num_attention_heads`: expected 1 to 65536, found 0",
        ),
        (
            "vae",
            "decoder_block_out_channels",
            vec![8, 8].into(),
            "`decoder_block_out_channels`: expected null, found [8,8]",
        ),
        (
            "vae",
            "batch_norm_eps",
            0.into(),
            "`batch_norm_eps`: expected a number above 0, at most 1, found 0",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(fixture, folder.path());
        let path = folder.path().join(network).join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        config[key] = value;
        i2am_files::write_atomic(&path, config.to_string()).unwrap();
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        let refused: Result<(), NetError> = match network {
            "transformer" => Flux2Config::of(&checkpoint).map(drop),
            _ => PackedVaeConfig::of(&checkpoint).map(drop),
        };
        let message = refused.unwrap_err().to_string();
        assert!(message.ends_with(expected), "{message}");
    }
}
