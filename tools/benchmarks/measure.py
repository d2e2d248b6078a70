"""Processor time and wall time of a command and of all that it starts."""
import dataclasses
import mmap
import os
import statistics
import subprocess
import tempfile
import time

from .common import fail, run


@dataclasses.dataclass
class Usage:
    wall: float
    cpu: float


def warm_memory():
    """Asks for 768 MiB and gives them back.

    A virtual machine may have to ask its host for each free page once more: writing a file then
    takes three times as long as a moment later, whichever program writes it.
    """
    with mmap.mmap(-1, 768 << 20) as memory, memoryview(memory) as bytes_of_memory:
        bytes_of_memory[::mmap.PAGESIZE] = bytes(len(memory) // mmap.PAGESIZE)


def measured(command, environment, folder):
    """Runs a command that has to succeed.

    The processor time is that of the process and of its descendants, user and system: each of them
    is waited for by its parent, so the kernel adds them up.
    """
    warm_memory()
    with tempfile.TemporaryFile() as said:
        began = time.monotonic()
        process = subprocess.Popen(
            [str(part) for part in command], env=environment, cwd=folder,
            stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            text = said.read()[-2000:].decode(errors="replace")
            fail(f"{' '.join(map(str, command))}: exit {process.returncode}\n{text}")
    return Usage(wall, usage.ru_utime + usage.ru_stime)


def sha256_bytes_per_second():
    """OpenSSL's speed on one core for 256 KiB at a time, by processor time; the median of three."""
    speeds = []
    for _ in range(3):
        said = run("openssl", "speed", "-mr", "-seconds", "1", "-bytes", "262144", "-evp", "sha256",
                   stdin=subprocess.DEVNULL)
        last = next(line for line in said.splitlines() if line.startswith("+F:"))
        speeds.append(float(last.split(":")[3]))
    return statistics.median(speeds)
