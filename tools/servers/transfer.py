"""What the checks of `pol push` and `pol pull` share: running the command, counting, and a sealed archive."""

import filecmp
import json
import os
import pathlib
import subprocess
import sys

POL = os.environ["POL_BIN"]
ROOT = pathlib.Path(os.environ.get("POL_ROOT", "."))
ACCESS, SECRET = "polaccesskey", "polsecretkey"


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def that(self, what, holds, detail=""):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"error: {what}\n  | " + str(detail).replace("\n", "\n  | ")[-2000:], flush=True)

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed else 0)


class Answer:
    def __init__(self, status, output, errors, kilobytes):
        self.status, self.output, self.errors, self.kilobytes = status, output, errors, kilobytes

    @property
    def document(self):
        return json.loads(self.output)

    def __str__(self):
        return f"exit status {self.status}\n{self.output}{self.errors}"


def environment(url=None, **changes):
    others = ("AWS_", "POL_S3_", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    values = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    values |= {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}
    if url:
        values["POL_S3_ENDPOINT"] = url
    values |= {name: value for name, value in changes.items() if value is not None}
    for name, value in changes.items():
        if value is None:
            values.pop(name, None)
    return values


def start(*arguments, env=None):
    return subprocess.Popen([POL, *map(str, arguments)], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def pol(*arguments, env=None):
    """Runs the command to its end; `kilobytes` is the most memory that it held."""
    with open("out", "w+") as out, open("err", "w+") as err:
        process = subprocess.Popen([POL, *map(str, arguments)], env=env, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        return Answer(process.returncode, out.read(), err.read(), usage.ru_maxrss)


def sealed_archive(path, *options):
    """A small run of the built-in trainer, sealed."""
    for command in (["keygen", "--out", f"{path}.pem"],
                    ["train", path, "--data", ROOT / "testvectors/digits", "--key", f"{path}.pem", *options],
                    ["seal", path, "--key", f"{path}.pem"]):
        answer = pol(*command)
        if answer.status != 0:
            sys.exit(f"error: pol {command[0]}: {answer}")
    return pathlib.Path(path)


def same(one, other):
    """Whether two folders hold the same files with the same bytes."""
    def names(folder):
        return sorted(str(file.relative_to(folder)) for file in pathlib.Path(folder).rglob("*") if file.is_file())
    return names(one) == names(other) and all(
        filecmp.cmp(f"{one}/{name}", f"{other}/{name}", shallow=False) for name in names(one))
