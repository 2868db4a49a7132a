//! Which crate may depend on which. A new edge is a decision, so it is made here as well as in a manifest.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::process::Command;

use i2am_testkit::workspace_root;
use serde_json::Value;

/// Every crate with the crates it may use, each only after those: so there can be no cycle.
const EDGES: &[(&str, &[&str])] = &[
    ("i2am-testkit", &[]),
    ("i2am-files", &[]),
    ("i2am-plot", &[]),
    ("i2am-stats", &[]),
    ("i2am-quantity", &[]),
    ("i2am-hub", &["i2am-files"]),
    ("i2am-imaging", &["i2am-files"]),
    ("i2am-weights", &["i2am-files"]),
    ("i2am-results", &["i2am-files", "i2am-quantity"]),
    ("i2am-attribution", &["i2am-imaging", "i2am-quantity"]),
    (
        "i2am-imacs",
        &["i2am-attribution", "i2am-imaging", "i2am-quantity"],
    ),
    (
        "i2am-faithfulness",
        &["i2am-imaging", "i2am-quantity", "i2am-stats"],
    ),
    ("i2am-synth", &["i2am-files", "i2am-imaging"]),
    (
        "i2am-datasets",
        &["i2am-files", "i2am-imaging", "i2am-synth"],
    ),
    ("i2am-nets", &["i2am-files", "i2am-weights"]),
    (
        "i2am-metrics",
        &["i2am-files", "i2am-imaging", "i2am-nets", "i2am-quantity"],
    ),
    (
        "i2am-runner",
        &[
            "i2am-attribution",
            "i2am-datasets",
            "i2am-files",
            "i2am-imaging",
            "i2am-nets",
            // For an example.
            "i2am-synth",
            "i2am-weights",
        ],
    ),
    // Attribution, because the page makes maps from records under the convention of the run.
    (
        "i2am-report",
        &[
            "i2am-attribution",
            "i2am-files",
            "i2am-imaging",
            "i2am-plot",
            "i2am-quantity",
            "i2am-results",
        ],
    ),
    // The two programs wire whatever they need.
    ("i2am-zoo", LIBRARIES),
    ("bench", LIBRARIES),
];

const LIBRARIES: &[&str] = &[
    "i2am-attribution",
    "i2am-datasets",
    "i2am-faithfulness",
    "i2am-files",
    "i2am-hub",
    "i2am-imacs",
    "i2am-imaging",
    "i2am-metrics",
    "i2am-nets",
    "i2am-plot",
    "i2am-quantity",
    "i2am-report",
    "i2am-results",
    "i2am-runner",
    "i2am-stats",
    "i2am-synth",
    "i2am-weights",
];

/// Expensive dependencies and the only crates that may have them.
const FENCED: &[(&str, &[&str])] = &[
    (
        "tch",
        &[
            "bench",
            "i2am-metrics",
            "i2am-nets",
            "i2am-runner",
            "i2am-zoo",
        ],
    ),
    ("torch-sys", &[]),
    ("polars", &["i2am-results"]),
    ("ureq", &["i2am-hub"]),
];

/// One dependency as written in a manifest, optional ones included.
struct Edge {
    from: String,
    to: String,
    is_dev: bool,
}

/// The packages of the workspace, as `cargo metadata` describes them.
fn packages() -> Vec<Value> {
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
    list(&metadata, "packages").to_vec()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().expect("a list")
}

fn name(value: &Value) -> &str {
    value["name"].as_str().expect("a name")
}

fn edges(packages: &[Value]) -> Vec<Edge> {
    packages
        .iter()
        .flat_map(|package| {
            list(package, "dependencies").iter().map(|dependency| Edge {
                from: name(package).to_owned(),
                to: name(dependency).to_owned(),
                is_dev: dependency["kind"] == "dev",
            })
        })
        .collect()
}

#[test]
fn only_the_listed_edges_exist() {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    let packages = packages();
    let crates: Vec<&str> = packages.iter().map(name).collect();
    let unlisted: Vec<&str> = crates
        .iter()
        .copied()
        .filter(|name| !allowed.contains_key(name))
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

    let forbidden: Vec<String> = edges(&packages)
        .iter()
        .filter(|edge| crates.contains(&edge.to.as_str()))
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
    let edges = edges(&packages());
    for (fenced, users) in FENCED {
        let strays: Vec<&str> = edges
            .iter()
            .filter(|edge| edge.to == *fenced && !users.contains(&edge.from.as_str()))
            .map(|edge| edge.from.as_str())
            .collect();
        assert!(strays.is_empty(), "{fenced} is used by {strays:?}");
    }
}

#[test]
fn crates_that_link_torch_also_link_its_cuda_half() {
    for package in packages() {
        let uses_tch = list(&package, "dependencies")
            .iter()
            .any(|dependency| name(dependency) == "tch");
        // Its build script is that of `i2am-nets`, or calls it.
        let has_script = list(&package, "targets").iter().any(|target| {
            let path = Path::new(target["src_path"].as_str().expect("a path"));
            let calls = || {
                let text = std::fs::read_to_string(path).expect("a source file");
                path.ends_with("build.rs") && text.contains("i2am-nets/link_cuda.rs")
            };
            path.ends_with("i2am-nets/link_cuda.rs") || calls()
        });
        assert_eq!(
            uses_tch,
            has_script,
            "{}: a crate has build script i2am-nets/link_cuda.rs if and only if it uses tch",
            name(&package)
        );
    }
}
