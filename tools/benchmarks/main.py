"""The figures of verification, of recording and of the kernels."""
import json
import pathlib
import signal
import socket
import subprocess
import time

from .common import BENCH, POL, ROOT, fail, row, run


class Nginx:
    """A plain static server on loopback: what serves an archive to a verifier."""

    def __init__(self, folder, scratch):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = pathlib.Path(scratch) / "nginx.conf"
        subprocess.run([ROOT / "tools/static-server-config", folder, scratch, str(self.port)],
                       check=True, stdout=config.open("w"))
        self.process = subprocess.Popen(
            ["nginx", "-c", config, "-p", scratch, "-e", f"{scratch}/error.log"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.1).close()
                return
            except OSError:
                time.sleep(0.05)
        fail("nginx does not answer")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def verification(scratch):
    """A run of 1,000 segments, verified over HTTP at the default confidence."""
    folder = pathlib.Path(scratch) / "site"
    folder.mkdir()
    run(POL, "ledger", "init", folder / "ledger")
    run(POL, "keygen", "--out", f"{scratch}/key.pem")
    run(POL, "train", folder / "run.pol", "--data", ROOT / "testvectors/digits", "--key",
        f"{scratch}/key.pem", "--ledger", folder / "ledger", "--steps", 5000, "--every", 5)
    run(POL, "seal", folder / "run.pol", "--key", f"{scratch}/key.pem")
    run(POL, "publish", folder / "run.pol", "--ledger", folder / "ledger", "--key", f"{scratch}/key.pem")
    server = Nginx(folder, scratch)
    try:
        url = f"http://127.0.0.1:{server.port}"
        verdict = json.loads(run(
            POL, "verify", f"{url}/run.pol", "--ledger", f"{url}/ledger", "--ledger-key",
            folder / "ledger/vkey", "--forget-heads", "--json"))
    finally:
        server.stop()
    coverage = verdict["coverage"]
    if verdict["answer"] != "verified" or coverage["segments"] != 1000:
        fail(f"the honest run is {verdict['answer']} with {coverage['segments']} segments")
    what = "1,000 segments of 5 steps, digits, 99.9 % against 5 %, over HTTP"
    return [
        row("verify.steps_share", coverage["stepsShare"], "share of trained steps", what),
        row("verify.bytes_share", coverage["bytesShare"], "share of archive bytes", what),
        row("verify.requests", coverage["requests"], "requests", what),
        row("verify.probability", coverage["probabilityCaught"], "chance", what),
    ]


def recording(scratch):
    folder = pathlib.Path(scratch) / "record"
    folder.mkdir()
    measured = json.loads(run(BENCH, "record", folder))
    rows = []
    for name, identity in (("larger", "record.overhead_share"), ("digits", "record.overhead_share.digits")):
        one = measured[name]
        what = (f"layers {one['layers']}, batch {one['batch']}, {one['stateBytes']} bytes of state "
                f"every {one['every']} steps; processor time, against training alone")
        rows.append(row(identity, one["overheadShare"], "share of training", what))
    return rows


def kernels():
    measured = json.loads(run(ROOT / "tools/bench-train-gflops"))
    return [row("train.gflops_share", measured["ours_gflops"], "GFLOP/s",
                f"OpenBLAS sgemm, one core, n = 256: {measured['openblas_gflops']:.1f} GFLOP/s",
                measured["ratio"])]


def rows(scratch):
    return verification(scratch) + recording(scratch) + kernels()
