"""The runs that `runs.py` trains, kept in .build/bench-runs until its code changes."""
import hashlib
import os
import pathlib
import shutil

from .common import ROOT, run

SETS = ["adam_f32", "adam_bf16", "conv_sgd", "pure_bf16", "tune"]
FOLDER = ROOT / ".build/bench-runs"
PROGRAM = pathlib.Path(__file__).parent / "runs.py"
PYTHON = ROOT / ".build/venv-torch/bin/python"


def cached_runs():
    """The folder of each set, trained now if that was not done by this code and this PyTorch."""
    version = run(PYTHON, "-c", "import torch; print(torch.__version__)")
    stamp = hashlib.sha256(PROGRAM.read_bytes() + version.encode()).hexdigest()
    kept = FOLDER / "stamp"
    if not (kept.exists() and kept.read_text() == stamp):
        print("bench: training the runs, about two minutes", flush=True)
        shutil.rmtree(FOLDER, ignore_errors=True)
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        run(PYTHON, PROGRAM, FOLDER, env=environment)
        # Last, so that a run that was cut off is done over.
        kept.write_text(stamp)
    return {name: FOLDER / name for name in SETS}


def files_of(run_folder):
    return sorted(run_folder.glob("*.safetensors"))
