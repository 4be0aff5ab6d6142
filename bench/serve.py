#!/usr/bin/env python3
"""What serving costs: the same model through HTTP and without it, on one machine in one run.

usage: serve.py JINLIN MODEL.gguf [THREADS]      (scripts/bench serve)

Lines: decode of one and of sixteen sequences, served and by `jinlin bench`; the gap between tokens of
eight streams while a prompt of 4,096 tokens is read; the first token behind 8,192 cached ones; the
memory of a thousand streams that wait."""
import asyncio
import json
import re
import signal
import statistics
import subprocess
import sys
import time

PROGRAM, MODEL = sys.argv[1:3]
THREADS = ["-t", sys.argv[3]] if len(sys.argv) > 3 else []
GEN, IDLE = 96, 1000


def bench(seqs):
    out = subprocess.run([PROGRAM, "bench", MODEL, "--prompt", "16", "--gen", str(GEN), "--seqs", str(seqs),
                          "--json", *THREADS], check=True, capture_output=True, text=True).stdout
    return json.loads(out.splitlines()[-1])


def start(*more):
    server = subprocess.Popen([PROGRAM, "serve", MODEL, "--name", "m", "-p", "0", "--parallel", "16", "--ctx", "16384",
                               "--cache", "6000", "--queue", "2000", "--connections", "2000", *THREADS, *more],
                              stderr=subprocess.PIPE, text=True)
    told = ""
    for line in server.stderr:
        told += line
        found = re.search(r"serving at http://127.0.0.1:(\d+)", line)
        if found:
            return server, int(found[1])
    raise SystemExit("the server did not start: " + told)


def prompt(n, salt):
    """Ids that no other salt begins with."""
    return [300 + (i * 7919 + salt * 104729) % 20000 for i in range(n)]


async def stream(port, ids, n, times=None, usage=None):
    """The times at which tokens came."""
    body = json.dumps({"prompt": ids, "max_tokens": n, "temperature": 0, "stream": True,
                       "stream_options": {"include_usage": True}}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    writer.write(b"POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
                 b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    times = [] if times is None else times
    while line := await reader.readline():
        if line.startswith(b"data: {"):
            chunk = json.loads(line[6:])
            if chunk.get("usage") and usage is not None:
                usage.update(chunk["usage"])
            if chunk.get("choices") and chunk["choices"][0]["finish_reason"] is None:
                times.append(time.monotonic())
            if "error" in chunk:
                raise SystemExit(chunk)
    writer.close()
    return times


def rate(all_times):
    """Tokens a second while all of them ran."""
    begin, end = max(times[0] for times in all_times), min(times[-1] for times in all_times)
    n = sum(sum(begin < at <= end for at in times) for times in all_times)
    return n / (end - begin)


async def decode(port, seqs, salt):
    return rate(await asyncio.gather(*(stream(port, prompt(16, salt + i), GEN) for i in range(seqs))))


async def pauses(port):
    streams = [[] for _ in range(8)]
    tasks = [asyncio.create_task(stream(port, prompt(16, 500 + i), 400, times)) for i, times in enumerate(streams)]
    while any(len(times) < 20 for times in streams):
        await asyncio.sleep(0.02)
    began = time.monotonic()
    first = (await stream(port, prompt(4096, 900), 2))[0]
    for task in tasks:
        task.cancel()
    gaps = [b - a for times in streams for a, b in zip(times, times[1:]) if began < b < first]
    quiet = [b - a for times in streams for a, b in zip(times, times[1:]) if b < began]
    gaps.sort()
    return statistics.median(quiet), statistics.median(gaps), gaps[int(0.99 * len(gaps))], first - began


async def cached(port):
    ids, usage = prompt(8192, 1000), {}
    began = time.monotonic()
    cold = (await stream(port, ids, 2))[0] - began
    began = time.monotonic()
    times = await stream(port, ids + [301, 302], 12, usage=usage)
    step = statistics.median(b - a for a, b in zip(times[1:], times[2:]))
    return cold, times[0] - began, step, usage["prompt_tokens_details"]["cached_tokens"]


def resident(pid):
    """Bytes, but for the pool of pages that answers write meanwhile, and files."""
    total = 0
    with open(f"/proc/{pid}/smaps") as file:
        for line in file:
            words = line.split()
            if not words[0].endswith(":"):
                own = len(words) < 6 or words[5].startswith("[")
            elif words[0] == "Size:":
                own = own and int(words[1]) < 1 << 20
            elif words[0] == "Rss:" and own:
                total += int(words[1]) * 1024
    return total


async def idle(port, pid):
    busy = [asyncio.create_task(stream(port, prompt(16, 2000 + i), 4000)) for i in range(32)]
    await asyncio.sleep(3)
    before = resident(pid)
    waiting = [asyncio.create_task(stream(port, prompt(16, 3000 + i), 1)) for i in range(IDLE)]
    await asyncio.sleep(5)
    grown = resident(pid) - before
    for task in busy + waiting:
        task.cancel()
    return grown


async def main():
    server, port = start()
    await decode(port, 1, 0)
    for n in (1, 16):
        pairs = [(await decode(port, n, 100 * k + n), bench(n)["decode_tokens_per_s"]) for k in range(1, 6)]
        ratios = sorted(served / plain for served, plain in pairs)
        served, plain = (statistics.median(side) for side in zip(*pairs))
        print(f"decode of {n}: {served:.1f} tokens/s served, {plain:.1f} without HTTP: {ratios[2]:.3f} "
              f"({ratios[0]:.3f} to {ratios[-1]:.3f})", flush=True)
    quiet, median, worst, seconds = await pauses(port)
    print(f"8 streams: a token every {1e3 * quiet:.1f} ms; while 4096 tokens are read ({seconds:.1f} s) "
          f"median {1e3 * median:.1f} ms, 99 of 100 below {1e3 * worst:.1f} ms: {worst / median:.2f}", flush=True)
    cold, warm, step, n = await cached(port)
    print(f"8192 tokens: first token after {cold:.1f} s, again ({n} cached) after {1e3 * warm:.1f} ms, "
          f"{warm / step:.2f} steps of {1e3 * step:.1f} ms", flush=True)
    print(f"{IDLE} streams that wait: {await idle(port, server.pid) / 1e6:.1f} MB", flush=True)
    server.send_signal(signal.SIGTERM)
    server.wait(timeout=60)


asyncio.run(main())
