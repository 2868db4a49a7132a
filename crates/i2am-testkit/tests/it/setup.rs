//! `scripts/setup`, fed with small made-up wheels: no network, and nothing is written outside temporary folders.

mod machine;
mod weights;

use std::path::Path;
use std::thread;

use machine::Machine;
pub(crate) use machine::put;

const MACHINE_ONLY: [&str; 8] = [
    "bin",
    "hidden",
    "libtorch",
    "pins",
    "server",
    "weights",
    "weights-pins",
    "wheels",
];

#[test]
fn unpacks_the_pinned_wheels_and_a_second_run_does_nothing() {
    let machine = Machine::new();
    machine.setup(&[]).succeeds();
    assert_eq!(machine.read("build-version"), "2.13.0+cpu\n");
    assert_eq!(machine.read("include/torch/torch.h"), "header");
    assert_eq!(machine.read("lib/libc10.so"), "c10");
    assert_eq!(
        machine.read("lib/libtorch.so"),
        "INPUT(libtorch_cpu.so libc10.so)\n"
    );
    assert_eq!(
        machine.libraries(),
        [
            "libc10.so",
            "libcudart.so.13",
            "libtorch.so",
            "libtorch_cpu.so"
        ]
    );
    assert_eq!(machine.neighbors(), MACHINE_ONLY);

    machine.hide_wheel("torch");
    let again = machine.setup(&[]);
    again.succeeds();
    assert_eq!(again.stderr(), "");
}

#[test]
fn repairs_a_damaged_library() {
    let machine = Machine::new();
    machine.setup(&[]).succeeds();
    put(
        &machine.installation().join("lib/libtorch_cpu.so"),
        "torch_",
    );
    machine.setup(&[]).succeeds();
    assert_eq!(machine.read("lib/libtorch_cpu.so"), "torch_cpu");
}

#[test]
fn goes_on_where_it_was_interrupted() {
    let machine = Machine::new();
    machine.hide_wheel("nvidia_cuda_runtime");
    machine.setup(&[]).fails(
        1,
        &[
            "could not download nvidia-cuda-runtime 13.0.96",
            "Run scripts/setup again to go on from here",
        ],
    );
    assert!(!machine.installation().exists());

    // As a kill would leave it: a library half written, a wheel half fetched.
    let partial = machine.path("libtorch.partial");
    put(&partial.join("lib/libcudart.so.13"), "cu");
    put(&partial.join("wheel/torch-2.13.0-py3-none-any.whl"), "PK");
    machine.bring_wheel_back("nvidia_cuda_runtime");
    machine.hide_wheel("torch");
    machine.setup(&[]).succeeds();
    assert_eq!(machine.read("lib/libcudart.so.13"), "cudart");
    assert_eq!(machine.read("lib/libtorch_cpu.so"), "torch_cpu");
    assert_eq!(machine.neighbors(), MACHINE_ONLY);
}

#[test]
fn two_runs_at_once_do_not_meet() {
    let machine = Machine::new();
    thread::scope(|scope| {
        for run in [(), ()].map(|()| scope.spawn(|| machine.setup(&[]))) {
            run.join().expect("no panic").succeeds();
        }
    });
    assert_eq!(machine.read("lib/libtorch_cpu.so"), "torch_cpu");
    assert_eq!(machine.neighbors(), MACHINE_ONLY);
    assert_eq!(machine.all_weights(), ["net.pt"]);
}

#[test]
fn does_not_mix_other_pins_with_what_an_interrupted_run_left() {
    let machine = Machine::new();
    machine.hide_wheel("nvidia_cuda_runtime");
    machine.setup(&[]).fails(1, &["could not download"]);

    machine.edit_pins(|pins| {
        let torch = pins.lines().next().expect("torch comes first");
        torch.replace(" libc10.so", "") + "\n"
    });
    machine.setup(&[]).succeeds();
    assert_eq!(machine.libraries(), ["libtorch.so", "libtorch_cpu.so"]);
}

#[test]
fn refuses_a_wheel_with_another_hash() {
    let machine = Machine::new();
    machine.edit_pins(|pins| {
        let hash = pins.split(' ').nth(2).expect("a hash");
        pins.replace(hash, &"0".repeat(64))
    });
    machine
        .setup(&[])
        .fails(1, &["could not download torch 2.13.0"]);
    assert!(!machine.installation().exists());
}

#[test]
fn names_a_library_that_the_wheel_lacks() {
    let machine = Machine::new();
    machine.edit_pins(|pins| pins.replace("libc10.so", "libc11.so"));
    machine.setup(&[]).fails(1, &["has no libc11.so"]);
    assert!(!machine.installation().exists());
}

#[test]
fn keeps_the_cuda_libraries_until_cpu_is_asked_for() {
    let machine = Machine::new();
    machine.setup(&["--cuda"]).succeeds();
    let with_cuda = machine.libraries();
    assert_eq!(machine.read("lib/libcudnn.so.9"), "cudnn");
    assert_eq!(machine.read("lib/libtorch_cuda.so"), "torch_cuda");

    machine.setup(&[]).succeeds();
    assert_eq!(machine.libraries(), with_cuda);

    machine.setup(&["--cpu"]).succeeds();
    assert!(!machine.installation().join("lib/libtorch_cuda.so").exists());
}

#[test]
fn uses_the_libtorch_of_the_user() {
    let machine = Machine::new();
    let own = machine.users_libtorch("own", "2.13.0+cu130\n");
    machine.setup_with(&[], &[("LIBTORCH", &own)]).succeeds();
    assert_eq!(machine.read("lib/libtorch_cpu.so"), "the user's");

    // Also in a shell that does not set the variable, and when cargo has set it to the installation itself.
    let again = machine.setup(&[]);
    again.succeeds();
    assert_eq!(again.stderr(), "");
    let from_cargo = machine.setup_with(&[], &[("LIBTORCH", &machine.installation())]);
    from_cargo.succeeds();
    assert_eq!(machine.read("lib/libtorch_cpu.so"), "the user's");

    machine.setup(&["--cpu"]).succeeds();
    assert_eq!(machine.read("lib/libtorch_cpu.so"), "torch_cpu");
    assert!(own.join("lib/libtorch_cpu.so").exists());
}

#[test]
fn refuses_another_version_and_says_what_to_do() {
    let machine = Machine::new();
    let old = machine.users_libtorch("old", "2.1.0+cpu\n");
    machine.setup_with(&[], &[("LIBTORCH", &old)]).fails(
        1,
        &[
            "old holds libtorch 2.1.0, but tch needs 2.13.0 exactly",
            "env -u LIBTORCH scripts/setup --cpu",
            "install libtorch 2.13.0 and set LIBTORCH to it",
            "LIBTORCH_BYPASS_VERSION_CHECK=1",
        ],
    );
    assert!(!machine.installation().exists());

    let bypass = ("LIBTORCH_BYPASS_VERSION_CHECK", Path::new("1"));
    machine
        .setup_with(&[], &[("LIBTORCH", &old), bypass])
        .succeeds();
}

#[test]
fn refuses_a_folder_without_libtorch() {
    let machine = Machine::new();
    let empty = machine.path("wheels");
    machine
        .setup_with(&[], &[("LIBTORCH", &empty)])
        .fails(1, &["wheels holds no libtorch"]);
}

#[test]
fn refuses_a_libtorch_without_cuda_where_cuda_is_asked_for() {
    let machine = Machine::new();
    let own = machine.users_libtorch("own", "2.13.0\n");
    machine
        .setup_with(&["--cuda"], &[("LIBTORCH", &own)])
        .fails(1, &["own holds a libtorch without CUDA"]);
}

#[test]
fn leaves_a_folder_alone_that_it_did_not_make() {
    let machine = Machine::new();
    put(&machine.installation().join("notes"), "mine");
    machine
        .setup(&[])
        .fails(1, &["was not made by this script"]);
    assert_eq!(machine.read("notes"), "mine");
}

#[test]
fn says_how_much_disk_space_is_needed() {
    let machine = Machine::new();
    machine.fake_command("df", "echo header; echo /dev/sda 0 0 204800 0% /");
    machine.setup(&[]).fails(
        1,
        &[
            "not enough disk space",
            "1300 MB are needed",
            "200 MB are free",
        ],
    );
}

#[test]
fn names_the_package_that_brings_pip() {
    let machine = Machine::new();
    machine.fake_command("python3", "exit 1");
    machine.setup(&[]).fails(1, &["apt install python3-pip"]);
}

#[test]
fn installs_no_browser_where_one_is() {
    let machine = Machine::new();
    for name in ["chromium", "chromedriver"] {
        machine.fake_command(name, "exit 0");
    }
    machine.fake_command("apt-get", "echo apt-get was called >&2; exit 1");
    let outcome = machine.setup(&["--browser"]);
    outcome.succeeds();
    assert!(
        !outcome.stderr().contains("apt-get"),
        "{}",
        outcome.stderr()
    );
}

#[test]
fn refuses_unknown_arguments() {
    let machine = Machine::new();
    machine
        .setup(&["--gpu"])
        .fails(2, &["unknown argument --gpu", "--help"]);
    machine
        .setup(&["--into"])
        .fails(2, &["--into needs a value"]);
}
