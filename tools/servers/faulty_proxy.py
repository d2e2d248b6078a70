"""A TCP proxy between a client and an HTTP server that misbehaves as told: cuts, truncates, answers 503, flips a bit.

    with FaultyProxy(port_of_the_server) as proxy:
        proxy.fault = Cut(after=100_000, times=3)

Faults count over all connections and are over after `times` of them, so that a client that tries again gets on.
"""

import socket
import struct
import threading


class Fault:
    def __init__(self, times=1):
        self.left = times
        self.lock = threading.Lock()

    def take(self):
        with self.lock:
            self.left -= 1
            return self.left >= 0


class Cut(Fault):
    """Resets a connection when `after` bytes of answers, or of requests, went through it."""

    def __init__(self, after, times=1, upload=False):
        super().__init__(times)
        self.after = after
        self.upload = upload


class Short(Cut):
    """Closes in good order after `after` bytes of answers: the body is shorter than was announced."""


class Busy(Fault):
    """Answers 503 itself."""


class Flip(Fault):
    """Flips a bit of the last byte of a piece of an answer, or of a request, that has at least `least` bytes."""

    def __init__(self, least=4000, times=1, upload=False):
        super().__init__(times)
        self.least = least
        self.upload = upload


class FaultyProxy:
    def __init__(self, port):
        self.server_port = port
        self.fault = None
        # Bytes that clients sent so far.
        self.sent = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        fault = self.fault
        if isinstance(fault, Busy) and fault.take():
            client.recv(65536)
            client.sendall(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            client.close()
            return
        try:
            server = socket.create_connection(("127.0.0.1", self.server_port))
        except OSError:
            client.close()
            return
        up = threading.Thread(target=self._pump, args=(client, server, True), daemon=True)
        up.start()
        self._pump(server, client, False)
        up.join()

    def _pump(self, source, target, upload):
        passed = 0
        try:
            while True:
                piece = source.recv(65536)
                if not piece:
                    break
                fault = self.fault
                if isinstance(fault, Flip) and fault.upload == upload:
                    if len(piece) >= fault.least and fault.take():
                        piece = piece[:-1] + bytes([piece[-1] ^ 1])
                elif isinstance(fault, Cut) and fault.upload == upload:
                    if passed + len(piece) > fault.after and fault.take():
                        target.sendall(piece[:max(0, fault.after - passed)])
                        if not isinstance(fault, Short):
                            reset(target)
                            reset(source)
                        break
                target.sendall(piece)
                passed += len(piece)
                if upload:
                    self.sent += len(piece)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


def reset(connection):
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
