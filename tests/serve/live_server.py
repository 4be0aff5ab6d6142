"""A live server for a test."""
import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request


def fry(folder):
    """The model that ships."""
    return f"{folder}/fry.gguf"


class Server:
    def __init__(self, program, model, folder, *args):
        self.log = os.path.join(folder, "log")
        with open(self.log, "wb") as told:
            self.child = subprocess.Popen([program, "serve", model, "-p", "0", "-t", "1", *args],
                                          stderr=told)
        found = None
        while not found:
            if self.child.poll() is not None:
                raise AssertionError(self.told())
            found = re.search(r"serving at (\S+)", self.told())
            time.sleep(0.02)
        self.url = found[1]

    def told(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def ask(self, method, path, key=None, body=None):
        """Status and JSON."""
        request = urllib.request.Request(self.url + path, method=method,
                                         data=None if body is None else json.dumps(body).encode())
        if key:
            request.add_header("authorization", f"Bearer {key}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def kill(self):
        """Where a test has failed; one that has ended stays so."""
        self.child.kill()
        self.child.wait()

    def end(self):
        self.child.terminate()
        return self.child.wait(timeout=30)
