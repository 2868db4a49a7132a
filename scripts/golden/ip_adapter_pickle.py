"""Writes an IP-Adapter's safetensors file as the pickle that its authors publish next to it: a dictionary of two dictionaries, in the
container of torch.save. Needs nothing but Python's own library.

    python scripts/golden/ip_adapter_pickle.py adapter_base.safetensors adapter_base.bin
"""

import collections
import io
import json
import pickle
import struct
import sys
import types
import zipfile

torch = types.ModuleType("torch")
utils = types.ModuleType("torch._utils")


def global_of(module, name):
    """A function that pickles as `module.name`."""
    value = type(name, (), {"__module__": module.__name__})
    value.__qualname__ = name
    setattr(module, name, value)
    return value


HalfStorage = global_of(torch, "HalfStorage")
rebuild = global_of(utils, "_rebuild_tensor_v2")
sys.modules.update({"torch": torch, "torch._utils": utils})


class Storage:
    def __init__(self, key, elements):
        self.key, self.elements = key, elements


class Tensor:
    def __init__(self, storage, shape):
        self.storage, self.shape = storage, tuple(shape)

    def __reduce__(self):
        strides, step = [], 1
        for length in reversed(self.shape):
            strides.insert(0, step)
            step *= length
        return rebuild, (self.storage, 0, self.shape, tuple(strides), False, collections.OrderedDict())


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            return ("storage", HalfStorage, value.key, "cpu", value.elements)
        return None


def main(source, target):
    data = open(source, "rb").read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    parts, storages = {"image_proj": {}, "ip_adapter": {}}, []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F16", name
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        part, below = name.split(".", 1)
        parts[part][below] = Tensor(Storage(str(len(storages)), (end - start) // 2), entry["shape"])
        storages.append(data[start:end])
    pickled = io.BytesIO()
    Pickler(pickled, protocol=2).dump(parts)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        def add(name, content):
            archive.writestr(zipfile.ZipInfo(f"archive/{name}", (1980, 1, 1, 0, 0, 0)), content)

        add("data.pkl", pickled.getvalue())
        for index, content in enumerate(storages):
            add(f"data/{index}", content)
        add("version", "3\n")


main(*sys.argv[1:])
