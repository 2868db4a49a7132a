//! The page in a real browser: what a reader sees who clicks, types and chooses.

use i2am_attribution::{Direction, Level};
use i2am_report::{ReportConfig, RunInput, write};
use i2am_testkit::skipped;

use crate::quantities::QUANTITIES;
use crate::support::{
    Dataset, GROUPS, HEADS, MODELS, PATCHES, SAMPLES, SPATIAL_LAYER, make_detection_run, record,
    score, taken_from,
};
use crate::webdriver::{Browser, DOWN, ENTER, ESCAPE, LEFT, RIGHT};

/// A browser with the page of a run of its own; `None`, and a line that says so, where there is no browser.
pub(crate) fn open() -> Option<(Browser, tempfile::TempDir)> {
    let parent = tempfile::tempdir().unwrap();
    let dir = make_detection_run(parent.path(), "demo");
    let runs = [RunInput {
        dir: &dir,
        pictures: Some(&Dataset),
    }];
    let report = write(&runs, &dir, &ReportConfig::default(), QUANTITIES).unwrap();
    let Some(browser) = Browser::start() else {
        skipped("no Chromium with chromedriver: scripts/setup --browser installs them");
        return None;
    };
    browser.open(&report.page);
    browser.wait_for("return document.getElementById('score-r2g').textContent !== ''");
    Some((browser, parent))
}

/// A number in the text of a score.
fn shown_score(browser: &Browser, direction: &str) -> f64 {
    let text = browser.text(&format!("#score-{direction}"));
    let number: String = text
        .chars()
        .skip_while(|c| !c.is_ascii_digit() && *c != '−')
        .map(|c| if c == '−' { '-' } else { c })
        .filter(|c| c.is_ascii_digit() || *c == '.' || *c == '-')
        .collect();
    number
        .parse()
        .unwrap_or_else(|_| panic!("no number in `{text}`"))
}

/// Chooses by keyboard-free scripting what a person would from a list, with the events that the page listens to.
pub(crate) fn choose(browser: &Browser, id: &str, value: &str) {
    browser.run(&format!(
        "const e = document.getElementById({id:?}); e.value = {value:?}; e.dispatchEvent(new Event('input', {{bubbles: true}})); \
         e.dispatchEvent(new Event('change', {{bubbles: true}}))"
    ));
}

fn sample_shown(browser: &Browser) -> usize {
    let id = browser.text("#samples [aria-checked=\"true\"]");
    SAMPLES.iter().position(|sample| *sample == id).unwrap()
}

#[test]
fn a_click_shows_where_a_patch_came_from_and_where_it_went() {
    let Some((browser, _folder)) = open() else {
        return;
    };
    // It starts at the best model.
    assert_eq!(browser.text("#explore-model option:checked"), MODELS[2]);
    // And with an answer: for the patch in the middle of the masked region, which is rows 3 to 6 of 8, columns 2 to 5 of 6.
    assert!(
        browser
            .text("#answer")
            .starts_with("The generated patch at row 4, column 3 takes"),
        "{}",
        browser.text("#answer")
    );
    let (rows, columns) = (PATCHES[0] as f64, PATCHES[1] as f64);
    let (row, column) = (3, 1);
    let middle =
        |row: usize, column: usize| ((row as f64 + 0.5) / rows, (column as f64 + 0.5) / columns);
    let (down, right) = middle(row, column);

    browser.find("#explore-generated").click_at(down, right);
    let from = taken_from(row * PATCHES[1] + column);
    let (from_row, from_column) = (from / PATCHES[1] + 1, from % PATCHES[1] + 1);
    browser.wait_for(
        "return document.getElementById('answer').textContent.startsWith('The generated patch')",
    );
    let answer = browser.text("#answer");
    let expected = format!(
        "The generated patch at row 4, column 2 takes most from the reference at row {from_row}, column {from_column} ("
    );
    assert!(answer.starts_with(&expected), "{answer}");
    assert!(
        answer.contains("lies on the object of the reference"),
        "{answer}"
    );
    // About 60 % of its attention.
    let percent: f64 = answer[expected.len()..]
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!((55.0..=61.0).contains(&percent), "{answer}");

    // The other way round, by the transpose of the same array.
    let (down, right) = middle(from / PATCHES[1], from % PATCHES[1]);
    browser.find("#explore-reference").click_at(down, right);
    browser.wait_for(
        "return document.getElementById('answer').textContent.startsWith('The reference patch')",
    );
    let answer = browser.text("#answer");
    assert!(
        answer.contains("goes most to the generated picture at row 4, column 2"),
        "{answer}"
    );
    assert!(answer.contains("lies in the masked region"), "{answer}");

    // What is bright on the other side is that patch: the heat there differs from its neighbours'.
    let brighter = browser.run(&format!(
        "const c = document.getElementById('explore-generated'); \
         const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; \
         const at = (r, k) => {{ const x = Math.floor((k + .5) * c.width / {columns}), y = Math.floor((r + .5) * c.height / {rows}); \
         const i = 4 * (y * c.width + x); return d[i] + d[i + 1] + d[i + 2]; }}; \
         return at({row}, {column}) - at({row}, {column} + 1)"
    ));
    assert!(brighter.as_f64().unwrap() > 60.0, "{brighter}");
    browser.find("#clear").click();
    browser.wait_for("return document.getElementById('answer').textContent === 'Click a patch of either picture.'");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_explorer_works_by_keyboard() {
    let Some((browser, _folder)) = open() else {
        return;
    };
    browser.run("document.getElementById('explore-generated').focus()");
    for key in [RIGHT, RIGHT, DOWN, LEFT, ENTER] {
        browser.press(key);
    }
    browser.wait_for("return document.getElementById('answer').textContent.includes('generated patch at row 2, column 2')");
    browser.press(ESCAPE);
    browser.wait_for("return document.getElementById('answer').textContent === 'Click a patch of either picture.'");
    // The edge of the picture holds.
    for key in [LEFT, LEFT, LEFT, ENTER] {
        browser.press(key);
    }
    browser.wait_for(
        "return document.getElementById('answer').textContent.includes('row 2, column 1 takes')",
    );
    assert_eq!(
        browser.find("#explore-generated").attribute("tabindex"),
        "0"
    );
}

#[test]
fn maps_of_the_page_score_as_the_run_does() {
    let Some((browser, _folder)) = open() else {
        return;
    };
    let sample = sample_shown(&browser);
    let record = record(2, sample);
    let (r2g, g2r) = (
        Direction::ReferenceToGenerated,
        Direction::GeneratedToReference,
    );
    let recorded = |direction, level: &Level| score(&record, direction, level).unwrap();
    assert!((shown_score(&browser, "r2g") - recorded(r2g, &Level::Unified)).abs() < 5e-4);
    assert!((shown_score(&browser, "g2r") - recorded(g2r, &Level::Unified)).abs() < 5e-4);

    // What the page works out itself is what the run would have, but for bytes.
    let computed = |direction: &str| {
        let script = format!(
            "return mapOf(state.model, current(), {direction:?}, {{layer: state.layer, head: state.head, time: state.time}}).computed"
        );
        browser.run(&script).as_f64().unwrap()
    };
    let check = |direction: Direction, level: Level| {
        let found = computed(&direction.to_string());
        let expected = recorded(direction, &level);
        assert!(
            (found - expected).abs() < 0.02,
            "{direction} {level}: {found}, {expected}"
        );
    };
    check(r2g, Level::Unified);
    check(g2r, Level::Unified);
    for time in 0..GROUPS {
        choose(&browser, "time", &(time + 1).to_string());
        check(r2g, Level::Time(time));
        check(g2r, Level::Time(time));
        assert!((shown_score(&browser, "g2r") - recorded(g2r, &Level::Time(time))).abs() < 5e-4);
    }
    choose(&browser, "time", "0");
    for head in 0..HEADS {
        choose(&browser, "head", &head.to_string());
        check(r2g, Level::Head(head));
    }
    // Head and time together have no row in the run; the page says that it worked the score out.
    choose(&browser, "time", "1");
    assert!(
        browser.text("#score-r2g").contains('≈'),
        "{}",
        browser.text("#score-r2g")
    );
    choose(&browser, "head", "");
    choose(&browser, "time", "0");
    choose(&browser, "layer", SPATIAL_LAYER);
    check(g2r, Level::Layer(SPATIAL_LAYER.to_owned()));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_time_slider_and_the_samples_obey_the_arrow_keys() {
    let Some((browser, _folder)) = open() else {
        return;
    };
    assert_eq!(browser.text("#time-text"), "all steps");
    browser.find("#time").type_in(RIGHT);
    browser.wait_for(
        "return document.getElementById('time-text').textContent === 'group 1 of 3 (noisiest)'",
    );
    assert_eq!(
        browser.find("#time").attribute("aria-valuetext"),
        "group 1 of 3 (noisiest)"
    );

    let before = browser.text("#samples [aria-checked=\"true\"]");
    browser.run("document.querySelector('#samples [aria-checked=\"true\"]').focus()");
    browser.press(RIGHT);
    let after = browser.text("#samples [aria-checked=\"true\"]");
    assert_ne!(before, after);
    assert_eq!(
        browser.run("return document.activeElement.textContent"),
        after.as_str()
    );
    assert!(
        browser.text("#status").contains(&format!("sample {after}")),
        "{}",
        browser.text("#status")
    );
}

#[test]
fn a_model_of_one_token_says_why_there_is_nothing_to_explore() {
    let Some((browser, _folder)) = open() else {
        return;
    };
    // Models stand best first.
    choose(&browser, "model", "2");
    assert!(
        browser.text("#score-r2g").ends_with('*'),
        "{}",
        browser.text("#score-r2g")
    );
    let reason = browser.text("#nothing");
    assert!(
        reason.starts_with("one-token: This model sees its reference as one pooled token."),
        "{reason}"
    );
    assert!(browser.find("#nothing").is_shown());
    assert!(!browser.find("#explore").is_shown());
    assert!(
        browser.text("#score-g2r").starts_with("no map: "),
        "{}",
        browser.text("#score-g2r")
    );
    choose(&browser, "explore-model", "0");
    assert!(browser.find("#explore").is_shown());
    assert_eq!(browser.text("#model option:checked"), MODELS[2]);
}

#[test]
fn the_part_that_looks_outside_most_is_named_and_shown() {
    let Some((browser, _folder)) = open() else {
        return;
    };
    choose(&browser, "model", "1");
    assert_eq!(browser.text("#model option:checked"), MODELS[1]);
    let worst = browser.text("#worst");
    assert!(
        worst.contains("layer warp.4, head 1, time group 3 (r2g, −0.70)"),
        "{worst}"
    );
    browser.find("#faults summary").click();
    browser.find("#faults button").click();
    browser.wait_for("return document.getElementById('time').value === '3'");
    assert_eq!(browser.text("#layer option:checked"), "warp.4");
    assert_eq!(browser.text("#head option:checked"), "1");
}

/// Relative luminance of a color like `rgb(27, 31, 36)`.
fn luminance(color: &str) -> f64 {
    let digits = |c: char| !c.is_ascii_digit();
    let channels: Vec<f64> = color
        .split(digits)
        .filter_map(|part| part.parse().ok())
        .collect();
    let linear = |level: f64| {
        let share = level / 255.0;
        if share <= 0.04045 {
            share / 12.92
        } else {
            ((share + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * linear(channels[0]) + 0.7152 * linear(channels[1]) + 0.0722 * linear(channels[2])
}

#[test]
fn text_is_readable_in_light_and_in_dark() {
    let Some((browser, _folder)) = open() else {
        return;
    };
    let mut papers = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        let paper = browser
            .run("return getComputedStyle(document.querySelector('.panel')).backgroundColor");
        let paper = luminance(paper.as_str().unwrap());
        for (selector, property) in [
            ("h1", "color"),
            (".lead", "color"),
            ("td", "color"),
            ("nav a", "color"),
            (".plot svg text[fill='#1B1F24']", "fill"),
            (".plot svg text[fill='#5B6470']", "fill"),
        ] {
            let color = browser.run(&format!(
                "return getComputedStyle(document.querySelector({selector:?})).{property}"
            ));
            let ink = luminance(color.as_str().unwrap());
            // The ratio of WCAG 2.2, level AA for text of normal size.
            let contrast = (ink.max(paper) + 0.05) / (ink.min(paper) + 0.05);
            assert!(contrast >= 4.5, "{scheme} {selector}: {contrast:.2}");
        }
        papers.push(paper);
    }
    assert!(papers[0] > 0.9 && papers[1] < 0.1, "{papers:?}");
}
