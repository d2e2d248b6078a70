"""One node of Ceph's S3 server in a folder: monitor, store in memory, manager and gateway, all on 127.0.0.1.

    with RadosGateway(folder, "access", "secret") as gateway:
        gateway.port

Needs the Debian packages radosgw ceph-mon ceph-osd ceph-mgr ceph-common; up in about 20 seconds. Authentication
between the daemons stays on: without it the gateway never starts.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import uuid

PROGRAMS = ["ceph-mon", "ceph-osd", "ceph-mgr", "radosgw", "radosgw-admin", "monmaptool", "ceph-authtool", "ceph"]


def is_installed():
    return all(shutil.which(name) for name in PROGRAMS)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class RadosGateway:
    def __init__(self, folder, access, secret):
        self.folder = pathlib.Path(folder)
        self.access, self.secret = access, secret
        self.port = free_port()

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for file in self.folder.glob("*.pid"):
            try:
                os.kill(int(file.read_text()), signal.SIGKILL)
            except (ValueError, ProcessLookupError):
                pass

    def _run(self, *command):
        program, *arguments = command
        done = subprocess.run([program, "-c", self.folder / "ceph.conf", *map(str, arguments)],
                              capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr[-600:]}")
        return done.stdout

    def _start(self):
        root = self.folder
        for name in ["mon", "osd", "mgr", "rgw"]:
            (root / name).mkdir(parents=True)
        cluster, monitor = str(uuid.uuid4()), f"[v2:127.0.0.1:{free_port()}]"
        (root / "ceph.conf").write_text(f"""[global]
fsid = {cluster}
mon host = {monitor}
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
run dir = {root}
log file = {root}/$name.log
admin socket = {root}/$name.asok
pid file = {root}/$name.pid
keyring = {root}/keyring
setuser match path = {root}/mon
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
mon allow pool size one = true
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 4294967296
mon data avail crit = 1
[mon.a]
mon data = {root}/mon
[osd.0]
osd data = {root}/osd
[mgr.x]
mgr data = {root}/mgr
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{self.port}
rgw data = {root}/rgw
""")
        keyring = root / "keyring"
        users = {
            "mon.": ["mon", "allow *"],
            "client.admin": ["mon", "allow *", "osd", "allow *", "mgr", "allow *"],
            "client.rgw": ["mon", "allow rwx", "osd", "allow rwx"],
            "mgr.x": ["mon", "allow profile mgr", "osd", "allow *"],
            "osd.0": ["mon", "allow profile osd", "mgr", "allow profile osd", "osd", "allow *"],
        }
        for number, (name, caps) in enumerate(users.items()):
            options = [part for pair in zip(caps[::2], caps[1::2]) for part in ("--cap", *pair)]
            subprocess.run(["ceph-authtool", *(["-C"] if number == 0 else []), str(keyring), "--gen-key", "-n", name,
                            *options], check=True, capture_output=True)
        monmap = root / "monmap"
        subprocess.run(["monmaptool", "--create", "--fsid", cluster, "--addv", "a", monitor, str(monmap)], check=True,
                       capture_output=True)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
        self._run("ceph-mon", "-i", "a")
        self._run("ceph", "auth", "import", "-i", keyring)
        store = str(uuid.uuid4())
        self._run("ceph", "osd", "new", store)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", store)
        self._run("ceph-osd", "-i", "0")
        self._run("ceph-mgr", "-i", "x")
        self._run("radosgw", "-n", "client.rgw")
        deadline = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise RuntimeError("radosgw does not answer; see its log") from None
                time.sleep(0.5)
        self._run("radosgw-admin", "user", "create", "--uid=pol", "--display-name=pol",
                  f"--access-key={self.access}", f"--secret-key={self.secret}")
