//! `[[variant]]`: models that differ from a `[[model]]` in a few settings.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::{Document, Table};
use crate::suggest;

/// A model that a `[[variant]]` made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Variant {
    /// Its name.
    pub(crate) model: String,
    /// The model that it is a variant of.
    pub(crate) of: String,
    /// Which variants belong together.
    pub(crate) group: String,
}

/// The keys of a `[[variant]]` that are not settings of its models.
#[derive(Deserialize)]
struct Head {
    name: String,
    of: Vec<String>,
    group: Option<String>,
}

/// What is read of a model.
#[derive(Deserialize)]
struct Base {
    name: Option<String>,
}

/// The kind of a damage.
#[derive(Deserialize)]
struct Kind {
    kind: String,
}

/// Puts the models of every table of `variants` behind `models`: for each name in `of` that model, called `OF-NAME`, with the other keys
/// of the variant in place of its own, table by table. Damage is added to that of the model. Gives what was made, in order.
///
/// # Errors
/// A variant of no model, or without a group.
pub(super) fn expand<'a>(
    document: &Document<'a>,
    models: &mut DeArray<'a>,
    variants: Table<'a>,
) -> Result<Vec<Variant>> {
    let DeValue::Array(tables) = variants.into_inner() else {
        return Err(document.refuse(&"variant: expected tables [[variant]]"));
    };
    let mut bases: Vec<(String, Table<'a>)> = Vec::new();
    for model in models.iter() {
        let Base { name } = document.parse(model.clone())?;
        bases.extend(name.map(|name| (name, model.clone())));
    }
    let mut made = Vec::new();
    for variant in tables {
        let Head { name, of, group } = document.parse(variant.clone())?;
        let group = match group {
            Some(group) => group,
            None => first_damage(document, variant.get_ref())?.ok_or_else(|| {
                document.refuse(&format!(
                    "variant `{name}`: expected `group`, or `damage`, whose kind is the group; found neither"
                ))
            })?,
        };
        if of.is_empty() {
            return Err(document.refuse(&format!(
                "variant `{name}`: of: expected a model, found none"
            )));
        }
        for of in of {
            let Some((_, base)) = bases.iter().find(|(name, _)| *name == of) else {
                let help = suggest::help(&of, bases.iter().map(|(name, _)| name.as_str()));
                return Err(document.refuse(&format!("variant `{name}`: no model `{of}`: {help}")));
            };
            let mut model = base.clone();
            let called = format!("{of}-{name}");
            if let (DeValue::Table(model), DeValue::Table(own)) =
                (model.get_mut(), variant.get_ref())
            {
                overlay(model, own);
                for key in ["of", "group"] {
                    model.remove(key);
                }
                let called = Spanned::new(variant.span(), DeValue::String(called.clone().into()));
                model.insert(Spanned::new(variant.span(), "name".into()), called);
            }
            models.push(model);
            let group = group.clone();
            made.push(Variant {
                model: called,
                of,
                group,
            });
        }
    }
    Ok(made)
}

/// Puts the values of `own` in place of those of `table`; where both have a table, its entries likewise. Damage is appended.
fn overlay<'a>(table: &mut DeTable<'a>, own: &DeTable<'a>) {
    for (key, value) in own {
        let old = table.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut);
        match (old, value.get_ref()) {
            (Some(DeValue::Table(old)), DeValue::Table(new)) => overlay(old, new),
            (Some(DeValue::Array(old)), DeValue::Array(new)) if key.get_ref() == "damage" => {
                for damage in new {
                    old.push(damage.clone());
                }
            }
            _ => {
                table.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The kind of the first damage of a variant, if it has any.
fn first_damage<'a>(document: &Document<'a>, variant: &DeValue<'a>) -> Result<Option<String>> {
    let DeValue::Table(variant) = variant else {
        return Ok(None);
    };
    let Some(DeValue::Array(damage)) = variant.get("damage").map(Spanned::get_ref) else {
        return Ok(None);
    };
    let first = damage.iter().next().cloned();
    first
        .map(|first| Ok(document.parse::<Kind>(first)?.kind))
        .transpose()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::config::{Document, Source, Variant};

    const BASES: &str = r#"
[defaults.model]
size = [128, 96]
sampler = { kind = "ddim", steps = 10 }
[[model]]
name = "a"
guidance = 2.0
[[model]]
name = "b"
damage = [{ kind = "off", layers = ["x"] }]
"#;

    /// The models of `BASES` with `text`, and what the variants among them are.
    fn read(text: &str, sets: &[&str]) -> Result<(Vec<Value>, Vec<Variant>), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        i2am_files::write_atomic(&path, format!("{BASES}{text}")).unwrap();
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let source = Source::read(&path, &sets).unwrap();
        let mut document = Document::parse_source(&source).map_err(|error| error.to_string())?;
        let models = document.take_top("model").unwrap();
        let models = document.parse(models).map_err(|error| error.to_string())?;
        Ok((models, document.variants().to_vec()))
    }

    fn variant(model: &str, of: &str, group: &str) -> Variant {
        let [model, of, group] = [model, of, group].map(str::to_owned);
        Variant { model, of, group }
    }

    #[test]
    fn a_variant_is_its_model_with_other_settings() {
        let (models, variants) = read(
            r#"
[[variant]]
name = "fast"
of = ["a", "b"]
group = "steps"
sampler.steps = 4
[[variant]]
name = "noisy"
of = ["b"]
damage = [{ kind = "noise", size = 0.1 }]
"#,
            &[],
        )
        .unwrap();
        let off = json!({ "kind": "off", "layers": ["x"] });
        let (size, fast) = (json!([128, 96]), json!({ "kind": "ddim", "steps": 4 }));
        let slow = json!({ "kind": "ddim", "steps": 10 });
        assert_eq!(
            models[2..],
            [
                json!({ "name": "a-fast", "size": size, "guidance": 2.0, "sampler": fast }),
                json!({ "name": "b-fast", "size": size, "sampler": fast, "damage": [off] }),
                json!({ "name": "b-noisy", "size": size, "sampler": slow, "damage": [off, { "kind": "noise", "size": 0.1 }] }),
            ]
        );
        assert_eq!(
            variants,
            [
                variant("a-fast", "a", "steps"),
                variant("b-fast", "b", "steps"),
                variant("b-noisy", "b", "noise"),
            ]
        );
    }

    #[test]
    fn what_the_command_line_sets_holds_for_variants() {
        let text = "[[variant]]\nname = 'v'\nof = ['a']\ngroup = 'g'\nguidance = 3.0\n";
        let sets = ["model.0.guidance=4.0", "model.0.size=[64, 64]"];
        let (models, _) = read(text, &sets).unwrap();
        assert_eq!(models[0]["guidance"], json!(4.0));
        assert_eq!(
            (&models[2]["guidance"], &models[2]["size"]),
            (&json!(3.0), &json!([64, 64]))
        );
        let (models, _) = read(text, &["variant.0.guidance=5.0"]).unwrap();
        assert_eq!(models[2]["guidance"], json!(5.0));
    }

    #[test]
    fn a_variant_that_cannot_be_made_is_refused() {
        for (text, expected) in [
            (
                "[[variant]]\nname = 'v'\nof = ['c']\ngroup = 'g'\n",
                "variant `v`: no model `c`",
            ),
            (
                "[[variant]]\nname = 'v'\nof = ['a']\n",
                "variant `v`: expected `group`, or `damage`, whose kind is the group; found neither",
            ),
            (
                "[[variant]]\nname = 'v'\nof = []\ngroup = 'g'\n",
                "variant `v`: of: expected a model, found none",
            ),
            ("[[variant]]\nof = ['a']\n", "missing field `name`"),
        ] {
            let message = read(text, &[]).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
        let message = read("", &["variant=3"]).unwrap_err();
        assert!(
            message.contains("variant: expected tables [[variant]]"),
            "{message}"
        );
    }
}
