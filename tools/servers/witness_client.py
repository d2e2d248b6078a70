"""What the checks of witnesses share: running witnesses, and the requests that a log sends them."""

import http.client
import json
import os
import signal
import socket
import subprocess

from ledger_client import POL, Answer


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pol(*arguments, **changes):
    return subprocess.run([POL, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600,
                          env=dict(os.environ, **changes))


def answer_of(done):
    if done.returncode:
        raise SystemExit(f"error: {done.args}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


class Witness:
    """A witness in a folder, which can be started, ended and started again at one place."""

    def __init__(self, folder, *logs):
        self.folder, self.process = folder, None
        self.key = answer_of(pol("witness", "init", folder, "--name", f"witness.example/{folder}", "--json"))["verifierKey"]
        for log in logs:
            answer_of(pol("witness", "add-log", folder, log, "--json"))
        self.port = free_port()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen(
            [POL, "witness", "serve", self.folder, "--listen", f"127.0.0.1:{self.port}", "--json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        text = ""
        while not text.endswith("\n}\n"):
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit(f"error: the witness did not start: {text}")
            text += line
        return self

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.stdout.close()
        status, self.process = self.process.wait(60), None
        return status

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def add(self, body):
        return self.ask("POST", "/add-checkpoint", body)

    def status(self, *options):
        return answer_of(pol("witness", "status", self.folder, "--json", *options))["logs"]

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
