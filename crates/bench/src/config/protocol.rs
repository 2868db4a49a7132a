//! Protocols: settings under which others have published numbers, by one name.

use std::fmt::{self, Display};

use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Settings that belong together. A configuration that names a protocol gets each of them that it does not set itself.
#[derive(Debug)]
pub(crate) struct Protocol {
    /// The value of the key `protocol`.
    pub(crate) name: &'static str,
    /// What a reader of its numbers must know, in one line.
    pub(crate) summary: &'static str,
    /// Where it was read.
    pub(crate) source: &'static str,
    pub(crate) settings: &'static [Setting],
}

/// One setting of a protocol.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Where it stands in a configuration, such as `metric.lpips.net`; below `model` it is a setting of every `[[model]]`.
    pub(crate) key: &'static str,
    /// A TOML value.
    pub(crate) value: &'static str,
    /// Below `model`: the families that know it.
    pub(crate) families: &'static [&'static str],
}

impl Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value)?;
        match self.families {
            [] => Ok(()),
            families => write!(f, " (families {})", families.join(", ")),
        }
    }
}

const fn run(key: &'static str, value: &'static str) -> Setting {
    Setting {
        key,
        value,
        families: &[],
    }
}

const fn model(
    key: &'static str,
    value: &'static str,
    families: &'static [&'static str],
) -> Setting {
    Setting {
        key,
        value,
        families,
    }
}

const CATVTON: &[&str] = &["catvton"];
/// Families that can generate at 512x384.
const SIZED: &[&str] = &["catvton", "paint-by-example", "stable-viton"];

/// Every protocol, sorted by name.
pub(crate) static PROTOCOLS: &[Protocol] = &[
    Protocol {
        name: "catvton",
        summary: "CatVTON's evaluation: 512x384, CatVTON with the original pixels put back; ground truth resized with Lanczos, for FID and KID too; clean-fid, LPIPS with SqueezeNet, Gaussian SSIM",
        source: "Zheng-Chong/CatVTON: inference.py, eval.py",
        settings: &[
            run("ground_truth.filter", "\"pillow-lanczos\""),
            run("ground_truth.sets", "\"resized\""),
            run("metric.fid.mode", "\"clean\""),
            run("metric.kid.mode", "\"clean\""),
            run("metric.lpips.net", "\"squeeze\""),
            run("metric.ssim.variant", "\"gaussian\""),
            model("model.size", "[512, 384]", SIZED),
            model("model.preprocess", "\"script\"", CATVTON),
            model("model.repaint", "true", CATVTON),
            model("model.guidance", "2.5", CATVTON),
            model("model.sampler.kind", "\"ddim\"", CATVTON),
            model("model.sampler.steps", "50", CATVTON),
            model("model.sampler.eta", "1.0", CATVTON),
        ],
    },
    Protocol {
        name: "hr-viton",
        summary: "HR-VITON's evaluation at 512x384: ground truth resized linearly, SSIM of gray images; without its LPIPS, which is of images of 128x128",
        source: "sangyun884/HR-VITON: evaluate.py @ 9cee841",
        settings: &[
            run("ground_truth.filter", "\"pillow-bilinear\""),
            run("metric.ssim.variant", "\"gray\""),
            model("model.size", "[512, 384]", SIZED),
        ],
    },
    Protocol {
        name: "ladi-vton",
        summary: "LaDI-VTON's evaluation: 512x384; ground truth resized linearly, but as stored for FID and KID; clean-fid, LPIPS with AlexNet, Gaussian SSIM",
        source: "miccunifi/ladi-vton: src/utils/val_metrics.py @ 78aa9c0",
        settings: &[
            run("ground_truth.filter", "\"pillow-bilinear\""),
            run("ground_truth.sets", "\"stored\""),
            run("metric.fid.mode", "\"clean\""),
            run("metric.kid.mode", "\"clean\""),
            run("metric.lpips.net", "\"alex\""),
            run("metric.ssim.variant", "\"gaussian\""),
            model("model.size", "[512, 384]", SIZED),
        ],
    },
];

/// A protocol under which a configuration stands.
#[derive(Debug, Clone)]
pub(crate) struct Followed {
    pub(crate) protocol: &'static Protocol,
    /// The keys that the configuration sets to another value.
    pub(crate) otherwise: Vec<&'static str>,
}

impl Followed {
    /// Gives `root` every setting of `protocol` that it does not have.
    pub(crate) fn apply(protocol: &'static Protocol, root: &mut DeTable<'_>) -> Self {
        let mut otherwise = Vec::new();
        for setting in protocol.settings {
            let value = DeValue::parse(setting.value).expect("a protocol's values are TOML");
            let value = Spanned::new(0..0, value.into_inner());
            let keys: Vec<&'static str> = setting.key.split('.').collect();
            if !fill(root, &keys, &value, setting.families) {
                otherwise.push(left_out(root, setting.key).unwrap_or(setting.key));
            }
        }
        otherwise.dedup();
        Self {
            protocol,
            otherwise,
        }
    }

    /// What the manifest says of it. `line` is fit for a footnote.
    pub(crate) fn settings(&self) -> Value {
        json!({
            "name": self.protocol.name,
            "source": self.protocol.source,
            "otherwise": self.otherwise,
            "line": self.to_string(),
        })
    }
}

impl Display for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Protocol { name, summary, .. } = self.protocol;
        write!(f, "Protocol `{name}`: {summary}")?;
        match &self.otherwise[..] {
            [] => Ok(()),
            keys => write!(f, "; set otherwise: {}", keys.join(", ")),
        }
    }
}

/// Puts `value` at the place `keys` of `table` if nothing is there; in every table of a list on the way, in those of `families` if there
/// are some. Whether `value` is there now.
fn fill<'a>(
    table: &mut DeTable<'a>,
    keys: &[&'static str],
    value: &Spanned<DeValue<'a>>,
    families: &[&str],
) -> bool {
    let [key, rest @ ..] = keys else {
        return true;
    };
    let at = |name: &'static str| Spanned::new(0..0, name.into());
    if rest.is_empty() {
        let own = table.entry(at(key)).or_insert_with(|| value.clone());
        return same(own.get_ref(), value.get_ref());
    }
    let empty = || Spanned::new(0..0, DeValue::Table(DeTable::new()));
    match table.entry(at(key)).or_insert_with(empty).get_mut() {
        DeValue::Table(inner) => fill(inner, rest, value, families),
        DeValue::Array(items) => {
            let tables = items.iter_mut().filter_map(|item| match item.get_mut() {
                DeValue::Table(inner) => Some(inner),
                _ => None,
            });
            let mut is_everywhere = true;
            for inner in tables.filter(|inner| families.is_empty() || is_of(inner, families)) {
                is_everywhere &= fill(inner, rest, value, families);
            }
            is_everywhere
        }
        // Whoever owns the key says what is wrong with it.
        _ => false,
    }
}

/// The table that `key` would be in, if the configuration has `false` instead of it.
fn left_out(root: &DeTable<'_>, key: &'static str) -> Option<&'static str> {
    let mut table = root;
    for (end, _) in key.match_indices('.') {
        let path = &key[..end];
        let name = path.rsplit('.').next().unwrap_or(path);
        match table.get(name).map(Spanned::get_ref)? {
            DeValue::Table(inner) => table = inner,
            DeValue::Boolean(false) => return Some(path),
            _ => return None,
        }
    }
    None
}

/// Whether the `[[model]]` is of one of `families`.
fn is_of(model: &DeTable<'_>, families: &[&str]) -> bool {
    let family = model.get("family").map(Spanned::get_ref);
    matches!(family, Some(DeValue::String(name)) if families.contains(&name.as_ref()))
}

/// Whether two values are equal as far as a protocol's go: texts, numbers, booleans and lists of them.
fn same(a: &DeValue<'_>, b: &DeValue<'_>) -> bool {
    let number = |value: &DeValue<'_>| match value {
        DeValue::Integer(number) => number.as_str().parse::<f64>().ok(),
        DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
        _ => None,
    };
    match (a, b) {
        (DeValue::String(a), DeValue::String(b)) => a == b,
        (DeValue::Boolean(a), DeValue::Boolean(b)) => a == b,
        (DeValue::Array(a), DeValue::Array(b)) => {
            let mut pairs = a.iter().zip(b.iter());
            a.len() == b.len() && pairs.all(|(a, b)| same(a.get_ref(), b.get_ref()))
        }
        _ => number(a).is_some_and(|a| number(b).is_some_and(|b| a.total_cmp(&b).is_eq())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Document, RunConfig, Source};

    const HEAD: &str = r#"
schema_version = 1
name = "x"
protocol = "catvton"
[dataset]
kind = "dresscode"
root = "set"
"#;

    /// The configuration `text` with `sets` and its models, as it is after everything is filled in.
    fn read(text: &str, sets: &[&str]) -> Result<(RunConfig, Vec<Value>), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        i2am_files::write_atomic(&path, text).unwrap();
        let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
        let source = Source::read(&path, &sets).unwrap();
        let read = || {
            let mut document = Document::parse_source(&source)?;
            let config = RunConfig::read(&mut document)?;
            let models = document.take_top("model").expect("it has models");
            Ok((config, document.parse::<Vec<Value>>(models)?))
        };
        read().map_err(|error: anyhow::Error| format!("{error:#}"))
    }

    fn settings(config: &RunConfig) -> Value {
        config.metrics.settings()
    }

    #[test]
    fn protocols_are_sorted_and_their_settings_can_be_filled_in() {
        assert!(PROTOCOLS.is_sorted_by(|a, b| a.name < b.name));
        for protocol in PROTOCOLS {
            for text in [protocol.summary, protocol.source] {
                assert!(
                    !text.is_empty() && !text.contains('\n'),
                    "{}",
                    protocol.name
                );
            }
            for setting in protocol.settings {
                assert!(DeValue::parse(setting.value).is_ok(), "{}", setting.key);
                let of_models = setting.key.starts_with("model.");
                assert_eq!(of_models, !setting.families.is_empty(), "{}", setting.key);
            }
            let mut empty = DeTable::new();
            assert!(Followed::apply(protocol, &mut empty).otherwise.is_empty());
        }
    }

    #[test]
    fn a_protocol_fills_what_is_not_set() {
        let text = format!(
            "{HEAD}[[model]]\nname = 'a'\nfamily = 'catvton'\n[[model]]\nname = 'b'\nfamily = 'pasd'\n"
        );
        let (config, models) = read(&text, &[]).unwrap();
        let metrics = settings(&config);
        assert_eq!(metrics["fid"][0]["mode"], "clean");
        assert_eq!(metrics["kid"][0]["mode"], "clean");
        assert_eq!(metrics["lpips"][0]["net"], "squeeze");
        assert_eq!(metrics["ssim"][0]["variant"], "gaussian");
        assert_eq!(
            json!(config.ground_truth),
            json!({ "filter": "pillow-lanczos", "sets": "resized" })
        );
        assert_eq!(models[0]["size"], json!([512, 384]));
        assert_eq!(models[0]["repaint"], true);
        assert_eq!(models[0]["sampler"]["eta"], 1.0);
        assert_eq!(models[1], json!({ "name": "b", "family": "pasd" }));
        let followed = config.protocol.unwrap();
        assert_eq!(followed.settings()["name"], "catvton");
        assert_eq!(
            followed.to_string(),
            format!("Protocol `catvton`: {}", PROTOCOLS[0].summary)
        );
    }

    /// Whatever is set wins: in the file, in what all models share, and on the command line; and the footnote says so.
    #[test]
    fn an_explicit_setting_wins_and_is_named() {
        let text = format!(
            "{HEAD}[defaults.model]\nrepaint = false\n[[model]]\nname = 'a'\nfamily = 'catvton'\nsampler = {{ steps = 50 }}\n\
             [metric.lpips]\nnet = 'alex'\n[[metric.ssim]]\n[[metric.ssim]]\nvariant = 'gray'\n"
        );
        let sets = [
            "metric.kid=false",
            "model.0.guidance=1",
            "ground_truth.sets=stored",
        ];
        let (config, models) = read(&text, &sets).unwrap();
        let metrics = settings(&config);
        assert_eq!(metrics["lpips"][0]["net"], "alex");
        assert!(metrics.get("kid").is_none(), "{metrics}");
        assert_eq!(metrics["fid"][0]["mode"], "clean");
        assert_eq!(metrics["ssim"][0]["variant"], "gaussian");
        assert_eq!(metrics["ssim"][1]["variant"], "gray");
        assert_eq!(models[0]["repaint"], false);
        assert_eq!(models[0]["guidance"], 1);
        assert_eq!(models[0]["sampler"]["kind"], "ddim");
        let followed = config.protocol.unwrap();
        assert_eq!(
            followed.otherwise,
            [
                "ground_truth.sets",
                "metric.kid",
                "metric.lpips.net",
                "metric.ssim.variant",
                "model.repaint",
                "model.guidance"
            ]
        );
        let line = followed.to_string();
        assert!(
            line.contains("; set otherwise: ground_truth.sets, metric.kid, "),
            "{line}"
        );
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let text = format!("{HEAD}[[model]]\nname = 'a'\nfamily = 'pasd'\n");
        let error = read(&text, &["protocol=cavton"]).err().unwrap();
        assert!(
            error.contains(
                "protocol: no protocol `cavton`: did you mean `catvton`? Known are: catvton"
            ),
            "{error}"
        );
        let error = read(&text, &["protocol=3"]).err().unwrap();
        assert!(error.contains("run.toml"), "{error}");
    }

    #[test]
    fn without_a_protocol_nothing_is_filled_in() {
        let text = HEAD.replace("protocol = \"catvton\"\n", "");
        let (config, models) =
            read(&format!("{text}[[model]]\nfamily = 'catvton'\n"), &[]).unwrap();
        assert!(config.protocol.is_none() && config.metrics.configured.is_empty());
        assert_eq!(models, [json!({ "family": "catvton" })]);
    }
}
