"""An HTTP proxy that changes what a server answers, as somebody on the way or the server itself might.

    with AlteringProxy(port_of_the_server) as proxy:
        proxy.change = lambda path, status, body: (status, body.replace(b"a", b"b"))
"""

import http.client
import http.server
import threading


class AlteringProxy:
    def __init__(self, port):
        self.change = None
        # Of the server; may be changed.
        self.port = port
        # Paths that were asked for, with their queries.
        self.asked = []
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                proxy.asked.append(self.path)
                connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
                try:
                    connection.request("GET", self.path)
                    answer = connection.getresponse()
                    status, body = answer.status, answer.read()
                finally:
                    connection.close()
                if proxy.change:
                    status, body = proxy.change(self.path, status, body)
                self.send_response(status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("content-length", "connection", "etag", "date"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
