"""What the tests of the client share."""

import json
import zipfile

from submission.codabench import Client
from submission.tokens import Token
from submission.transport import Transport

SCALE = 0.002                       # of all waits


def connect(platform, user="alice", **more):
    """A client of one user, without long pauses."""
    token = Token(platform.world.tokens[user], "the test")
    return Client(Transport(platform.host, token, pause=0.005, **more))


def make_zip(path, text="class Model: pass", run="run-1", forecast=0.9):
    """A zip like ours, small."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.py", text)
        archive.writestr("manifest.json", json.dumps(
            {"run": run, "forecast": {"way": "x", "forecast": forecast, "low": 0.8}}))
    return path
