//! Which files of a folder are read, by their names alone: what has to be downloaded of a folder that is not here.

use std::path::Path;

use super::NETWORKS;
use super::choice::Stems;

/// What lies in the folder of a tokenizer is small and read.
const TOKENIZER: &str = "tokenizer/";

/// The files that are read of a diffusers folder, or of the folder of one network, out of `names`: those of everything in and below it, with
/// `/` between folder and name. Weights are chosen as when the folder is opened.
///
/// # Errors
/// Why it cannot be told which weights are meant; that there are none.
pub fn files_of_folder<'a>(
    names: &[&'a str],
    variant: Option<&str>,
) -> Result<Vec<&'a str>, String> {
    let mut read = Vec::new();
    for (network, stem) in NETWORKS {
        let prefix = format!("{network}/");
        let chosen = of_network(names, &prefix, stem, variant)
            .map_err(|reason| format!("{network}: {reason}"))?;
        read.extend(chosen);
    }
    if read.is_empty() {
        for stem in ["diffusion_pytorch_model", "model"] {
            read.extend(of_network(names, "", stem, variant)?);
        }
    } else {
        let is_of_tokenizer = |name: &&&str| name.starts_with(TOKENIZER);
        read.extend(names.iter().filter(is_of_tokenizer).copied());
    }
    if read.is_empty() {
        let networks = NETWORKS.map(|(network, _)| network).join(", ");
        return Err(format!(
            "expected weights in one of the folders {networks}, or weights and a config.json, found neither; name one file if that is meant, \
             out of: {}",
            some(names)
        ));
    }
    Ok(read)
}

/// The shards of the index `index` out of `names`, those of its folder; nothing if that is the name of another file.
pub fn shards_of_index<'a>(index: &str, names: &[&'a str]) -> Vec<&'a str> {
    let stem = [".safetensors.index", ".bin.index"]
        .iter()
        .find_map(|end| Some(index.split_once(end)?.0));
    let stems = stem.map(|stem| Stems {
        safetensors: stem.to_owned(),
        pickle: stem.to_owned(),
    });
    let shards = stems.map(|stems| stems.shards(index, names));
    shards.unwrap_or_default()
}

/// Configuration and weights of a network whose folder is `prefix`; nothing without weights.
fn of_network<'a>(
    names: &[&'a str],
    prefix: &str,
    stem: &str,
    variant: Option<&str>,
) -> Result<Vec<&'a str>, String> {
    let in_folder = names.iter().filter_map(|name| name.strip_prefix(prefix));
    let in_folder: Vec<&str> = in_folder.filter(|name| !name.contains('/')).collect();
    let mut chosen = Stems::of(stem).files(&in_folder, variant)?;
    if !chosen.is_empty() {
        chosen.extend(in_folder.iter().filter(|name| **name == "config.json"));
    }
    let full = chosen.into_iter().map(|name| format!("{prefix}{name}"));
    let full: Vec<String> = full.collect();
    let is_chosen = |name: &&&str| full.iter().any(|chosen| chosen == **name);
    Ok(names.iter().filter(is_chosen).copied().collect())
}

/// Weight files among `names`, the first of them.
fn some(names: &[&str]) -> String {
    const SHOWN: usize = 12;
    let ends = ["safetensors", "ckpt", "pth", "pt", "bin"];
    let is_weights = |name: &&&str| {
        let extension = Path::new(name).extension();
        extension.is_some_and(|extension| ends.iter().any(|end| extension == *end))
    };
    let weights: Vec<&str> = names.iter().filter(is_weights).copied().collect();
    match weights.len() {
        0 => "no weights at all".to_owned(),
        count if count > SHOWN => {
            format!("{} and {} more", weights[..SHOWN].join(", "), count - SHOWN)
        }
        _ => weights.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::{files_of_folder, shards_of_index};

    #[test]
    fn a_repository_of_networks_has_more_than_is_read() {
        let names = [
            "README.md",
            "feature_extractor/preprocessor_config.json",
            "image_encoder/config.json",
            "image_encoder/pytorch_model.bin",
            "model.ckpt",
            "model_index.json",
            "safety_checker/model.safetensors",
            "scheduler/scheduler_config.json",
            "text_encoder/config.json",
            "text_encoder/model.fp16.safetensors",
            "text_encoder/model.safetensors",
            "tokenizer/merges.txt",
            "tokenizer/vocab.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
            "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
            "unet/diffusion_pytorch_model.bin",
            "unet/diffusion_pytorch_model.fp16-00001-of-00001.safetensors",
            "unet/diffusion_pytorch_model.safetensors.index.fp16.json",
            "unet/diffusion_pytorch_model.safetensors.index.json",
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
        ];
        let read = files_of_folder(&names, None).unwrap();
        let expected = [
            "unet/config.json",
            "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
            "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
            "unet/diffusion_pytorch_model.safetensors.index.json",
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
            "image_encoder/config.json",
            "image_encoder/pytorch_model.bin",
            "text_encoder/config.json",
            "text_encoder/model.safetensors",
            "tokenizer/merges.txt",
            "tokenizer/vocab.json",
        ];
        assert_eq!(read, expected);
        let read = files_of_folder(&names, Some("fp16")).unwrap();
        let expected = [
            "unet/config.json",
            "unet/diffusion_pytorch_model.fp16-00001-of-00001.safetensors",
            "unet/diffusion_pytorch_model.safetensors.index.fp16.json",
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
            "image_encoder/config.json",
            "image_encoder/pytorch_model.bin",
            "text_encoder/config.json",
            "text_encoder/model.fp16.safetensors",
            "tokenizer/merges.txt",
            "tokenizer/vocab.json",
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn one_network_and_one_index() {
        let names = [
            "config.json",
            "diffusion_pytorch_model.bin",
            "diffusion_pytorch_model.safetensors",
        ];
        let read = files_of_folder(&names, None).unwrap();
        assert_eq!(read, ["config.json", "diffusion_pytorch_model.safetensors"]);
        let names = ["config.json", "model.safetensors", "pytorch_model.bin"];
        assert_eq!(
            files_of_folder(&names, None).unwrap(),
            ["config.json", "model.safetensors"]
        );
        let names = [
            "a-00001-of-00002.bin",
            "a-00002-of-00002.bin",
            "a.bin.index.json",
            "b-00001-of-00002.bin",
        ];
        assert_eq!(shards_of_index("a.bin.index.json", &names), names[..2]);
        assert!(shards_of_index("a.bin", &names).is_empty());
    }

    #[test]
    fn nothing_or_too_much_is_refused() {
        let error = files_of_folder(&["model.ckpt", "README.md"], None).unwrap_err();
        assert!(
            error.ends_with("name one file if that is meant, out of: model.ckpt"),
            "{error}"
        );
        let names = [
            "unet/diffusion_pytorch_model.a.bin",
            "unet/diffusion_pytorch_model.b.bin",
        ];
        let error = files_of_folder(&names, None).unwrap_err();
        assert!(
            error.starts_with("unet: expected plain weights") && error.contains("variants a, b"),
            "{error}"
        );
    }
}
