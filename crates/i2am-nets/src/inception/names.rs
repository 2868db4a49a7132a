//! The two spellings of the published weights, brought to the one of torchvision.

/// Modules of the `TorchScript` archive, with what torchvision calls them.
const MODULES: &[(&str, &str)] = &[
    ("conv", "Conv2d_1a_3x3"),
    ("conv_1", "Conv2d_2a_3x3"),
    ("conv_2", "Conv2d_2b_3x3"),
    ("conv_3", "Conv2d_3b_1x1"),
    ("conv_4", "Conv2d_4a_3x3"),
    ("mixed", "Mixed_5b"),
    ("mixed_1", "Mixed_5c"),
    ("mixed_2", "Mixed_5d"),
    ("mixed_3", "Mixed_6a"),
    ("mixed_4", "Mixed_6b"),
    ("mixed_5", "Mixed_6c"),
    ("mixed_6", "Mixed_6d"),
    ("mixed_7", "Mixed_6e"),
    ("mixed_8", "Mixed_7a"),
    ("mixed_9", "Mixed_7b"),
    ("mixed_10", "Mixed_7c"),
];

const A: &[(&str, &str)] = &[
    ("conv", "branch1x1"),
    ("tower.conv", "branch5x5_1"),
    ("tower.conv_1", "branch5x5_2"),
    ("tower_1.conv", "branch3x3dbl_1"),
    ("tower_1.conv_1", "branch3x3dbl_2"),
    ("tower_1.conv_2", "branch3x3dbl_3"),
    ("tower_2.conv", "branch_pool"),
];

const B: &[(&str, &str)] = &[
    ("conv", "branch3x3"),
    ("tower.conv", "branch3x3dbl_1"),
    ("tower.conv_1", "branch3x3dbl_2"),
    ("tower.conv_2", "branch3x3dbl_3"),
];

const C: &[(&str, &str)] = &[
    ("conv", "branch1x1"),
    ("tower.conv", "branch7x7_1"),
    ("tower.conv_1", "branch7x7_2"),
    ("tower.conv_2", "branch7x7_3"),
    ("tower_1.conv", "branch7x7dbl_1"),
    ("tower_1.conv_1", "branch7x7dbl_2"),
    ("tower_1.conv_2", "branch7x7dbl_3"),
    ("tower_1.conv_3", "branch7x7dbl_4"),
    ("tower_1.conv_4", "branch7x7dbl_5"),
    ("tower_2.conv", "branch_pool"),
];

const D: &[(&str, &str)] = &[
    ("tower.conv", "branch3x3_1"),
    ("tower.conv_1", "branch3x3_2"),
    ("tower_1.conv", "branch7x7x3_1"),
    ("tower_1.conv_1", "branch7x7x3_2"),
    ("tower_1.conv_2", "branch7x7x3_3"),
    ("tower_1.conv_3", "branch7x7x3_4"),
];

const E: &[(&str, &str)] = &[
    ("conv", "branch1x1"),
    ("tower_conv", "branch3x3_1"),
    ("tower_mixed_conv", "branch3x3_2a"),
    ("tower_mixed_conv_1", "branch3x3_2b"),
    ("tower_1_conv", "branch3x3dbl_1"),
    ("tower_1_conv_1", "branch3x3dbl_2"),
    ("tower_1_mixed_conv", "branch3x3dbl_3a"),
    ("tower_1_mixed_conv_1", "branch3x3dbl_3b"),
    ("tower_2_conv", "branch_pool"),
];

/// `name` as torchvision spells it; `None` if it is no part of the network up to its last pool.
///
/// Known are the names of the `TorchScript` archive (`net.layers.mixed.tower.conv_1.beta`) and torchvision's own
/// (`Mixed_5b.branch5x5_2.bn.bias`).
pub(super) fn rename(name: &str) -> Option<String> {
    let Some(path) = name.strip_prefix("net.layers.") else {
        return (MODULES.iter().any(|(_, own)| name.starts_with(own))
            && !name.ends_with("num_batches_tracked"))
        .then(|| name.to_owned());
    };
    let (path, leaf) = path.rsplit_once('.')?;
    let leaf = match leaf {
        "weight" => "conv.weight",
        "beta" => "bn.bias",
        "mean" => "bn.running_mean",
        "var" => "bn.running_var",
        _ => return None,
    };
    let (module, branch) = path.split_once('.').unwrap_or((path, ""));
    let own = lookup(MODULES, module)?;
    if branch.is_empty() {
        return Some(format!("{own}.{leaf}"));
    }
    let table = match own {
        "Mixed_5b" | "Mixed_5c" | "Mixed_5d" => A,
        "Mixed_6a" => B,
        "Mixed_7a" => D,
        "Mixed_7b" | "Mixed_7c" => E,
        _ => C,
    };
    Some(format!("{own}.{}.{leaf}", lookup(table, branch)?))
}

fn lookup<'a>(table: &[(&str, &'a str)], key: &str) -> Option<&'a str> {
    table
        .iter()
        .find(|(known, _)| *known == key)
        .map(|(_, own)| *own)
}
