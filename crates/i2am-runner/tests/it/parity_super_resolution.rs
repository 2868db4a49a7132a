//! What PASD needs in addition to its networks, compared with the transformers and diffusers libraries: text encoder, tokenizer, `UniPC`, colors.

use i2am_nets::text_encoder::{TextEncoder, TextEncoderConfig};
use i2am_nets::{FormulaSource, Precision, Scope};
use i2am_runner::families::{Tokenizer, wavelet_colors};
use i2am_testkit::{FixtureDir, fixtures};
use tch::{Device, Tensor};

use crate::common::{close, committed, shape, tensor};

pub(crate) fn super_resolution() -> Vec<FixtureDir> {
    fixtures(&committed(), "super-resolution")
}

/// Both activations, at two sizes.
#[test]
fn parity_text_encoder() {
    for folder in super_resolution() {
        let _guard = tch::no_grad_guard();
        let (golden, configs) = (folder.tensors("text_encoder"), folder.json("text_encoder"));
        for activation in ["quick_gelu", "gelu"] {
            let config: TextEncoderConfig =
                serde_json::from_value(configs[activation].clone()).unwrap();
            let source = FormulaSource::new(Precision::F32, Device::Cpu);
            let encoder = TextEncoder::new(&Scope::root(&source, "text_encoder"), config);
            let name = format!("{activation}.tokens");
            let tokens = Tensor::from_slice(&golden.i64(&name)).reshape(shape(&golden, &name));
            let states = encoder.forward(&tokens);
            let expected = format!("{activation}.last_hidden_state");
            close(&folder.name(), &states, &golden, &expected, 1e-5);
        }
    }
}

#[test]
fn parity_tokenizer() {
    for folder in super_resolution() {
        let tokenizer = Tokenizer::open(&folder.path().join("tokenizer")).unwrap();
        let golden = folder.json("tokens");
        let length = golden["length"].as_u64().unwrap() as usize;
        let texts = golden["texts"].as_object().unwrap();
        assert!(texts.len() >= 16);
        for (name, text) in texts {
            let expected: Vec<i64> =
                serde_json::from_value(golden["tokens"][name].clone()).unwrap();
            let found = tokenizer.encode(text.as_str().unwrap(), length).unwrap();
            assert_eq!(found, expected, "{name}: {text}");
        }
    }
}

#[test]
fn parity_colors() {
    for folder in super_resolution() {
        let golden = folder.tensors("colours");
        for name in ["wide", "small"] {
            let part = |part: &str| tensor(&golden, &format!("{name}.{part}"));
            let fixed = wavelet_colors(&part("content"), &part("style"));
            close(
                &folder.name(),
                &fixed,
                &golden,
                &format!("{name}.fixed"),
                1e-6,
            );
        }
    }
}
