//! FID and KID against pytorch-fid, torch-fidelity and clean-fid, stage by stage.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::{Path, PathBuf};

use i2am_metrics::{
    Configured, INCEPTION, Mode, PictureFiles, Pictures, Prepared, Resources, Session, SetMetric,
    SetScore, Side, Silent, Statistics, find, frechet_distance, inception_input,
};
use i2am_nets::inception::Tap;
use i2am_testkit::{FixtureDir, assert_close, fixtures, skipped, workspace_root};
use serde_json::Value;
use toml::de::{DeTable, DeValue};

const MODES: [Mode; 3] = [Mode::PytorchFid, Mode::TorchFidelity, Mode::Clean];

pub(crate) fn folders() -> Vec<FixtureDir> {
    fixtures(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"),
        "sets",
    )
}

/// Resources with the weights that `scripts/setup` brings; `None` where they are not.
pub(crate) fn resources() -> Option<Resources> {
    let resources = Resources {
        folders: vec![workspace_root().join(".weights")],
        ..Resources::default()
    };
    if resources.find(&INCEPTION).is_err() {
        skipped("no weights of Inception: scripts/setup fetches them");
        return None;
    }
    Some(resources)
}

/// A session with those.
fn session() -> Option<Session> {
    resources().map(Session::new)
}

pub(crate) fn configured(name: &str, settings: &str) -> Box<dyn Configured> {
    let table = DeTable::parse(settings).unwrap();
    let span = table.span();
    let value = toml::Spanned::new(span, DeValue::Table(table.into_inner()));
    find(name).unwrap().configure(value).unwrap()
}

pub(crate) fn metric(name: &str, settings: &str, session: &Session) -> Box<dyn SetMetric> {
    match configured(name, settings).prepare(session).unwrap() {
        Prepared::Sets(metric) => metric,
        Prepared::Pairs(_) => panic!("{name} compares sets"),
    }
}

pub(crate) fn set(folder: &FixtureDir, side: &str) -> PictureFiles {
    PictureFiles::open(&folder.path().join(side), false).unwrap()
}

pub(crate) fn score(
    metric: &dyn SetMetric,
    generated: &dyn Pictures,
    real: &dyn Pictures,
) -> SetScore {
    metric
        .measure(Side::Pictures(generated), Side::Pictures(real), &Silent)
        .unwrap()
}

#[track_caller]
pub(crate) fn assert_relative(what: &str, got: f64, want: &Value, tolerance: f64) {
    let want = want
        .as_f64()
        .unwrap_or_else(|| panic!("{what}: no number {want}"));
    let error = ((got - want) / want).abs();
    assert!(
        error <= tolerance,
        "{what}: found {got}, expected {want}, relative error {error:.2e} exceeds {tolerance:.0e}"
    );
}

#[test]
fn parity_resized_pictures() {
    for folder in folders() {
        let expected = folder.tensors("expected");
        let sampled: Vec<usize> = expected
            .i64("sampled")
            .iter()
            .map(|&i| i as usize)
            .collect();
        let real = set(&folder, "real");
        for mode in MODES {
            let name = format!("{}.resized.", mode.as_str());
            for (key, _) in expected.iter().filter(|(key, _)| key.starts_with(&name)) {
                let index = real
                    .names()
                    .iter()
                    .position(|file| file.starts_with(&key[name.len()..]))
                    .unwrap();
                let input = inception_input(&real.load(index).unwrap(), mode);
                // The fixture has what the network's scaling is given.
                let unscaled = |value: f32| match mode {
                    Mode::PytorchFid => f32::midpoint(value, 1.0),
                    Mode::TorchFidelity | Mode::Clean => value * 128.0 + 128.0,
                };
                let at = |channel: usize, row: usize, column: usize| {
                    input[(channel * 299 + row) * 299 + column]
                };
                let got: Vec<f32> = (0..3)
                    .flat_map(|channel| sampled.iter().map(move |&row| (channel, row)))
                    .flat_map(|(channel, row)| {
                        sampled.iter().map(move |&column| (channel, row, column))
                    })
                    .map(|(channel, row, column)| unscaled(at(channel, row, column)))
                    .collect();
                assert_close(
                    &format!("{} {key}", folder.name()),
                    &got,
                    &expected.f32(key),
                    1e-6,
                );
            }
        }
    }
}

/// One test, so that the network runs once over the pictures.
#[test]
fn parity_features_fid_and_kid() {
    let Some(session) = session() else { return };
    features_equal(&session);
    fid_equals(&session);
    kid_equals(&session);
}

fn features_equal(session: &Session) {
    let extractor = session.extractor().unwrap();
    for folder in folders() {
        let expected = folder.tensors("expected");
        for mode in MODES {
            for tap in Tap::ALL {
                let width = tap.width();
                let key = format!("{}.{width}.features", mode.as_str());
                if !expected.contains(&key) {
                    continue;
                }
                let real = set(&folder, "real");
                let features = extractor.features(&real, mode, tap, &Silent).unwrap();
                // Those of the pictures whose resized versions are there, in the order of their names.
                let prefix = format!("{}.resized.", mode.as_str());
                let got: Vec<f32> = expected
                    .names()
                    .filter_map(|name| name.strip_prefix(&prefix))
                    .map(|stem| {
                        real.names()
                            .iter()
                            .position(|file| file.starts_with(stem))
                            .unwrap()
                    })
                    .flat_map(|index| features.values[index * width..][..width].iter().copied())
                    .collect();
                assert_close(
                    &format!("{} {key}", folder.name()),
                    &got,
                    &expected.f32(&key),
                    1e-5,
                );
            }
        }
    }
}

fn fid_equals(session: &Session) {
    for folder in folders() {
        let expected = folder.json("expected");
        let (generated, real) = (set(&folder, "generated"), set(&folder, "real"));
        for mode in MODES.map(Mode::as_str) {
            for (tap, want) in expected[mode]["fid"].as_object().unwrap() {
                let fid = metric("fid", &format!("mode = '{mode}'\ntap = {tap}"), session);
                let got = score(fid.as_ref(), &generated, &real);
                let what = format!("{}: fid {mode} at {tap}", folder.name());
                assert_relative(&what, got.value, &want["exact"], 1e-6);
                // The peers' square roots of singular products are not exact themselves.
                assert_relative(&what, got.value, &want["peer"], 1e-5);
                assert_eq!(
                    (got.n_generated, got.n_real),
                    (Some(generated.len()), Some(real.len()))
                );
                assert!(
                    got.notes[0].contains(&format!("{} generated", generated.len())),
                    "{:?}",
                    got.notes
                );
            }
        }
    }
}

fn kid_equals(session: &Session) {
    for folder in folders() {
        let expected = folder.json("expected");
        let (generated, real) = (set(&folder, "generated"), set(&folder, "real"));
        for mode in [Mode::TorchFidelity, Mode::Clean].map(Mode::as_str) {
            // clean-fid draws from its second folder first; the fixture has the other order too.
            let ours = |want: &&Value| want["tap"] == 2048 && want["drawn_first"] != "generated";
            let wanted = expected[mode]["kid"].as_array().unwrap();
            for want in wanted.iter().filter(ours) {
                // One of clean-fid's is of the first pictures of each side, so that chance has no part in it.
                let most = want["of_each_side"]
                    .as_u64()
                    .map_or(usize::MAX, |n| n as usize);
                let settings = format!(
                    "mode = '{mode}'\nsubsets = {}\nsubset_size = {}",
                    want["subsets"], want["subset_size"]
                );
                let kid = metric("kid", &settings, session);
                let got = score(kid.as_ref(), &First(&generated, most), &First(&real, most));
                let what = format!("{}: kid {settings}", folder.name());
                assert_relative(&what, got.value, &want["mean"]["exact"], 2e-6);
                assert_relative(&what, got.value, &want["mean"]["peer"], 1e-5);
                if want["std"].is_object() {
                    assert_relative(&what, got.std.unwrap(), &want["std"]["exact"], 1e-5);
                }
                // Without a deviation there is a reason, and nothing else is remarkable.
                let reasons = got
                    .notes
                    .iter()
                    .filter(|note| note.starts_with("no deviation: "));
                assert_eq!(reasons.count(), usize::from(got.std.is_none()));
                assert_eq!(got.notes.len(), usize::from(got.std.is_none()));
            }
        }
    }
}

/// The first pictures of a set.
struct First<'a>(&'a PictureFiles, usize);

impl Pictures for First<'_> {
    fn place(&self) -> String {
        self.0.place()
    }
    fn len(&self) -> usize {
        self.0.len().min(self.1)
    }
    fn load(&self, index: usize) -> Result<i2am_imaging::RgbImage, i2am_metrics::MetricError> {
        self.0.load(index)
    }
    fn fingerprint(&self, index: usize) -> Result<String, i2am_metrics::MetricError> {
        self.0.fingerprint(index)
    }
}

#[test]
fn parity_statistics() {
    for folder in folders() {
        let read = |name: &str| Statistics::read(&folder.path().join(name), None).unwrap();
        let expected = &folder.json("expected")["statistics"]["many"];
        let distance = frechet_distance(&read("many-a-64.npz"), &read("many-b-64.npz"));
        assert_relative("full rank", distance, &expected["exact"], 1e-9);
        assert_relative("full rank", distance, &expected["peer"], 1e-9);
        let (stored, compressed) = (read("real-64-stored.npz"), read("real-64.npz"));
        assert!(frechet_distance(&stored, &compressed).abs() < 1e-6);
    }
}

#[test]
fn written_statistics_stand_for_their_pictures() {
    let Some(session) = session() else { return };
    let [folder, ..] = &folders()[..] else {
        panic!()
    };
    let (generated, real) = (set(folder, "generated"), set(folder, "real"));
    let fid = metric("fid", "tap = 64", &session);
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("real.npz");
    fid.write_statistics(Side::Pictures(&real), &path, &Silent)
        .unwrap();
    let of_pictures = score(fid.as_ref(), &generated, &real).value;
    let of_file = fid
        .measure(Side::Pictures(&generated), Side::Statistics(&path), &Silent)
        .unwrap();
    assert!(
        (of_file.value / of_pictures - 1.0).abs() < 1e-6,
        "{} {of_pictures}",
        of_file.value
    );
    assert_eq!(of_file.n_real, None);
    let wide = metric("fid", "", &session).measure(
        Side::Pictures(&generated),
        Side::Statistics(&path),
        &Silent,
    );
    assert!(
        wide.unwrap_err()
            .to_string()
            .ends_with("array `mu`: expected the means of 2048 channels, found 64: measure with the tap that the statistics are of")
    );
    let kid = metric("kid", "", &session).measure(
        Side::Pictures(&generated),
        Side::Statistics(&path),
        &Silent,
    );
    assert!(
        kid.unwrap_err()
            .to_string()
            .contains("KID cannot be computed from means and covariances")
    );
}

#[test]
fn scores_depend_neither_on_batches_nor_on_the_order_of_a_list() {
    let [folder, ..] = &folders()[..] else {
        panic!()
    };
    let (generated, real) = (set(folder, "generated"), set(folder, "real"));
    let (generated, real) = (First(&generated, 7), First(&real, 4));
    let reversed: Vec<String> = generated.0.files()[..7]
        .iter()
        .rev()
        .map(|file| file.display().to_string())
        .collect();
    let list = tempfile::Builder::new().suffix(".txt").tempfile().unwrap();
    i2am_files::write_atomic(list.path(), reversed.join("\n")).unwrap();
    let listed = PictureFiles::open(list.path(), false).unwrap();
    assert_ne!(listed.names()[0], generated.0.names()[0]);

    let mut scores = Vec::new();
    for batch in [1, 3, 32] {
        let Some(mut resources) = resources() else {
            return;
        };
        resources.batch = batch;
        let fid = metric("fid", "", &Session::new(resources));
        scores.push(score(fid.as_ref(), &generated, &real).value);
        if batch == 32 {
            scores.push(score(fid.as_ref(), &listed, &real).value);
        }
    }
    for score in &scores {
        assert!((score / scores[0] - 1.0).abs() < 1e-6, "{scores:?}");
    }
}

#[test]
fn features_are_kept_by_content() {
    let Some(mut resources) = resources() else {
        return;
    };
    let [folder, ..] = &folders()[..] else {
        panic!()
    };
    let scratch = tempfile::tempdir().unwrap();
    let cache = scratch.path().join("cache");
    resources.cache = Some(cache.clone());
    let copy = |name: &str, to: &str| -> PathBuf {
        let to = scratch.path().join("set").join(to);
        i2am_files::write_atomic(
            &to,
            i2am_files::read(folder.path().join("real").join(name)).unwrap(),
        )
        .unwrap();
        to
    };
    copy("00.png", "a.png");
    copy("01.png", "b.png");
    let pictures = || PictureFiles::open(&scratch.path().join("set"), false).unwrap();
    let kept = || {
        let [of_weights] = &i2am_files::sorted_entries(&cache).unwrap()[..] else {
            panic!("one file of weights")
        };
        i2am_files::sorted_entries(of_weights).unwrap()
    };
    let session = Session::new(resources);
    let compute = || {
        session
            .extractor()
            .unwrap()
            .features(&pictures(), Mode::Clean, Tap::First, &Silent)
            .unwrap()
    };
    let first = compute();
    assert_eq!(kept().len(), 1);

    // A new process finds them, under whatever names the pictures are now.
    std::fs::rename(
        scratch.path().join("set/b.png"),
        scratch.path().join("set/z.png"),
    )
    .unwrap();
    let other = fresh(&cache);
    let again = other
        .extractor()
        .unwrap()
        .features(&pictures(), Mode::Clean, Tap::First, &Silent)
        .unwrap();
    assert_eq!((*first).clone(), (*again).clone());
    assert_eq!(kept().len(), 1);

    copy("02.png", "z.png");
    assert_ne!((*compute()).clone(), (*first).clone());
    assert_eq!(kept().len(), 2);
}

fn fresh(cache: &Path) -> Session {
    let mut resources = resources().expect("they were there before");
    resources.cache = Some(cache.to_owned());
    Session::new(resources)
}

#[test]
fn one_picture_is_too_few() {
    let Some(session) = session() else { return };
    let [folder, ..] = &folders()[..] else {
        panic!()
    };
    let real = set(folder, "real");
    for name in ["fid", "kid"] {
        let metric = metric(name, "", &session);
        let result = metric.measure(
            Side::Pictures(&First(&real, 1)),
            Side::Pictures(&real),
            &Silent,
        );
        let message = result.unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("{name}: expected at least 2 pictures in ")),
            "{message}"
        );
        assert!(message.ends_with(", found 1"), "{message}");
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    for (name, settings, complaint) in [
        (
            "fid",
            "tap = 100",
            "expected 64, 192, 768 or 2048, found 100",
        ),
        ("fid", "mode = 'tidy'", "unknown variant `tidy`"),
        ("fid", "taps = 64", "unknown field `taps`"),
        (
            "kid",
            "subset_size = 1",
            "expected at least 1 subset of at least 2 pictures",
        ),
    ] {
        let table = DeTable::parse(settings).unwrap();
        let value = toml::Spanned::new(table.span(), DeValue::Table(table.into_inner()));
        let error = find(name).unwrap().configure(value).unwrap_err();
        assert!(error.to_string().contains(complaint), "{error}");
    }
}
