"""Model hubs on this machine, for tests: they serve well, or drop, lie, stall and throttle as told.

Nothing but the standard library; loopback only, on ports that the system picks.
"""
import gzip
import hashlib
import http.server
import json
import socket
import ssl
import threading
import time
import urllib.parse

COMMIT = "c0ffee" + "0" * 33 + "1"
OTHER_COMMIT = "beefed" + "0" * 33 + "2"


def git_hash(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Server:
    """One origin. `log` holds (path, headers) of every request, in order."""

    def __init__(self):
        self.log = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def do_GET(self):
                outer.log.append((self.path, dict(self.headers)))
                try:
                    outer.answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def handle(self):
                try:
                    super().handle()
                except ConnectionResetError:  # clients that hang up are no news
                    pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def secure(self, cert, key):
        """From here on over TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.http.handle_error = lambda *_: None  # clients that do not trust us
        self.url = f"https://127.0.0.1:{self.http.server_port}"

    def close(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    def paths(self, part):
        return [path for path, _ in self.log if part in path]

    def answer(self, request):
        raise NotImplementedError


def send(request, code, body=b"", headers=()):
    request.send_response(code)
    names = {name.lower() for name, _ in headers}
    for name, value in headers:
        if value is not None:
            request.send_header(name, value)
    if "content-length" not in names and "transfer-encoding" not in names:
        request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def send_json(request, value, headers=()):
    send(request, 200, json.dumps(value).encode(), [("Content-Type", "application/json"), *headers])


def send_file(request, data, etag='"v1"', extra=()):
    """As a good server does: Range, If-Range, ETag."""
    start = 0
    wanted = request.headers.get("Range")
    if wanted and request.headers.get("If-Range", etag) == etag:
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
    headers = [("ETag", etag), ("Accept-Ranges", "bytes"), ("Content-Type", "application/octet-stream"), *extra]
    if start >= len(data) > 0:
        send(request, 416, b"", [("Content-Range", f"bytes */{len(data)}")])
    elif start:
        send(request, 206, data[start:], [("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}"), *headers])
    else:
        send(request, 200, data, headers)


# ---- misbehaviour: each is a function of (request, data) ----

def drop_after(n, **kw):
    """Announces all that is wanted, sends n bytes of it and hangs up."""
    def act(request, data):
        whole = request.wfile

        class Cut:
            left = None

            def write(self, block):
                if self.left is None and block.startswith(b"HTTP/"):
                    self.left = n
                    return whole.write(block)
                whole.write(block[:self.left])
                self.left -= min(self.left, len(block))
                if not self.left:
                    whole.flush()
                    request.connection.shutdown(socket.SHUT_RDWR)
                    raise BrokenPipeError
                return len(block)

            def flush(self):
                whole.flush()

        request.wfile = Cut()
        try:
            send_file(request, data, **kw)
        finally:
            request.wfile = whole
    return act


def stall_after(n, released):
    """n bytes, then nothing until the event."""
    def act(request, data):
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.send_header("ETag", '"v1"')
        request.end_headers()
        request.wfile.write(data[:n])
        request.wfile.flush()
        released.wait(100)
        request.close_connection = True
    return act


def slowly(block, pause):
    def act(request, data):
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.send_header("ETag", '"v1"')
        request.end_headers()
        for at in range(0, len(data), block):
            request.wfile.write(data[at:at + block])
            request.wfile.flush()
            time.sleep(pause)
    return act


def ignore_range(request, data):
    send(request, 200, data, [("ETag", '"v1"')])


def with_etag(etag):
    return lambda request, data: send_file(request, data, etag=etag)


def range_of_other_file(request, data):
    """A 206 although the validator no longer fits."""
    start = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    send(request, 206, data[start:],
         [("ETag", '"v2"'), ("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")])


def status(code, *headers):
    return lambda request, _: send(request, code, b"no", headers)


def html(request, _):
    body = b"<html>please log in</html>"
    send(request, 200, body, [("Content-Type", "text/html; charset=utf-8")])


def zipped(request, data):
    send(request, 200, gzip.compress(data), [("Content-Encoding", "gzip")])


def announce(n):
    """Content-Length n, whatever there is, and then the data, repeated or cut."""
    def act(request, data):
        body = (data * (n // len(data) + 1))[:n]
        send(request, 200, body, [("ETag", '"v1"')])
    return act


def unannounced(extra):
    """Chunked, with no length at all, and `extra` bytes more (or fewer) than there should be."""
    def act(request, data):
        body = data + b"x" * extra if extra >= 0 else data[:extra]
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    return act


class Cdn(Server):
    """Where a hub sends people for the content: /blob/PATH of what it holds."""

    def __init__(self):
        super().__init__()
        self.files = {}

    def answer(self, request):
        data = self.files.get(request.path)
        if data is None:
            send(request, 404)
        else:
            send_file(request, data)


class Hub(Server):
    """Hugging Face's and ModelScope's interfaces over `files` of one repository."""

    def __init__(self, files, repo="org/tiny"):
        super().__init__()
        self.files, self.repo = dict(files), repo
        self.commit, self.revisions = COMMIT, {"main", "master", "v1.0"}
        self.acts = {}       # path: list of what to do in turn; the last goes on
        self.page = 1000     # entries a page
        self.token = None    # wanted
        self.tree = None     # in place of the list of files
        self.link_host = ""  # before the path of the next page
        self.cdn = None
        self.hashes = {}     # path: what the list says

    def big(self, path):
        return path.endswith((".gguf", ".safetensors", ".bin"))

    def entries(self):
        for path, data in sorted(self.files.items()):
            entry = {"type": "file", "path": path, "size": len(data), "oid": git_hash(data)}
            if self.big(path):
                oid = self.hashes.get(path, hashlib.sha256(data).hexdigest())
                entry["lfs"] = {"oid": oid, "size": len(data), "pointerSize": 134}
            yield entry
        yield {"type": "directory", "path": "folder", "size": 0, "oid": "0" * 40}

    def allowed(self, request):
        if self.token is None or request.headers.get("Authorization") == "Bearer " + self.token:
            return True
        send(request, 401, b"", [("X-Error-Code", "GatedRepo"), ("X-Error-Message", "Access is restricted.")])
        return False

    def known(self, request, revision):
        if revision in self.revisions or revision == self.commit:
            return True
        send(request, 404, b"", [("X-Error-Code", "RevisionNotFound")])
        return False

    def answer(self, request):
        url = urllib.parse.urlsplit(request.path)
        path, query = urllib.parse.unquote(url.path), dict(urllib.parse.parse_qsl(url.query))
        if path in self.acts:
            return self.act(request, path, b"")
        if path.startswith(f"/api/models/{self.repo}/revision/"):
            if self.allowed(request) and self.known(request, path.rpartition("revision/")[2]):
                send_json(request, {"id": self.repo, "sha": self.commit})
        elif path.startswith(f"/api/models/{self.repo}/tree/"):
            self.send_tree(request, query)
        elif path == f"/api/v1/models/{self.repo}/repo/files":
            self.send_ms(request, query)
        elif path == f"/api/v1/models/{self.repo}/repo":
            if self.allowed(request):
                self.send_content(request, query["FilePath"])
        elif path.startswith(f"/{self.repo}/resolve/"):
            revision, _, file = path.removeprefix(f"/{self.repo}/resolve/").partition("/")
            if self.allowed(request) and self.known(request, revision):
                self.send_content(request, file)
        elif path.startswith("/plain/"):
            self.send_content(request, path.removeprefix("/plain/"))
        else:
            send(request, 404, b"", [("X-Error-Code", "RepoNotFound")])
        return None

    def act(self, request, path, data):
        acts = self.acts[path]
        (acts[0] if len(acts) == 1 else acts.pop(0))(request, data)

    def send_tree(self, request, query):
        if not self.allowed(request):
            return
        entries = self.tree if self.tree is not None else list(self.entries())
        at = int(query.get("cursor", 0))
        link = f'<{self.link_host}/api/models/{self.repo}/tree/{self.commit}?recursive=true&cursor={at + self.page}>; rel="next"'
        more = isinstance(entries, list) and at + self.page < len(entries)
        page = entries[at:at + self.page] if isinstance(entries, list) else entries
        send_json(request, page, [("Link", link)] if more else [])

    def send_ms(self, request, query):
        if query.get("Revision") not in self.revisions:
            return send(request, 404, b"")
        files = [{"Path": path, "Name": path, "Type": "blob", "Size": len(data), "Revision": OTHER_COMMIT,
                  "Sha256": self.hashes.get(path, hashlib.sha256(data).hexdigest())}
                 for path, data in sorted(self.files.items())]
        files.append({"Path": "folder", "Name": "folder", "Type": "tree", "Size": 0, "Sha256": ""})
        return send_json(request, {"Code": 200, "Success": True, "Message": "success",
                                   "Data": {"Files": files, "LatestCommitter": {"Id": self.commit}}})

    def send_content(self, request, path):
        data = self.files.get(path)
        if data is None:
            send(request, 404, b"", [("X-Error-Code", "EntryNotFound")])
        elif path in self.acts:
            self.act(request, path, data)
        elif self.cdn and self.big(path):
            self.cdn.files["/blob/" + path] = data
            send(request, 302, b"", [("Location", f"{self.cdn.url}/blob/{path}"), ("X-Repo-Commit", self.commit),
                                     ("X-Linked-Size", str(len(data))),
                                     ("X-Linked-Etag", f'"{hashlib.sha256(data).hexdigest()}"')])
        else:
            send_file(request, data, extra=[("X-Repo-Commit", self.commit)])
