"""What a ledger's service does under load, and what its size costs.

Every speed is a ratio to what the same machine does in the same run: Ed25519 verifications on all its cores, and
fdatasync on the disk that the log is on. Both are measured before and after each load; the mean counts.
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import time

from .bounds import with_bounds
from .common import BENCH, POL, ROOT, fail, row, run

WRITERS, FEW = 256, 8
OPEN = ("--opaque", "--adds-per-address", "0", "--adds-per-key", "0", "--connections-per-address", "4096")
SIZE = 1_000_000


class Tools:
    """The load generator and the yardsticks."""

    def __init__(self, scratch):
        self.scratch = scratch
        self.load = scratch / "load"
        run("gcc", "-O2", "-o", self.load, ROOT / "tools/bench-ledger-load.c")

    def verifications(self):
        """Ed25519 verifications a second on all cores, by OpenSSL's own measurement."""
        text = run("openssl", "speed", "-seconds", "2", "-multi", str(os.cpu_count()), "ed25519")
        found = re.search(r"EdDSA \(Ed25519\)\s+\S+\s+\S+\s+(\S+)\s+(\S+)", text)
        if not found:
            fail("openssl speed says nothing of Ed25519")
        return float(found[2])

    def syncs(self):
        return json.loads(run(self.load, "disk", self.scratch / "disk", 2))["per_second"]

    def http(self, port, connections, warm_up, seconds, requests):
        measured = json.loads(run(self.load, "http", port, connections, warm_up, seconds, requests))
        if measured["refused"] or not measured["answered"]:
            fail(f"{measured['refused']} requests were refused, {measured['answered']} answered")
        return measured

    def between(self, yardstick, work):
        """What work gave, and the mean of a yardstick before and after it."""
        before = yardstick()
        done = work()
        return done, (before + yardstick()) / 2


class Service:
    """`pol ledger serve` of a log."""

    def __init__(self, log):
        started = time.monotonic()
        self.process = subprocess.Popen(
            [POL, "ledger", "serve", log, "--listen", "127.0.0.1:0", "--json", *OPEN], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        text = ""
        while not text.endswith("\n}\n"):
            line = self.process.stdout.readline()
            if not line:
                fail(f"the service did not start: {text}{self.process.stderr.read()}")
            text += line
        self.start_seconds = time.monotonic() - started
        self.port = int(json.loads(text)["url"].rsplit(":", 1)[1])

    def peak_mib(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) / 1024

    def processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(60):
            fail(f"the service ended badly: {self.process.stderr.read()}")


@contextlib.contextmanager
def serving(log):
    service = Service(log)
    try:
        yield service
    finally:
        service.stop()


def new_log(scratch, name):
    log = scratch / name
    run(POL, "ledger", "init", log, "--origin", "bench.invalid/log")
    return log


def add_rows(tools, scratch, seconds):
    """256 writers, signed and opaque, and 8 writers."""
    rows = []
    for kind, identity, count in (("signed", "ledger.add_per_verify_rate", 6000), ("opaque", "ledger.opaque_per_verify_rate", 12000)):
        requests = scratch / f"{kind}.requests"
        made = json.loads(run(BENCH, "ledger-requests", requests, count * (seconds + 3), kind))
        with serving(new_log(scratch, kind)) as service:
            before = service.processor_seconds()
            done, rate = tools.between(
                tools.verifications, lambda: tools.http(service.port, WRITERS, 2, seconds, requests))
            spent = service.processor_seconds() - before
        speed = done["answered"] / done["seconds"]
        what = (f"{speed:.0f} entries/s of {made['entryBytes']} bytes, {kind}, {WRITERS} writers, published; "
                f"against {rate:.0f} verifications/s on {os.cpu_count()} cores")
        rows.append(row(identity, speed, "entries/s", what, speed / rate))
        if kind == "signed":
            rows.append(row("ledger.add_p50_s", done["p50"], "s", f"the same load, from sending to a published head"))
            rows.append(row("ledger.add_p99_s", done["p99"], "s", "the same load"))
        rows.append(row(f"ledger.{kind}_cores", spent / (done["seconds"] + 2), "cores",
                        f"the service's processor time; the load took {done['load_processor_seconds'] / done['seconds']:.2f}"))
        requests.unlink()
    requests = scratch / "few.requests"
    run(BENCH, "ledger-requests", requests, 2000 * (seconds + 2), "opaque")
    with serving(new_log(scratch, "few")) as service:
        done, rate = tools.between(tools.syncs, lambda: tools.http(service.port, FEW, 1, seconds, requests))
    speed = done["answered"] / done["seconds"]
    rows.append(row("ledger.add_per_fdatasync", speed, "entries/s",
                    f"{speed:.0f} entries/s, {FEW} writers, median {done['p50'] * 1000:.1f} ms; against {rate:.0f} "
                    "appends of 1 KiB with fdatasync/s", speed / rate))
    return rows


def size_rows(tools, scratch, size):
    """A log that grows to a million entries, then served."""
    log, queries = scratch / "large", scratch / "queries"
    grown = json.loads(run(BENCH, "ledger-growth", log, size, queries))
    points = grown["points"]
    first, last = points[0], points[-1]
    rows = [row("ledger.growth", last["processorMicroseconds"], "us of a core",
                f"processor time of adding an entry, index included, from {last['from']:,} to {last['size']:,} entries "
                f"against from {first['from']:,} to {first['size']:,}",
                last["processorMicroseconds"] / first["processorMicroseconds"])]
    ours = 1e6 / last["microseconds"]
    plain = sqlite_rate(scratch / "plain.sqlite", 32)
    rows.append(row("ledger.append_per_sqlite", ours, "entries/s",
                    f"in batches of 256; against {plain:.0f} entries/s into SQLite alone", ours / plain))
    with serving(log) as service:
        rows.append(row("ledger.start_s", service.start_seconds, "s", f"until it serves, {grown['size']:,} entries"))
        # The claim map is made beside the service.
        waited = wait_for_map(service.port, queries)
        rows.append(row("ledger.map_s", waited, "s", "until look-ups have a map proof, beside the service's work"))
        done = tools.http(service.port, 1, 0.5, 5, queries)
        rows.append(row("ledger.lookup_p99_ms", done["p99"] * 1000, "ms",
                        f"half of the digests are there; median {done['p50'] * 1000:.2f} ms, {grown['size']:,} entries"))
        rows.append(row("ledger.memory_mib", service.peak_mib(), "MiB", "peak resident, after start, map and look-ups"))
    return rows, points


def wait_for_map(port, queries):
    """Seconds until an answer has a map proof; a log without an index root gets its first one."""
    import http.client
    started = time.monotonic()
    head = queries.read_bytes()
    path = head[4:4 + int.from_bytes(head[:4], "little")].split(b" ")[1].decode()
    while time.monotonic() - started < 600:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", path)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        if "mapProof" in answer:
            return time.monotonic() - started
        time.sleep(0.2)
    fail("no map proof came in ten minutes")


def sqlite_rate(path, batches):
    """The same rows in the same batches into SQLite alone: bytes, identity and one claim; each batch synced."""
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript("""
        PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
        CREATE TABLE entries (entryIndex INTEGER PRIMARY KEY, bytes BLOB);
        CREATE TABLE identities (identity BLOB PRIMARY KEY, entryIndex INTEGER) WITHOUT ROWID;
        CREATE TABLE claims (key BLOB, entryIndex INTEGER, PRIMARY KEY (key, entryIndex)) WITHOUT ROWID;""")
    rows = [(number, os.urandom(1024), os.urandom(32), os.urandom(32)) for number in range(batches * 256)]
    started = time.monotonic()
    for start in range(0, len(rows), 256):
        batch = rows[start:start + 256]
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO entries VALUES (?, ?)", [(one[0], one[1]) for one in batch])
        database.executemany("INSERT INTO identities VALUES (?, ?)", [(one[2], one[0]) for one in batch])
        database.executemany("INSERT INTO claims VALUES (?, ?)", [(one[3], one[0]) for one in batch])
        database.execute("COMMIT")
    spent = time.monotonic() - started
    database.close()
    return len(rows) / spent


def rows(scratch, seconds=10, size=SIZE):
    """All rows, and the points of cost against size.

    Args:
        scratch: a folder on the disk that is measured.
        seconds: of each load.
        size: entries of the large log.
    """
    scratch = pathlib.Path(scratch)
    tools = Tools(scratch)
    found = add_rows(tools, scratch, seconds)
    sized, points = size_rows(tools, scratch, size)
    return [with_bounds(one) for one in found + sized], points


def drawn(points, where):
    """Cost of adding an entry against the log's size, as SVG."""
    import math
    ink, faint, grid, ours = "#1f2933", "#6b7680", "#e4e8ec", "#c2410c"
    left, right, top, bottom = 70, 660, 80, 330
    low, high = points[0]["size"], max(points[-1]["size"], points[0]["size"] * 10)
    most = max(1.0, 1.25 * max(one["processorMicroseconds"] for one in points))

    def x(size):
        return left + math.log(size / low) / math.log(high / low) * (right - left)

    def y(cost):
        return bottom - cost / most * (bottom - top)

    parts = []
    step = next(step for step in (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000) if most / step <= 7)
    for cost in range(0, int(most) + 1, step):
        parts.append(f'<line x1="{left}" y1="{y(cost):.1f}" x2="{right}" y2="{y(cost):.1f}" stroke="{grid}"/>'
                     f'<text x="{left - 8}" y="{y(cost) + 4:.1f}" text-anchor="end">{cost}</text>')
    for one in points:
        parts.append(f'<text x="{x(one["size"]):.1f}" y="{bottom + 20}" text-anchor="middle">{one["size"] // 1000} k</text>')
    line = " ".join(f'{x(one["size"]):.1f},{y(one["processorMicroseconds"]):.1f}' for one in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{ours}" stroke-width="2"/>')
    for one in points:
        parts.append(f'<circle cx="{x(one["size"]):.1f}" cy="{y(one["processorMicroseconds"]):.1f}" r="4" fill="{ours}"/>')
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 400" width="720" height="400"
  font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif" font-size="12" fill="{faint}">
<rect width="100%" height="100%" fill="white"/>
<text x="24" y="32" fill="{ink}" font-size="18" font-weight="bold">A ledger's size, and what an entry costs</text>
<text x="24" y="54">Processor time of adding one entry in batches of 256, index included, in microseconds; each point: since the one before.</text>
{chr(10).join(parts)}
<text x="24" y="382">tools/bench ledger --plot, on {where}</text>
</svg>
"""
