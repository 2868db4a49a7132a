use std::collections::BTreeMap;

use i2am_nets::layout::Checkpoint;
use tch::{Device, Kind, Tensor};

use super::{TakenOver, take_over};

const OPTIONS: (Kind, Device) = (Kind::Float, Device::Cpu);

fn checkpoint() -> Checkpoint {
    let root = crate::trial::frozen();
    Checkpoint::open(&root).unwrap()
}

fn zeros(names: &[(&str, Vec<i64>)]) -> BTreeMap<String, Tensor> {
    let zero =
        |(name, shape): &(&str, Vec<i64>)| ((*name).to_owned(), Tensor::ones(shape, OPTIONS));
    names.iter().map(zero).collect()
}

/// As the published model starts: 9 channels of 13, a control model from the encoder, warp blocks from nowhere.
#[test]
fn the_small_paint_by_example_is_taken_over() {
    let _draws = crate::trial::alone();
    let conv = "conv_in.weight";
    let variables = zeros(&[
        (&format!("unet.{conv}"), vec![24, 13, 3, 3]),
        ("unet.conv_in.bias", vec![24]),
        (&format!("control_model.{conv}"), vec![24, 13, 3, 3]),
        ("control_model.cond_first_block.bias", vec![24]),
        ("unet.warp_zero_convs.0.bias", vec![96]),
    ]);
    let checkpoint = checkpoint();
    let taken = take_over(&variables, &checkpoint).unwrap();
    let expected = TakenOver {
        whole: 2,
        from_unet: 1,
        left: 2,
    };
    assert_eq!(taken, expected);
    let original = checkpoint.tensor("unet.conv_in.weight").unwrap();
    for network in ["unet", "control_model"] {
        let widened = &variables[&format!("{network}.{conv}")];
        assert!(widened.narrow(1, 0, 9) == original.to_kind(Kind::Float));
        assert!(widened.narrow(1, 9, 4).abs().max().double_value(&[]) < f64::MIN_POSITIVE);
    }
    let untouched = &variables["unet.warp_zero_convs.0.bias"];
    assert!(*untouched == untouched.ones_like());
}

/// Latents of 8 channels instead of 4: noisy latents, those of the masked picture, and the mask each go to where they are now read.
#[test]
fn latents_may_have_more_channels() {
    let _draws = crate::trial::alone();
    let (input, output) = ("unet.conv_in.weight", "unet.conv_out.weight");
    let variables = zeros(&[(input, vec![24, 25, 3, 3]), (output, vec![8, 24, 3, 3])]);
    let checkpoint = checkpoint();
    take_over(&variables, &checkpoint).unwrap();
    let original = |name: &str| checkpoint.tensor(name).unwrap().to_kind(Kind::Float);
    for (from, to, count) in [(0, 0, 4), (4, 8, 4), (8, 16, 1)] {
        let place = variables[input].narrow(1, to, count);
        assert!(place == original(input).narrow(1, from, count), "{from}");
    }
    assert!(variables[output].narrow(0, 0, 4) == original(output));
    for name in [input, output] {
        let size = |x: &Tensor| x.square().sum(Kind::Double).double_value(&[]);
        let difference = size(&variables[name]) - size(&original(name));
        assert!(difference.abs() < 1e-9, "{name}: new channels are not zero");
    }
}

#[test]
fn a_tensor_of_another_shape_is_refused() {
    let _draws = crate::trial::alone();
    let variables = zeros(&[("unet.conv_out.weight", vec![4, 48, 3, 3])]);
    let error = take_over(&variables, &checkpoint())
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with(
            "tensor `unet.conv_out.weight`: expected [4, 48, 3, 3], found [4, 24, 3, 3]"
        ),
        "{error}"
    );
}
