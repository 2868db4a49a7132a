//! Checkpoints that authors have published for the families, and what is known of them. What is not known is not guessed: a size or a license
//! that no source names is `None`. `bench check` prints the license that the card of a repository names.

use serde::Serialize;

/// Something to download.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Published {
    /// The family that loads it.
    pub(crate) family: &'static str,
    /// The key of `[[model]]` that names it.
    pub(crate) key: &'static str,
    /// What to write there if it is on the hub, else the name of the file or folder.
    pub(crate) name: &'static str,
    /// Its size.
    pub(crate) size: Option<&'static str>,
    /// The license of its weights.
    pub(crate) license: Option<&'static str>,
    /// Where it is, what else a run needs, and what it is trained for.
    pub(crate) needs: &'static str,
}

const PASD: &str =
    "from its authors (yangxy/PASD); a diffusers folder of Stable Diffusion 1.5 as `checkpoint`";
const CATVTON: &str = "`checkpoint = \"hf:booksforcharlie/stable-diffusion-inpainting\"`, `vae = \"hf:stabilityai/sd-vae-ft-mse\"`";
const IP_ADAPTER: &str = "a diffusers folder of Stable Diffusion 1.5 as `checkpoint`, `image_encoder = \"hf:h94/IP-Adapter/models/image_encoder\"`";

const fn catvton(name: &'static str) -> Published {
    Published {
        family: "catvton",
        key: "attention",
        name,
        size: Some("198 MB"),
        license: Some("CC BY-NC-SA 4.0"),
        needs: CATVTON,
    }
}

const fn leffa(name: &'static str, needs: &'static str) -> Published {
    Published {
        family: "leffa",
        key: "checkpoint",
        name,
        size: Some("7.21 GB"),
        license: Some("MIT"),
        needs,
    }
}

const fn ip_adapter(name: &'static str, size: &'static str) -> Published {
    Published {
        family: "ip-adapter",
        key: "adapter",
        name,
        size: Some(size),
        license: Some("Apache-2.0"),
        needs: IP_ADAPTER,
    }
}

const fn elsewhere(
    family: &'static str,
    key: &'static str,
    name: &'static str,
    size: Option<&'static str>,
    needs: &'static str,
) -> Published {
    Published {
        family,
        key,
        name,
        size,
        license: None,
        needs,
    }
}

/// Those of the families that this build has; without libtorch it has none, and all are listed.
pub(crate) fn published() -> impl Iterator<Item = &'static Published> {
    #[cfg(feature = "torch")]
    let is_known = |family: &str| i2am_runner::families::family(family).is_some();
    #[cfg(not(feature = "torch"))]
    let is_known = |_: &str| true;
    PUBLISHED.iter().filter(move |row| is_known(row.family))
}

/// All of them, by family.
static PUBLISHED: &[Published] = &[
    catvton("hf:zhengchong/CatVTON/mix-48k-1024/attention/model.safetensors"),
    catvton("hf:zhengchong/CatVTON/vitonhd-16k-512/attention/model.safetensors"),
    catvton("hf:zhengchong/CatVTON/dresscode-16k-512/attention/model.safetensors"),
    elsewhere(
        "dci-vton",
        "checkpoint",
        "viton512.ckpt",
        None,
        "from its authors (bcmi/DCI-VTON-Virtual-Try-On); VITON-HD with the warped garments that they publish",
    ),
    elsewhere(
        "dci-vton",
        "checkpoint",
        "viton512_v2.ckpt",
        None,
        "as viton512.ckpt",
    ),
    Published {
        family: "flux2-klein",
        key: "checkpoint",
        name: "FLUX.2-klein-4B",
        size: Some("7.75 GB (transformer) and 8.05 GB (text encoder)"),
        license: Some("Apache-2.0"),
        needs: "a `prompt`, for its text encoder",
    },
    ip_adapter(
        "hf:h94/IP-Adapter/models/ip-adapter_sd15.safetensors",
        "44.6 MB",
    ),
    ip_adapter(
        "hf:h94/IP-Adapter/models/ip-adapter_sd15_light.safetensors",
        "44.6 MB",
    ),
    ip_adapter(
        "hf:h94/IP-Adapter/models/ip-adapter-plus_sd15.safetensors",
        "98.2 MB",
    ),
    ip_adapter(
        "hf:h94/IP-Adapter/models/ip-adapter-full-face_sd15.safetensors",
        "43.6 MB",
    ),
    leffa(
        "hf:franciszzj/Leffa/virtual_tryon.pth",
        "VITON-HD with its densepose maps",
    ),
    leffa(
        "hf:franciszzj/Leffa/virtual_tryon_dc.pth",
        "Dress Code with its densepose maps",
    ),
    elsewhere(
        "paint-by-example",
        "checkpoint",
        "hf:Fantasy-Studio/Paint-by-Example",
        None,
        "nothing else; the folder is read, not the file below",
    ),
    elsewhere(
        "paint-by-example",
        "checkpoint",
        "hf:Fantasy-Studio/Paint-by-Example/model.ckpt",
        Some("5.24 GB"),
        "nothing else; the same weights under their authors' names",
    ),
    elsewhere("pasd", "pasd", "pasd/checkpoint-100000", None, PASD),
    elsewhere(
        "pasd-light",
        "pasd",
        "pasd_light/checkpoint-120000",
        Some("3.55 GB (UNet)"),
        PASD,
    ),
    elsewhere(
        "stable-viton",
        "checkpoint",
        "VITONHD.ckpt",
        Some("7.35 GB (by its tensors)"),
        "from its authors (rlawjdghek/StableVITON); VITON-HD with its agnostic images and densepose maps",
    ),
];

#[cfg(test)]
mod tests {
    use super::PUBLISHED;

    #[test]
    fn rows_are_sorted_by_family_and_named_once() {
        assert!(PUBLISHED.is_sorted_by_key(|row| row.family));
        for (index, row) in PUBLISHED.iter().enumerate() {
            assert!(
                PUBLISHED[..index]
                    .iter()
                    .all(|other| other.name != row.name),
                "{}",
                row.name
            );
        }
    }

    /// What a configuration can name, and by which key, is what the family says.
    #[cfg(feature = "torch")]
    #[test]
    fn every_family_has_a_row_and_every_name_can_be_parsed() {
        use i2am_hub::HubName;
        use i2am_runner::families::FAMILIES;
        for family in FAMILIES.iter().map(|family| family.info().name) {
            assert!(PUBLISHED.iter().any(|row| row.family == family), "{family}");
        }
        for row in PUBLISHED {
            if HubName::is_meant(row.name) {
                row.name.parse::<HubName>().unwrap();
            }
        }
    }
}
