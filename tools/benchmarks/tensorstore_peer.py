#!/usr/bin/env python3
"""A run of checkpoints in TensorStore, and back.

usage: python tensorstore_peer.py (zarr3|ocdbt) ingest RUN STORE
       python tensorstore_peer.py (zarr3|ocdbt) restore STORE NUMBER OUT
       python tensorstore_peer.py (zarr3|ocdbt) slice STORE NUMBER TENSOR START COUNT OUT

Each tensor is an array [checkpoints, elements] in chunks of 256 KiB, coded by blosc (bitshuffle, LZ4):
`zarr3` puts the chunks of one checkpoint into one shard file, `ocdbt` all chunks into its B+tree.
One thread. Prints the seconds since TensorStore was loaded as {"wall", "cpu"}: Python and its
imports are not what is compared.
"""
import json
import pathlib
import resource
import sys
import time

import ml_dtypes
import numpy
import tensorstore

from checkpoint_files import tensors

CHUNK = 256 * 1024
KINDS = {"F32": ("float32", numpy.float32), "BF16": ("bfloat16", ml_dtypes.bfloat16),
         "I64": ("int64", numpy.int64)}


def processor_time():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Store:
    def __init__(self, driver, path):
        self.driver = driver
        self.path = pathlib.Path(path)
        self.context = tensorstore.Context({
            "data_copy_concurrency": {"limit": 1}, "file_io_concurrency": {"limit": 1},
            # Ingest is compared by processor time, which does not count the wait for a disk.
            "file_io_sync": False})
        self.opened = {}

    def place(self, name):
        if self.driver == "zarr3":
            return f"file://{self.path}/{name}/"
        return {"driver": "ocdbt", "base": f"file://{self.path}/", "path": f"{name}/"}

    def create(self, name, kind, elements, checkpoints):
        """An array for all checkpoints of one tensor."""
        data_type, numpy_type = KINDS[kind]
        inner = max(1, min(elements, CHUNK // numpy.dtype(numpy_type).itemsize))
        blosc = {"name": "blosc", "configuration": {
            "cname": "lz4", "clevel": 5, "shuffle": "bitshuffle",
            "typesize": numpy.dtype(numpy_type).itemsize}}
        codecs = [{"name": "bytes", "configuration": {"endian": "little"}}, blosc]
        chunk = inner
        if self.driver == "zarr3":
            chunk = inner * -(-elements // inner)
            codecs = [{"name": "sharding_indexed", "configuration": {
                "chunk_shape": [1, inner], "codecs": codecs}}]
        self.opened[name] = tensorstore.open({
            "driver": "zarr3", "kvstore": self.place(name), "metadata": {
                "shape": [checkpoints, elements], "data_type": data_type, "codecs": codecs,
                "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, chunk]}},
            }}, create=True, context=self.context)

    def ingest(self, run):
        files = sorted(pathlib.Path(run).glob("*.safetensors"))
        types = {}
        for name, kind, content in tensors(files[0]):
            types[name] = numpy.dtype(KINDS[kind][1])
            self.create(name, kind, len(content) // types[name].itemsize, len(files))
        self.opened = {name: array.result() for name, array in self.opened.items()}
        for number, path in enumerate(files):
            # One commit for a checkpoint; without it OCDBT would write its tree for each array.
            transaction = tensorstore.Transaction()
            for name, _, content in tensors(path):
                values = numpy.frombuffer(content, dtype=types[name])
                self.opened[name].with_transaction(transaction)[number].write(values).result()
            transaction.commit_sync()
        names = self.path / "tensors.json"
        names.write_text(json.dumps(list(self.opened)))

    def array(self, name):
        return tensorstore.open({"driver": "zarr3", "kvstore": self.place(name)}, open=True,
                                context=self.context)

    def restore(self, number, out):
        names = json.loads((self.path / "tensors.json").read_text())
        arrays = [self.array(name) for name in names]
        reads = [array.result()[number].read() for array in arrays]
        with open(out, "wb") as file:
            for read in reads:
                file.write(read.result().tobytes())

    def slice(self, number, name, start, count, out):
        values = self.array(name).result()[number, start:start + count].read().result()
        pathlib.Path(out).write_bytes(values.tobytes())


def main():
    driver, action, *rest = sys.argv[1:]
    wall, cpu = time.monotonic(), processor_time()
    if action == "ingest":
        Store(driver, rest[1]).ingest(rest[0])
    elif action == "restore":
        Store(driver, rest[0]).restore(int(rest[1]), rest[2])
    else:
        Store(driver, rest[0]).slice(int(rest[1]), rest[2], int(rest[3]), int(rest[4]), rest[5])
    print(json.dumps({"wall": time.monotonic() - wall, "cpu": processor_time() - cpu}))


if __name__ == "__main__":
    main()
