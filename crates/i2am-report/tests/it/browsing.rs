//! The parts of the page in a real browser: what comes first, the gallery, the comparison, the tables, a narrow screen, print.

use crate::browser::{choose, open};
use crate::support::{MODELS, SAMPLES};
use crate::webdriver::{Browser, DOWN, RIGHT};

/// Texts of all elements that `selector` finds.
fn texts(browser: &Browser, selector: &str) -> Vec<String> {
    let found = browser.run(&format!(
        "return [...document.querySelectorAll({selector:?})].map((e) => e.textContent.trim())"
    ));
    serde_json::from_value(found).unwrap()
}

/// The sum of all levels of a canvas, which tells one picture from another.
fn levels(browser: &Browser, id: &str) -> f64 {
    let sum = browser.run(&format!(
        "const c = document.getElementById({id:?}); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; \
         let sum = 0; for (const level of d) sum += level; return sum"
    ));
    sum.as_f64().unwrap()
}

#[test]
fn the_answer_comes_first_then_pictures_and_tables_last() {
    let Some((browser, _folder)) = open() else {
        return;
    };
    let sections =
        browser.run("return [...document.querySelectorAll('main > section')].map((s) => s.id)");
    let expected = [
        "summary",
        "gallery",
        "maps",
        "explorer",
        "detection",
        "plots",
        "tables",
        "about",
    ];
    assert_eq!(sections, serde_json::json!(expected));
    let words = texts(&browser, "#summary .words > p");
    assert_eq!(
        words[0],
        "Of 3 models, spatial-b makes the best images: it has the best mean rank in FID, KID, LPIPS and PSNR (4 samples)."
    );
    let score = "A higher IMACSg comes with a worse LPIPS (alex) over the samples of each model (Spearman ρ = −0.25";
    assert!(words[1].starts_with(score), "{words:?}");
    assert_eq!(
        words.last().unwrap(),
        "3 models are too few for a claim about differences between models."
    );
    assert_eq!(texts(&browser, "#summary figure.plot svg").len(), 1);
    let found = texts(&browser, "#detection .finding");
    assert!(
        found[0].starts_with("Best IoU: 0.6") && found[0].contains("spatial-b"),
        "{found:?}"
    );
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_gallery_shows_every_model_best_first_and_chooses_what_is_looked_at() {
    let Some((browser, _folder)) = open() else {
        return;
    };
    let rows = texts(&browser, "#matrix tbody th");
    let expected = ["reference", "ground truth", MODELS[2], MODELS[1], MODELS[0]];
    assert_eq!(rows, expected);
    let columns = texts(&browser, "#matrix thead th");
    assert_eq!(columns.len(), 1 + SAMPLES.len());
    let shown = "return `${state.model} ${page.samples[state.sample].id}`";
    assert_eq!(browser.run(shown), format!("0 {}", columns[1]).as_str());
    browser
        .find("#matrix tbody tr:nth-child(5) td:nth-child(4) button")
        .click();
    assert_eq!(browser.run(shown), format!("2 {}", columns[3]).as_str());
    assert_eq!(browser.text("#model option:checked"), MODELS[0]);

    // The one that is looked at can be reached by the tabulator key, and the others by arrow keys from there.
    let reached = "return document.querySelectorAll('#matrix button[tabindex=\"0\"]').length";
    assert_eq!(browser.run(reached), 1);
    browser.run(
        "document.querySelector('#matrix tbody tr:nth-child(3) td:nth-child(2) button').click()",
    );
    browser.run("document.querySelector('#matrix button[aria-pressed=\"true\"]').focus()");
    browser.press(RIGHT);
    assert_eq!(browser.run(shown), format!("0 {}", columns[2]).as_str());
    browser.press(DOWN);
    assert_eq!(browser.run(shown), format!("1 {}", columns[2]).as_str());
    assert_eq!(
        browser.run("return document.activeElement.getAttribute('aria-pressed')"),
        "true"
    );
}

#[test]
fn two_models_are_compared_by_a_line_that_moves() {
    let Some((browser, _folder)) = open() else {
        return;
    };
    browser.wait_for("return document.getElementById('split-over').width > 300 && document.getElementById('split-under').width > 300");
    assert_eq!(browser.text("#split-left option:checked"), MODELS[2]);
    assert_eq!(browser.text("#split-right option:checked"), MODELS[0]);
    let about = browser.text("#split-about-right");
    assert!(
        about.starts_with(MODELS[0]) && about.contains("LPIPS (alex) 0."),
        "{about}"
    );
    let [left, right] = ["split-over", "split-under"].map(|id| levels(&browser, id));
    assert!(
        (left - right).abs() > 1000.0,
        "two pictures: {left}, {right}"
    );

    let clip = "return document.getElementById('split-over').style.clipPath";
    assert_eq!(browser.run(clip), "inset(0px 50% 0px 0px)");
    browser.find("#split-at").type_in(RIGHT);
    assert_eq!(browser.run(clip), "inset(0px 49% 0px 0px)");

    choose(&browser, "split-right", "0");
    browser.wait_for(
        "return document.getElementById('split-about-right').textContent.startsWith('spatial-b')",
    );
    browser.wait_for(
        "const sum = (id) => { const c = document.getElementById(id); return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.join(); }; \
         return sum('split-over') === sum('split-under')",
    );
    choose(&browser, "split-right", "truth");
    assert_eq!(browser.text("#split-about-right"), "ground truth");
    // With maps the left picture is another one.
    let plain = levels(&browser, "split-over");
    browser.run("document.getElementById('split-maps').click()");
    browser.wait_for(&format!(
        "const c = document.getElementById('split-over'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; \
         let sum = 0; for (const level of d) sum += level; return Math.abs(sum - {plain}) > 1000"
    ));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn maps_have_a_color_bar_and_percent() {
    let Some((browser, _folder)) = open() else {
        return;
    };
    assert_eq!(
        texts(&browser, ".ticks span"),
        ["0 %", "25 %", "50 %", "75 %", "100 %"]
    );
    let share = browser.text("#share-r2g");
    // Mask and patches: 16 of 48.
    assert!(
        share.ends_with("inside the outline, which covers 33 % of the area"),
        "{share}"
    );
    // The most attributed pixel is at 100 %, whatever the map.
    let told = browser.run(
        "const c = document.getElementById('view-r2g'); c.scrollIntoView({block: 'center', behavior: 'instant'}); \
         const map = c.shown, top = map.data.indexOf(map.data.reduce((a, b) => Math.max(a, b))); \
         const b = c.getBoundingClientRect(); \
         c.dispatchEvent(new PointerEvent('pointermove', {clientX: b.left + b.width * (top % map.width + .5) / map.width, \
         clientY: b.top + b.height * (Math.floor(top / map.width) + .5) / map.height})); \
         return document.getElementById('under-pointer').textContent",
    );
    assert_eq!(told, "100 % at the pointer");
}

#[test]
fn tables_are_folded_sorted_by_a_click_and_saved_as_csv() {
    let Some((browser, folder)) = open() else {
        return;
    };
    let open_ones = browser
        .run("return [...document.querySelectorAll('details.table[open]')].map((d) => d.id)");
    assert_eq!(open_ones, serde_json::json!(["table-results"]));
    let models = || texts(&browser, "#table-results tbody td:first-child");
    assert_eq!(models(), [MODELS[2], MODELS[1], MODELS[0]]);
    // IMACS_r: the model of one token has no value, and stands last either way.
    let heading = browser.find("#table-results th:nth-child(3) button");
    heading.click();
    let sorted = |browser: &Browser| {
        browser.run("return document.querySelector('#table-results th[aria-sort]').getAttribute('aria-sort')")
    };
    assert_eq!(sorted(&browser), "ascending");
    assert_eq!(models(), [MODELS[1], MODELS[2], MODELS[0]]);
    heading.click();
    assert_eq!(sorted(&browser), "descending");
    assert_eq!(models(), [MODELS[2], MODELS[1], MODELS[0]]);

    let saved = browser.run(
        "const made = []; const create = URL.createObjectURL; URL.createObjectURL = (blob) => { made.push(blob); return create(blob); }; \
         document.querySelector('button[data-table=\"results\"]').click(); return made[0].text()",
    );
    let file = std::fs::read_to_string(folder.path().join("demo/tables/results.csv")).unwrap();
    assert_eq!(saved, file.as_str());
}

#[test]
fn a_narrow_screen_shows_everything_without_scrolling_sideways() {
    let Some((browser, _folder)) = open() else {
        return;
    };
    for width in [1280, 800, 400] {
        browser.set_width(width);
        let wide = browser.run("return document.documentElement.scrollWidth");
        assert!(
            wide.as_u64().unwrap() <= u64::from(width),
            "{width}: {wide}"
        );
        for part in [
            "#answer-plot",
            "#matrix",
            "#split-stage",
            "#view-r2g",
            "#table-results table",
        ] {
            assert!(browser.find(part).is_shown(), "{width}: {part}");
        }
    }
}

#[test]
fn print_opens_what_is_folded_and_leaves_controls_out() {
    let Some((browser, _folder)) = open() else {
        return;
    };
    let folded = "return document.querySelectorAll('details:not([open])').length";
    let before = browser.run(folded);
    assert!(before.as_u64().unwrap() > 0);
    browser.run("window.dispatchEvent(new Event('beforeprint'))");
    browser.print_media();
    assert_eq!(browser.run(folded), 0);
    for control in ["nav", "#viewer .controls", "#split-at", ".download"] {
        assert!(!browser.find(control).is_shown(), "{control}");
    }
    assert!(
        browser.find("#matrix").is_shown() && browser.find("#table-detection table").is_shown()
    );
    browser.run("window.dispatchEvent(new Event('afterprint'))");
    assert_eq!(browser.run(folded), before);
}
