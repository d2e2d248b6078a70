"""What the checks of a ledger under faults share: what was promised to whom, and whether it was kept."""

import base64
import concurrent.futures
import http.client
import subprocess

from ledger_client import POL, Service, tile_path
from pol_reader.hashing import leaf_hash, root_of_leaf_hashes
from pol_reader.ledger import verify_receipt
from pol_reader.note import VerifierKey


class Promises:
    """Entries that were answered with 200, and every tree head that was shown."""

    def __init__(self, key: VerifierKey):
        self.key, self.entries, self.heads, self.refusals = key, {}, {}, []

    def seen(self, note):
        """A published tree head; says what is wrong with it."""
        size, root = note.split(b"\n")[1:3]
        if self.heads.setdefault(int(size), root) != root:
            return f"two heads of size {int(size)}"
        return None

    def add(self, service, entry):
        """Adds one entry; returns what is wrong with the answer, if anything is."""
        try:
            answer = service.add(entry)
        except (OSError, http.client.HTTPException):
            return None
        if answer.status != 200:
            self.refusals.append(answer)
            return None
        receipt = answer.json["receipt"].encode()
        try:
            verify_receipt(entry, receipt, self.key)
        except Exception as error:
            return f"a receipt that does not verify: {error}"
        index = answer.json["index"]
        if self.entries.setdefault(index, entry) != entry:
            return f"place {index} was given twice"
        return self.seen(receipt[receipt.index(b"\n\n") + 2:])

    def add_all(self, service, entries):
        with concurrent.futures.ThreadPoolExecutor(len(entries)) as pool:
            return [error for error in pool.map(lambda entry: self.add(service, entry), entries) if error]

    def broken(self, folder, *options):
        """Serves the folder again, undisturbed, and says which promises it does not keep."""
        try:
            with Service(folder, "--adds-per-address", "0", "--adds-per-key", "0", *options) as service:
                wrong = self.broken_by(service)
                service.stop()
        except SystemExit as error:
            return [f"it does not start again: {error}"]
        audit = subprocess.run([POL, "ledger", "audit", folder], capture_output=True, text=True, timeout=600)
        if audit.returncode:
            wrong.append(f"the audit fails: {audit.stdout}{audit.stderr}")
        return wrong

    def broken_by(self, service):
        wrong = [error for error in [self.seen(service.get("/checkpoint").body)] if error]
        for index, entry in list(self.entries.items()):
            answer = service.add(entry)
            if answer.status != 200 or answer.json["index"] != index:
                wrong.append(f"entry {index} was promised; now {answer}")
        size = int(service.get("/checkpoint").body.split(b"\n")[1])
        stored = []
        for first in range(0, size, 256):
            data = service.get(tile_path("entries", first // 256, min(256, size - first))).body
            while data:
                length = int.from_bytes(data[:2], "big")
                stored.append(data[2:2 + length])
                data = data[2 + length:]
        wrong += [f"entry {index} is lost" for index, entry in self.entries.items() if stored[index:index + 1] != [entry]]
        hashes = [leaf_hash(entry) for entry in stored]
        for head, root in self.heads.items():
            if head > size or base64.b64encode(root_of_leaf_hashes(hashes[:head])) != root:
                wrong.append(f"the head of size {head} is not of this tree")
        return wrong
