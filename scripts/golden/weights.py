"""Weight files of every kind that crates/i2am-weights reads or refuses.

    python scripts/golden/weights.py crates/i2am-weights/tests/fixtures/weights

Needs torch and safetensors. Every readable file holds the tensors of `expected.safetensors`, except the TorchScript
ones and `legacy_views.pt`, whose content has its own `expected_*.safetensors`. Another run gives the same bytes except
for legacy.pt and script.pt, where torch writes addresses.
"""

import hashlib
import io
import os
import pickle
import platform
import struct
import sys
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

import safetensors
import safetensors.torch
import torch

SEED = 5021
STAMP = (1980, 1, 1, 0, 0, 0)
MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001


def state_dict():
    """Every element type and every way a tensor can lie in its storage."""
    generator = torch.Generator().manual_seed(SEED)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    base = normal(6, 8)
    nchw = normal(2, 3, 4, 5)
    state = OrderedDict()
    state["dtype.f16"] = normal(3, 5).half()
    state["dtype.bf16"] = normal(3, 5).bfloat16()
    state["dtype.f32"] = normal(3, 5)
    state["dtype.f64"] = normal(3, 5).double()
    for name, dtype in [("i8", torch.int8), ("i16", torch.int16), ("i32", torch.int32), ("i64", torch.int64)]:
        state[f"dtype.{name}"] = torch.tensor([[-7, 0, 11], [torch.iinfo(dtype).min, 1, torch.iinfo(dtype).max]], dtype=dtype)
    state["dtype.u8"] = torch.tensor([0, 1, 127, 128, 255], dtype=torch.uint8)
    state["dtype.bool"] = torch.tensor([[True, False], [False, True]])
    state["view.whole"] = base
    state["view.transposed"] = base.t()
    state["view.column"] = base[:, 3]
    state["view.window"] = base[1:5, 2:7]
    state["view.every_other"] = base[::2, 1::3]
    state["view.expanded"] = base[2:3, :1].expand(4, 3)
    state["view.channels_last"] = nchw.contiguous(memory_format=torch.channels_last)
    state["view.permuted_half"] = nchw.half().permute(3, 0, 2, 1)
    state["view.transposed_bytes"] = torch.arange(12, dtype=torch.uint8).reshape(3, 4).t()
    state["view.transposed_f64"] = normal(2, 3).double().t()
    state["shape.scalar"] = torch.tensor(2.5)
    state["shape.empty"] = torch.zeros(0, 3)
    state["shape.ones"] = base[3:4, 5:6]
    state["parameter"] = torch.nn.Parameter(normal(4), requires_grad=True)
    state["attributed"] = normal(2, 2)
    # Modules leave their versions here; pickled as an attribute of the dictionary.
    state._metadata = OrderedDict([("", {"version": 1})])
    state["attributed"].note = "an attribute makes torch pickle through _rebuild_from_type_v2"
    return state


def write_zip(path, records, folder="archive", compress=()):
    """Writes records in the plainest way: no alignment, a fixed time."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in records:
            info = zipfile.ZipInfo(f"{folder}/{name}", STAMP)
            info.compress_type = zipfile.ZIP_DEFLATED if name in compress else zipfile.ZIP_STORED
            archive.writestr(info, data)


def records_of(path):
    with zipfile.ZipFile(path) as archive:
        return [(info.filename.split("/", 1)[1], archive.read(info)) for info in archive.infolist()]


class Pointer:
    """Stands for a storage in a pickle written by hand."""

    def __init__(self, *pid):
        self.pid = pid


class TorchPickler(pickle.Pickler):
    """Writes `Pointer` as a persistent id, as torch does for storages."""

    def persistent_id(self, obj):
        return obj.pid if isinstance(obj, Pointer) else None


def dump(obj):
    buffer = io.BytesIO()
    TorchPickler(buffer, protocol=2).dump(obj)
    return buffer.getvalue()


class Rebuilt:
    """A tensor over a `Pointer`."""

    def __init__(self, pointer, offset, size, stride):
        self.args = (pointer, offset, size, stride, False, OrderedDict())

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, self.args


class Call:
    """Pickles as a call of whatever function it is given."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


def legacy_views(path):
    """A stream as torch before 0.4 wrote it: two keys for parts of one storage."""
    values = torch.arange(20, dtype=torch.float32) * 0.5
    ids = torch.arange(6, dtype=torch.int64)

    def part(key, first, length):
        return Pointer("storage", torch.FloatStorage, "root", "cpu", 20, (key, first, length))

    state = OrderedDict(
        head=Rebuilt(part("a", 0, 8), 2, (2, 3), (3, 1)),
        tail=Rebuilt(part("b", 8, 12), 1, (3, 2), (1, 4)),
        ids=Rebuilt(Pointer("storage", torch.LongStorage, "ids", "cpu", 6, None), 0, (6,), (1,)),
    )
    system = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    stream = b"".join(dump(part) for part in (MAGIC, PROTOCOL, system, state, ["ids", "root"]))
    stream += struct.pack("<q", 6) + ids.numpy().tobytes() + struct.pack("<q", 20) + values.numpy().tobytes()
    path.write_bytes(stream)
    expected = {
        "head": values[2:8].reshape(2, 3),
        "tail": values[8:].as_strided((3, 2), (1, 4), 9),
        "ids": ids,
    }
    loaded = torch.load(path, weights_only=False)
    assert all(torch.equal(loaded[name], expected[name]) for name in expected)
    save_expected(path.parent / "expected_legacy_views.safetensors", expected)


class Block(torch.nn.Module):
    def __init__(self, generator):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 3, 3)
        self.norm = torch.nn.BatchNorm2d(3)
        self.stack = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU(), torch.nn.Linear(2, 2).half())
        self.sizes = [1, 2, 3]
        for value in self.parameters():
            value.data = torch.randn(value.shape, generator=generator).to(value.dtype)

    def forward(self, x):
        x = self.norm(self.conv(x)).mean(dim=(2, 3))
        return self.stack[0](x) * self.sizes[1]


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(SEED + 1)
        self.first = Block(generator)
        self.second = Block(generator)
        self.second.conv.weight = self.first.conv.weight
        self.register_buffer("ids", torch.arange(4))

    def forward(self, x):
        return self.first(x) + self.second(x)


def script(folder):
    module = torch.jit.script(Net().eval())
    torch.jit.save(module, folder / "script.pt")
    save_expected(folder / "expected_script.safetensors", module.state_dict())
    # Freezing drops the attributes and leaves the weights in constants.pkl.
    frozen = torch.jit.freeze(module)
    torch.jit.save(frozen, folder / "frozen.pt")
    constants = dict(frozen.code_with_constants[1].const_mapping)
    save_expected(folder / "expected_frozen.safetensors", {f"CONSTANTS.{k}": v for k, v in constants.items()})


def save_expected(path, tensors):
    contiguous = {name: value.detach().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}
    path.write_bytes(safetensors.torch.save(contiguous))


def rename(pickled, names):
    """Replaces globals of a protocol 2 pickle, for classes that must not exist here."""
    for old, new in names.items():
        assert pickled.count(old) == 1, old
        pickled = pickled.replace(old, new)
    return pickled


def refused(folder, records):
    """Files that must not load, each for one reason."""
    records = dict(records)
    objects = {
        # `system` is defined in posix or nt; the pickle names the module it came from.
        "calls_system.pt": dump({"state_dict": {"weight": Call(os.system, "touch i2am_weights_ran_code")}}),
        "calls_eval.pt": dump({"epoch": 3, "note": Call(eval, "open('i2am_weights_ran_code', 'w')"), "state_dict": {}}),
        "unknown_call.pt": rename(
            dump({"state_dict": {"layer.weight": Call(print, 1)}}), {b"c__builtin__\nprint\n": b"ctrainer.weights\nMake\n"}
        ),
        "whole_module.pt": rename(dump(Call(print, 1)), {b"c__builtin__\nprint\n": b"cmodels.net\nNet\n"}),
        "only_numbers.pt": dump({"epoch": 3, "loss": 0.25}),
        "a_list.pt": dump([1, 2, 3]),
    }
    for name, pickled in objects.items():
        write_zip(folder / name, [("data.pkl", pickled), ("version", b"3\n")])
    (folder / "bare_system.pkl").write_bytes(dump(Call(os.system, "touch i2am_weights_ran_code")))
    (folder / "bare.pkl").write_bytes(dump({"weight": [1.0, 2.0]}))

    write_zip(folder / "compressed.pt", records.items(), compress={"data/2"})
    write_zip(folder / "big_endian.pt", [*{**records, "byteorder": b"big"}.items()])
    write_zip(folder / "no_record.pt", [record for record in records.items() if record[0] != "data/3"])
    write_zip(folder / "short_record.pt", [(n, d[:-4] if n == "data/2" else d) for n, d in records.items()])
    torch.save({"phase": torch.zeros(2, dtype=torch.complex64)}, folder / "complex.pt")
    torch.save({"wide": torch.zeros(2, dtype=torch.uint16)}, folder / "uint16.pt")


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.pt"), *folder.glob("*.pkl"), *folder.glob("*.safetensors")]:
        old.unlink()
    state = state_dict()
    save_expected(folder / "expected.safetensors", state)

    torch.save(state, folder / "zip.pt")
    torch.save(state, folder / "protocol4.pt", pickle_protocol=4)
    torch.save({"epoch": 1, "model": state}, folder / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.serialization.set_crc32_options(False)
    torch.save(state, folder / "no_crc.pt")
    torch.serialization.set_crc32_options(True)

    records = records_of(folder / "zip.pt")
    # torch 1.6 to 2.0: no byte order, no format records; keys are taken from the pickle as they are.
    write_zip(folder / "zip_old.pt", [(n, d) for n, d in records if n == "data.pkl" or n.startswith("data/")] + [("version", b"3\n")])
    # Every record beyond 16 bytes and the directory itself get zip64 fields.
    limits = zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT
    zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT = 16, 1
    write_zip(folder / "zip64.pt", records)
    zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT = limits

    legacy_views(folder / "legacy_views.pt")
    script(folder)
    refused(folder, records)
    for name in ["zip.pt", "protocol4.pt", "legacy.pt", "no_crc.pt", "zip_old.pt", "zip64.pt"]:
        loaded = torch.load(folder / name, weights_only=False)
        loaded = loaded.get("model", loaded)
        assert all(torch.equal(loaded[key], state[key]) for key in state), name

    files = sorted(p for p in folder.iterdir() if p.suffix != ".toml")
    digests = "\n".join(f'"{p.name}" = "{hashlib.sha256(p.read_bytes()).hexdigest()}"' for p in files)
    (folder / "PROVENANCE.toml").write_text(
        f'reference = "pytorch/pytorch"\n'
        f'version = "{torch.__version__}"\n'
        f'command = "python scripts/golden/weights.py crates/i2am-weights/tests/fixtures/weights"\n'
        f"seed = {SEED}\n"
        f'device = "cpu"\n'
        f'tolerance = "none: bytes must be equal"\n'
        f"\n[versions]\n"
        f'python = "{platform.python_version()}"\n'
        f'torch = "{torch.__version__}"\n'
        f'safetensors = "{safetensors.__version__}"\n'
        f"\n[sha256]\n{digests}\n"
    )


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
