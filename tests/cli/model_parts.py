"""Takes a model's weights apart: a GGUF file into a split set, a safetensors file into shards."""
import json
import os
import re
import struct

SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
STRING, ARRAY, ALIGNMENT = 8, 9, 32


class Gguf:
    """The header of a file, read; keys as their bytes, tensors as (info without offset, bytes);
    places as (name, type, offset in the file, bytes)."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read()
        self.at, n_tensor, n_key = 24, *struct.unpack_from("<QQ", self.bytes, 8)
        self.keys = [self.key() for _ in range(n_key)]
        infos = [self.info() for _ in range(n_tensor)]
        start = (self.at + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        ends = sorted([offset for _, offset in infos] + [len(self.bytes) - start])
        self.tensors = [(info, self.bytes[start + at:start + ends[ends.index(at) + 1]])
                        for info, at in infos]
        self.places = [(info[8:8 + struct.unpack_from("<Q", info)[0]].decode(),
                        struct.unpack("<I", info[-4:])[0], start + at, len(blob))
                       for (info, at), (_, blob) in zip(infos, self.tensors)]

    def number(self, kind):
        self.at += struct.calcsize(kind)
        return struct.unpack_from("<" + kind, self.bytes, self.at - struct.calcsize(kind))[0]

    def skip_value(self, kind):
        if kind == STRING:
            size = self.number("Q")
            self.at += size
        elif kind == ARRAY:
            element, count = self.number("I"), self.number("Q")
            for _ in range(count):
                self.skip_value(element)
        else:
            self.at += SIZES[kind]

    def key(self):
        start = self.at
        self.skip_value(STRING)
        self.skip_value(self.number("I"))
        return self.bytes[start:self.at]

    def info(self):
        start = self.at
        self.skip_value(STRING)
        n_dim = self.number("I")
        self.at += 8 * n_dim + 4
        return self.bytes[start:self.at], self.number("Q")


def split_key(name, kind, form, value):
    return struct.pack("<Q", len(name)) + name.encode() + struct.pack("<I" + form, kind, value)


def write_part(path, keys, tensors, no, count, total):
    keys = keys + [split_key("split.no", 2, "H", no), split_key("split.count", 2, "H", count),
                   split_key("split.tensors.count", 5, "i", total)]
    infos, data = b"", b""
    for info, blob in tensors:
        infos += info + struct.pack("<Q", len(data))
        data += blob + b"\0" * (-len(blob) % ALIGNMENT)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(keys) + infos
    with open(path, "wb") as file:
        file.write(head + b"\0" * (-len(head) % ALIGNMENT) + data)


def split_gguf(path, folder, stem, count):
    """Files of the set, the first one first."""
    model, paths = Gguf(path), []
    size = -(-len(model.tensors) // count)
    for no in range(count):
        paths.append(os.path.join(folder, f"{stem}-{no + 1:05}-of-{count:05}.gguf"))
        write_part(paths[-1], model.keys if no == 0 else [],
                   model.tensors[no * size:(no + 1) * size], no, count, len(model.tensors))
    return paths


def shard(folder, count):
    """model.safetensors becomes shards and their index; their names, in order."""
    whole = os.path.join(folder, "model.safetensors")
    with open(whole, "rb") as file:
        data = file.read()
    size = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:8 + size])
    names, weight_map, shards = sorted(header), {}, []
    each = -(-len(names) // count)
    for no in range(count):
        shards.append(f"model-{no + 1:05}-of-{count:05}.safetensors")
        part, blobs, at = {}, b"", 0
        for name in names[no * each:(no + 1) * each]:
            begin, end = header[name]["data_offsets"]
            part[name] = {**header[name], "data_offsets": [at, at + end - begin]}
            blobs += data[8 + size + begin:8 + size + end]
            at += end - begin
            weight_map[name] = shards[-1]
        text = json.dumps(part).encode()
        with open(os.path.join(folder, shards[-1]), "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text + blobs)
    os.remove(whole)
    with open(os.path.join(folder, whole + ".index.json"), "w", encoding="utf-8") as file:
        json.dump({"metadata": {}, "weight_map": weight_map}, file)
    return shards


def patch_split(path, key, value):
    """Overwrites the 16 bits of split.no or split.count."""
    with open(path, "rb") as file:
        data = file.read()
    at = re.search(key.encode().replace(b".", rb"\.") + rb"\x02\x00\x00\x00", data).end()
    with open(path, "wb") as file:
        file.write(data[:at] + struct.pack("<H", value) + data[at + 2:])
