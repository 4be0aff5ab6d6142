#!/usr/bin/env python3
"""The HTTP front from outside: raw bytes to a live server on this machine.

usage: test_front.py PROGRAM   (tests/serve/front.c)
"""
import json
import os
import queue
import random
import resource
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
SEED = int(os.environ.get("FRONT_SEED", "1"))
HOST = b"host: localhost\r\n"


class Server:
    """A running front.c. Options are its limits and files."""

    def __init__(self, *words, leaks=False, **options):
        environment = os.environ | ({"ASAN_OPTIONS": "detect_leaks=0"} if leaks else {})
        arguments = list(words) + [f"{name}={value}" for name, value in options.items()]
        self.process = subprocess.Popen([PROGRAM, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=environment)
        self.logs, self.said, self.answers = [], queue.Queue(), queue.Queue()
        self.reader = None
        first = self.process.stdout.readline().split()
        if not first:
            self.error = self.process.stderr.read()
            self.close()
            return
        self.error, self.url, self.port = "", first[1], int(first[2])
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "log":
                self.logs.append(json.loads(rest))
            elif word in ("stats", "reload", "stopped", "ended", "left"):
                self.answers.put(rest)
            else:
                self.said.put([word, *rest.split(), time.monotonic_ns()])

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answers.get(timeout=30)

    def stats(self):
        return json.loads(self.ask("stats"))

    def settles(self, **wanted):
        """Waits until the statistics say so."""
        for _ in range(300):
            stats = self.stats()
            if all(stats[name] == value for name, value in wanted.items()):
                return stats
            time.sleep(0.02)
        raise AssertionError(f"{stats} never became {wanted}")

    def log(self, path, n=1):
        """The n-th line of the log about a path; it is written after the client has its answer."""
        for _ in range(300):
            lines = [line for line in self.logs if line["path"] == path]
            if len(lines) >= n:
                return lines[n - 1]
            time.sleep(0.02)
        raise AssertionError(f"no line {n} about {path} in {self.logs}")

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.code = self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.code = self.process.wait()
        if self.reader:
            self.reader.join()
        self.process.stdout.close()
        if not self.process.stderr.closed:
            self.errors = self.process.stderr.read()
            self.process.stderr.close()


class Client:
    def __init__(self, server=None, timeout=10, sock=None, family=socket.AF_INET, address=None):
        if sock is None:
            sock = socket.socket(family)
            sock.settimeout(timeout)
            sock.connect(address or ("127.0.0.1", server.port))
        self.sock, self.buffer = sock, b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def more(self):
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)

    def until(self, end):
        while end not in self.buffer:
            if not self.more():
                raise EOFError(self.buffer[:200])
        head, _, self.buffer = self.buffer.partition(end)
        return head

    def exactly(self, n):
        while len(self.buffer) < n:
            if not self.more():
                raise EOFError(self.buffer[:200])
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def rest(self):
        while self.more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def head(self):
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers.setdefault(name.lower(), value.strip())
        return int(lines[0].split()[1]), headers

    def chunk(self):
        size = int(self.until(b"\r\n"), 16)
        data = self.exactly(size)
        self.exactly(2)
        return data

    def answer(self, bodyless=False):
        status, headers = self.head()
        body = b""
        if bodyless or status == 204 or 100 <= status < 200:
            pass
        elif headers.get("transfer-encoding") == "chunked":
            while data := self.chunk():
                body += data
        elif "content-length" in headers:
            body = self.exactly(int(headers["content-length"]))
        else:
            body = self.rest()
        return status, headers, body

    def ask(self, method, path, body=None, head=b"", host=HOST):
        if isinstance(body, str):
            body = body.encode()
        length = b"" if body is None else b"content-length: %d\r\n" % len(body)
        self.send(b"%s %s HTTP/1.1\r\n%s%s%s\r\n%s" % (method.encode(), path.encode(), host, length, head, body or b""))
        return self.answer(method == "HEAD")

    def closed(self):
        """Has the server ended the connection? Waits for it."""
        try:
            while self.more():
                pass
        except ConnectionError:
            pass
        except socket.timeout:
            return False
        return True


class Base(unittest.TestCase):
    def setUp(self):
        self.servers = []
        self.temporary = tempfile.TemporaryDirectory()

    def tearDown(self):
        for server in self.servers:
            server.close()
            if not server.error:
                self.assertEqual((server.code, server.errors), (0, ""))
                while not server.said.empty():
                    self.assertNotEqual(server.said.get()[0], "error")
        self.temporary.cleanup()

    def serve(self, *words, **options):
        self.servers.append(Server(*words, **options))
        return self.servers[-1]

    def runs(self, *words, **options):
        server = self.serve(*words, **options)
        self.assertEqual(server.error, "")
        return server

    def refused(self, text, *words, **options):
        server = self.serve(*words, **options)
        self.assertIn(text, server.error)
        return server.code

    def path(self, name):
        return os.path.join(self.temporary.name, name)

    def write(self, name, text, mode=0o600):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def once(self, server, *arguments, **options):
        with Client(server) as client:
            return client.ask(*arguments, **options)


def error_of(body):
    return json.loads(body)["error"]


class Protocol(Base):
    def test_keep_alive(self):
        server = self.runs()
        with Client(server) as client:
            ids = set()
            for i in range(5):
                status, headers, body = client.ask("POST", "/echo", f"body {i}", b"content-type: a/b\r\n")
                self.assertEqual((status, body, headers["content-type"]), (200, b"body %d" % i, "a/b"))
                self.assertEqual(headers["cache-control"], "no-store")
                ids.add(headers["x-request-id"])
            self.assertEqual(len(ids), 5)
            self.assertTrue(all(len(one) == 36 and one.startswith("req_") for one in ids))
            _, headers, _ = client.ask("GET", "/health", head=b"x-request-id: my-id.7:a_B\r\n")
            self.assertEqual(headers["x-request-id"], "my-id.7:a_B")
            for bad in (b"a b", b"a" * 65, b'"', b"\xe9", b""):
                _, headers, _ = client.ask("GET", "/health", head=b"x-request-id: %s\r\n" % bad)
                self.assertTrue(headers["x-request-id"].startswith("req_"), bad)
            status, headers, _ = client.ask("GET", "/health", head=b"connection: close\r\n")
            self.assertEqual((status, headers["connection"]), (200, "close"))
            self.assertTrue(client.closed())
        self.assertEqual(server.stats()["all"], 12)

    def test_pipelined(self):
        server = self.runs()
        with Client(server) as client:
            client.send(b"GET /later?ms=30 HTTP/1.1\r\n" + HOST + b"\r\n"
                        b"POST /echo HTTP/1.1\r\ncontent-length: 3\r\n" + HOST + b"\r\nabc"
                        b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n")
            self.assertEqual(client.answer()[2], b"later")
            self.assertEqual(client.answer()[2], b"abc")
            self.assertEqual(client.answer()[2], b'{"status":"ok"}')

    def test_methods(self):
        server = self.runs()
        with Client(server) as client:
            status, headers, body = client.ask("HEAD", "/health")
            self.assertEqual((status, headers["content-length"], body), (200, "15", b""))
            status, headers, _ = client.ask("HEAD", "/lines")  # its writer writes on, to nobody
            self.assertEqual((status, headers["content-type"]), (200, "application/x-ndjson"))
            self.assertTrue(client.closed())
            self.assertEqual(client.buffer, b"")
        with Client(server) as client:
            status, headers, _ = client.ask("OPTIONS", "/echo")
            self.assertEqual((status, headers["allow"]), (204, "POST, PUT, OPTIONS"))
            self.assertEqual(client.ask("OPTIONS", "*")[0], 204)
            self.assertEqual(client.ask("OPTIONS", "/nothing")[0], 404)
            status, headers, body = client.ask("DELETE", "/echo")
            self.assertEqual((status, headers["allow"]), (405, "POST, PUT, OPTIONS"))
            self.assertIn("POST, PUT", error_of(body)["message"])
            self.assertEqual(client.ask("BREW", "/echo")[0], 405)
            status, _, body = client.ask("GET", "/nothing?secret=1")
            self.assertEqual((status, error_of(body)["type"]), (404, "not_found"))
            self.assertNotIn(b"secret", body)
            self.assertEqual(client.ask("GET", "/health/")[0], 200)
            self.assertEqual(client.ask("GET", "/health//")[0], 404)
            self.assertEqual(client.ask("PUT", "/echo", "put")[2], b"put")
        server.settles(workers=0)

    def test_targets(self):
        server = self.runs()
        with Client(server) as client:
            def ask(path):
                return client.ask("GET", path)
            self.assertEqual(ask("/parts/a%2Fb/x/c/d%20e?q=1%2B1+2&q=no")[2], b"a/b|c/d e|1+1 2")
            self.assertEqual(ask("/parts/%E9%B2%A4/x/y")[2], "鲤|y|(none)".encode())
            for bad in ("/parts/%00/x/y", "/parts/%ff/x/y", "/parts/%/x/y", "/../health", "/parts/a/x/%2e%2e",
                        "/health?a=%00", "/health#a"):
                status, _, body = ask(bad)
                self.assertEqual((status, error_of(body)["type"]), (400, "invalid_request"), bad)
            self.assertEqual(ask("http://localhost/health")[0], 400)
            self.assertEqual(ask("/health\0/x")[0], 400)
            self.assertEqual(ask("/health\0")[0], 400)
            self.assertEqual(ask("/health?a=b\0c")[0], 400)
            self.assertEqual(ask("//health")[0], 404)

    def test_chunked(self):
        server = self.runs(body_bytes=1000, refused_bytes=2000)
        head = b"POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n" + HOST
        with Client(server) as client:
            client.send(head + b"\r\n3\r\nabc\r\n00a;ext=\"1\"\r\n0123456789\r\n0\r\nx-trailer: 1\r\n\r\n")
            self.assertEqual(client.answer()[2], b"abc0123456789")
            for byte in head + b"\r\n2\r\nhi\r\n0\r\n\r\n":  # in the smallest pieces
                client.send(bytes([byte]))
            self.assertEqual(client.answer()[2], b"hi")
            client.send(head + b"\r\n" + b"64\r\n" + b"x" * 100 + b"\r\n")
            client.send((b"64\r\n" + b"x" * 100 + b"\r\n") * 10 + b"0\r\n\r\n")
            self.assertEqual(client.answer()[0], 413)
            self.assertEqual(client.ask("GET", "/health")[0], 200)  # the connection is still good
            client.send(head + b"\r\n" + (b"64\r\n" + b"x" * 100 + b"\r\n") * 40)
            self.assertTrue(client.closed())  # enough is enough
        for bad in (b"g\r\nabc\r\n", b"-1\r\n", b"3\r\nabcd\r\n", b"ffffffffffffffffff\r\n", b"3 \r\nabc\r\n"):
            with Client(server) as client:
                client.send(head + b"\r\n" + bad)
                self.assertIn(client.head()[0], (400, 413), bad)
                self.assertTrue(client.closed())

    def test_expect(self):
        server = self.runs(body_bytes=1000)
        head = b"POST /echo HTTP/1.1\r\nexpect: 100-continue\r\n" + HOST
        with Client(server) as client:
            client.send(head + b"content-length: 3\r\n\r\n")
            self.assertEqual(client.head()[0], 100)
            client.send(b"abc")
            self.assertEqual(client.answer()[2], b"abc")
            client.send(head + b"content-length: 1001\r\n\r\n")
            status, headers, body = client.answer()
            self.assertEqual((status, error_of(body)["type"]), (413, "too_large"))
            self.assertIn("1001", error_of(body)["message"])
            self.assertTrue(client.closed())
        with Client(server) as client:  # nobody asks for the body of what is not there
            client.send(b"POST /none HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 3\r\n" + HOST + b"\r\n")
            self.assertEqual(client.answer()[0], 404)

    def test_too_large_and_still_sending(self):
        """The answer reaches a client that reads only when it has sent everything."""
        server = self.runs(body_bytes=1000, refused_bytes=100000)
        for size, kept in ((1001, True), (100000, True), (2 << 20, False)):
            with Client(server) as client:
                status, _, body = client.ask("POST", "/echo", b"x" * size)
                self.assertEqual((status, error_of(body)["code"]), (413, 413))
                if kept:
                    self.assertEqual(client.ask("GET", "/health")[0], 200)
                else:
                    self.assertTrue(client.closed())
        server.settles(connections=0, requests=0)

    def test_old_and_odd(self):
        server = self.runs()
        with Client(server) as client:
            client.send(b"GET /health HTTP/1.0\r\n\r\n")
            self.assertEqual(client.answer()[0], 200)
            self.assertTrue(client.closed())
        with Client(server) as client:  # no chunks for HTTP/1.0: the end is the end
            client.send(b"GET /lines?n=2 HTTP/1.0\r\n\r\n")
            status, headers, body = client.answer()
            self.assertEqual((status, headers.get("transfer-encoding"), body), (200, None, b'{"a":1}\n' * 2))
        with Client(server) as client:  # closes its side after the question, and is answered
            client.send(b"POST /echo HTTP/1.1\r\ncontent-length: 2\r\n" + HOST + b"\r\nhi")
            client.sock.shutdown(socket.SHUT_WR)
            self.assertEqual(client.answer()[2], b"hi")
            self.assertTrue(client.closed())
        with Client(server) as client:  # the same with several
            client.send((b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n") * 20)
            client.sock.shutdown(socket.SHUT_WR)
            for _ in range(20):
                self.assertEqual(client.answer()[0], 200)
            self.assertTrue(client.closed())

    def test_framing(self):
        """What two readers could take apart differently is refused, and the connection ends."""
        server = self.runs()
        for head in (b"content-length: 3\r\ncontent-length: 3\r\n", b"content-length: 3\r\ncontent-length: 4\r\n",
                     b"content-length: 5\r\ntransfer-encoding: chunked\r\n",
                     b"transfer-encoding: chunked\r\ncontent-length: 5\r\n",
                     b"transfer-encoding: gzip, chunked\r\n", b"transfer-encoding: identity\r\n",
                     b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
                     b"content-length: -1\r\n", b"content-length: 3x\r\n", b"content-length: 0x3\r\n",
                     b"content-length:\r\n", b"content-length: 99999999999999999999\r\n"):
            with Client(server) as client:
                client.send(b"POST /echo HTTP/1.1\r\n" + HOST + head + b"\r\n0\r\n\r\nGET /health HTTP/1.1\r\n" + HOST + b"\r\n")
                self.assertIn(client.head()[0], (400, 413), head)
                self.assertNotIn(b"HTTP/1.1 200", client.rest() if not client.closed() else client.buffer)

    def test_garbage(self):
        server = self.runs(head_ms=100)
        draw = random.Random(SEED)
        pieces = [b"GET ", b"/health", b" HTTP/1.1", b"\r\n", b"\n", b"\0", b"host: localhost", b": ", b"\xff" * 9,
                  b"a" * 5000, b"content-length: 5", b"transfer-encoding: chunked", b"%00", b"%", b" ", b"\t", b"PRI * HTTP/2.0",
                  b"\x16\x03\x01\x02\x00", b"POST /echo HTTP/1.1", b"expect: 100-continue", b"x-request-id: \x01"]
        fixed = [b"\0" * 100, b"\r\n" * 1000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nhost localhost\r\n\r\n",
                 b"GET /\0 HTTP/1.1\r\n" + HOST + b"\r\n", b"GET / HTTP/1.1\r\n" + HOST + b"a\0b: c\r\n\r\n",
                 b"GET / HTTP/1.1\r\n" + HOST + b"a: b\0c\r\n\r\n", b": \r\n\r\n", os.urandom(4096)]
        for data in fixed + [b"".join(draw.choices(pieces, k=draw.randrange(1, 20))) for _ in range(150)]:
            with Client(server) as client:
                try:
                    client.send(data)
                    client.sock.shutdown(socket.SHUT_WR)
                    client.rest()
                except ConnectionError:
                    pass
        self.assertEqual(self.once(server, "GET", "/health")[0], 200)
        server.settles(connections=0, requests=0)

    def test_errors_have_their_shape(self):
        server = self.runs()
        status, headers, body = self.once(server, "GET", "/problem")
        self.assertEqual((status, headers["content-type"]), (418, "application/json"))
        self.assertEqual(error_of(body), {"message": 'short and "stout"', "type": "teapot", "code": 418})
        self.assertEqual(self.once(server, "GET", "/b/problem")[2], b'{"b":418,"kind":"teapot"}')
        self.assertEqual(self.once(server, "GET", "/b/nothing")[2], b'{"b":404,"kind":"not_found"}')


class Limits(Base):
    def test_headers(self):
        server = self.runs(header_bytes=2048)
        with Client(server) as client:
            self.assertEqual(client.ask("GET", "/health", head=b"a: " + b"x" * 1800 + b"\r\n")[0], 200)
            status, _, body = client.ask("GET", "/health", head=b"a: " + b"x" * 2048 + b"\r\n")
            self.assertEqual((status, error_of(body)["type"]), (431, "too_large"))
        with Client(server) as client:
            self.assertEqual(client.ask("GET", "/health", head=b"".join(b"a%d: b\r\n" % i for i in range(120)))[0], 431)
        for data in (b"GET /health HTTP/1.1\r\n" + HOST + b"a: " + b"x" * 100000, b"GET /" + b"x" * 100000,
                     b"GET /health HTTP/1.1\r\n" + HOST + b"a: b\r\n" * 20000):
            with Client(server) as client:
                try:
                    client.send(data)
                    status = client.head()[0]
                except ConnectionError:
                    status = None
                self.assertIn(status, (None, 414, 431, 413))
        self.assertEqual(self.once(server, "GET", "/health")[0], 200)

    def test_bodies_together(self):
        server = self.runs(bodies_bytes=100000, body_bytes=90000)
        with Client(server) as one, Client(server) as two:
            one.send(b"POST /echo HTTP/1.1\r\ncontent-length: 60001\r\n" + HOST + b"\r\n" + b"x" * 60000)
            time.sleep(0.1)
            status, _, body = two.ask("POST", "/echo", b"y" * 60000)
            self.assertEqual((status, error_of(body)["type"]), (503, "overloaded"))
            one.send(b"x")
            self.assertEqual(one.answer()[2], b"x" * 60001)
            self.assertEqual(two.ask("POST", "/echo", b"y" * 60000)[2], b"y" * 60000)

    def test_connections(self):
        server = self.runs(connections=5, per_address=100)
        clients = [Client(server, timeout=0.5) for _ in range(5)]
        for client in clients:
            self.assertEqual(client.ask("GET", "/health")[0], 200)
        with Client(server, timeout=0.3) as late:  # waits in the system's queue
            with self.assertRaises((socket.timeout, ConnectionError, EOFError)):
                late.ask("GET", "/health")
            clients[0].sock.close()
        for client in clients:
            client.sock.close()
        self.assertEqual(self.once(server, "GET", "/health")[0], 200)
        server = self.runs(per_address=3)
        clients = [Client(server) for _ in range(3)]
        for client in clients:
            self.assertEqual(client.ask("GET", "/health")[0], 200)
        with Client(server) as late:
            self.assertTrue(late.closed())
        for client in clients:
            client.sock.close()

    def slow(self, server, data, end, least, most, tick=None):
        """How long the server bears with a client that sends no more, or a byte now and then."""
        with Client(server, timeout=5) as client:
            start = time.monotonic()
            client.send(data)
            while tick and time.monotonic() < start + 3:
                time.sleep(0.03)
                try:
                    client.send(tick)
                except ConnectionError:
                    break
            self.assertTrue(client.closed())
            took = time.monotonic() - start
        self.assertTrue(least <= took <= most, f"{took} s, not {least} to {most}")
        if end:
            self.assertEqual(server.logs[-1]["end"] if server.logs else None, end)

    def test_slow_head(self):
        server = self.runs(head_ms=250, idle_ms=60000)
        self.slow(server, b"", None, 0.2, 1)
        self.slow(server, b"GET /health", None, 0.2, 1)
        self.slow(server, b"GET /health HTTP/1.1\r\n", None, 0.2, 1)
        self.slow(server, b"GET /health HTTP/1.1\r\na: ", None, 0.2, 1, tick=b"x")
        self.slow(server, b"", None, 0.2, 1, tick=b"\r\n")
        self.slow(server, b"", None, 0.2, 1, tick=b"G")
        self.assertEqual(self.once(server, "GET", "/health")[0], 200)
        server.settles(connections=0, requests=0)

    def test_slow_body(self):
        head = b"POST /echo HTTP/1.1\r\ncontent-length: 100000\r\n" + HOST + b"\r\n"
        server = self.runs(body_grace_ms=250, body_rate=1000, body_ms=60000)
        self.slow(server, head, None, 0.2, 1)
        self.slow(server, head, None, 0.2, 1, tick=b"x")  # 33 bytes a second
        self.slow(server, head + b"x" * 500, None, 0.7, 1.5)  # had earned half a second more
        self.assertEqual(server.log("/echo")["end"], "slow")
        self.assertEqual(server.log("/echo")["status"], 0)
        server = self.runs(body_grace_ms=250, body_rate=100, body_ms=600)
        self.slow(server, head, None, 0.5, 1.5, tick=b"x" * 100)  # fast enough, but too long
        with Client(server) as client:
            client.send(b"POST /echo HTTP/1.1\r\ncontent-length: 40\r\n" + HOST + b"\r\n")
            for _ in range(4):
                time.sleep(0.05)
                client.send(b"x" * 10)
            self.assertEqual(client.answer()[2], b"x" * 40)
        server.settles(connections=0, requests=0)

    def test_idle(self):
        server = self.runs(idle_ms=250, head_ms=60000)
        with Client(server) as client:
            start = time.monotonic()
            self.assertEqual(client.ask("GET", "/later?ms=600")[0], 200)  # work is not idling
            self.assertTrue(client.closed())
            self.assertTrue(0.8 <= time.monotonic() - start <= 1.6)

    def test_reader_that_does_not_read(self):
        server = self.runs(stream_bytes=100000, stall_ms=400)
        with Client(server) as client:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.send(b"GET /flood HTTP/1.1\r\n" + HOST + b"\r\n")
            self.assertEqual(server.said.get(timeout=10)[0], "full")
            start = time.monotonic()
            self.assertEqual(server.said.get(timeout=10)[0], "gone")
            self.assertTrue(0.2 < time.monotonic() - start < 2)
            self.assertLess(server.stats()["rss"], 40 << 20)
        self.assertEqual(server.log("/flood")["end"], "stalled")
        with Client(server) as client:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.send(b"GET /large?n=20000000 HTTP/1.1\r\n" + HOST + b"\r\n")
            server.settles(requests=1)
            server.settles(connections=0, requests=0)
        self.assertEqual(server.log("/large")["end"], "stalled")
        with Client(server) as client:  # slow, but not asleep
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            client.send(b"GET /large?n=6000000 HTTP/1.1\r\n" + HOST + b"\r\n")
            client.head()
            for _ in range(20):
                time.sleep(0.05)
                client.exactly(50000)
            self.assertEqual(len(client.exactly(5000000)), 5000000)


class Streams(Base):
    def test_events(self):
        server = self.runs()
        with Client(server) as client:
            status, headers, body = client.ask("POST", "/events?n=3&before=20", "a\nb")
            self.assertEqual(status, 200)
            self.assertEqual(headers["content-type"], "text/event-stream; charset=utf-8")
            self.assertEqual(headers["x-accel-buffering"], "no")
            self.assertEqual(body, b"data: a\ndata: b\n\nevent: odd\ndata: a\ndata: b\n\ndata: a\ndata: b\n\n")
            self.assertEqual(client.ask("GET", "/lines?n=2")[2], b'{"a":1}\n{"a":1}\n')
            self.assertEqual(client.ask("POST", "/events?n=1", "")[2], b"data: \n\n")

    def test_each_event_comes_at_once(self):
        server = self.runs()
        with Client(server) as client:
            client.send(b"POST /events?n=20&ms=20 HTTP/1.1\r\ncontent-length: 1\r\n" + HOST + b"\r\nx")
            client.head()
            times, events = [], 0
            while chunk := client.chunk():
                times.append(time.monotonic())
                events += chunk.count(b"\n\n")
        self.assertEqual(events, 20)
        # A machine that stands still for 20 ms sends two as one; what is kept to the end comes as one chunk.
        self.assertGreater(len(times), 4)
        gaps = sorted(b - a for a, b in zip(times, times[1:]))
        print(f"\n20 events, one in 20 ms: {len(times)} chunks, median gap {gaps[len(gaps) // 2] * 1e3:.1f} ms, longest {gaps[-1] * 1e3:.1f} ms")

    def test_pings(self):
        server = self.runs(ping_ms=200)
        with Client(server) as client:
            client.send(b"GET /idle HTTP/1.1\r\n" + HOST + b"\r\n")
            client.head()
            start, times = time.monotonic(), []
            for _ in range(5):
                self.assertEqual(client.chunk(), b": waiting\n\n")
                times.append(time.monotonic() - start)
            self.assertTrue(0.9 <= times[-1] <= 1.6, times)
        with Client(server) as client:  # none while events come, the caller's own in a pause
            client.send(b"POST /events?n=10&ms=50&ping=event:%20ping%0a HTTP/1.1\r\ncontent-length: 1\r\n" + HOST + b"\r\nx")
            self.assertEqual(client.head()[0], 400)  # a newline in an address
        with Client(server) as client:
            _, _, body = client.ask("POST", "/events?n=10&ms=50&ping=PING", "x")
            self.assertNotIn(b"PING", body)
            _, _, body = client.ask("POST", "/events?n=2&ms=500&ping=PING", "x")
            self.assertEqual(body.count(b"PING"), 4)
            self.assertNotIn(b"PING", client.ask("GET", "/lines?n=2&ms=500")[2])

    def test_first_ping_comes_in_the_first_second(self):
        server = self.runs()  # ping_ms: 10 s
        with Client(server) as client:
            client.send(b"GET /idle HTTP/1.1\r\n" + HOST + b"\r\n")
            client.head()
            start = time.monotonic()
            self.assertEqual(client.chunk(), b": waiting\n\n")
            self.assertTrue(0.8 < time.monotonic() - start < 1.5)

    def test_lost_answers(self):
        server = self.runs()
        with Client(server) as client:
            self.assertEqual(client.ask("GET", "/lost")[0], 500)
            self.assertEqual(client.ask("GET", "/dropped")[0], 500)
            self.assertEqual(client.ask("GET", "/twice")[2], b"first")
            client.send(b"GET /dropped?begun HTTP/1.1\r\n" + HOST + b"\r\n")
            self.assertEqual(client.head()[0], 200)
            self.assertEqual(client.chunk(), b"data: half\n\n")
            with self.assertRaises((EOFError, ConnectionError)):  # no last chunk: nobody takes it for whole
                client.chunk()

    def test_large(self):
        server = self.runs()
        body = self.once(server, "GET", "/large?n=5000000")[2]
        self.assertEqual(len(body), 5000000)
        self.assertEqual(body[:26 * 1000], bytes(range(97, 123)) * 1000)

    def noticed(self, server, connect, path):
        times = []
        for _ in range(5):
            client = connect()
            client.send(b"POST %s HTTP/1.1\r\ncontent-length: 0\r\n" % path + HOST + b"\r\n")
            if b"events" in path:
                client.head()
            time.sleep(0.05)
            left = time.monotonic_ns()
            client.sock.close()
            word = server.said.get(timeout=10)
            self.assertEqual(word[0], "gone")
            times.append((word[-1] - left) / 1e6)
        server.settles(connections=0, requests=0, workers=0)
        print(f"\n{path.decode()} on {server.url.split(':')[0]}: client gone is known after {max(times):.1f} ms at most")
        self.assertLess(max(times), 100)

    def test_disconnect(self):
        server = self.runs()
        self.noticed(server, lambda: Client(server), b"/later?ms=5000")
        self.noticed(server, lambda: Client(server), b"/events?n=1&ms=5000")
        self.assertEqual(server.log("/later")["end"], "gone")
        self.assertEqual(server.stats()["gone"], 10)

        def reset():  # not a word of goodbye
            client = Client(server)
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return client
        self.noticed(server, reset, b"/later?ms=5000")
        path = self.path("socket")
        server = self.runs(address=f"unix:{path}")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.noticed(server, lambda: Client(family=socket.AF_UNIX, address=path), b"/later?ms=5000")

    def test_pipelined_and_gone(self):
        """Unread requests behind the one under way do not hide that the client left."""
        server = self.runs()
        with Client(server) as client:
            client.send((b"GET /later?ms=5000 HTTP/1.1\r\n" + HOST + b"\r\n") * 50)
            time.sleep(0.1)
        self.assertEqual(server.said.get(timeout=2)[0], "gone")
        server.settles(connections=0, requests=0, workers=0)

    def leave_at_random_times(self, server):
        """Sixteen clients at once, each with twelve requests that it may not see the end of."""
        paths = [b"/later?ms=30", b"/events?n=20&ms=2", b"/events?n=3&ms=20", b"/flood", b"/lines?n=50&ms=1", b"/idle",
                 b"/dropped", b"/dropped?begun", b"/large?n=3000000", b"/health"]

        def one(draw):
            for _ in range(12):
                try:
                    with Client(server) as client:
                        path = draw.choice(paths)
                        method = b"POST" if b"events" in path else b"GET"
                        client.send(method + b" " + path + b" HTTP/1.1\r\ncontent-length: 0\r\n" + HOST + b"\r\n")
                        until = time.monotonic() + draw.random() * 0.06
                        client.sock.settimeout(0.02)
                        while time.monotonic() < until:
                            try:
                                if not client.sock.recv(draw.choice((10, 1000, 100000))):
                                    break
                            except socket.timeout:
                                pass
                        if draw.random() < 0.5:
                            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                except ConnectionError:
                    pass
        threads = [threading.Thread(target=one, args=(random.Random(SEED * 1000 + i),)) for i in range(16)]
        for thread in threads:
            thread.start()
        return threads

    def test_clients_leave_at_random_times(self):
        server = self.runs()
        for thread in self.leave_at_random_times(server):
            thread.join()
        server.settles(connections=0, requests=0, workers=0)
        self.assertEqual(self.once(server, "GET", "/health")[0], 200)
        self.assertGreater(server.stats()["all"], 30, f"seed {SEED}")

    def test_stop_in_the_middle(self):
        draw = random.Random(SEED)
        for drain in (0, 30, 300):
            server = self.runs()
            threads = self.leave_at_random_times(server)
            time.sleep(0.1 + draw.random() * 0.2)
            self.assertLess(int(server.ask(f"stop {drain}")), drain + 2000, f"seed {SEED}")
            for thread in threads:
                thread.join()
            server.settles(connections=0, requests=0, workers=0)

    def test_a_thousand_idle_streams(self):
        n = 1000
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < n + 200:
            self.skipTest("not enough open files")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, n + 200), hard))
        server = self.runs(connections=n + 10, per_address=n + 10)
        before = server.stats()
        clients = []
        try:
            for _ in range(n):
                clients.append(Client(server))
                clients[-1].send(b"GET /idle HTTP/1.1\r\n" + HOST + b"\r\n")
            for client in clients:
                self.assertEqual(client.head()[0], 200)
                self.assertEqual(client.chunk(), b": waiting\n\n")
            open_now = server.settles(connections=n, requests=n)
            time.sleep(2)
            later = server.stats()
            each = (later["rss"] - before["rss"]) / n
            print(f"\n{n} idle streams: {(later['rss'] - before['rss']) / 2**20:.1f} MiB, {each / 1024:.1f} KiB each, "
                  f"{(later['cpu_ms'] - open_now['cpu_ms']) / 2:.2f} ms CPU a second")
            if "asan" not in PROGRAM and "tsan" not in PROGRAM:
                self.assertLess(each, 48 << 10) # 1,000 of them in less than 50 MB
            self.assertEqual(self.once(server, "GET", "/health")[0], 200)
        finally:
            for client in clients:
                client.sock.close()
        server.settles(connections=0, requests=0)


class Safety(Base):
    def test_addresses(self):
        code = self.refused("--insecure-no-keys", address="0.0.0.0")
        self.assertEqual(code, 2)
        self.refused("--keys FILE", address="::")
        self.refused("no address", address="box.lan")
        self.refused("no port", port=70000)
        self.runs("insecure", address="0.0.0.0")
        self.runs(address="0.0.0.0", keys=self.write("keys", "ann sha256:" + "0" * 64 + "\n"))
        server = self.runs(address="127.0.0.2")
        self.assertTrue(server.url.startswith("http://127.0.0.2:"))
        self.refused("take another port", address="127.0.0.2", port=server.port)
        if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6"):
            server = self.runs(address="::1")
            self.assertEqual(server.url, f"http://[::1]:{server.port}")
            with Client(family=socket.AF_INET6, address=("::1", server.port)) as client:
                self.assertEqual(client.ask("GET", "/health", host=b"host: [::1]:%d\r\n" % server.port)[0], 200)

    def test_unix_socket(self):
        path = self.path("socket")
        server = self.runs(address=f"unix:{path}")
        self.refused("another server", address=f"unix:{path}")
        with Client(family=socket.AF_UNIX, address=path) as client:
            self.assertEqual(client.ask("POST", "/echo", "x")[2], b"x")
        self.assertEqual(server.log("/echo")["client"], "unix")
        server.process.kill()
        self.servers.remove(server)
        server.close()
        self.assertTrue(os.path.exists(path))  # left behind, and taken over
        server = self.runs(address=f"unix:{path}")
        server.ask("stop 0")
        self.assertFalse(os.path.exists(path))
        self.refused("no socket", address=f"unix:{self.write('file', '')}")
        self.refused("bytes", address="unix:")

    def test_hosts(self):
        server = self.runs(host="box.lan")
        with Client(server) as client:
            for host, status in ((b"localhost", 200), (b"127.0.0.1:1", 200), (b"[::1]", 200), (b"box.lan", 200),
                                 (b"evil.com", 421), (b"localhost.evil.com", 421), (b"10.0.0.1", 421), (b"a b", 400),
                                 (b"", 400)):
                got, _, body = client.ask("GET", "/health", host=b"host: %s\r\n" % host)
                self.assertEqual(got, status, host)
                if status == 421:
                    self.assertIn("--allow-host", error_of(body)["message"])
            self.assertEqual(client.ask("GET", "/health", host=HOST + HOST)[0], 400)
        with Client(server) as client:
            self.assertEqual(client.ask("GET", "/health", host=b"")[0], 400)
        self.refused("no host to allow", host="http://box")
        self.assertEqual(self.once(self.runs(host="*"), "GET", "/health", host=b"host: evil.com\r\n")[0], 200)

    def test_origins(self):
        server = self.runs()
        with Client(server) as client:
            def ask(origin, method="POST", head=b""):
                return client.ask(method, "/echo", "x", b"origin: %s\r\n%s" % (origin, head))
            self.assertEqual(ask(b"http://localhost")[0], 200)
            for origin in (b"http://evil.com", b"http://localhost:1", b"null", b"http://localhost.evil.com", b""):
                status, headers, body = ask(origin)
                self.assertEqual(status, 403, origin)
                self.assertIn("--allow-origin", error_of(body)["message"])
                self.assertNotIn("access-control-allow-origin", headers)
            status, headers, _ = ask(b"http://evil.com", "OPTIONS", b"access-control-request-method: POST\r\n")
            self.assertEqual(status, 403)
            self.assertFalse([name for name in headers if name.startswith("access-control")])
        server = self.runs(origin="https://app.example")
        with Client(server) as client:
            origin = b"origin: https://app.example\r\n"
            status, headers, _ = client.ask("POST", "/echo", "x", origin)
            self.assertEqual((status, headers["access-control-allow-origin"], headers["vary"]),
                             (200, "https://app.example", "origin"))
            status, headers, _ = client.ask("OPTIONS", "/echo", None, origin + b"access-control-request-method: POST\r\n"
                                            b"access-control-request-headers: x-a, X-B\r\n")
            self.assertEqual((status, headers["access-control-allow-headers"]), (204, "x-a, X-B"))
            self.assertEqual(headers["access-control-allow-methods"], "POST, PUT, OPTIONS")
            status, headers, _ = client.ask("OPTIONS", "/echo", None, origin + b"access-control-request-method: POST\r\n"
                                            b"access-control-request-headers: x<y>\r\n")
            self.assertIn("authorization", headers["access-control-allow-headers"])
            self.assertEqual(client.ask("POST", "/echo", "x", b"origin: http://app.example\r\n")[0], 403)
            # an error can be read by the page, too
            status, headers, _ = client.ask("GET", "/nothing", None, origin)
            self.assertEqual((status, headers["access-control-allow-origin"]), (404, "https://app.example"))
        server = self.runs(origin="*")
        _, headers, _ = self.once(server, "POST", "/echo", "x", b"origin: null\r\n")
        self.assertEqual(headers["access-control-allow-origin"], "*")
        self.refused("no origin to allow", origin="app.example")

    def keys(self, *rows):
        import hashlib
        return self.write("keys", "".join(
            f"{name} sha256:{hashlib.sha256(key.encode()).hexdigest()} {limits}\n" for name, key, limits in rows))

    def test_keys(self):
        server = self.runs(keys=self.keys(("ann", "jl-ann", "at-once=3 per-minute=40 tokens-per-minute=5"),
                                          ("bob", "jl-bob", "")), key_per_minute=1000)
        with Client(server) as client:
            def ask(head, path="/who"):
                return client.ask("GET", path, None, head)
            for head in (b"authorization: Bearer jl-ann\r\n", b"Authorization: bearer  jl-ann\r\n", b"x-api-key: jl-ann\r\n",
                         b"api-key: jl-ann\r\n", b"authorization: Basic eDp5\r\nx-api-key: jl-ann\r\n",
                         b"authorization: Bearer dummy\r\nx-api-key: jl-ann\r\n"):
                self.assertEqual(ask(head)[2], b"ann 3 40 5", head)
            self.assertEqual(ask(b"api-key: jl-bob\r\n")[2], b"bob 0 1000 0")
            for head in (b"", b"authorization: Bearer\r\n", b"authorization: Bearer jl-an\r\n", b"authorization: jl-ann\r\n",
                         b"x-api-key: jl-ann2\r\n", b"cookie: key=jl-ann\r\n", b"x-api-key: " + b"a" * 600 + b"\r\n"):
                status, headers, body = ask(head)
                self.assertEqual((status, headers["www-authenticate"]), (401, 'Bearer realm="jinlin"'), head)
                self.assertEqual(error_of(body)["type"], "unauthorized")
            self.assertEqual(ask(b"", "/who?api-key=jl-ann&key=jl-ann")[0], 401)  # addresses end up in logs
            self.assertEqual(ask(b"", "/nothing")[0], 401)
            self.assertEqual(ask(b"", "/health")[0], 200)
            self.assertEqual(client.ask("POST", "/echo", "x" * 1000)[0], 401)  # the body is read and dropped
            self.assertEqual(ask(b"", "/health")[0], 200)
        self.assertEqual(server.log("/who")["key"], "ann")
        text = json.dumps(server.logs)
        self.assertNotIn("jl-ann", text)
        self.refused("chmod 600", keys=self.write("open", "", 0o644))
        self.refused("No such file", keys=self.path("absent"))
        self.refused("a name has", keys=self.write("bad", "?\n"))

    def test_key_reload(self):
        server = self.runs(keys=self.keys(("ann", "jl-ann", "per-minute=2")))
        ann, bob = b"api-key: jl-ann\r\n", b"api-key: jl-bob\r\n"
        self.assertEqual(self.once(server, "GET", "/who", None, ann)[0], 200)
        self.keys(("ann", "jl-ann", "per-minute=2"), ("bob", "jl-bob", ""))
        self.assertEqual(self.once(server, "GET", "/who", None, bob)[0], 401)
        self.assertEqual(server.ask("reload").strip(), "0")
        self.assertEqual(self.once(server, "GET", "/who", None, bob)[0], 200)
        self.assertEqual(self.once(server, "GET", "/who", None, ann)[0], 200)
        self.assertEqual(self.once(server, "GET", "/who", None, ann)[0], 429)  # its count was kept
        self.write("keys", "broken\n")
        self.assertIn("a line is", server.ask("reload"))
        self.assertEqual(self.once(server, "GET", "/who", None, bob)[0], 200)  # the old keys stay
        with Client(server) as client:  # a key goes while its request is under way
            client.send(b"GET /later?ms=200 HTTP/1.1\r\n" + HOST + bob + b"\r\n")
            time.sleep(0.05)
            self.keys(("ann", "jl-ann", ""))
            self.assertEqual(server.ask("reload").strip(), "0")
            self.assertEqual(client.answer()[2], b"later")
            self.assertEqual(client.ask("GET", "/who", None, bob)[0], 401)
        self.assertIn("without a keys file", self.runs().ask("reload"))

    def test_rates(self):
        server = self.runs(keys=self.keys(("ann", "jl-ann", "per-minute=3"), ("bob", "jl-bob", "at-once=2")))
        ann, bob = b"api-key: jl-ann\r\n", b"api-key: jl-bob\r\n"
        with Client(server) as client:
            for _ in range(3):
                self.assertEqual(client.ask("GET", "/who", None, ann)[0], 200)
            self.assertEqual(client.ask("GET", "/health", None, ann)[0], 200)  # open routes are not counted
            status, headers, body = client.ask("GET", "/who", None, ann)
            self.assertEqual((status, error_of(body)["type"]), (429, "rate_limit"))
            self.assertIn(int(headers["retry-after"]), (19, 20))
        clients = [Client(server) for _ in range(3)]
        for client in clients[:2]:
            client.send(b"GET /later?ms=300 HTTP/1.1\r\n" + HOST + bob + b"\r\n")
        time.sleep(0.1)
        status, headers, body = clients[2].ask("GET", "/who", None, bob)
        self.assertEqual((status, headers["retry-after"]), (429, "1"))
        self.assertIn("at once", error_of(body)["message"])
        for client in clients[:2]:
            self.assertEqual(client.answer()[0], 200)
        self.assertEqual(clients[2].ask("GET", "/who", None, bob)[0], 200)
        for client in clients[:2]:  # clients that leave count no more
            client.send(b"GET /later?ms=9000 HTTP/1.1\r\n" + HOST + bob + b"\r\n")
            time.sleep(0.05)
            client.sock.close()
        server.settles(requests=0)
        self.assertEqual(clients[2].ask("GET", "/who", None, bob)[0], 200)
        clients[2].sock.close()

    def test_no_memory(self):
        """Whichever allocation fails: nobody gets in without a key, and the server goes on."""
        server = self.runs(keys=self.keys(("ann", "jl-ann", "")))
        answered = set()
        for path, key in (("/who", b""), ("/echo", b"api-key: jl-ann\r\n"), ("/events?n=2", b"api-key: jl-ann\r\n")):
            for n in range(30):
                server.ask(f"fail {n}")
                try:
                    with Client(server) as client:
                        status, _, body = client.ask("GET" if path == "/who" else "POST", path, "x" * 5000, key)
                    self.assertTrue(key or status != 200, f"allocation {n}")
                    self.assertTrue(status != 200 or body.count(b"x") >= 5000, f"allocation {n}")
                    answered.add(status)
                except (EOFError, ConnectionError):
                    answered.add(0)
                left = int(server.ask("fail -1"))
                self.assertEqual(self.once(server, "GET", "/health")[0], 200)
            self.assertGreater(left, 0, "more calls than were tried")
        self.assertTrue({0, 200, 401, 503} <= answered, answered)
        server.settles(requests=0, workers=0, connections=0)

    def test_log(self):
        server = self.runs()
        self.once(server, "POST", "/echo?secret=1", "private words", b"x-request-id: abc\r\nauthorization: Bearer hush\r\n")
        line = server.log("/echo")
        self.assertEqual({name: line[name] for name in ("id", "client", "method", "path", "status", "end", "bytes_in", "bytes_out")},
                         {"id": "abc", "client": "127.0.0.1", "method": "POST", "path": "/echo", "status": 200, "end": "done",
                          "bytes_in": 13, "bytes_out": 13})
        self.assertTrue(0 < line["ms"] < 5000)
        for secret in ("secret", "private", "hush"):
            self.assertNotIn(secret, json.dumps(server.logs))
        self.once(server, "GET", '/a"\\%0a%ff')
        self.assertEqual(server.log('/a"\\%0a%ff')["status"], 400)

    def test_files(self):
        """Nothing that is asked for opens a file."""
        server = self.runs()
        fds = f"/proc/{server.process.pid}/fd"
        with Client(server) as client:
            client.ask("GET", "/health")
            before = len(os.listdir(fds))
            for path in ("/etc/passwd", "/%2Fetc%2Fpasswd", "/..%2f..%2fetc/passwd", "/parts/..%5c..%5c/x/%2Fetc%2Fpasswd"):
                self.assertNotIn(b"root:", client.ask("GET", path)[2])
            self.assertEqual(len(os.listdir(fds)), before)


class Ends(Base):
    def test_stop_with_requests_under_way(self):
        server = self.runs()
        clients = [Client(server) for _ in range(6)]
        for client, path in zip(clients, (b"GET /later?ms=9000", b"POST /events?n=3&ms=9000", b"GET /idle", b"GET /flood",
                                          b"POST /echo", b"GET /health")):
            client.send(path + b" HTTP/1.1\r\n" + HOST + (b"content-length: 9\r\n" if b"echo" in path else b"") + b"\r\n")
        time.sleep(0.2)
        took = int(server.ask("stop 300"))
        self.assertTrue(250 <= took <= 1500, took)
        for client in clients:
            self.assertTrue(client.closed())
            client.sock.close()
        self.assertEqual(server.settles(requests=0, connections=0, workers=0)["connections"], 0)
        with self.assertRaises(ConnectionError):
            Client(server)
        self.assertEqual(server.log("/later")["end"], "stopped")

    def test_drain(self):
        server = self.runs()
        with Client(server) as busy, Client(server) as idle, Client(server) as stream:
            idle.ask("GET", "/health")
            busy.send(b"GET /later?ms=400 HTTP/1.1\r\n" + HOST + b"\r\n")
            stream.send(b"POST /events?n=4&ms=100 HTTP/1.1\r\ncontent-length: 1\r\n" + HOST + b"\r\nx")
            time.sleep(0.1)
            took = int(server.ask("stop 5000"))
            self.assertTrue(200 <= took <= 3000, took)
            self.assertEqual(busy.answer()[2], b"later")
            self.assertEqual(stream.answer()[2].count(b"data: x"), 4)
            for client in (busy, idle, stream):
                self.assertTrue(client.closed())
        self.assertEqual(server.log("/later")["end"], "done")

    def test_stop_at_once(self):
        server = self.runs()
        self.assertLess(int(server.ask("stop 10000")), 1000)
        self.assertLess(int(server.ask("stop 10000")), 1000)  # and once more

    def test_the_library_gives_up(self):
        """Where the library would abort the process, its thread ends, and everybody is told."""
        server = self.runs(leaks=True)  # what the library held is lost
        with Client(server) as client, Client(server) as other:
            client.send(b"GET /later?ms=9000 HTTP/1.1\r\n" + HOST + b"\r\n")
            other.ask("GET", "/health")
            time.sleep(0.1)
            self.assertEqual(server.stats()["running"], 1)
            server.ask("break")
            self.assertTrue(client.closed())
            self.assertTrue(other.closed())
        self.assertEqual(server.said.get(timeout=5)[0], "gone")
        with self.assertRaises(ConnectionError):
            Client(server)
        self.assertEqual(server.settles(workers=0)["running"], 0)


class Tls(Base):
    def setUp(self):
        super().setUp()
        if not shutil.which("openssl"):
            print("SKIPPED: no openssl to make a certificate with", file=sys.stderr)
            self.skipTest("no openssl")
        self.cert, self.key = self.path("cert.pem"), self.path("key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", self.key, "-out", self.cert], check=True, capture_output=True)
        os.chmod(self.key, 0o600)

    def connect(self, server, **limits):
        context = ssl.create_default_context(cafile=self.cert)
        for name, value in limits.items():
            setattr(context, name, value)
        sock = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        return Client(sock=context.wrap_socket(sock, server_hostname="localhost"))

    def test_tls(self):
        server = self.runs(cert=self.cert, key=self.key)
        self.assertTrue(server.url.startswith("https://"))
        with self.connect(server) as client:
            self.assertEqual(client.ask("POST", "/echo", b"x" * 300000)[2], b"x" * 300000)
            self.assertEqual(client.ask("POST", "/events?n=3", "x")[2].count(b"data: x"), 3)
            self.assertEqual(client.ask("GET", "/later")[2], b"later")
            self.assertEqual(client.ask("GET", "/large?n=2000000")[2][-4:], self.tail(2000000))
            self.assertEqual(client.ask("POST", "/echo", "x", b"origin: https://localhost\r\n")[0], 200)
        Streams.noticed(self, server, lambda: self.connect(server), b"/later?ms=5000")
        Streams.noticed(self, server, lambda: self.connect(server), b"/events?n=1&ms=5000")
        with Client(server) as client:  # not TLS at all
            client.send(b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n")
            self.assertTrue(client.closed())
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.connect(server, maximum_version=ssl.TLSVersion.TLSv1_1, minimum_version=ssl.TLSVersion.TLSv1)
        server.settles(connections=0, requests=0)

    @staticmethod
    def tail(n):
        return bytes(97 + i % 26 for i in range(n - 4, n))

    def test_slow_handshake_and_stop(self):
        server = self.runs(cert=self.cert, key=self.key, head_ms=250)
        start = time.monotonic()
        with Client(server) as client:
            self.assertTrue(client.closed())
        self.assertTrue(0.2 < time.monotonic() - start < 1.5)
        with self.connect(server) as client:
            client.send(b"GET /later?ms=9000 HTTP/1.1\r\n" + HOST + b"\r\n")
            time.sleep(0.1)
            self.assertLess(int(server.ask("stop 100")), 1500)

    def test_bad_files(self):
        self.refused("needs a certificate and its key", cert=self.cert)
        self.refused("No such file", cert=self.cert, key=self.path("absent"))
        self.refused("in PEM", cert=self.cert, key=self.write("empty", "nothing"))
        os.chmod(self.key, 0o644)
        self.refused("chmod 600", cert=self.cert, key=self.key)


if __name__ == "__main__":
    unittest.main(verbosity=1)
