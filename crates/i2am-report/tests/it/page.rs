//! The page as text: what it holds, and what it must not ask for.

use i2am_report::{PageConfig, Report, ReportConfig, RunInput, write};

use crate::quantities::QUANTITIES;
use crate::support::{Dataset, SAMPLES, make_run};

fn page(config: PageConfig, pictures: bool) -> (Report, String) {
    let parent = tempfile::tempdir().unwrap();
    let dir = make_run(parent.path(), "demo");
    let runs = [RunInput {
        dir: &dir,
        pictures: pictures.then_some(&Dataset as _),
    }];
    let config = ReportConfig {
        page: config,
        ..ReportConfig::default()
    };
    let report = write(&runs, &dir, &config, QUANTITIES).unwrap();
    let html = std::fs::read_to_string(&report.page).unwrap();
    assert_eq!(html.len(), report.page_bytes);
    (report, html)
}

#[test]
fn it_asks_for_nothing_else() {
    let (_, html) = page(PageConfig::default(), true);
    for asks in [
        "http://", "https://", "//cdn", "<link", "src=\"", "@import", "url(",
    ] {
        // Names of XML dialects are no addresses.
        let html = html.replace("http://www.w3.org/2000/svg", "");
        assert!(!html.contains(asks), "{asks}");
    }
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn a_budget_is_kept_and_what_is_left_out_is_named() {
    let (full, _) = page(PageConfig::default(), true);
    assert!(full.left_out.is_empty(), "{:?}", full.left_out);
    let small = PageConfig {
        max_megabytes: 0.2,
        ..PageConfig::default()
    };
    let (report, html) = page(small, true);
    assert!(
        report.page_bytes <= 200_000 && report.page_bytes < full.page_bytes,
        "{}",
        report.page_bytes
    );
    let said = report
        .left_out
        .iter()
        .find(|text| text.contains("did not fit into 0.2 MB"));
    assert!(
        html.contains(said.unwrap().as_str()),
        "{:?}",
        report.left_out
    );
}

#[test]
fn few_samples_are_the_worst_and_the_best() {
    let few = PageConfig {
        samples: 2,
        ..PageConfig::default()
    };
    let (report, html) = page(few, true);
    let shown = SAMPLES
        .iter()
        .filter(|id| html.contains(&format!("\"id\":\"{id}\"")))
        .count();
    assert_eq!(shown, 2);
    assert_eq!(
        report.left_out,
        [
            "demo: maps of 2 of 4 samples are here, evenly from the highest to the lowest mean score."
        ]
    );
}

#[test]
fn without_the_data_set_generated_pictures_are_shown() {
    let (_, html) = page(PageConfig::default(), false);
    assert!(html.contains("the data set was not found"));
}

#[test]
fn files_that_no_report_wrote_are_left_alone() {
    let parent = tempfile::tempdir().unwrap();
    let dir = make_run(parent.path(), "demo");
    let out = parent.path().join("out");
    let (table, page) = (out.join("tables/mine.md"), out.join("report.html"));
    i2am_files::write_atomic(&table, "mine").unwrap();
    i2am_files::write_atomic(&page, "mine").unwrap();
    let runs = [RunInput {
        dir: &dir,
        pictures: None,
    }];
    let message = write(&runs, &out, &ReportConfig::default(), QUANTITIES)
        .unwrap_err()
        .to_string();
    assert!(
        message.ends_with("report.html: not a report of this program; write to another folder"),
        "{message}"
    );
    assert_eq!(std::fs::read_to_string(&page).unwrap(), "mine");

    std::fs::remove_file(&page).unwrap();
    write(&runs, &out, &ReportConfig::default(), QUANTITIES).unwrap();
    assert!(table.is_file());
    // Only now the folder is that of a report.
    write(&runs, &out, &ReportConfig::default(), QUANTITIES).unwrap();
    assert!(!table.exists());
}

#[test]
fn settings_out_of_range_are_refused() {
    let wrong = PageConfig {
        map_height: 0,
        ..PageConfig::default()
    };
    let message = wrong.check().unwrap_err().to_string();
    assert_eq!(message, "[page] map_height: expected at least 1, found 0");
    let wrong = PageConfig {
        max_megabytes: f64::NAN,
        ..PageConfig::default()
    };
    assert!(wrong.check().is_err());
}
