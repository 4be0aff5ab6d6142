#!/usr/bin/env python3
"""`pull`, `list`, `rm` and names of pulled models, against hubs on this machine that also misbehave.

usage: test_pull.py PROGRAM   (run from the source root)
"""
import hashlib
import json
import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.dont_write_bytecode = True  # the source tree stays as it is
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hub_server as hubs  # noqa: E402

PROGRAM = os.path.abspath(sys.argv.pop(1))
if "built without libcurl" in subprocess.run([PROGRAM, "pull", "a/b"], capture_output=True, text=True,
                                             env={"HOME": "/nonexistent", "HF_ENDPOINT": "http://127.0.0.1:9",
                                                  "JINLIN_PULL_WAIT": "0"}, check=False).stderr:
    print("SKIPPED: built without libcurl")
    sys.exit(77)

LLAMA = "tests/golden/llama"
GGUF = "tests/golden/gguf/tiny-llama.f32.gguf"


def blob(n, seed=1):
    return random.Random(seed).randbytes(n)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def folder_files():
    return {name: read(f"{LLAMA}/{name}") for name in ("config.json", "model.safetensors")}


class Base(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.home = os.path.join(self.temporary.name, "models")
        self.hub = None
        self.servers = []
        self.released = threading.Event()  # of what stalls

    def tearDown(self):
        self.released.set()
        for server in self.servers:
            server.close()
        self.temporary.cleanup()

    def serve(self, files, **kw):
        self.hub = hubs.Hub(files, **kw)
        self.servers.append(self.hub)
        return self.hub

    def env(self, **more):
        env = {name: value for name, value in os.environ.items()
               if not name.startswith(("HF_", "MODELSCOPE_", "JINLIN_")) and "proxy" not in name.lower()}
        env |= {"JINLIN_HOME": self.home, "HOME": self.temporary.name, "JINLIN_PULL_WAIT": "5",
                "JINLIN_PULL_STALL": "1"}
        if self.hub:
            env |= {"HF_ENDPOINT": self.hub.url, "MODELSCOPE_ENDPOINT": self.hub.url}
        return env | more

    def run_it(self, *args, env=None, **kw):
        return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=120, check=False,
                              env=self.env(**(env or {})), **kw)

    def ok(self, *args, **kw):
        done = self.run_it(*args, **kw)
        self.assertEqual(done.returncode, 0, f"{args}: {done.stdout}{done.stderr}")
        return done

    def fails(self, code, said, *args, **kw):
        done = self.run_it(*args, **kw)
        self.assertEqual(done.returncode, code, f"{args}: {done.stdout}{done.stderr}")
        for one in [said] if isinstance(said, str) else said:
            self.assertIn(one, done.stderr)
        return done

    def tree(self):
        """path below the home: bytes, of every file but locks."""
        found = {}
        for folder, _, names in os.walk(self.home):
            for name in names:
                path = os.path.join(folder, name)
                if name != ".lock":
                    found[os.path.relpath(path, self.home)] = read(path)
        return found

    def names(self):
        return sorted(self.tree())

    def manifest(self, folder):
        with open(os.path.join(self.home, folder, "jinlin.json"), encoding="utf-8") as file:
            return json.load(file)

    def ranges(self, part):
        return [headers.get("Range") for path, headers in self.hub.log if part in path]


class Names(Base):
    def test_folder(self):
        extra = {"pytorch_model.bin": b"pickle", "README.md": b"#", "onnx/model.onnx": b"o", "train.py": b"p",
                 "consolidated.safetensors": b"c", "tokenizer.json": b"{}", "chat_template.jinja": b"x",
                 "folder/config.json": b"{}"}
        self.serve({**folder_files(), **extra})
        done = self.ok("pull", "org/tiny")
        self.assertIn(f"commit {hubs.COMMIT[:12]}", done.stdout)
        self.assertEqual(self.names(), [f"hf/org/tiny/{n}" for n in (
            "chat_template.jinja", "config.json", "jinlin.json", "model.safetensors", "tokenizer.json")])
        self.assertEqual(self.tree()["hf/org/tiny/model.safetensors"], self.hub.files["model.safetensors"])
        manifest = self.manifest("hf/org/tiny")
        self.assertEqual((manifest["commit"], manifest["revision"], manifest["repo"], manifest["complete"]),
                         (hubs.COMMIT, "main", "org/tiny", True))
        weights = next(f for f in manifest["files"] if f["file"] == "model.safetensors")
        self.assertEqual(weights["sha256"], hashlib.sha256(self.hub.files["model.safetensors"]).hexdigest())
        self.assertTrue(all(f"/resolve/{hubs.COMMIT}/" in p for p in self.hub.paths("/resolve/")))
        for args in (["inspect", "org/tiny"], ["inspect", "hf:org/tiny@main"], ["inspect", "org/tiny@" + hubs.COMMIT[:8]]):
            self.assertIn("llama", self.ok(*args).stdout)
        self.fails(3, "jinlin pull org/tiny@v2", "inspect", "org/tiny@v2")

    def test_a_path_wins(self):
        os.makedirs(os.path.join(self.temporary.name, "cwd/org"))
        shutil.copytree(LLAMA, os.path.join(self.temporary.name, "cwd/org/tiny"))
        done = self.ok("inspect", "org/tiny", cwd=os.path.join(self.temporary.name, "cwd"))
        self.assertIn("llama", done.stdout)
        self.fails(3, "jinlin pull org/tiny", "chat", "org/tiny")

    def test_revisions(self):
        self.serve(folder_files())
        self.hub.revisions.add("refs/pr/1")
        self.ok("pull", "org/tiny@refs/pr/1")
        self.assertEqual(len(self.hub.paths("/revision/refs%2Fpr%2F1")), 1)
        self.assertEqual(self.manifest("hf/org/tiny")["revision"], "refs/pr/1")
        self.fails(3, ["no revision 'v9'", self.hub.url], "pull", "org/tiny@v9")

    def test_gguf_picks(self):
        files = {"m-Q4_K_M.gguf": blob(3000, 1), "m-Q4_K_S.gguf": blob(3100, 2), "m-Q8_0.gguf": read(GGUF),
                 "mmproj-m-F16.gguf": blob(10, 3), "sub/big-00001-of-00002.gguf": blob(500, 4),
                 "sub/big-00002-of-00002.gguf": blob(600, 5), "README.md": b"#"}
        self.serve(files)
        done = self.fails(2, ["4 GGUF models", "org/tiny:m-Q4_K_M.gguf", "org/tiny:sub/big-00001-of-00002.gguf"],
                          "pull", "org/tiny")
        self.assertNotIn("mmproj", done.stderr)
        self.fails(2, ["no GGUF model 'Q5_K_M'", "m-Q8_0.gguf"], "pull", "org/tiny:Q5_K_M")
        self.fails(2, "no GGUF model 'Q4_K'", "pull", "org/tiny:Q4_K")
        self.assertEqual(self.names(), [])
        self.ok("pull", "org/tiny:q8_0")
        self.ok("pull", "org/tiny:m-Q4_K_S.gguf")
        self.ok("pull", "org/tiny:sub/big-00001-of-00002.gguf")
        self.ok("pull", "org/tiny:mmproj-m-F16.gguf")
        folders = {name.split("/")[2]: files for name, files in self.tree().items() if name.endswith("json")}
        self.assertEqual(sorted(folders), ["tiny+m-Q4_K_S", "tiny+m-Q8_0", "tiny+mmproj-m-F16", "tiny+sub+big"])
        self.assertEqual(self.tree()["hf/org/tiny+sub+big/big-00002-of-00002.gguf"], files["sub/big-00002-of-00002.gguf"])
        self.assertIn("llama", self.ok("inspect", "org/tiny:Q8_0").stdout)
        self.fails(2, "several", "inspect", "org/tiny")
        listed = json.loads(self.ok("list", "--json").stdout)
        self.assertEqual({(m["type"], m["state"], len(m["files"])) for m in listed},
                         {("Q4_K_S", "complete", 1), ("Q8_0", "complete", 1), ("F16", "complete", 1), ("", "complete", 2)})

    def test_only_gguf(self):
        self.serve({"one.gguf": read(GGUF), "imatrix.gguf": b"i"})
        self.ok("pull", "org/tiny")
        self.assertIn("llama", self.ok("inspect", "org/tiny").stdout)

    def test_a_part_is_missing(self):
        self.serve({"m-00001-of-00003.gguf": b"1", "m-00003-of-00003.gguf": b"3"})
        self.fails(4, "3 parts, 2 are there", "pull", "org/tiny")

    def test_pickles_only(self):
        self.serve({"config.json": b"{}", "pytorch_model.bin": b"x"})
        self.fails(5, ["pytorch_model.bin", "safetensors"], "pull", "org/tiny")
        self.serve({"README.md": b"x"})
        self.fails(5, "no weights", "pull", "org/tiny")
        self.assertEqual(self.names(), [])

    def test_shards_by_the_index(self):
        index = {"metadata": {}, "weight_map": {"a": "part-one.safetensors", "b": "part-two.safetensors"}}
        files = {"config.json": b"{}", "model.safetensors.index.json": json.dumps(index).encode(),
                 "part-one.safetensors": b"1", "part-two.safetensors": b"22", "other.safetensors": b"3"}
        self.serve(files)
        self.ok("pull", "org/tiny")
        self.assertEqual(sorted(n.split("/")[-1] for n in self.names()),
                         ["config.json", "jinlin.json", "model.safetensors.index.json", "part-one.safetensors",
                          "part-two.safetensors"])
        del self.hub.files["part-two.safetensors"]
        self.fails(4, ["'b'", "part-two.safetensors"], "pull", "org/tiny")
        self.hub.files["model.safetensors.index.json"] = b'{"weight_map": {"a": "../../x.safetensors"}}'
        self.fails(4, "x.safetensors", "pull", "org/tiny")

    def test_pages(self):
        self.serve({**folder_files(), **{f"z{i}.txt": b"z" for i in range(20)}})
        self.hub.page = 3
        self.hub.link_host = "http://elsewhere.invalid"  # a mirror may pass on its source's links
        self.ok("pull", "org/tiny")
        self.assertEqual(len(self.hub.paths("/tree/")), 8)

    def test_endless_pages(self):
        self.serve(folder_files())
        self.hub.page = 0
        self.fails(4, "itself", "pull", "org/tiny")
        def more(request, _):
            n = int(request.path.rpartition("=")[2] if "n=" in request.path else 0) + 1
            hubs.send_json(request, [], [("Link", f'</api/models/org/tiny/tree/{hubs.COMMIT}?n={n}>; rel="next"')])
        self.hub.acts[f"/api/models/org/tiny/tree/{hubs.COMMIT}"] = [more]
        self.fails(7, "pages", "pull", "org/tiny")

    def test_modelscope(self):
        self.serve(folder_files())
        self.hub.token = "ms-secret"
        self.fails(3, "MODELSCOPE_API_TOKEN", "pull", "ms:org/tiny")
        self.ok("pull", "org/tiny", "--from", "ms", env={"MODELSCOPE_API_TOKEN": "ms-secret", "HF_TOKEN": "other"})
        self.assertEqual(self.manifest("ms/org/tiny")["commit"], hubs.COMMIT)
        asked = self.hub.paths("/repo?")
        self.assertTrue(asked and all(f"Revision={hubs.OTHER_COMMIT}" in path for path in asked))
        self.assertFalse(any("other" in str(headers) for _, headers in self.hub.log))
        self.assertIn("llama", self.ok("inspect", "ms:org/tiny").stdout)
        self.assertIn("llama", self.ok("inspect", "org/tiny").stdout)
        self.fails(3, "jinlin pull hf:org/tiny", "inspect", "hf:org/tiny")
        self.fails(2, "contradict", "pull", "ms:org/tiny", "--from", "hf")

    def test_addresses(self):
        self.serve({"a b-Q8_0.gguf": read(GGUF), **folder_files()})
        self.ok("pull", f"{self.hub.url}/org/tiny/resolve/main/a%20b-Q8_0.gguf")
        self.ok("pull", f"{self.hub.url}/org/tiny/tree/main")
        self.assertEqual(self.manifest("hf/org/tiny+a b-Q8_0")["pick"], "a b-Q8_0.gguf")
        url = f"{self.hub.url}/plain/a%20b-Q8_0.gguf"
        other = {"HF_ENDPOINT": "http://127.0.0.1:9", "MODELSCOPE_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": "secret"}
        self.hub.log.clear()
        self.ok("pull", url, env=other)
        self.assertEqual([h.get("Authorization") for _, h in self.hub.log], [None])
        self.assertIn("llama", self.ok("inspect", url, env=other).stdout)
        self.fails(2, "gguf", "pull", f"{self.hub.url}/plain/x.bin", env=other)
        self.fails(3, "no such file", "pull", f"{self.hub.url}/plain/x.gguf", env=other)
        self.ok("rm", "--yes", url, env=other)

    def test_mirror(self):
        self.serve(folder_files())
        self.ok("pull", "org/tiny", "--from", self.hub.url + "/", env={"HF_ENDPOINT": "http://127.0.0.1:9"})
        self.assertEqual(self.manifest("hf/org/tiny")["endpoint"], self.hub.url)
        for bad in ("ftp://x", "http://user:pw@127.0.0.1/", "http://", "http://a b", "nowhere", "http://x\\@y"):
            self.fails(2, "", "pull", "org/tiny", "--from", bad)
        for bad in ("x", "/a/b", "a/b/c", "../b", "a/..", "a/b@", "a/b:", "a/b:../x", "a/b:/x", "a/b:x\\y", "a/b@x y",
                    "a/b@../x", "-a/b"):
            self.fails(2, "", "pull", "--", bad)
        self.fails(2, "HF_TOKEN", "pull", "org/tiny", env={"HF_TOKEN": "a\r\nX: y"})


class Refusals(Base):
    def test_gated(self):
        self.serve(folder_files())
        self.hub.token = "secret"
        self.fails(3, ["HF_TOKEN", "gated", self.hub.url + "/org/tiny"], "pull", "org/tiny")
        self.fails(3, ["refuses the token in HF_TOKEN", "Access is restricted."], "pull", "org/tiny", env={"HF_TOKEN": "old"})
        self.assertEqual(self.names(), [])
        self.ok("pull", "org/tiny", env={"HF_TOKEN": "secret"})
        self.hub.acts["config.json"] = [hubs.status(403)]
        self.fails(3, "HF_TOKEN", "pull", "org/tiny:no", env={"HF_TOKEN": ""})

    def test_the_token_stays_home(self):
        self.serve(folder_files())
        self.hub.token = "secret"
        self.hub.cdn = hubs.Cdn()
        self.servers.append(self.hub.cdn)
        self.ok("pull", "org/tiny", env={"HF_TOKEN": "secret"})
        self.assertEqual(len(self.hub.cdn.log), 1)
        self.assertNotIn("secret", str(self.hub.cdn.log))
        self.assertTrue(all(h.get("Authorization") == "Bearer secret" for _, h in self.hub.log))

    def test_a_pasted_address_gets_no_token(self):
        self.serve(folder_files())
        mirror = hubs.Hub(folder_files())
        self.servers.append(mirror)
        self.ok("pull", "org/tiny", "--from", mirror.url, env={"HF_TOKEN": "secret"})
        self.assertIn("secret", str(mirror.log))
        mirror.log.clear()
        self.ok("pull", f"{mirror.url}/org/tiny", env={"HF_TOKEN": "secret", "HF_ENDPOINT": mirror.url})
        self.assertIn("secret", str(mirror.log))
        mirror.log.clear()  # this one is known as ModelScope's: HF_TOKEN is not for it
        self.ok("pull", f"{mirror.url}/models/org/tiny", env={"HF_TOKEN": "secret", "MODELSCOPE_ENDPOINT": mirror.url})
        self.assertTrue(mirror.log)
        self.assertNotIn("secret", str(mirror.log))

    def test_what_is_not_there(self):
        self.serve(folder_files())
        self.fails(3, ["no model org/other", self.hub.url], "pull", "org/other")
        self.hub.acts["config.json"] = [hubs.status(404, ("X-Error-Code", "EntryNotFound"))]
        self.fails(3, ["no file 'config.json'", hubs.COMMIT], "pull", "org/tiny")

    def test_nobody_answers(self):
        self.fails(3, ["connection failed", "try 6 of 6"], "pull", "org/tiny",
                   env={"HF_ENDPOINT": "http://127.0.0.1:9"})

    def test_lists_that_are_none(self):
        self.serve(folder_files())
        for tree, said in (({"error": "x"}, "no list"), ([1], "no object"), ([], "no files"),
                           ([{"type": "file", "path": "a", "size": -1}], "no size"),
                           ([{"type": "file", "path": "a", "size": 1.5}], "no size"),
                           ([{"type": "file", "path": "a", "size": 2 ** 70}], "integer"),
                           ([{"type": "file", "path": "a"}], "no size"),
                           ([{"type": "file", "path": "a", "size": 1}] * 2, "twice"),
                           ([{"type": "file", "path": "a", "lfs": {"oid": "xyz", "size": 1}}], "no SHA-256")):
            self.hub.tree = tree
            self.fails(4, said, "pull", "org/tiny")
        self.hub.acts["/api/models/org/tiny/revision/main"] = [hubs.html]
        self.fails(4, "log-in page", "pull", "org/tiny")
        self.hub.acts["/api/models/org/tiny/revision/main"] = [lambda r, _: hubs.send_json(r, {"sha": "../../x"})]
        self.fails(4, "commit", "pull", "org/tiny")
        self.assertEqual(self.names(), [])

    def test_hostile_names(self):
        self.serve({})
        outside = os.path.join(self.temporary.name, "x.gguf")
        for path in ("../x.gguf", "/x.gguf", "a/../../x.gguf", "..", "a//x.gguf", "a\\x.gguf", "a\nx.gguf", "\x1b[2Jx.gguf",
                     "./x.gguf", "x.gguf/", "\u0085x.gguf", "n" * 300 + ".gguf", ""):
            self.hub.tree = [{"type": "file", "path": path, "size": 1, "lfs": {"oid": "0" * 64, "size": 1}}]
            done = self.fails(4, "nothing was written", "pull", "org/tiny")
            self.assertNotIn("\x1b", done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)
        self.hub.tree = [{"type": "file", "path": "a\0b.gguf", "size": 1}]
        self.fails(4, "", "pull", "org/tiny")
        self.assertEqual(self.names(), [])
        self.assertFalse(os.path.exists(outside))

    def test_links_lead_nowhere(self):
        self.serve(folder_files())
        trap = os.path.join(self.temporary.name, "trap")
        os.makedirs(os.path.join(self.home, "hf/org"))
        os.mkdir(trap)
        os.symlink(trap, os.path.join(self.home, "hf/org/tiny"))
        self.fails(3, "link", "pull", "org/tiny")
        self.assertEqual(os.listdir(trap), [])
        os.unlink(os.path.join(self.home, "hf/org/tiny"))
        os.mkdir(os.path.join(self.home, "hf/org/tiny"))
        victim = os.path.join(self.temporary.name, "victim")
        with open(victim, "wb") as file:
            file.write(b"mine")
        os.symlink(victim, os.path.join(self.home, "hf/org/tiny/config.json.part"))
        self.fails(3, "config.json.part", "pull", "org/tiny")
        os.unlink(os.path.join(self.home, "hf/org/tiny/config.json.part"))
        os.symlink(victim, os.path.join(self.home, "hf/org/tiny/config.json"))
        self.ok("pull", "org/tiny")
        self.assertEqual(read(victim), b"mine")

    def test_absurd_sizes(self):
        self.serve({})
        big = {"type": "file", "path": "a.gguf", "size": 5, "lfs": {"oid": "0" * 64, "size": 2 ** 62}}
        self.hub.tree = [big]
        self.fails(3, ["GB more", "GB free"], "pull", "org/tiny")
        self.hub.tree = [{**big, "path": f"a-0000{i}-of-00003.gguf"} for i in (1, 2, 3)]
        self.fails(4, "absurd", "pull", "org/tiny")
        self.assertEqual(self.names(), [])

    def test_redirects(self):
        self.serve({"m.gguf": blob(100)})
        def loop(request, _):
            hubs.send(request, 302, b"", [("Location", request.path)])
        for act, said in ((loop, "redirects"), (hubs.status(302), "without an address"),
                          (hubs.status(302, ("Location", "file:///etc/passwd")), "https"),
                          (hubs.status(302, ("Location", "ftp://127.0.0.1/x")), "https"),
                          (hubs.status(302, ("Location", "http://u:p@127.0.0.1/")), "user names")):
            self.hub.acts["m.gguf"] = [act]
            done = self.run_it("pull", "org/tiny")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(said, done.stderr)
        self.assertLessEqual(len(self.hub.paths("/resolve/")), 20)
        self.assertNotIn("hf/org/tiny+m/m.gguf", self.names())


class Transfers(Base):
    """One file of 200 kB, and what a server may do with it."""

    def setUp(self):
        super().setUp()
        self.data = blob(200_000)
        self.serve({"m.gguf": self.data})

    def acts(self, *acts):
        self.hub.acts["m.gguf"] = list(acts)

    def good(self, *acts, **kw):
        if acts:
            self.acts(*acts, hubs.send_file)
        done = self.ok("pull", "org/tiny", **kw)
        self.assertEqual(self.names(), ["hf/org/tiny+m/jinlin.json", "hf/org/tiny+m/m.gguf"])
        self.assertEqual(self.tree()["hf/org/tiny+m/m.gguf"], self.data)
        return done

    def bad(self, code, said, *acts):
        self.acts(*acts)
        done = self.fails(code, said, "pull", "org/tiny")
        self.assertNotIn("hf/org/tiny+m/m.gguf", self.names())
        self.assertEqual(json.loads(self.ok("list", "--json").stdout)[0]["state"], "partial")
        self.fails(3, "jinlin pull org/tiny", "inspect", "org/tiny")
        return done

    def part(self):
        return self.tree().get("hf/org/tiny+m/m.gguf.part")

    def test_well(self):
        done = self.good()
        self.assertIn("m.gguf", done.stderr)
        self.assertEqual(self.ranges("/resolve/"), [None])
        self.hub.log.clear()
        self.assertIn("up to date", self.good().stdout)
        self.assertEqual(self.ranges("/resolve/"), [])

    def test_drops(self):
        done = self.good(hubs.drop_after(60_000), hubs.drop_after(50_000), hubs.drop_after(0))
        self.assertEqual(self.ranges("/resolve/"), [None, "bytes=60000-", "bytes=110000-", "bytes=110000-"])
        self.assertEqual(done.stderr.count("connection failed"), 3)

    def test_drops_for_ever(self):
        self.bad(3, "connection failed", hubs.drop_after(0))
        self.assertEqual(len(self.ranges("/resolve/")), 6)

    def test_a_few_bytes_a_time(self):
        done = self.bad(3, "connection failed", hubs.drop_after(30))
        self.assertEqual(len(self.ranges("/resolve/")), 6)
        self.assertEqual(self.part(), self.data[:180])
        self.assertIn("try 6 of 6", done.stderr)

    def test_the_next_run_goes_on(self):
        self.bad(3, "", hubs.drop_after(120_000), hubs.drop_after(0))
        self.assertEqual(self.part(), self.data[:120_000])
        self.hub.log.clear()
        self.good(hubs.send_file)
        self.assertEqual(self.ranges("/resolve/"), ["bytes=120000-"])
        self.assertEqual([h.get("If-Range") for p, h in self.hub.log if "/resolve/" in p], ['"v1"'])

    def test_range_ignored(self):
        self.good(hubs.drop_after(60_000), hubs.ignore_range)

    def test_etag_changed(self):
        done = self.good(hubs.drop_after(60_000), hubs.with_etag('"v2"'))
        self.assertIn("from the start", done.stderr)
        self.assertEqual(self.ranges("/resolve/"), [None, "bytes=60000-"])

    def test_etag_changed_in_a_part(self):
        done = self.good(hubs.drop_after(60_000), hubs.range_of_other_file)
        self.assertIn("another ETag", done.stderr)
        self.assertEqual(self.ranges("/resolve/"), [None, "bytes=60000-", None])

    def test_refused_range(self):
        done = self.good(hubs.drop_after(60_000), hubs.status(416))
        self.assertIn("416", done.stderr)
        self.assertEqual(self.ranges("/resolve/"), [None, "bytes=60000-", None])

    def test_always_from_the_start(self):
        self.acts(*[hubs.drop_after(60_000), hubs.status(416)] * 20)
        self.fails(3, "start again 5 times", "pull", "org/tiny")

    def test_another_part(self):
        def shifted(request, data):
            hubs.send(request, 206, data[5:], [("Content-Range", f"bytes 5-{len(data) - 1}/{len(data)}")])
        self.good(hubs.drop_after(60_000), shifted)
        self.assertEqual(self.ranges("/resolve/"), [None, "bytes=60000-", None])

    def test_a_part_unasked(self):
        def part(request, data):
            hubs.send(request, 206, data[5:], [("Content-Range", f"bytes 5-{len(data) - 1}/{len(data)}")])
        self.bad(3, "another part", part)

    def test_the_list_changed_meanwhile(self):
        self.bad(3, "", hubs.drop_after(60_000), hubs.drop_after(0))
        self.data = self.hub.files["m.gguf"] = blob(180_000, 7)
        self.hub.commit = hubs.OTHER_COMMIT
        self.hub.log.clear()
        self.good(hubs.send_file)
        self.assertEqual(self.ranges("/resolve/"), [None])
        self.assertEqual(self.manifest("hf/org/tiny+m")["commit"], hubs.OTHER_COMMIT)

    def test_a_part_of_something_else(self):
        self.bad(3, "", hubs.drop_after(60_000), hubs.drop_after(0))
        with open(os.path.join(self.home, "hf/org/tiny+m/m.gguf.part"), "r+b") as file:
            file.write(b"not what came")
        done = self.good(hubs.send_file)
        self.assertIn("do not fit together", done.stderr)

    def test_a_part_without_its_note(self):
        self.bad(3, "", hubs.drop_after(60_000), hubs.drop_after(0))
        note = os.path.join(self.home, "hf/org/tiny+m/m.gguf.part.json")
        for text in (b"", b"{", b"[]", b"\xff" * 40, b'{"size": -5, "validator": "x"}'):
            with open(note, "wb") as file:
                file.write(text)
            shutil.copytree(self.home, self.home + "-kept")
            self.hub.log.clear()
            self.good(hubs.send_file)
            self.assertEqual(self.ranges("/resolve/"), [None])
            shutil.rmtree(self.home)
            os.rename(self.home + "-kept", self.home)

    def test_lengths_that_lie(self):
        self.bad(4, ["sends 150000 bytes", "200000 were announced"], hubs.announce(150_000))
        self.bad(4, ["sends 250000 bytes", "200000 were announced"], hubs.announce(250_000))
        self.bad(4, "goes on after 200000", hubs.unannounced(5000))
        os.unlink(os.path.join(self.home, "hf/org/tiny+m/m.gguf.part"))
        self.bad(3, "ends after", hubs.unannounced(-5000))
        self.good(hubs.send_file)

    def test_no_length(self):
        self.good(hubs.unannounced(0))

    def test_wrong_hash(self):
        wrong = b"y" + self.data[1:]
        right = hashlib.sha256(self.data).hexdigest()
        done = self.bad(4, [right, hashlib.sha256(wrong).hexdigest(), "removed"],
                        lambda request, _: hubs.send_file(request, wrong))
        self.assertEqual(len(self.hub.paths("/resolve/")), 1)
        self.assertNotIn("hf/org/tiny+m/m.gguf.part", self.names())
        self.assertNotIn("try 2", done.stderr)
        self.good(hubs.send_file)

    def test_wrong_hash_with_drops(self):
        wrong = b"y" + self.data[1:]
        def act(request, _):
            hubs.drop_after(120_000)(request, wrong)
        self.bad(4, "removed", act)
        self.assertLessEqual(len(self.hub.paths("/resolve/")), 5)

    def test_headers_contradict_the_list(self):
        other = hashlib.sha256(b"other").hexdigest()
        self.bad(4, [other, "headers"], lambda r, d: hubs.send_file(r, d, extra=[("X-Linked-Etag", f'"{other}"')]))
        self.bad(4, [hubs.OTHER_COMMIT], lambda r, d: hubs.send_file(r, d, extra=[("X-Repo-Commit", hubs.OTHER_COMMIT)]))

    def test_a_page_instead(self):
        self.bad(4, "web page", hubs.html)

    def test_compressed(self):
        self.bad(4, "compressed (gzip)", hubs.zipped)
        self.assertTrue(all(h.get("Accept-Encoding") == "identity" for p, h in self.hub.log if "/resolve/" in p))

    def test_busy(self):
        start = time.monotonic()
        done = self.good(hubs.status(429, ("Retry-After", "1")), hubs.status(503), hubs.status(500), hubs.status(502))
        self.assertGreaterEqual(time.monotonic() - start, 1)
        for code in ("429", "503", "500", "502"):
            self.assertIn(f"HTTP {code}", done.stderr)

    def test_busy_for_long(self):
        self.bad(3, ["429", "wait 86400 s"], hubs.status(429, ("Retry-After", "86400")))
        self.assertEqual(len(self.hub.paths("/resolve/")), 1)
        self.bad(3, "HTTP 500", hubs.status(500))

    def test_busy_list(self):
        self.hub.acts["/api/models/org/tiny/revision/main"] = [
            hubs.status(503), lambda r, _: hubs.send_json(r, {"sha": hubs.COMMIT})]
        self.good(hubs.send_file)

    def test_stalls(self):
        done = self.good(hubs.stall_after(70_000, self.released))
        self.assertIn("no answer in time", done.stderr)
        self.assertEqual(self.ranges("/resolve/"), [None, "bytes=70000-"])

    def test_slow_is_no_failure(self):
        done = self.good(hubs.slowly(20_000, 0.2), env={"JINLIN_PULL_STALL": "60"})
        self.assertNotIn("try 2", done.stderr)

    def test_weak_etag_and_date(self):
        def weak(n):
            return lambda r, d: hubs.drop_after(n, etag='W/"v1"')(r, d)
        self.good(weak(60_000), hubs.with_etag('W/"v1"'))
        self.assertEqual([h.get("If-Range") for p, h in self.hub.log if "/resolve/" in p], [None, None])

    def test_interrupted(self):
        self.acts(hubs.stall_after(50_000, self.released))
        child = subprocess.Popen([PROGRAM, "pull", "org/tiny"], env=self.env(JINLIN_PULL_STALL="100"),
                                 stderr=subprocess.PIPE, text=True)
        part = os.path.join(self.home, "hf/org/tiny+m/m.gguf.part")
        deadline = time.monotonic() + 60
        while not (os.path.exists(part) and os.path.getsize(part) > 20_000) and time.monotonic() < deadline:
            time.sleep(0.02)
        second = self.run_it("pull", "org/tiny")
        self.assertEqual(second.returncode, 3)
        self.assertIn("another jinlin", second.stderr)
        self.assertIn("another jinlin", self.run_it("rm", "--yes", "org/tiny").stderr)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 9, said)
        self.assertIn("goes on", said)
        kept = self.part()
        self.assertTrue(20_000 < len(kept) <= 50_000 and self.data.startswith(kept))
        self.hub.log.clear()
        self.good(hubs.send_file)
        self.assertEqual(self.ranges("/resolve/"), [f"bytes={len(kept)}-"])

    def test_killed(self):
        self.acts(hubs.stall_after(50_000, self.released))
        child = subprocess.Popen([PROGRAM, "pull", "org/tiny"], env=self.env(JINLIN_PULL_STALL="100"),
                                 stderr=subprocess.DEVNULL)
        part = os.path.join(self.home, "hf/org/tiny+m/m.gguf.part")
        deadline = time.monotonic() + 60
        while not (os.path.exists(part) and os.path.getsize(part) > 20_000) and time.monotonic() < deadline:
            time.sleep(0.02)
        child.kill()
        child.wait()
        self.hub.log.clear()
        self.good(hubs.send_file)
        self.assertTrue(self.ranges("/resolve/")[0].startswith("bytes="))

    def test_terminal(self):
        self.acts(hubs.slowly(20_000, 0.15))
        main, end = pty.openpty()
        child = subprocess.Popen([PROGRAM, "pull", "org/tiny"], env=self.env(), stderr=end, stdout=subprocess.DEVNULL)
        os.close(end)
        shown = b""
        while True:
            try:
                block = os.read(main, 4096)
            except OSError:
                break
            if not block:
                break
            shown += block
        os.close(main)
        self.assertEqual(child.wait(), 0)
        self.assertRegex(shown, rb"\rm.gguf  0\.\d of 0\.2 MB  \d")


    def test_silent(self):
        done = self.good(lambda *_: self.released.wait(100))
        self.assertIn("no answer in time", done.stderr)

    def test_the_disk_is_full(self):
        limit = "ulimit -f 100; exec \"$@\""  # of 1 kB: as a full disk, an error of a write in the middle
        done = subprocess.run(["bash", "-c", limit, "x", PROGRAM, "pull", "org/tiny"], capture_output=True, text=True,
                              env=self.env(), timeout=60, check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("cannot write m.gguf.part", done.stderr)
        self.assertEqual(self.part(), self.data[:102_400])
        self.hub.log.clear()
        self.good()
        self.assertEqual(self.ranges("/resolve/"), ["bytes=102400-"])


class Secure(Base):
    """Over TLS, by a certificate made for this run."""

    def setUp(self):
        super().setUp()
        self.key, self.cert = (os.path.join(self.temporary.name, name) for name in ("key.pem", "cert.pem"))
        if not shutil.which("openssl"):
            self.skipTest("no openssl to make a certificate")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", self.key, "-out", self.cert, "-days", "2", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        self.serve({"m.gguf": blob(50_000)})
        self.hub.secure(self.cert, self.key)

    def test_trusted(self):
        self.hub.token = "secret"
        self.hub.cdn = hubs.Cdn()
        self.servers.append(self.hub.cdn)
        trust = {"SSL_CERT_FILE": self.cert, "HF_TOKEN": "secret"}
        self.fails(3, "redirects from https to http", "pull", "org/tiny", env=trust)
        self.assertEqual(self.hub.cdn.log, [])
        self.hub.cdn.secure(self.cert, self.key)
        self.ok("pull", "org/tiny", env=trust)
        self.assertNotIn("secret", str(self.hub.cdn.log))

    def test_untrusted(self):
        self.fails(3, "certificate", "pull", "org/tiny")
        self.assertEqual(self.hub.log, [])

    def test_from_http_to_https(self):
        plain = hubs.Hub(self.hub.files)
        self.servers.append(plain)
        plain.cdn = hubs.Cdn()
        self.servers.append(plain.cdn)
        plain.cdn.secure(self.cert, self.key)
        self.ok("pull", "org/tiny", env={"HF_ENDPOINT": plain.url, "SSL_CERT_FILE": self.cert})


class Again(Base):
    def test_only_what_changed(self):
        self.serve({**folder_files(), "tokenizer.json": b"{}", "vocab.json": b"[1]"})
        self.ok("pull", "org/tiny")
        before = os.stat(os.path.join(self.home, "hf/org/tiny/model.safetensors")).st_mtime_ns
        self.hub.files["tokenizer.json"] = b'{"a": 1}'
        del self.hub.files["vocab.json"]
        self.hub.commit = hubs.OTHER_COMMIT
        self.hub.log.clear()
        done = json.loads(self.ok("pull", "--json", "org/tiny").stdout)
        self.assertEqual((done["files_fetched"], done["bytes_fetched"]), (1, 8))
        self.assertEqual(self.hub.paths("/resolve/"), [f"/org/tiny/resolve/{hubs.OTHER_COMMIT}/tokenizer.json"])
        self.assertEqual(self.names(), [f"hf/org/tiny/{n}" for n in ("config.json", "jinlin.json", "model.safetensors", "tokenizer.json")])
        self.assertEqual(self.manifest("hf/org/tiny")["commit"], hubs.OTHER_COMMIT)
        self.assertEqual(os.stat(os.path.join(self.home, "hf/org/tiny/model.safetensors")).st_mtime_ns, before)

    def test_the_old_model_works_until_the_new_one_is_whole(self):
        self.serve(folder_files())
        self.ok("pull", "org/tiny")
        old = self.tree()
        config = json.loads(old["hf/org/tiny/config.json"])
        self.hub.files["config.json"] = json.dumps({**config, "new": 1}).encode()
        self.hub.files["model.safetensors"] = old["hf/org/tiny/model.safetensors"][:-4] + b"\0\0\0\0"
        self.hub.commit = hubs.OTHER_COMMIT
        self.hub.acts["model.safetensors"] = [hubs.status(404)]
        self.fails(3, "no file", "pull", "org/tiny")
        now = self.tree()
        self.assertEqual({name: now[name] for name in old}, old)
        self.assertEqual(now["hf/org/tiny/config.json.new"], self.hub.files["config.json"])
        self.assertIn("llama", self.ok("inspect", "org/tiny").stdout)
        del self.hub.acts["model.safetensors"]
        self.hub.log.clear()
        self.ok("pull", "org/tiny")
        self.assertEqual(len(self.hub.paths("/resolve/")), 1)
        now = self.tree()
        self.assertEqual(sorted(now), sorted(old))
        for name in folder_files():
            self.assertEqual(now[f"hf/org/tiny/{name}"], self.hub.files[name])

    def new_version(self):
        """Pulls a first version, then fails half way to a second one, whose weights have other names."""
        self.serve(folder_files())
        self.ok("pull", "org/tiny")
        files = self.hub.files
        index = {"weight_map": {name: "w-00001-of-00001.safetensors" for name in ("a", "b")}}
        files["w-00001-of-00001.safetensors"] = files.pop("model.safetensors")
        files["model.safetensors.index.json"] = json.dumps(index).encode()
        files["tokenizer.json"] = b"{}"
        self.hub.commit = hubs.OTHER_COMMIT
        self.hub.acts["w-00001-of-00001.safetensors"] = [hubs.drop_after(100_000), hubs.status(404)]
        self.fails(3, "no file", "pull", "org/tiny")

    def test_new_names_wait_too(self):
        self.new_version()
        self.assertIn("llama", self.ok("inspect", "org/tiny").stdout)
        self.assertIn("hf/org/tiny/tokenizer.json.new", self.names())
        self.hub.acts.clear()
        self.hub.log.clear()
        self.ok("pull", "org/tiny")
        self.assertEqual([p.rpartition("/")[2] for p in self.hub.paths("/resolve/")],
                         ["model.safetensors.index.json", "w-00001-of-00001.safetensors"])
        self.assertEqual(self.names(), [f"hf/org/tiny/{n}" for n in (
            "config.json", "jinlin.json", "model.safetensors.index.json", "tokenizer.json", "w-00001-of-00001.safetensors")])

    def test_rm_of_half_a_new_version(self):
        self.new_version()
        self.ok("rm", "-y", "org/tiny")
        self.assertEqual(os.listdir(self.home), [])

    def test_killed_in_the_change(self):
        """As after a power cut between the last file's arrival and the last rename: nothing is fetched twice."""
        self.serve(folder_files())
        self.ok("pull", "org/tiny")
        folder = os.path.join(self.home, "hf/org/tiny")
        old = read(os.path.join(folder, "model.safetensors"))
        new = self.hub.files["model.safetensors"] = old[:-4] + b"\0\0\0\0"
        with open(os.path.join(folder, "model.safetensors.new"), "wb") as file:
            file.write(new)
        manifest = self.manifest("hf/org/tiny")
        manifest["complete"] = manifest["checked"] = False
        manifest["files"][-1]["sha256"] = hashlib.sha256(new).hexdigest()
        with open(os.path.join(folder, "jinlin.json"), "w", encoding="utf-8") as file:
            json.dump(manifest, file)
        self.fails(3, "not complete", "inspect", "org/tiny")
        self.hub.log.clear()
        self.ok("pull", "org/tiny")
        self.assertEqual(self.hub.paths("/resolve/"), [])
        self.assertEqual(read(os.path.join(folder, "model.safetensors")), new)
        self.assertEqual(sorted(os.listdir(folder)), [".lock", "config.json", "jinlin.json", "model.safetensors"])

    def test_verify(self):
        self.serve({"m.gguf": blob(5000)})
        self.ok("pull", "org/tiny")
        path = os.path.join(self.home, "hf/org/tiny+m/m.gguf")
        with open(path, "r+b") as file:
            file.write(b"rot")
        self.assertIn("up to date", self.ok("pull", "org/tiny").stdout)
        done = self.ok("pull", "--verify", "org/tiny")
        self.assertIn("is not what came", done.stderr)
        self.assertEqual(read(path), self.hub.files["m.gguf"])
        os.truncate(path, 100)
        self.fails(3, "not complete", "inspect", "org/tiny")
        self.ok("pull", "org/tiny")
        self.assertEqual(read(path), self.hub.files["m.gguf"])

    def test_a_broken_manifest(self):
        self.serve({"m.gguf": read(GGUF)})
        self.ok("pull", "org/tiny")
        path = os.path.join(self.home, "hf/org/tiny+m/jinlin.json")
        good = read(path)
        for text in (b"", b"{}", b"[]", b"{\"version\": 1}", good.replace(b'"m.gguf"', b'"../m.gguf"'),
                     good.replace(b'"size": ', b'"size": -'), good[:100]):
            with open(path, "wb") as file:
                file.write(text)
            self.assertIn("jinlin.json", self.ok("list").stderr)
            self.hub.log.clear()
            self.assertIn("jinlin.json", self.ok("pull", "org/tiny").stderr)
            self.assertEqual(self.hub.paths("/resolve/"), [])
            self.assertTrue(json.loads(read(path))["complete"])

    def test_what_is_there_is_not_fetched_again(self):
        files = folder_files()
        self.serve({**files, "tokenizer.json": b"{}"})
        self.hub.acts["tokenizer.json"] = [hubs.status(404), hubs.send_file]
        self.fails(3, "tokenizer.json", "pull", "org/tiny")
        self.hub.log.clear()
        self.ok("pull", "org/tiny")
        self.assertEqual([p.rpartition("/")[2] for p in self.hub.paths("/resolve/")],
                         ["tokenizer.json", "model.safetensors"])


class ListAndRm(Base):
    def test_list(self):
        self.assertIn("no models", self.ok("list").stderr)
        self.assertEqual(json.loads(self.ok("list", "--json").stdout), [])
        self.serve({**folder_files(), "x-Q8_0.gguf": blob(10)})
        self.ok("pull", "org/tiny")
        self.ok("pull", "org/tiny:Q8_0")
        lines = self.ok("list").stdout.splitlines()
        self.assertEqual(len(lines), 3)
        self.assertRegex(lines[1], r"^org/tiny +0\.6 MB +2 +c0ffee000000 +\S+ +complete$")
        self.assertRegex(lines[2], r"^org/tiny:x-Q8_0.gguf +0\.0 MB +1 +c0ffee000000 +Q8_0 +complete$")

    def test_rm(self):
        self.serve({**folder_files(), "x-Q8_0.gguf": blob(10)})
        self.ok("pull", "org/tiny")
        self.ok("pull", "org/tiny:Q8_0")
        self.fails(2, "--yes", "rm", "org/tiny")
        self.fails(2, "jinlin list", "rm", "--yes", "org/none")
        mine = os.path.join(self.home, "hf/org/tiny/mine.txt")
        with open(mine, "wb") as file:
            file.write(b"mine")
        self.assertIn("other files", self.ok("rm", "org/tiny", "--yes").stderr)
        self.assertEqual(self.names(), ["hf/org/tiny+x-Q8_0/jinlin.json", "hf/org/tiny+x-Q8_0/x-Q8_0.gguf", "hf/org/tiny/mine.txt"])
        os.unlink(mine)
        self.ok("rm", "-y", "org/tiny:Q8_0")
        self.assertFalse(os.path.exists(os.path.join(self.home, "hf/org/tiny+x-Q8_0")))
        self.assertEqual(self.names(), [])

    def test_rm_of_a_part(self):
        self.serve({"m.gguf": blob(5000)})
        self.hub.acts["m.gguf"] = [hubs.drop_after(2000), hubs.status(404)]
        self.fails(3, "", "pull", "org/tiny")
        self.assertIn("m.gguf.part", str(self.names()))
        self.ok("rm", "-y", "org/tiny")
        self.assertEqual(os.listdir(self.home), [])

    def test_rm_asks(self):
        self.serve({"m.gguf": blob(50)})
        self.ok("pull", "org/tiny")
        for answer, code in ((b"n\n", 9), (b"\n", 9), (b"yes\n", 0)):
            main, end = pty.openpty()
            child = subprocess.Popen([PROGRAM, "rm", "org/tiny"], env=self.env(), stdin=end, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE)
            os.close(end)
            os.write(main, answer)
            _, asked = child.communicate(timeout=60)
            os.close(main)
            self.assertIn(b"[y/N]", asked)
            self.assertEqual(child.returncode, code, asked)
        self.assertEqual(self.names(), [])

    def test_home(self):
        self.serve({"m.gguf": blob(50)})
        self.ok("pull", "org/tiny", env={"JINLIN_HOME": ""})
        self.assertTrue(os.path.exists(os.path.join(self.temporary.name, ".local/share/jinlin/models/hf/org/tiny+m/m.gguf")))
        data = os.path.join(self.temporary.name, "data")
        self.ok("pull", "org/tiny", env={"JINLIN_HOME": "", "XDG_DATA_HOME": data})
        self.assertTrue(os.path.exists(os.path.join(data, "jinlin/models/hf/org/tiny+m/m.gguf")))
        self.fails(2, "JINLIN_HOME", "pull", "org/tiny", env={"JINLIN_HOME": "", "HOME": ""})
        blocked = os.path.join(self.temporary.name, "file")
        with open(blocked, "wb"):
            pass
        self.fails(3, "file", "pull", "org/tiny", env={"JINLIN_HOME": blocked})


if __name__ == "__main__":
    unittest.main(verbosity=1)
