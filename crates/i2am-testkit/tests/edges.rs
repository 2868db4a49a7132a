//! Which crate may depend on which. A new edge is a decision, so it is made here as well as in a manifest.

use std::collections::BTreeMap;
use std::env;
use std::process::Command;

use i2am_testkit::workspace_root;
use serde_json::Value;

/// Every crate with the crates it may use, each only after those: so there can be no cycle.
const EDGES: &[(&str, &[&str])] = &[
    ("i2am-testkit", &[]),
    ("i2am-files", &[]),
    ("i2am-imaging", &["i2am-files"]),
    ("i2am-weights", &["i2am-files"]),
    ("i2am-results", &["i2am-files"]),
    ("i2am-attribution", &["i2am-imaging"]),
    ("i2am-imacs", &["i2am-attribution", "i2am-imaging"]),
    ("i2am-datasets", &["i2am-files", "i2am-imaging"]),
    ("i2am-nets", &["i2am-weights"]),
    (
        "i2am-runner",
        &[
            "i2am-attribution",
            "i2am-datasets",
            "i2am-imaging",
            "i2am-nets",
            "i2am-weights",
        ],
    ),
    // The two programs wire whatever they need.
    ("i2am-zoo", LIBRARIES),
    ("bench", LIBRARIES),
];

const LIBRARIES: &[&str] = &[
    "i2am-attribution",
    "i2am-datasets",
    "i2am-files",
    "i2am-imacs",
    "i2am-imaging",
    "i2am-nets",
    "i2am-results",
    "i2am-runner",
    "i2am-weights",
];

/// Expensive dependencies and the only crates that may have them.
const FENCED: &[(&str, &[&str])] = &[
    ("tch", &["bench", "i2am-nets", "i2am-runner", "i2am-zoo"]),
    ("torch-sys", &[]),
    ("polars", &["i2am-results"]),
];

/// One dependency as written in a manifest, optional ones included.
struct Edge {
    from: String,
    to: String,
    is_dev: bool,
}

fn manifest_edges() -> (Vec<String>, Vec<Edge>) {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--offline",
            "--no-deps",
            "--format-version",
            "1",
        ])
        .current_dir(workspace_root())
        .output()
        .expect("cargo runs this test");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");

    let packages = metadata["packages"].as_array().expect("a list of packages");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let crates = packages
        .iter()
        .map(|package| text(&package["name"]).expect("a package has a name"))
        .collect();
    let edges = packages
        .iter()
        .flat_map(|package| {
            let dependencies = package["dependencies"].as_array().expect("a list");
            dependencies.iter().map(|dependency| Edge {
                from: text(&package["name"]).expect("a package has a name"),
                to: text(&dependency["name"]).expect("a dependency has a name"),
                is_dev: dependency["kind"] == "dev",
            })
        })
        .collect();
    (crates, edges)
}

#[test]
fn only_the_listed_edges_exist() {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    let (crates, edges) = manifest_edges();
    let unlisted: Vec<&String> = crates
        .iter()
        .filter(|name| !allowed.contains_key(name.as_str()))
        .collect();
    assert!(
        unlisted.is_empty(),
        "crates without a row in EDGES: {unlisted:?}"
    );
    assert_eq!(
        crates.len(),
        EDGES.len(),
        "EDGES lists a crate that is gone"
    );

    let forbidden: Vec<String> = edges
        .iter()
        .filter(|edge| crates.contains(&edge.to))
        .filter(|edge| !allowed[edge.from.as_str()].contains(&edge.to.as_str()))
        .filter(|edge| !(edge.is_dev && edge.to == "i2am-testkit"))
        .map(|edge| format!("{} -> {}", edge.from, edge.to))
        .collect();
    assert!(
        forbidden.is_empty(),
        "edges that EDGES does not allow: {forbidden:?}"
    );
}

#[test]
fn the_listed_edges_have_no_cycle() {
    for (index, (name, uses)) in EDGES.iter().enumerate() {
        for used in *uses {
            let listed_before = EDGES[..index].iter().any(|(earlier, _)| earlier == used);
            assert!(
                listed_before,
                "{name} uses {used}, which is not listed before it"
            );
        }
    }
}

#[test]
fn expensive_dependencies_stay_where_they_are() {
    let (_, edges) = manifest_edges();
    for (fenced, users) in FENCED {
        let strays: Vec<&str> = edges
            .iter()
            .filter(|edge| edge.to == *fenced && !users.contains(&edge.from.as_str()))
            .map(|edge| edge.from.as_str())
            .collect();
        assert!(strays.is_empty(), "{fenced} is used by {strays:?}");
    }
}
