"""Other stores, given the same runs.

Each gets all files of a run at once, which suits them: no start of a process for each checkpoint. What
differs is said where it matters: restic always encrypts, TensorStore hashes nothing, and its times
begin when it is loaded.
"""
import dataclasses
import json
import math
import os
import shutil
import statistics
import time

from .cached_runs import files_of
from .common import ROOT, fail, row, run, stored_bytes
from .measure import Usage, measured, sha256_bytes_per_second

SLICE = 1024 * 1024
TENSORSTORE = [ROOT / ".build/venv-bench/bin/python",
               ROOT / "tools/benchmarks/tensorstore_peer.py"]


@dataclasses.dataclass
class Peer:
    """How a program is asked, in bash.

    The commands run in a fresh folder and read $RUN (the folder of a run), $STORE (theirs to write),
    $FILE (the name of one file), $OUT (where it goes), $START and $COUNT (bytes of a slice of it).
    """
    name: str
    title: str
    ingest: str
    restore: str
    slice: str = ""
    prepare: str = ""


# `head` ends before the program does; that is no failure.
CUT = 'tail -c +$((START + 1)) | head -c $COUNT >"$OUT"; [ $(stat -c %s "$OUT") = $COUNT ]'

PEERS = [
    Peer("cp", "cp", 'cp -r "$RUN" "$STORE"', 'cp "$STORE/$FILE" "$OUT"',
         f'cat "$STORE/$FILE" | {CUT}'),
    Peer("tar_lz4_1", "tar | lz4 -1", 'tar -C "$RUN" -c . | lz4 -1 -q - "$STORE"',
         'lz4 -dcq "$STORE" | tar -xO "./$FILE" >"$OUT"'),
    Peer("tar_zstd_1", "tar | zstd -1", 'tar -C "$RUN" -c . | zstd -1 -T1 -q -o "$STORE"',
         'zstd -dcq "$STORE" | tar -xO "./$FILE" >"$OUT"'),
    Peer("tar_zstd_3", "tar | zstd -3", 'tar -C "$RUN" -c . | zstd -3 -T1 -q -o "$STORE"',
         'zstd -dcq "$STORE" | tar -xO "./$FILE" >"$OUT"'),
    Peer("restic", "restic", 'cd "$RUN" && restic -q -r "$STORE" backup .',
         'restic -q -r "$STORE" dump latest "/$FILE" >"$OUT"',
         f'restic -q -r "$STORE" dump latest "/$FILE" 2>/dev/null | {CUT}',
         'restic -q -r "$STORE" init --repository-version 2'),
    Peer("borg", "borg, lz4", 'cd "$RUN" && borg create -C lz4 "$STORE::run" .',
         'borg extract --stdout "$STORE::run" "$FILE" >"$OUT"',
         f'borg extract --stdout "$STORE::run" "$FILE" 2>/dev/null | {CUT}',
         'borg init -e none "$STORE"'),
    Peer("casync", "casync",
         'for file in "$RUN"/*; do casync make --store="$STORE/chunks.castr" '
         '"$STORE/$(basename "$file").caibx" "$file"; done',
         'casync extract --store="$STORE/chunks.castr" "$STORE/$FILE.caibx" "$OUT"',
         prepare='mkdir "$STORE"'),
]
TENSORSTORE_PEERS = [("zarr3_sharded", "zarr3 sharded", "zarr3"), ("ocdbt", "zarr3 in OCDBT", "ocdbt")]


def environment(scratch):
    """No setting, cache or key of the user, and nothing written outside of the scratch folder."""
    home = scratch / "home"
    home.mkdir(exist_ok=True)
    return {
        "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(home), "TMPDIR": str(scratch),
        "XDG_CACHE_HOME": str(home / "cache"), "XDG_CONFIG_HOME": str(home / "config"),
        "RESTIC_PASSWORD": "benchmark", "RESTIC_CACHE_DIR": str(home / "restic"),
        "BORG_BASE_DIR": str(home / "borg"), "BORG_PASSPHRASE": "benchmark",
        "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}


class Shelf:
    """One store of one run: filled, measured, read back, removed."""

    def __init__(self, scratch, run_folder):
        self.run = run_folder
        self.files = files_of(run_folder)
        self.one = self.files[len(self.files) // 2]
        self.out = scratch / "out"
        self.store = scratch / "store"
        self.scratch = scratch
        self.environment = environment(scratch)
        # A slice in the middle of the weights: what somebody who looks at one tensor wants.
        self.start = self.one.stat().st_size * 5 // 6 // 4096 * 4096

    def bash(self, text):
        variables = {"RUN": self.run, "STORE": self.store, "FILE": self.one.name, "OUT": self.out,
                     "START": self.start, "COUNT": SLICE}
        settings = {name: str(value) for name, value in variables.items()}
        return measured(["bash", "-c", f"set -e\n{text}"], self.environment | settings, self.scratch)

    def clear(self):
        if self.store.is_dir():
            shutil.rmtree(self.store)
        self.store.unlink(missing_ok=True)
        self.out.unlink(missing_ok=True)

    def raw_bytes(self):
        return sum(path.stat().st_size for path in self.files)

    def checked(self, usage, expected, what):
        """A peer that gives back other bytes was asked wrongly: its figures would be worth nothing."""
        if self.out.read_bytes() != expected:
            fail(f"{what} gave back other bytes than it got")
        self.out.unlink()
        return usage


class CommandPeer:
    def __init__(self, peer):
        self.peer, self.name, self.title = peer, peer.name, peer.title

    def ingest(self, shelf):
        if self.peer.prepare:
            shelf.bash(self.peer.prepare)
        return shelf.bash(self.peer.ingest)

    def restore(self, shelf):
        usage = shelf.bash(self.peer.restore)
        return shelf.checked(usage, shelf.one.read_bytes(), self.title)

    def slice(self, shelf):
        if not self.peer.slice:
            return None
        usage = shelf.bash(self.peer.slice)
        part = shelf.one.read_bytes()[shelf.start:shelf.start + SLICE]
        return shelf.checked(usage, part, self.title)


class TensorStorePeer:
    SLICED = "weight/words.weight"

    def __init__(self, name, title, driver):
        self.name, self.title, self.driver = name, title, driver

    def ask(self, shelf, *arguments):
        command = [*TENSORSTORE, self.driver, *arguments]
        said = json.loads(run(*command, env=shelf.environment, cwd=shelf.scratch))
        return Usage(**said)

    def ingest(self, shelf):
        return self.ask(shelf, "ingest", shelf.run, shelf.store)

    def restore(self, shelf):
        number = shelf.files.index(shelf.one)
        usage = self.ask(shelf, "restore", shelf.store, number, shelf.out)
        content = shelf.one.read_bytes()
        header = 8 + int.from_bytes(content[:8], "little")
        return shelf.checked(usage, content[header:], self.title)

    def slice(self, shelf):
        number = shelf.files.index(shelf.one)
        usage = self.ask(shelf, "slice", shelf.store, number, self.SLICED, 300_000, SLICE // 4, shelf.out)
        if shelf.out.stat().st_size != SLICE:
            fail(f"{self.title} gave back a slice of another length")
        return usage


def all_peers():
    return [CommandPeer(peer) for peer in PEERS] + [TensorStorePeer(*one) for one in TENSORSTORE_PEERS]


def measure_peer(peer, runs, scratch):
    """Ratios on every run; speed, restore and slice on the first, the largest."""
    rows = []
    measured_run = next(iter(runs))
    for name, folder in runs.items():
        shelf = Shelf(scratch, folder)
        timed = name == measured_run
        used = []
        sha256 = [sha256_bytes_per_second()] if timed else []
        began = time.monotonic()
        # The median of three, but some of them write ten thousand files, each synced.
        while not used or (timed and len(used) < 3 and time.monotonic() - began < 20):
            shelf.clear()
            used.append(peer.ingest(shelf).cpu)
        raw, stored = shelf.raw_bytes(), stored_bytes(shelf.store)
        rows.append(row(f"archive.peer.{peer.name}.ratio.{name}", raw / stored, "raw bytes over stored",
                        f"{peer.title}: {stored} bytes of {raw}"))
        if timed:
            sha256.append(sha256_bytes_per_second())
            speed = raw / statistics.median(used)
            rows.append(row(
                f"archive.peer.{peer.name}.speed", speed, "bytes a second of processor time",
                f"{peer.title}: ingest of {name} over SHA-256 of the same bytes on one core",
                speed / statistics.mean(sha256)))
            rows += reading(peer, shelf, f"archive.peer.{peer.name}")
        shelf.clear()
    return rows


def copying_seconds(shelf):
    """Wall time of cp of the raw file: the best of ten, because it takes some 20 ms."""
    best = math.inf
    for _ in range(10):
        usage = measured(["cp", shelf.one, shelf.out], shelf.environment, shelf.scratch)
        best = min(best, usage.wall)
        shelf.out.unlink()
    return best


def reading(peer, shelf, base):
    """Wall time of getting back one file, and 1 MiB of it, over copying the raw file."""
    # What the ingest left to be written would slow down whatever is written next.
    os.sync()
    copied = copying_seconds(shelf)
    rows = []
    for name, ask, what in [("restore", peer.restore, f"one file of {len(shelf.files)}"),
                            ("slice", peer.slice, "1 MiB of one file")]:
        tries = [ask(shelf) for _ in range(3)]
        if None in tries:
            continue
        best = min(one.wall for one in tries)
        rows.append(row(f"{base}.{name}_over_cp", best, "seconds",
                        f"{peer.title}: {what} over the wall time of cp of the raw file",
                        best / copied))
    return rows


def peer_rows(runs, scratch):
    rows = []
    for peer in all_peers():
        print(f"bench: {peer.title}", flush=True)
        rows += measure_peer(peer, runs, scratch)
    return rows
