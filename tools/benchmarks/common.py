"""Where things are, how a command is run, and the form of a row."""
import os
import pathlib
import platform
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
POL = ROOT / ".build/release/pol"
BENCH = ROOT / ".build/release/pol-bench"


def fail(text):
    sys.exit(f"bench: error: {text}")


def run(*command, **options):
    """The standard output of a command that has to succeed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        fail(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def row(identity, value, unit, against="", ratio=None):
    return {"id": identity, "value": value, "unit": unit, "against": against,
            "ratio": value if ratio is None else ratio}


def stored_bytes(store):
    """Bytes of a file, or of all files under a folder, as their lengths say."""
    if store.is_file():
        return store.stat().st_size
    return sum(path.stat().st_size for path in store.rglob("*") if path.is_file())


def machine():
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{platform.machine()}, {model}, {os.cpu_count()} cores, Linux {platform.release()}"
