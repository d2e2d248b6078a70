"""The archive's own figures: `pol import` on the runs, and what `pol-bench archive` reports."""
import json
import statistics

from .cached_runs import files_of
from .common import BENCH, POL, fail, row, run, stored_bytes
from .measure import measured, sha256_bytes_per_second
from .peers import SLICE, Shelf, environment, reading

# What each of the rows of `pol-bench archive` is measured against.
AGAINST = {
    "archive.record.filters": "recording without deltas over SHA-256 of the same bytes, one core",
    "archive.record.delta": "recording with deltas over SHA-256 of the same bytes, one core",
    "archive.record.two_cores": "recording on two cores over recording on one",
    "archive.record.two_cores_limit":
        "two recordings side by side, one core each, over one of them alone: what the machine gives",
    "archive.record.encrypted": "recording under suite 1 over SHA-256 of the same bytes, one core",
    "archive.seal": "sealing over SHA-256 of the archive's bytes, one core",
    "archive.restore": "restoring and checking over SHA-256 of the same bytes, one core",
    "archive.index_share": "bytes of indexes, envelopes and records over raw bytes",
    "archive.memory_mib": "MiB above the start while recording two checkpoints of 4 GiB, two threads",
    "archive.open_memory_mib": "MiB above the start to open an archive of 1 TB, simulated, and find a chunk",
    "archive.open_bytes": "bytes read to open an archive of 1 TB, with all tables of a verifier",
    "archive.inspect_memory_mib": "MiB above the start to read all records of an archive of 1 TB",
    "archive.restore_one_over_cp": "one checkpoint to a file, without its decoding, over cp of the raw file",
    "archive.slice_ranges": "ranges read for 1 MiB of one checkpoint",
    "archive.slice_bytes": "bytes read for 1 MiB of one checkpoint",
}


class Export:
    """What the peers are asked, asked of `pol export`; as for them, with the start of the process."""
    name = title = "pol"

    def ask(self, shelf, *arguments):
        command = [POL, "export", shelf.store, "--record", shelf.files.index(shelf.one) + 1, *arguments]
        return measured(command, shelf.environment, shelf.scratch)

    def restore(self, shelf):
        folder = shelf.scratch / "files"
        usage = self.ask(shelf, "--format", "original", "--out", folder)
        (folder / shelf.one.name).rename(shelf.out)
        folder.rmdir()
        return shelf.checked(usage, shelf.one.read_bytes(), self.title)

    def slice(self, shelf):
        name, start = "words.weight", 4 * 300_000
        usage = self.ask(shelf, "--tensor", name, "--bytes", f"{start}-{start + SLICE}", "--out", shelf.out)
        content = shelf.one.read_bytes()
        header = 8 + int.from_bytes(content[:8], "little")
        start += header + json.loads(content[8:header])[f"weight/{name}"]["data_offsets"][0]
        return shelf.checked(usage, content[start:start + SLICE], self.title)


def import_rows(runs, scratch):
    """Size of the whole archive folder of each run, and the speed of the import as for the peers."""
    key = scratch / "key.pem"
    run(POL, "keygen", "--out", key)
    rows = []
    for name, folder in runs.items():
        files = files_of(folder)
        raw = sum(path.stat().st_size for path in files)
        timed = not rows
        used, archives = [], []
        sha256 = [sha256_bytes_per_second()] if timed else []
        for attempt in range(3 if timed else 1):
            archives.append(scratch / f"{name}-{attempt}.pol")
            command = [POL, "import", *files, "--archive", archives[-1], "--key", key]
            used.append(measured(command, environment(scratch), scratch).cpu)
        stored = stored_bytes(archives[-1])
        rows.append(row(f"archive.ratio.{name}", raw / stored, "raw bytes over stored",
                        f"all files of the archive: {stored} bytes of {raw}"))
        if timed:
            sha256.append(sha256_bytes_per_second())
            speed = raw / statistics.median(used)
            rows.append(row("archive.import.speed", speed, "bytes a second of processor time",
                            f"`pol import` of {name} over SHA-256 of the same bytes on one core",
                            speed / statistics.mean(sha256)))
            shelf = Shelf(scratch, folder)
            shelf.store = archives[-1]
            rows += reading(Export(), shelf, "archive")
    return rows


def module_rows(runs, scratch):
    """Measurements inside of one process, which `pol-bench` makes."""
    inside = scratch / "inside"
    inside.mkdir()
    speeds = json.loads(run(BENCH, "archive", inside, runs["adam_f32"]))
    memory = json.loads(run(BENCH, "memory", inside, 4 << 30))
    opening = json.loads(run(BENCH, "opening", inside))
    rows = []
    for one in speeds["rows"] + memory["rows"] + opening["rows"]:
        identity = one.get("id")
        if identity not in AGAINST:
            fail(f"pol-bench archive reports {identity}, which no table here describes")
        # A row without a speed is a count or a share.
        speed = one.get("bytesPerSecond")
        value, unit = (one["ratio"], "") if speed is None else (speed, "bytes a second")
        rows.append(row(identity, value, unit, AGAINST[identity], one["ratio"]))
    return rows


def our_rows(runs, scratch):
    print("bench: pol", flush=True)
    return import_rows(runs, scratch) + module_rows(runs, scratch)
