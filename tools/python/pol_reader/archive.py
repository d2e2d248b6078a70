"""An archive in a directory, read and checked (spec/archive.md §9)."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

from . import packs
from .access import Access
from .dataset import Dataset
from .encryption import CLAIMS, NORMS, POLICY, RECORD, RECORD_INDEX, SETTINGS
from .envelope import Chain, parse_envelope
from .folder import Folder, PlainFile
from .frames import FILE_HEADER, RecordFrame, RecordsHeader, read_record_frame, read_records_header
from .grant import Grant
from .hashing import ZERO, sha256, tagged, tree_root
from .model import model_digest, tensor_digest
from .norms import FLOATS, norms, widen
from .packs import OpenPack
from .records import Checkpoint, Opening, parse_checkpoint, parse_opening, record_hash
from .refusal import Refusal
from .tables import RecordRow, Seal, parse_norms, parse_objects, parse_record_index, parse_seal
from .tensors import BUFFER, WEIGHT, Tensor, tensor_pieces

SMALL_FILE = 1 << 30  # tables are read whole: a billion bytes is more than any that this reader can check in a day
RECORDS = "records"


@dataclass
class Summary:
    """What a whole check found, in the order in which a person reads it."""

    sealed: bool
    archive_id: str
    prover_key: str
    steps: int
    records: int
    segments: int
    chunks: int
    dataset_count: int
    dataset_root: str
    archive_root: str
    seal_digest: str | None
    model_digest: str
    run_seed: str
    torn_bytes: int


class Archive:
    """Reads one archive; `check()` does everything that §9 lists and gives a summary or raises `Refusal`.

    An encrypted one takes the epoch key or a grant (else `GrantRefusal`); with a grant of segments, what the grant
    covers is checked, and all published bytes.
    """

    def __init__(self, path: str | os.PathLike[str], keys: Grant | bytes | None = None) -> None:
        self._keys = keys
        self._access = Access(0, 0, ZERO)
        self.folder = Folder(path)
        self.sealed = self.folder.has("seal")
        self.seal: Seal | None = None
        self.opening: Opening | None = None
        self.checkpoints: list[Checkpoint] = []
        self.record_hashes: list[bytes] = []
        self.model_digest = ZERO
        self._steps: list[int] = []
        self._frames: list[tuple[int, int]] = []
        self._packs: dict[int, OpenPack] = {}
        self._chain_of: dict[bytes, Chain] = {}
        self._envelopes: list[dict[bytes, Chain]] = []
        self._raw = lru_cache(maxsize=64)(self._decode_chain)

    # Checking

    def check(self) -> Summary:
        rows = None
        if self.sealed:
            self.seal = seal = parse_seal(self.folder.read("seal", SMALL_FILE))
            self._access = Access(seal.suite, seal.epoch, seal.archive_id, self._keys)
            self._access.check(seal.digest, seal.key_commitment)
            rows = parse_record_index(self._file("records.index", RECORD_INDEX), seal)
        try:
            torn = self._read_records(rows)
            if rows is not None:
                found = [(row.offset, row.length, row.step) for row in rows]
                if found != [(*place, step) for place, step in zip(self._frames, self._steps)]:
                    raise Refusal("malformed", "records.index", "places or steps are not those of the records")
            opening = self._opened()
            self._check_file_digest("settings.json", SETTINGS, "settings", opening.settings_digest)
            self._check_file_digest("policy.json", POLICY, "policy", opening.policy_digest)
            if self._access.suite and self.folder.has("claims.json"):
                self._file("claims.json", CLAIMS)
            self._check_norms_table()
            self._check_dataset()
            self._check_chunks()
            self._check_updates()
            self._check_packs()
            self._check_model()
            self._check_objects()
            return self._summary(torn)
        finally:
            for pack, *_ in self._packs.values():
                pack.close()
            self._packs.clear()

    def _opened(self) -> Opening:
        if self.opening is None:
            raise Refusal("missing", RECORDS, "there is no whole record")
        return self.opening

    def _file(self, name: str, kind: int) -> bytes:
        return self._access.file(kind, self.folder.read(name, SMALL_FILE), name)

    def _read_records(self, rows: list[RecordRow] | None) -> int:
        """All records in order; without a seal, up to the first that is torn (§7). Gives the bytes left over."""
        with self.folder.open(RECORDS) as file:
            header = read_records_header(file)
            if self.seal is None:
                self._access = Access(header.suite, header.epoch, header.archive_id, self._keys)
            elif (header.suite, header.epoch) != (self.seal.suite, self.seal.epoch):
                raise Refusal("malformed", RECORDS, "cipher suite or key epoch is not the seal's")
            offset = FILE_HEADER
            while offset < file.length if rows is None else len(self._frames) < len(rows):
                try:
                    frame = read_record_frame(file, offset, header)
                except Refusal as refusal:
                    if rows is None and refusal.code in ("damaged", "malformed", "limit"):
                        return file.length - offset
                    raise
                self._accept(frame, header, rows)
                offset += frame.length
            if offset != file.length:
                raise Refusal("malformed", RECORDS, f"{file.length - offset} bytes after the last record")
        return 0

    def _accept(self, frame: RecordFrame, header: RecordsHeader, rows: list[RecordRow] | None) -> None:
        sequence = len(self._frames)
        self._frames.append((frame.offset, frame.length))
        if rows is not None and not self._access.covers(RECORD, sequence):
            self.record_hashes.append(rows[sequence].record_hash)
            self._steps.append(rows[sequence].step)
            return
        record, envelope = frame.opened(partial(self._access.record, sequence, where=RECORDS), RECORDS)
        digest = record_hash(record)
        if rows is not None and digest != rows[sequence].record_hash:
            raise Refusal("damaged", RECORDS, f"record {sequence} is not the one in the authenticated table")
        if sequence == 0:
            self.opening = parse_opening(record, RECORDS)
            self._compare_opening(self.opening)
            if header.archive_id != self.opening.archive_id:
                raise Refusal("malformed", RECORDS, "archive id before the records is not that of record 0")
            parse_envelope(envelope, [], header, RECORDS)
            self._steps.append(0)
        else:
            checkpoint = parse_checkpoint(record, sequence, self.record_hashes[-1], self._steps[-1], self._opened(),
                                          RECORDS)
            self._compare_weights(checkpoint)
            chains = parse_envelope(envelope, checkpoint.distinct_chunks, header, RECORDS)
            self._envelopes.append(chains)
            self._chain_of = chains | self._chain_of
            self.checkpoints.append(checkpoint)
            self._steps.append(checkpoint.step)
        self.record_hashes.append(digest)

    def _compare_opening(self, opening: Opening) -> None:
        if self.seal is None:
            return
        if opening.archive_id != self.seal.archive_id:
            raise Refusal("malformed", "seal", "archive id is not that of record 0")
        if opening.prover_key != self.seal.prover_key:
            raise Refusal("malformed", "seal", "signed by another key than record 0 names")

    def _compare_weights(self, checkpoint: Checkpoint) -> None:
        """Norms compare element with element (§3.5): the weights of all records have one table."""
        if not self.checkpoints:
            return
        if _weight_table(self.checkpoints[-1]) != _weight_table(checkpoint):
            raise Refusal("malformed", RECORDS, f"record {checkpoint.sequence} has other weight tensors")

    def _check_file_digest(self, name: str, kind: int, tag: str, digest: bytes) -> None:
        if tagged(tag, self._file(name, kind)) != digest:
            raise Refusal("damaged", name, "not the digest in record 0")

    def _check_norms_table(self) -> None:
        if self.seal is None:
            return
        if self.seal.step_count != self._steps[-1]:
            raise Refusal("malformed", "seal", "step count is not the step of the last record")
        table = parse_norms(self._file("norms", NORMS), self.seal.norms_digest)
        known = {each.sequence: each.norms for each in self.checkpoints}
        if [step for step, _ in table] != self._steps[2:] or any(
                known.get(number, norms) != norms for number, (_, norms) in enumerate(table, 2)):
            raise Refusal("malformed", "norms", "rows are not those of the records")

    def _check_dataset(self) -> None:
        opening = self._opened()
        dataset = Dataset(self.folder, opening.dataset_count, opening.dataset_root, self._access)
        for each in self.checkpoints:
            indices = [index for step in each.steps for index in step.indices]
            if self._access.grants_segment(each.sequence - 2):
                self._access.require_points(indices)
            if dataset.signature_root(indices) != each.signature_root:
                raise Refusal("malformed", RECORDS, f"record {each.sequence}: signature root")

    def _check_chunks(self) -> None:
        """Each chunk by every chain of frames that an envelope names for it."""
        checked: set[tuple[bytes, Chain]] = set()
        for each, envelope in zip(self.checkpoints, self._envelopes):
            for digest, length in zip(each.chunks, each.chunk_lengths):
                chain = envelope[digest]
                if (digest, chain) in checked:
                    continue
                self._check_chunk(chain, digest, length, each.sequence)
                checked.add((digest, chain))

    def _check_chunk(self, chain: Chain, digest: bytes, length: int, sequence: int) -> None:
        raw = self._raw(chain)
        if sha256(raw) != digest:
            raise Refusal("damaged", _pack_name(chain[0].pack), f"frame {chain[0].frame} is not {digest.hex()}")
        if len(raw) != length:
            raise Refusal("malformed", RECORDS, f"record {sequence}: a chunk of another length than §4's")

    def _check_updates(self) -> None:
        for before, after in zip(self.checkpoints, self.checkpoints[1:]):
            if after.sequence != before.sequence + 1:
                continue
            pairs = zip(self._float_weights(before), self._float_weights(after))
            if norms(self._element_pairs(before, a, after, b) for a, b in pairs) != after.norms:
                raise Refusal("malformed", RECORDS, f"record {after.sequence}: norms are not those of its update")

    def _check_packs(self) -> None:
        """Every frame of every pack, and the index as the function of pack and envelopes that it is (§5.2)."""
        opening = self._opened()
        named = {(chain[0].pack, chain[0].frame): digest for envelope in self._envelopes
                 for digest, chain in envelope.items()}
        number = 0
        while self.folder.has(_pack_name(number)):
            pack, places, index = self._pack(number)
            stored = set[bytes]()
            if self.sealed and packs.scan_pack(pack, opening.chunk_size) != places:
                raise Refusal("malformed", _index_name(number), "not the frames of the pack")
            for position, place in enumerate(places):
                digest = named.get((number, position))
                frame = packs.parse_frame(pack.read(place.offset, place.length), opening.chunk_size,
                                          self._access.overhead, pack.name)
                if self._access.suite and index:
                    identity = index.ids[position]  # it opened the frame, where a record names it
                elif digest is None or self._access.suite:
                    continue
                else:
                    identity = packs.stored_id(opening.archive_id, digest)
                where = _index_name(number) if index else pack.name
                if index and index.ids[position] != identity:
                    raise Refusal("malformed", where, f"the stored id of frame {position}")
                if identity in stored:
                    raise Refusal("malformed", where, f"frame {position} is a chunk that stands before it")
                stored.add(identity)
            number += 1

    def _check_model(self) -> None:
        if len(self.record_hashes) < 2:
            raise Refusal("missing", RECORDS, "there is no checkpoint")
        last = self.checkpoints[-1] if self.checkpoints else None
        if last is None or last.sequence != len(self.record_hashes) - 1:
            self.model_digest = self.seal.model_digest if self.seal else ZERO  # outside of the grant
            return
        self.model_digest = model_digest((t.name, self.tensor_digest(last, t)) for t in last.tensors
                                         if t.role in (WEIGHT, BUFFER))
        if self.seal is not None and self.seal.model_digest != self.model_digest:
            raise Refusal("malformed", "seal", "model digest is not that of the last checkpoint")

    def _check_objects(self) -> None:
        names = set(self.folder.names())
        if self.seal is None:
            return
        rows = parse_objects(self.folder.read("objects", SMALL_FILE), self.seal)
        for row in rows:
            with self.folder.open(row.name) as file:
                if file.length != row.length or file.sha256() != row.digest:
                    raise Refusal("damaged", row.name, "not the length and digest in `objects`")
        listed = {row.name for row in rows}
        levels = {f"dataset/tree.{level}" for level in range(4)}
        for name in sorted(names - listed - {"objects", "seal"}):
            raise Refusal("malformed", name, "a file that `objects` does not list")
        if not self._expected_names(levels) >= listed:
            raise Refusal("malformed", "objects", "a file that does not belong to this archive")

    def _expected_names(self, levels: set[str]) -> set[str]:
        """Names of §1 as far as record 0 and the packs limit their numbers."""
        count, numbers = self._opened().dataset_count, len(self._packs)
        trees = {name for name in levels if count >= 256 ** int(name[-1])}
        packs = {name for number in range(numbers) for name in (_pack_name(number), _index_name(number))}
        return trees | packs | ({"journal"} if not self._access.suite else set()) | {
            "settings.json", "policy.json", "dataset/points", "dataset/offsets", RECORDS, "claims.json",
            "records.index", "norms"}

    # Chunks and tensors

    def _pack(self, number: int) -> OpenPack:
        if number not in self._packs:
            self._packs[number] = self._open_pack(number, _pack_name(number), _index_name(number))
        return self._packs[number]

    def _open_pack(self, number: int, name: str, index_name: str) -> OpenPack:
        opening = self._opened()
        pack = self.folder.open(name)
        try:
            packs.check_pack_header(pack, number)
            index = None
            if self.sealed or self.folder.has(index_name):
                index = packs.parse_index(self.folder.read(index_name, SMALL_FILE), number, pack, opening.chunk_size,
                                          index_name)
            places = index.places if index else packs.scan_pack(pack, opening.chunk_size)
        except Refusal:
            pack.close()
            raise
        return pack, places, index

    def _decode_chain(self, chain: Chain) -> bytes:
        """Pack index, frame, CRC, decode, from the frame that is no delta to the chunk's own (§9 step 7)."""
        raw: bytes | None = self._raw(chain[1:]) if len(chain) > 1 else None
        pack, places, index = self._pack(chain[0].pack)
        if chain[0].frame >= len(places):
            raise Refusal("missing", pack.name, f"frame {chain[0].frame} of {len(places)}")
        place = places[chain[0].frame]
        size = self._opened().chunk_size
        frame = packs.parse_frame(pack.read(place.offset, place.length), size, self._access.overhead, pack.name)
        frame = self._access.chunk(frame, index.ids[chain[0].frame] if index else None, chain[0].key, pack.name,
                                   _index_name(chain[0].pack))
        return packs.decode(frame, raw, size, pack.name)

    def pieces(self, checkpoint: Checkpoint, tensor: Tensor) -> Iterator[bytes]:
        for chunk, start, end in tensor_pieces(tensor, self._opened().chunk_size):
            yield self._raw(self._chain_of[checkpoint.chunks[chunk]])[start:end]

    def tensor_digest(self, checkpoint: Checkpoint, tensor: Tensor) -> bytes:
        return tensor_digest(tensor.element_type, tensor.shape, self.pieces(checkpoint, tensor))

    @staticmethod
    def _float_weights(checkpoint: Checkpoint) -> list[Tensor]:
        return [t for t in checkpoint.tensors if t.role == WEIGHT and t.element_type in FLOATS]

    def _element_pairs(self, before: Checkpoint, a: Tensor, after: Checkpoint,
                       b: Tensor) -> Iterator[tuple[list[float], list[float]]]:
        # Equal weight tables have equal layouts, so that pieces stand side by side.
        for left, right in zip(self.pieces(before, a), self.pieces(after, b)):
            yield widen(a.element_type, left), widen(b.element_type, right)

    def _summary(self, torn: int) -> Summary:
        opening = self._opened()
        return Summary(
            sealed=self.sealed, archive_id=opening.archive_id.hex(), prover_key=opening.prover_key.hex(),
            steps=self._steps[-1], records=len(self.record_hashes), segments=len(self.record_hashes) - 2,
            chunks=len(self._chain_of), dataset_count=opening.dataset_count, dataset_root=opening.dataset_root.hex(),
            archive_root=tree_root(self.record_hashes).hex(),
            seal_digest=self.seal.digest.hex() if self.seal else None, model_digest=self.model_digest.hex(),
            run_seed=opening.run_seed.hex(), torn_bytes=torn)


def _weight_table(checkpoint: Checkpoint) -> list[tuple[bytes, int, tuple[int, ...]]]:
    return [(t.name, t.element_type, t.shape) for t in checkpoint.tensors if t.role == WEIGHT]


def _pack_name(number: int) -> str:
    return f"packs/{number:08d}.pack"


def _index_name(number: int) -> str:
    return f"packs/{number:08d}.index"
