"""testvectors/archive/dataset.json and models.json (spec/dataset.md)."""

from archive_bytes import fixed, hash_root, inclusion, le, root, sha
from archive_plans import BOOL, F32, F64, I64, U8, B, O, W, rich
from archive_writer import Tensor, canonical_point, data_salt, data_signature, f32, model_digest, tensor_digest

SECRETS = {"public": bytes(32), "private": fixed("dataset secret")}


def dataset() -> dict[str, object]:
    points = []
    for name, (element_type, shape, elements, label) in {
        "example": (U8, [3], bytes([0, 7, 16]), 5),
        "scalar": (F32, [], f32(1.5), -1),
        "image": (U8, [2, 2, 3], bytes(range(12)), 9),
        "empty": (I64, [0, 4], b"", 0),
        "rank-8": (BOOL, [1, 1, 1, 1, 1, 1, 1, 2], b"\0\1", 1),
        "label-minimum": (U8, [1], b"\xff", -2**63),
        "label-maximum": (F64, [1], bytes(8), 2**63 - 1),
    }.items():
        canonical = canonical_point(element_type, shape, elements, label)
        signatures = []
        for secret in SECRETS.values():
            for index in (0, 255, 2**32 - 2):
                salt = data_salt(secret, index)
                signatures.append({"secret": secret.hex(), "index": str(index), "salt": salt.hex(),
                                   "signature": data_signature(salt, canonical).hex()})
        points.append({"id": name, "elementType": element_type, "shape": [str(d) for d in shape],
                       "elements": elements.hex(), "label": str(label), "canonical": canonical.hex(),
                       "signatures": signatures})
    return {"points": points, "refusedPoints": refused_points(), "roots": roots(), "inclusion": inclusions()}


def refused_points() -> list[dict[str, object]]:
    good = canonical_point(U8, [3], bytes([0, 7, 16]), 5)
    rows: list[tuple[str, bytes, str, str]] = [
        ("empty", b"", "malformed", "no bytes"),
        ("type-0", b"\0" + good[1:], "malformed", "element type 0"),
        ("type-16", b"\x10" + good[1:], "malformed", "element type 16"),
        ("type-255", b"\xff" + good[1:], "malformed", "element type 255"),
        ("rank-9", good[:1] + b"\x09" + le(1, 4) * 9 + bytes(9), "limit", "rank 9"),
        ("rank-255", good[:1] + b"\xff" + good[2:], "limit", "rank 255"),
        ("dimensions-cut", good[:4], "malformed", "ends within the dimensions"),
        ("elements-cut", good[:8], "malformed", "ends within the elements"),
        ("label-cut", good[:-1], "malformed", "ends within the label"),
        ("label-missing", good[:9], "malformed", "ends before the label"),
        ("trailing", good + b"\0", "malformed", "a byte after the label"),
        ("dimension-larger", good[:2] + le(4, 4) + good[6:], "malformed", "an element more than there is"),
        ("dimension-smaller", good[:2] + le(2, 4) + good[6:], "malformed", "an element fewer than there is"),
        ("elements-limit", good[:2] + le((64 << 20) + 1, 4) + good[6:], "limit", "64 MiB + 1 bytes of elements"),
        ("dimension-2-31", good[:2] + le(2**31, 4) + good[6:], "limit", "2^31 bytes of elements"),
        ("product-2-64", bytes([U8, 2]) + le(2**32 - 1, 4) * 2 + good[6:], "limit", "close to 2^64 bytes of elements"),
        ("product-wraps", bytes([U8, 4]) + le(2**16, 4) * 4 + good[6:], "limit", "2^64 bytes of elements"),
        ("product-wraps-by-size", bytes([F64, 2]) + le(2**31, 4) + le(2**30, 4) + good[6:], "limit",
         "2^61 elements of eight bytes"),
    ]
    return [{"id": name, "comment": comment, "bytes": data.hex(), "expect": expect}
            for name, data, expect, comment in rows]


def leaf_signature(index: int) -> bytes:
    return data_signature(data_salt(bytes(32), index), canonical_point(U8, [2], le(index, 2), index))


def roots() -> list[dict[str, object]]:
    """Datasets whose point i has two elements, the bytes of i, and label i; the secret is zero."""
    rows: list[dict[str, object]] = []
    for count in (1, 2, 3, 4, 5, 7, 8, 255, 256, 257, 511, 512, 1000):
        signatures = [leaf_signature(i) for i in range(count)]
        rows.append({"count": str(count), "root": root(signatures).hex(),
                     "first": signatures[0].hex(), "last": signatures[-1].hex(),
                     "levels": [sha(level).hex() for level in levels(signatures)]})
    return rows


def levels(signatures: list[bytes]) -> list[bytes]:
    """Content of tree.0, tree.1, ..."""
    hashes = [sha(b"\0", each) for each in signatures]
    found, group = [], 1
    while len(hashes) // group:
        found.append(b"".join(hash_root(hashes[i * group:(i + 1) * group]) for i in range(len(hashes) // group)))
        group *= 256
    return found


def inclusions() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for count, index in ((1, 0), (2, 1), (3, 2), (5, 4), (7, 3), (256, 255), (257, 256), (1000, 700)):
        signatures = [leaf_signature(i) for i in range(count)]
        hashes = [sha(b"\0", each) for each in signatures]
        path, top = inclusion(hashes, index), root(signatures)
        size = f"{index}-of-{count}"

        def row(name: str, signature: bytes, at: int, total: int, proof: list[bytes], valid: bool) -> None:
            rows.append({"id": name, "signature": signature.hex(), "index": str(at), "count": str(total),
                         "path": [each.hex() for each in proof], "root": top.hex(), "valid": valid})

        row(size, signatures[index], index, count, path, True)
        row(f"{size}-other-signature", leaf_signature(index + 1), index, count, path, False)
        row(f"{size}-longer", signatures[index], index, count, [*path, bytes(32)], False)
        row(f"{size}-index-beyond", signatures[index], count, count, path, False)
        row(f"{size}-no-points", signatures[index], index, 0, path, False)
        if path:
            row(f"{size}-shorter", signatures[index], index, count, path[:-1], False)
            row(f"{size}-altered", signatures[index], index, count, [path[0][::-1], *path[1:]], False)
            row(f"{size}-other-index", signatures[index], index - 1, count, path, False)
        if len(path) > 1:
            row(f"{size}-swapped", signatures[index], index, count, [path[1], path[0], *path[2:]], False)
    return rows


def models() -> list[dict[str, object]]:
    a, b = Tensor("a", W, F32, [2], f32(1, -2)), Tensor("b", B, I64, [], le(7, 8))
    rich_tensors = [t for t in rich().states[0].tensors if len(t.raw) < 1000]
    rows = {
        "empty": ([], "no tensor"),
        "one": ([a], "one weight"),
        "weight-and-buffer": ([b, a], "in order of names, whatever the roles"),
        "roles-exchanged": ([Tensor("a", B, a.type, a.shape, a.raw), Tensor("b", W, b.type, b.shape, b.raw)],
                            "roles are outside of the digest"),
        "buffer-first": ([Tensor("0", B, F32, [1], f32(0)), a], "a buffer whose name comes first"),
        "optimizer-left-out": ([a, b, Tensor("m", O, F32, [1], f32(3))], "only weights and buffers count"),
        "renamed": ([Tensor("c", W, F32, [2], f32(1, -2))], "the tensor digest of `one`, another model digest"),
        "reshaped": ([Tensor("a", W, F32, [2, 1], f32(1, -2))], "another shape"),
        "retyped": ([Tensor("a", W, U8, [8], f32(1, -2))], "another element type"),
        "negative-zero": ([Tensor("a", W, F32, [1], f32(-0.0))], "bits count, not values"),
        "no-bytes": ([Tensor("a", W, F32, [0, 3], b"")], "a tensor without elements"),
        "byte-order": ([Tensor("\uffee", W, U8, [1], b"\1"), Tensor("\U0001f600", W, U8, [1], b"\2"),
                        Tensor("Z", W, U8, [1], b"\3"), Tensor("\u00e9", W, U8, [1], b"\4")],
                       "names in order of UTF-8 bytes, not of UTF-16 units"),
        "all-types": (rich_tensors, "many element types"),
    }
    return [{"id": name, "comment": comment,
             "tensors": [{"name": t.name, "role": t.role, "elementType": t.type, "shape": [str(d) for d in t.shape],
                          "bytes": t.raw.hex(), "digest": tensor_digest(t).hex()} for t in tensors],
             "modelDigest": model_digest(tensors).hex()} for name, (tensors, comment) in rows.items()]
