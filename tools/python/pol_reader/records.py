"""Records (spec/archive.md §3)."""

from dataclasses import dataclass

from .cursor import Cursor
from .hashing import EMPTY_ROOT, ZERO, hkdf, tagged
from .tensors import BUFFER, ELEMENT_TYPES, ROLES, Tensor, canonical_layout

HEADER_LENGTH = 48
BODY_LIMIT = 64 << 20
TENSOR_BYTES_LIMIT = 1 << 40
OPENING, CHECKPOINT, AFTER_GAP = 0, 1, 2


def record_hash(record: bytes) -> bytes:
    return tagged("record", record)


@dataclass(frozen=True)
class Opening:
    """Record 0 (§3.2)."""

    archive_id: bytes
    prover_key: bytes
    dataset_root: bytes
    dataset_count: int
    settings_digest: bytes
    policy_digest: bytes
    run_secret: bytes
    salt: bytes
    commitment: bytes
    commitment_index: int
    head_size: int
    head_root: bytes
    chunk_size: int
    small_limit: int
    log_origin: bytes

    @property
    def run_seed(self) -> bytes:
        return hkdf(self.run_secret, b"pol/v1/run-seed\n", self.prover_key + self.dataset_root + self.policy_digest
                    + self.settings_digest + self.commitment + self.head_root)


@dataclass(frozen=True)
class Step:
    """One training step of a segment; bit patterns, not numbers."""

    learning_rate: int
    loss: int
    indices: tuple[int, ...]


@dataclass(frozen=True)
class Gap:
    """What a record of kind 2 says came before its steps."""

    lost: int
    cause: bytes


@dataclass(frozen=True)
class Checkpoint:
    """Record 1, 2, ... (§3.3)."""

    sequence: int
    gap: Gap | None
    step: int
    steps: list[Step]
    signature_root: bytes
    norms: tuple[int, int, int, int]
    tensors: list[Tensor]
    chunks: list[bytes]
    chunk_lengths: list[int]

    @property
    def distinct_chunks(self) -> list[bytes]:
        return list(dict.fromkeys(self.chunks))


def parse_header(record: bytes, sequence: int, previous: bytes, where: str) -> Cursor:
    """Checks the 48 bytes before every record (§3.1); gives the cursor over the body."""
    cursor = Cursor(record, where)
    kind, version, body_length = cursor.u16(), cursor.u16(), cursor.u32()
    if version != 1:
        raise cursor.fail("unsupported", f"record version {version}")
    if kind > AFTER_GAP:
        raise cursor.fail("unsupported", f"record kind {kind}")
    if kind != min(sequence, CHECKPOINT) and not (kind == AFTER_GAP and sequence > 1):
        raise cursor.fail("malformed", f"record {sequence} has kind {kind}")
    if body_length > BODY_LIMIT:
        raise cursor.fail("limit", f"a body of {body_length} bytes, at most {BODY_LIMIT}")
    if body_length != len(record) - HEADER_LENGTH:
        raise cursor.fail("malformed", f"body length {body_length}, {len(record) - HEADER_LENGTH} bytes are there")
    found = cursor.u64()
    if found != sequence:
        raise cursor.fail("malformed", f"sequence {found} in record {sequence}")
    if cursor.digest() != previous:
        raise cursor.fail("malformed", f"previous of record {sequence} is not the hash of the record before")
    return cursor


def parse_opening(record: bytes, where: str) -> Opening:
    cursor = parse_header(record, 0, ZERO, where)
    opening = Opening(
        archive_id=cursor.digest(), prover_key=cursor.digest(), dataset_root=cursor.digest(),
        dataset_count=cursor.u64(), settings_digest=cursor.digest(), policy_digest=cursor.digest(),
        run_secret=cursor.digest(), salt=cursor.digest(), commitment=cursor.digest(), commitment_index=cursor.u64(),
        head_size=cursor.u64(), head_root=cursor.digest(), chunk_size=cursor.u32(), small_limit=cursor.u32(),
        log_origin=cursor.string(0, 255))
    cursor.finish()
    if opening.dataset_count > 2**32 - 1:
        raise cursor.fail("limit", f"{opening.dataset_count} data points")
    if opening.dataset_count == 0 and opening.dataset_root != EMPTY_ROOT:
        raise cursor.fail("malformed", "a dataset without points has another root")
    size = opening.chunk_size
    if size > 1 << 20:
        raise cursor.fail("limit", f"chunk size {size}")
    if size < 1 << 16 or size & (size - 1):
        raise cursor.fail("malformed", f"chunk size {size} is not a power of two from 65536 to 1048576")
    if opening.small_limit > size:
        raise cursor.fail("limit", f"small limit {opening.small_limit} with chunk size {size}")
    if opening.log_origin:
        if opening.head_size <= opening.commitment_index:
            raise cursor.fail("malformed", "the tree head does not cover the commitment")
        if opening.commitment == ZERO:
            raise cursor.fail("malformed", "a log without a commitment")
    elif (opening.commitment, opening.commitment_index, opening.head_size, opening.head_root) != (ZERO, 0, 0, ZERO):
        raise cursor.fail("malformed", "a commitment without a log")
    return opening


def _parse_steps(cursor: Cursor, count: int, dataset_count: int) -> list[Step]:
    steps = []
    for _ in range(count):
        rate, loss, batch = cursor.u32(), cursor.u32(), cursor.u32()
        if batch > 1 << 20:
            raise cursor.fail("limit", f"a batch of {batch}")
        if batch == 0:
            raise cursor.fail("malformed", "an empty batch")
        raw = cursor.take(4 * batch)
        indices = tuple(int.from_bytes(raw[i:i + 4], "little") for i in range(0, len(raw), 4))
        if max(indices) >= dataset_count:
            raise cursor.fail("malformed", f"data point {max(indices)} of {dataset_count}")
        steps.append(Step(rate, loss, indices))
    return steps


def _parse_tensor(cursor: Cursor) -> Tensor:
    name = cursor.string(1, 512)
    role, element_type, rank = cursor.u8(), cursor.u8(), cursor.u8()
    if role >= len(ROLES):
        raise cursor.fail("malformed", f"role {role}")
    if element_type not in ELEMENT_TYPES:
        raise cursor.fail("malformed", f"element type {element_type}")
    if rank > 16:
        raise cursor.fail("limit", f"rank {rank}")
    tensor = Tensor(name, role, element_type, tuple(cursor.u64() for _ in range(rank)), cursor.u32(), cursor.u32())
    # A dimension of 0 makes the product 0, and the others no smaller.
    if max((tensor.byte_count, *tensor.shape)) > TENSOR_BYTES_LIMIT:
        raise cursor.fail("limit", f"a tensor of {tensor.byte_count} bytes")
    return tensor


def _parse_tensors(cursor: Cursor) -> list[Tensor]:
    count = cursor.u32()
    if count > 1 << 20:
        raise cursor.fail("limit", f"{count} tensors")
    tensors: list[Tensor] = []
    model_names: set[bytes] = set()
    for _ in range(count):
        tensor = _parse_tensor(cursor)
        if tensors and (tensors[-1].role, tensors[-1].name) >= (tensor.role, tensor.name):
            raise cursor.fail("malformed", "tensors are not in order of role and name, each once")
        if tensor.role <= BUFFER:
            if tensor.name in model_names:
                raise cursor.fail("malformed", "a weight and a buffer have the same name")
            model_names.add(tensor.name)
        tensors.append(tensor)
    return tensors


def parse_checkpoint(record: bytes, sequence: int, previous: bytes, previous_step: int, opening: Opening,
                     where: str) -> Checkpoint:
    """All rules of §3.3 and §4 that the record alone can show; chunks' content is checked elsewhere."""
    cursor = parse_header(record, sequence, previous, where)
    gap = Gap(cursor.u64(), cursor.string(1, 255)) if int.from_bytes(record[:2], "little") == AFTER_GAP else None
    step, count = cursor.u64(), cursor.u32()
    lost = gap.lost if gap else 0
    if sequence == 1:
        if (step, count) != (0, 0):
            raise cursor.fail("malformed", "record 1 holds the state before the first step")
    elif step <= previous_step or lost + count != step - previous_step:
        raise cursor.fail("malformed", f"step {step} with {lost} lost and {count} known after step {previous_step}")
    steps = _parse_steps(cursor, count, opening.dataset_count)
    signature_root = cursor.digest()
    if sequence == 1 and signature_root != EMPTY_ROOT:
        raise cursor.fail("malformed", "record 1 used no data point")
    norms = (cursor.u64(), cursor.u64(), cursor.u64(), cursor.u64())
    if sequence == 1 and any(norms):
        raise cursor.fail("malformed", "record 1 has no update")
    tensors = _parse_tensors(cursor)
    chunk_count = cursor.u32()
    if chunk_count > 1 << 24:
        raise cursor.fail("limit", f"{chunk_count} chunks")
    raw = cursor.take(32 * chunk_count)
    cursor.finish()
    # Tensors hold up to 2^40 bytes each: compare the totals before a list of chunks is made of them.
    if sum(each.byte_count for each in tensors) > chunk_count * opening.chunk_size:
        raise cursor.fail("malformed", "more bytes than the chunks can hold")
    layout = canonical_layout(tensors, opening.chunk_size, opening.small_limit)
    if len(layout.chunk_lengths) != chunk_count:
        raise cursor.fail("malformed", f"{chunk_count} chunks, chunking gives {len(layout.chunk_lengths)}")
    for tensor, place in zip(tensors, layout.places):
        if (tensor.first_chunk, tensor.offset) != place:
            raise cursor.fail("malformed", f"a tensor at {tensor.first_chunk}+{tensor.offset}, chunking gives {place}")
    chunks = [raw[i:i + 32] for i in range(0, len(raw), 32)]
    lengths: dict[bytes, int] = {}
    for digest, length in zip(chunks, layout.chunk_lengths):
        if lengths.setdefault(digest, length) != length:
            raise cursor.fail("malformed", "one digest for chunks of two lengths")
    return Checkpoint(sequence, gap, step, steps, signature_root, norms, tensors, chunks, layout.chunk_lengths)
