#!/usr/bin/env python3
"""A soak of `jinlin serve`: thousands of connections that ask, leave, or send what is no request.

usage: soak.py JINLIN MODEL [ROUNDS [CONNECTIONS]]      (MODEL may be Fry's folder)

Every answer that was waited for must be the one that the same question got alone; the server's memory
must not grow from round to round, and nothing may be at work in the end."""
import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

PROGRAM, MODEL = sys.argv[1:3]
ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 8
AT_ONCE, A_ROUND = 64, int(sys.argv[4]) if len(sys.argv) > 4 else 600
MODEL = os.path.join(MODEL, "fry.gguf")
random.seed(1)


def start():
    server = subprocess.Popen([PROGRAM, "serve", MODEL, "--name", "fry", "-p", "0", "--ctx", "1024", "--cache", "64"],
                              stderr=subprocess.PIPE, text=True)
    told = ""
    for line in server.stderr:
        told += line
        found = re.search(r"serving at http://127.0.0.1:(\d+)", line)
        if found:
            return server, int(found[1])
    raise SystemExit("the server did not start: " + told)


def resident(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


def request_bytes(body, path="/v1/chat/completions"):
    data = json.dumps(body).encode()
    return (f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            f"content-length: {len(data)}\r\nconnection: close\r\n\r\n").encode() + data


def question(i, **more):
    return {"messages": [{"role": "user", "content": f"{i % 40 + 11}+{i % 17 + 20}"}], "temperature": i % 2,
            "seed": i % 5, "max_tokens": 24, **more}


async def talk(port, data, leave_after=None):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = b""
    try:
        writer.write(data)
        await writer.drain()
        while True:
            piece = await reader.read(65536)
            got += piece
            if not piece or (leave_after is not None and len(got) >= leave_after):
                break
    except ConnectionError:
        pass
    finally:
        writer.close()
    return got


def said(answer):
    """The text of a whole answer or of a stream; None: it is not whole."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        return None
    if b"event-stream" not in head:
        try:
            message = json.loads(body)["choices"][0]["message"]
        except ValueError:
            return None
        return (message.get("reasoning_content") or "") + "|" + message["content"]
    if b"data: [DONE]" not in body:
        return None
    content = reasoning = ""
    for line in body.decode("utf-8", "replace").splitlines():
        if line.startswith("data: {"):
            for choice in json.loads(line[6:])["choices"]:
                content += choice["delta"].get("content") or ""
                reasoning += choice["delta"].get("reasoning_content") or ""
    return reasoning + "|" + content


GARBAGE = [b"", b"\0" * 64, b"GET / HTTP/9.9\r\n\r\n", b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
           b"content-length: 99999999999\r\n\r\n", b"GET /%00 HTTP/1.1\r\nhost: localhost\r\n\r\n", b"\x16\x03\x01\x02\0"]


class Soak:
    def __init__(self, port):
        self.port, self.expected, self.count, self.wrong = port, {}, 0, []

    async def learn(self):
        for i in range(min(680, ROUNDS * A_ROUND)):  # all that question() can ask
            key = json.dumps(question(i))
            if key not in self.expected:
                self.expected[key] = said(await talk(self.port, request_bytes(question(i))))

    async def one(self, i):
        kind = i % 10
        self.count += 1
        if kind < 4 or kind == 9:
            ask = question(i, **({"stream": True} if kind % 2 else {}))
            answer = said(chunked(await talk(self.port, request_bytes(ask))))
            if answer != self.expected[json.dumps(question(i))]:
                self.wrong.append((i, answer))
        elif kind < 7:  # leaves in the middle
            ask = question(i, stream=True, max_tokens=600)
            await talk(self.port, request_bytes(ask), leave_after=random.randrange(1, 3000))
        elif kind == 7:
            noise = random.choice(GARBAGE) + random.randbytes(random.randrange(200))
            try:
                await asyncio.wait_for(talk(self.port, noise, leave_after=1), 0.5)
            except asyncio.TimeoutError:
                pass
        else:  # a broken body
            body = request_bytes(question(i))
            cut = random.randrange(len(body))
            await talk(self.port, body[:cut] + b"}" * (len(body) - cut), leave_after=1)

    async def round(self, first):
        limit = asyncio.Semaphore(AT_ONCE)

        async def limited(i):
            async with limit:
                await self.one(i)

        await asyncio.gather(*(limited(first + i) for i in range(A_ROUND)))


def chunked(answer):
    """An answer with its chunks joined."""
    head, mark, body = answer.partition(b"\r\n\r\n")
    if b"chunked" not in head.lower():
        return answer
    out = b""
    while True:
        size, _, rest = body.partition(b"\r\n")
        if not size or not rest:
            return head + mark + out
        n = int(size, 16)
        out, body = out + rest[:n], rest[n + 2:]


async def main():
    server, port = start()
    soak, sizes, began = Soak(port), [], time.monotonic()
    await soak.learn()
    for n in range(ROUNDS):
        await soak.round(n * A_ROUND)
        sizes.append(resident(server.pid))
    for _ in range(200):
        slots = json.loads((await talk(port, b"GET /slots HTTP/1.0\r\nhost: localhost\r\n\r\n")).partition(b"\r\n\r\n")[2])
        if not any(slots[0][what] for what in ("waiting", "reading", "answering")):
            break
        await asyncio.sleep(0.05)
    else:
        soak.wrong.append(("at work in the end", slots))
    server.send_signal(signal.SIGTERM)
    code = server.wait(timeout=60)
    half = len(sizes) // 2
    grown = max(sizes[half:]) - max(sizes[:half]) if half else 0
    print(f"{soak.count} connections in {time.monotonic() - began:.0f} s; resident "
          + " ".join(f"{size / 1e6:.1f}" for size in sizes) + " MB")
    if soak.wrong:
        print("wrong:", soak.wrong[:5], len(soak.wrong))
    if grown > 4e6:
        print(f"memory grew by {grown / 1e6:.1f} MB in the second half")
    return int(bool(soak.wrong) or grown > 4e6 or code != 0)


sys.exit(asyncio.run(main()))
