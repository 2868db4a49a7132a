//! Checkpoints of the family in the layouts it reads.

use i2am_nets::NetError;
use i2am_nets::layout::{Checkpoint, Layout};
use i2am_runner::families::{
    FAMILIES, Family as _, PaintByExample, PaintByExampleConfig, family, recognise,
};

use crate::common::{paint_by_example, values};
use crate::tiny::{SIDE, TinyModel, run, sample, seeded, weight_file};

#[test]
fn ldm_file_of_the_fixture_is_complete() {
    for folder in paint_by_example() {
        let checkpoint = Checkpoint::open(&folder.path().join("weights.safetensors")).unwrap();
        assert_eq!(checkpoint.layout(), Layout::Ldm);
        let found = recognise(&checkpoint).map(|family| family.info().name);
        assert_eq!(found, Some("paint-by-example"), "{}", folder.name());
        let report = PaintByExample.inspect(&checkpoint).unwrap();
        assert_eq!(report.missing, Vec::<String>::new());
        assert_eq!(report.unused, Vec::<String>::new());
        assert_eq!(report.wrong, Vec::new());
        assert_eq!(report.loaded, checkpoint.names().count());
    }
}

#[test]
fn strangers_are_reported_and_do_no_harm() {
    let mut model = TinyModel::new();
    model
        .shapes
        .insert("unet.class_embedding.weight".to_owned(), vec![2, 2]);
    let folder = tempfile::tempdir().unwrap();
    let config = model.write(folder.path());
    let report = PaintByExample
        .inspect(&Checkpoint::open(folder.path()).unwrap())
        .unwrap();
    assert!(report.is_complete());
    assert_eq!(report.unused, ["class_embedding.weight"]);
    run(&config, &sample(SIDE), &seeded(), None).unwrap();
}

#[test]
fn a_file_with_no_known_name_is_refused_with_an_example() {
    let folder = tempfile::tempdir().unwrap();
    TinyModel::new().write(folder.path());
    // The names of one network of a diffusers folder mean nothing by themselves.
    let path = weight_file(folder.path(), "unet");
    let message = Checkpoint::open(&path).unwrap_err().to_string();
    assert!(
        message.starts_with(&path.display().to_string()),
        "{message}"
    );
    assert!(
        message.contains("expected tensors named as in a diffusers folder or an LDM checkpoint"),
        "{message}"
    );
    assert!(message.contains("e.g. `conv_in.bias`"), "{message}");
}

#[test]
fn sizes_that_cannot_be_inferred_name_the_tensor() {
    for folder in paint_by_example().iter().take(1) {
        // The autoencoder's place holds nothing that tells its sizes.
        let path = folder.path().join("weights.safetensors");
        let checkpoint = Checkpoint::open(&path).unwrap();
        let error = i2am_nets::layout::Shapes::new(&checkpoint, "vae")
            .axis("no_such.weight", 0)
            .unwrap_err();
        assert!(matches!(error, NetError::Infer { .. }));
        let expected = "cannot infer the sizes of the vae: tensor `no_such.weight` is missing";
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}

#[test]
fn the_registry_is_sorted_and_answers_by_name() {
    let names: Vec<&str> = FAMILIES.iter().map(|family| family.info().name).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    assert!(
        names
            .iter()
            .all(|name| family(name).is_some_and(|found| found.info().name == *name))
    );
    assert!(family("paint-by-exampl").is_none());
    assert!(
        FAMILIES
            .iter()
            .all(|family| !family.info().summary.is_empty() && !family.info().needs.is_empty())
    );
}

#[test]
fn settings_are_read_from_toml_and_unknown_keys_refused() {
    let configure = |text: &str| {
        let table = toml::de::DeTable::parse(text).unwrap();
        let value = toml::Spanned::new(table.span(), toml::de::DeValue::Table(table.into_inner()));
        PaintByExample.configure(value, std::path::Path::new("/runs"))
    };
    let text = "name = \"a\"\nfamily = \"paint-by-example\"\ncheckpoint = \"model.ckpt\"\n";
    let model = configure(text).unwrap();
    assert_eq!(
        (model.name(), model.checkpoint()),
        ("a", std::path::Path::new("/runs/model.ckpt"))
    );
    let defaults = PaintByExampleConfig::new("a", "/runs/model.ckpt".into());
    assert_eq!(
        model.settings(),
        serde_json::to_value(defaults).unwrap(),
        "both ways have the same defaults"
    );
    let error = configure(&format!("{text}guidence = 3.0\n"))
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("unknown field `guidence`"), "{error}");
}

/// Off is on, bit for bit, and the order of runs does not matter.
#[test]
fn runs_repeat_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let config = TinyModel::new().write(folder.path());
    let once = || {
        values(
            &run(&config, &sample(SIDE), &seeded(), None)
                .unwrap()
                .decoded,
        )
    };
    assert_eq!(once(), once());
}
