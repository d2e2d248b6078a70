"""Tensors of a safetensors file, with the standard library alone."""
import json
import struct


def tensors(path):
    """Name, element type as the file names it, and bytes of each tensor."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    header.pop("__metadata__", None)
    for name, tensor in header.items():
        start, end = (8 + length + offset for offset in tensor["data_offsets"])
        yield name, tensor["dtype"], content[start:end]
