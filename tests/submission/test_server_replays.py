"""The test platform answers the client's flow as the genuine server did: the recordings, replayed.

Compared are status, headers, and the JSON: the same fields, the same types, and the same values
wherever a value isn't a number given by the server, a time, a key or an address. The worker's pace
is taken from the recording.
"""

import json
import re
from pathlib import Path

import pytest
import requests

RECORDINGS = Path(__file__).parents[3] / "shared" / "reference" / "codabench_exchanges.jsonl"
pytestmark = [pytest.mark.shared, pytest.mark.skipif(not RECORDINGS.exists(),
                                                     reason="no recordings beside the project")]

# scenario: the exchanges that belong together
SCENARIOS = {
    "login and tokens": [*range(1, 4), *range(5, 16), 17, 21, *range(32, 44), 46, 48,
                         *range(50, 54), *range(56, 61), 63, 64, 65, 67, 68],
    "competitions and phases": [186, 187, 188, 189, 194, 195, 196, 203, 204, 205, 206, 207],
    "registration": [203, *range(208, 218), *range(220, 223), 224, 225, *range(226, 230)],
    "competition detail": [1076, 1080, 977, 979],
    "upload": [214, *range(253, 266), 267, 268, *range(271, 291), 299],
    "a good submission": [214, 250, *range(316, 334), 337, 338, 339, 340, 341, 342, 343, 344, 346,
                          *range(351, 354), 356, 357, 358, 359, 360, 362, 364, *range(366, 379),
                          *range(380, 385)],
    "closed phases": [244, 245, *range(385, 402)],
    "refused submissions": [246, 251, 406, 407, 408, 409, 410, 411, 412, *range(413, 420),
                            421, 422],
    "a model that raises": [246, *range(426, 447)],
    "a slow model": [246, 509, 510, 511, 512, 513, *range(515, 521)],
    "cancel": [246, *range(521, 551), 557, 558, 559, 560, 561],
    "two tasks": [247, *range(600, 617), 630],
    "a manual run, hidden output": [248, *range(750, 755), 757, 758, 759, 760, 761, 763, 765],
    "soft and hard delete": [246, *range(426, 431), 434, 587, 588, 590],
}
VOLATILE_HEADERS = {"date", "content-length", "etag", "last-modified", "set-cookie", "server"}
GIVEN = re.compile(r"id|pk|key|value|.*_when|data|competition|forum|leaderboard|token|storage_used|"
                   r"sassy_url|data_file|logo|logo_icon|parent|children|participants_count|"
                   r"submissions_count|used_submissions_.*|prediction_result|scoring_result|"
                   r"detailed_result|input_data|ingestion_program|reference_data|scoring_program|"
                   r"secret_key|tasks?|slug_url|results|count|public_datasets")


@pytest.fixture(scope="module")
def recorded():
    with RECORDINGS.open(encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    return {row["seq"]: row for row in rows}


class Replay:
    """Sends recorded requests to the live platform, translating what the server gave out."""

    def __init__(self, platform):
        self.platform = platform
        self.paths = {}             # recorded path in storage -> live address
        self.names = {}             # recorded keys -> live keys
        self.numbers = {}           # recorded submission -> live submission

    def run(self, exchange):
        request, response = exchange["request"], exchange["response"]
        self.pace(request, response)
        live = self.send(request, altered="altered" in exchange["scenario"])
        where = f"exchange {exchange['seq']} ({exchange['scenario']})"
        assert live.status_code == response["status"], (where, live.text[:300])
        self.compare_headers(where, response["headers"], live.headers)
        body = response["body"]
        if isinstance(body, dict | list) and "_binary" not in body:
            assert "json" in live.headers["Content-Type"], where
            self.compare(where, "", body, live.json())
            self.learn(request, body, live.json())
        elif response["status"] == 500:
            assert live.text == body, where
        elif "xml" in live.headers.get("Content-Type", ""):
            assert re.search("<Code>.*</Code>", live.text)[0] in body, where

    def send(self, request, altered):
        headers = {k: self.translate(v) for k, v in request["headers"].items()
                   if k not in ("Content-Length", "Cookie")}
        body = request["body"]
        if isinstance(body, dict) and "_binary" in body:
            data = b"x" * body["bytes"]
        elif isinstance(body, dict | list):
            data = self.translate(json.dumps(body)).encode()
        else:
            data = self.translate(body).encode() if body else None
        if request["host"] == "storage.test":
            url = self.stored(request["path"])
            if altered:             # the recordings hide signatures
                url = re.sub("Signature=..", "Signature=AA", url)
        else:
            url = self.platform.host + self.translate(re.sub(
                r"(submissions/)(\d+)", self.number, request["path"]))
        session = requests.Session()
        session.headers.clear()
        prepared = requests.Request(request["method"], url, data=data, headers=headers).prepare()
        if not data and request["method"] != "GET":
            prepared.headers["Content-Length"] = "0"
        return session.send(prepared, allow_redirects=False, timeout=10)

    def number(self, match):
        return match[1] + str(self.numbers.get(int(match[2]), match[2]))

    def stored(self, path):
        """The live address for a recorded one; recorded alterations are made to it, too."""
        plain, _, query = path.partition("?")
        address = self.paths[plain] if "content-type" in query else self.paths[plain + " r"]
        if "Expires=1500000000" in query:
            address = re.sub(r"Expires=\d+", "Expires=1500000000", address)
        return address

    def translate(self, text):
        for user, token in self.platform.world.tokens.items():
            text = text.replace(f"<TOKEN:{user}>", token)
        for user, password in self.platform.world.passwords.items():
            text = text.replace(f"<PASSWORD:{user}>", password)
        for old, new in self.names.items():
            text = text.replace(old, new)
        return text

    def pace(self, request, response):
        """Bring the live submission to where the recorded one was."""
        from server.lives import Frame

        body = response["body"]
        match = re.fullmatch(r"/api/submissions/(\d+)/", request["path"])
        if not (match and request["method"] == "GET" and isinstance(body, dict)
                and "status" in body):
            return
        row = self.platform.world.submissions[self.numbers[int(match[1])]]
        scores = tuple((s["column_key"], float(s["score"])) for s in body["scores"])
        row.cancelled = body["status"] == "Cancelled"
        row.shown = len(body["children"])
        row.started = body["task"] is not None
        row.frames = [Frame(body["status"], body["status_details"],
                            () if row.children else scores)]
        row.on_board = body["leaderboard"] is not None
        for i, number in enumerate(row.children):
            child = self.platform.world.submissions[number]
            child.on_board = i < len(scores)
            child.frames = [Frame("Finished" if child.on_board else "Running", None,
                                  scores[i:i + 1])]

    def learn(self, request, body, live):
        """Remember what the server gave out."""
        if isinstance(body, dict) and "sassy_url" in body:
            self.names[body["key"]] = live["key"]
            self.paths[address_path(body["sassy_url"])] = live["sassy_url"]
        if request["path"] == "/api/submissions/" and isinstance(body, dict) and "id" in body:
            self.numbers[body["id"]] = live["id"]
        if isinstance(body, dict) and body.get("children"):
            self.numbers.update(zip(sorted(body["children"]), sorted(live["children"]),
                                    strict=True))
        if isinstance(body, dict) and "logs" in body:
            lives = {log["name"]: log["data_file"] for log in live["logs"]}
            for log in body["logs"]:
                self.paths[address_path(log["data_file"]) + " r"] = lives[log["name"]]
            for name in ("data_file", "prediction_result", "scoring_result"):
                if body[name]:
                    self.paths[address_path(body[name]) + " r"] = live[name]

    def compare_headers(self, where, recorded, live):
        recorded = {k.lower(): v for k, v in recorded.items()}
        live = {k.lower(): v for k, v in live.items()}
        assert recorded.keys() == live.keys(), where
        for name in recorded.keys() - VOLATILE_HEADERS:
            assert self.translate(recorded[name]) == live[name], (where, name)

    def compare(self, where, path, recorded, live):
        if isinstance(recorded, dict):
            assert isinstance(live, dict), (where, path)
            assert recorded.keys() == live.keys(), (where, path)
            for key in recorded:
                self.compare(where, f"{path}/{key}", recorded[key], live[key])
        elif isinstance(recorded, list):
            self.compare_lists(where, path, recorded, live)
        else:
            assert kind(recorded) == kind(live), (where, path, recorded, live)
            if not GIVEN.fullmatch(path.rsplit("/", 1)[-1]):
                assert self.translate(str(recorded)) == str(live), (where, path)

    def compare_lists(self, where, path, recorded, live):
        assert isinstance(live, list), (where, path)
        cut = [item for item in recorded if isinstance(item, str) and "truncated" in item]
        whole = [item for item in recorded if item not in cut]
        assert cut or len(whole) == len(live), (where, path, recorded, live)
        if whole and isinstance(whole[0], dict) and "name" in whole[0] and "data_file" in whole[0]:
            whole, live = (sorted(rows, key=lambda row: row["name"]) for rows in (whole, live))
        for i, (item, found) in enumerate(zip(whole, live, strict=False)):
            self.compare(where, f"{path}/{i}" if isinstance(item, dict) else path, item, found)


def address_path(address):
    return re.sub("^http://storage.test", "", address).partition("?")[0]


def kind(value):
    """The JSON type; whole and broken numbers are told apart."""
    return type(value).__name__


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_replayed(platform, recorded, scenario):
    for competition in platform.world.competitions.values():
        competition.participants.clear()
    if scenario in ("closed phases",):
        platform.world.competitions[4].participants |= {"alice": "approved", "bob": "denied"}
    if scenario == "cancel":
        platform.world.cancelling = "stops"
    if scenario == "competition detail":
        for number in (3, 4, 5):
            platform.world.competitions[number].participants["alice"] = "approved"
    platform.world.passwords |= {"admin": "admin-secret", "carol": "carol-secret"}
    platform.world.tokens |= {"admin": "a" * 40, "carol": "c" * 40}
    replay = Replay(platform)
    for seq in SCENARIOS[scenario]:
        replay.run(recorded[seq])
