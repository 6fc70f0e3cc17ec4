"""The API's answers: routes, status codes, headers and bodies as they were recorded."""

import json
import re
import urllib.parse
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from server import bodies
from server.forms import (
    Crash,
    Stop,
    announce_problems,
    number_of,
    parse,
    stored_name,
)
from server.storage import Reply, Storage
from server.world import ENDED, FORCED, Submission, Upload, World, iso, now

SECURITY = {"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin"}
DETAIL = "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"
LIST = "GET, POST, HEAD, OPTIONS"
READ = "GET, HEAD, OPTIONS"
NO_CREDENTIALS = "Authentication credentials were not provided."
SERVER_ERROR = ("\n<!doctype html>\n<html lang=\"en\">\n<head>\n  <title>Server Error (500)</title>"
                "\n</head>\n<body>\n  <h1>Server Error (500)</h1><p></p>\n</body>\n</html>\n")
STATUSES = ("None", "Submitting", "Submitted", "Preparing", "Running", "Scoring", "Cancelled",
            "Finished", "Failed")


@dataclass
class Call:
    """A request under way."""

    method: str
    query: dict[str, str]
    body: dict[str, Any]
    user: str | None
    words: tuple[str, ...]

    def login(self) -> str:
        if self.user is None:
            raise Stop(403, {"detail": NO_CREDENTIALS})
        return self.user


class Api:
    """Answers requests from the world; files come from and go to the storage."""

    def __init__(self, world: World, storage: Storage) -> None:
        self.world = world
        self.storage = storage
        self.host = ""
        self.routes: list[tuple[str, str, dict[str, Callable[[Call], Any]]]] = [
            (r"api-token-auth/", "POST, OPTIONS", {"POST": self.token}),
            (r"my_profile/", READ, {"GET": self.profile}),
            (r"user_quota/", "GET, OPTIONS", {"GET": self.quota}),
            (r"competitions/", LIST, {"GET": self.competition_list}),
            (r"competitions/([^/]+)/", DETAIL, {"GET": self.competition}),
            (r"competitions/([^/]+)/register/", "POST, OPTIONS", {"POST": self.register}),
            (r"phases/([^/]+)/", DETAIL, {"GET": self.phase}),
            (r"phases/([^/]+)/get_leaderboard/", READ, {"GET": self.leaderboard}),
            (r"can_make_submission/([^/]+)/", "GET, OPTIONS", {"GET": self.can_submit}),
            (r"datasets/", LIST, {"POST": self.announce, "GET": self.upload_list}),
            (r"datasets/completed/([0-9a-f-]{36})/", "PUT, OPTIONS", {"PUT": self.completed}),
            (r"submissions/", LIST, {"POST": self.create, "GET": self.submission_list}),
            (r"submissions/([^/]+)/", DETAIL, {"GET": self.submission, "DELETE": self.delete}),
            (r"submissions/([^/]+)/get_details/", READ, {"GET": self.details}),
            (r"submissions/([^/]+)/cancel_submission/", READ, {"GET": self.cancel}),
            (r"submissions/([^/]+)/soft_delete/", "DELETE, OPTIONS", {"DELETE": self.soft_delete}),
            (r"submissions/([^/]+)/submission_leaderboard_connection/", "POST, DELETE, OPTIONS",
             {"POST": self.board_add, "DELETE": self.board_remove}),
        ]

    # -- the frame around every answer

    def handle(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """Answer one request; header names are lower case."""
        url = urllib.parse.urlsplit(target)
        path = url.path
        for pattern, allow, calls in self.routes:
            match = re.fullmatch("/api/" + pattern, path)
            if match:
                vary = "Cookie" if pattern == "api-token-auth/" else "Accept, Cookie"
                return self._answer(method, url.query, match.groups(), allow, vary, calls,
                                    headers, body)
            if re.fullmatch("/api/" + pattern, path + "/"):
                query = f"?{url.query}" if url.query else ""
                return Reply(301, {"Content-Type": "text/html; charset=utf-8",
                                   "Location": f"{path}/{query}", "Vary": "Cookie", **SECURITY})
        page = "\n\n<!DOCTYPE html>\n<html lang=\"en\"><head><title>Codabench</title></head></html>"
        return Reply(404, {"Content-Type": "text/html; charset=utf-8", "Vary": "Cookie", **SECURITY,
                           "Set-Cookie": "csrftoken=abc; Path=/; SameSite=Lax"}, page.encode())

    def _answer(self, method: str, query: str, words: tuple[str, ...], allow: str, vary: str,
                calls: dict[str, Callable[[Call], Any]], headers: dict[str, str],
                body: bytes) -> Reply:
        common = {"Vary": vary, "Allow": allow, **SECURITY}
        status = 200
        try:
            accept = headers.get("accept", "*/*")
            if not any(kind in accept for kind in ("*/*", "application/json", "application/*")):
                raise Stop(406, {"detail": "Could not satisfy the request Accept header."})
            user = None if vary == "Cookie" else self._user(headers.get("authorization"))
            if method not in calls:
                raise Stop(405, {"detail": f'Method "{method}" not allowed.'})
            value = calls[method](Call(method, dict(urllib.parse.parse_qsl(query)),
                                       parse(headers, body), user, words))
            if isinstance(value, Stop):
                raise value
        except Stop as stop:
            status, value = stop.status, stop.body
        except Crash:
            return Reply(500, {"Content-Type": "text/html; charset=utf-8", "Vary": "Cookie",
                               **SECURITY}, SERVER_ERROR.encode())
        if status == 204:
            return Reply(204, common)
        return Reply(status, {"Content-Type": "application/json", **common},
                     json.dumps(value, separators=(",", ":")).encode())

    def _user(self, header: str | None) -> str | None:
        words = (header or "").split()
        if not words or words[0].lower() != "token":
            return None
        if len(words) == 1:
            raise Stop(403, {"detail": "Invalid token header. No credentials provided."})
        if len(words) > 2:
            raise Stop(403, {"detail": "Invalid token header. Token string should not contain "
                                       "spaces."})
        user = next((u for u, token in self.world.tokens.items() if token == words[1]), None)
        if user is None:
            raise Stop(403, {"detail": "Invalid token."})
        return user

    # -- users

    def token(self, call: Call) -> Any:
        missing = {key: ["This field is required."] for key in ("username", "password")
                   if not call.body.get(key)}
        if missing:
            raise Stop(400, missing)
        name = str(call.body["username"]).removesuffix("@example.test")
        if self.world.passwords.get(name) != call.body["password"]:
            raise Stop(400, {"non_field_errors": ["Unable to log in with provided credentials."]})
        return {"token": self.world.tokens[name]}

    def profile(self, call: Call) -> Any:
        user = call.login()
        return {"username": user, "name": None, "email": f"{user}@example.test",
                "github_info": None}

    def quota(self, call: Call) -> Any:
        user = call.login()
        used = sum(len(self.storage.files.get(u.path, b"")) for u in self.world.uploads.values()
                   if u.owner == user)
        return {"quota": 15, "storage_used": float(used) if used else 0}

    # -- competitions and phases

    def _competition(self, number: str) -> Any:
        return self._get(number, self.world.competitions, "Competition")

    def _get(self, number: str, table: dict[int, Any], what: str) -> Any:
        if not number.isdigit():
            raise Stop(404, {"detail": "Not found."})
        if int(number) not in table:
            raise Stop(404, {"detail": f"No {what} matches the given query."})
        return table[int(number)]

    def competition_list(self, call: Call) -> Any:
        mine = "participating_in" in call.query
        return [bodies.short_competition(self, c) for c in self.world.competitions.values()
                if not mine or c.participants.get(call.user or "") == "approved"]

    def competition(self, call: Call) -> Any:
        return bodies.competition(self, self._competition(call.words[0]), call.user)

    def register(self, call: Call) -> Any:
        if call.user is None:
            raise Crash
        competition = self._competition(call.words[0])
        if call.user in competition.participants:
            raise Stop(400, ["You already applied for participation in this competition!"])
        status = "approved" if competition.auto_approve else "pending"
        competition.participants[call.user] = status
        return Stop(201, {"participant_status": status})

    def phase(self, call: Call) -> Any:
        call.login()
        competition, phase = self._get(call.words[0], self.world.phases(), "Phase")
        return bodies.phase_alone(competition, phase)

    def can_submit(self, call: Call) -> Any:
        user = call.login()
        competition, phase = self._get(call.words[0], self.world.phases(), "Phase")
        reason = self.world.may_submit(user, phase, competition)
        return {"can": reason is None, "reason": reason}

    def leaderboard(self, call: Call) -> Any:
        competition, phase = self._get(call.words[0], self.world.phases(), "Phase")
        return bodies.leaderboard(self, competition, phase)

    # -- uploads

    def announce(self, call: Call) -> Any:
        user = call.login()
        body = call.body
        if isinstance(body, list):
            raise Crash
        if not body.get("file_size"):
            raise Stop(400, {"file_size": "This field is required."})
        size = number_of(body["file_size"])
        if size is None:
            raise Stop(400, {"file_size": ["A valid number is required."]})
        problems = announce_problems(body, self.world)
        if problems:
            raise Stop(400, problems)
        if size > 15e9:
            raise Stop(400, {"data_file": [
                f"Insufficient space. Your available space is 15.0 GB. The file size is "
                f"{size / 1e9:.1f} GB. Please free up some space and try again. You can manage "
                "your files in the Resources page."]})
        name = stored_name(str(body["request_sassy_file_name"]))
        path = self.new_path("dataset", name)
        upload = Upload(next(self.world.upload_ids), str(uuid.uuid4()), user,
                        number_of(body.get("competition")), str(body.get("name") or
                                                                f"{user} - submission"),
                        str(body.get("file_name") or ""), path, iso(now()))
        self.world.uploads[upload.key] = upload
        return Stop(201, {"key": upload.key, "sassy_url": self.storage.sign(
            path, "PUT", "application/zip")})

    def new_path(self, kind: str, name: str) -> str:
        moment = now()
        return f"/private/{kind}/{moment:%Y-%m-%d}-{moment:%s}/{uuid.uuid4().hex[:12]}/{name}"

    def upload_list(self, call: Call) -> Any:
        user = call.login()
        found = [u for u in self.world.uploads.values() if u.owner == user
                 and call.query.get("key", u.key) == u.key]
        return {"count": len(found), "next": None, "previous": None,
                "results": [bodies.upload(self, u) for u in reversed(found)]}

    def completed(self, call: Call) -> Any:
        user = call.login()
        upload = self.world.uploads.get(call.words[0])
        if upload is None or upload.owner != user:
            raise Stop(404, {"detail": "Not found."})
        return {"key": upload.key}

    # -- submissions

    def create(self, call: Call) -> Any:
        upload, (competition, phase), tasks = self._wanted(call.body)
        if call.user is None:
            raise Crash
        if competition.participants.get(call.user) != "approved":
            raise Stop(403, {"detail": "You do not have access to this competition to make a "
                                       "submission"})
        if self.world.may_submit(call.user, phase, competition) or upload is None:
            raise Crash
        row = self.world.submit(call.user, upload, phase, tasks or phase.tasks)
        return Stop(201, bodies.created(row))

    def _wanted(self, body: dict[str, Any]) -> Any:
        problems: dict[str, list[str]] = {}
        upload, key = None, body.get("data")
        if key is not None:
            upload = self.world.uploads.get(str(key))
            if not re.fullmatch(r"[0-9a-f-]{36}", str(key)):
                problems["data"] = [f"“{key}” is not a valid UUID."]
            elif upload is None:
                problems["data"] = [f"Object with key={key} does not exist."]
        known = self.world.phases()
        phase = number_of(body.get("phase"))
        if body.get("phase") is None:
            problems["phase"] = ["This field is required."]
        elif phase not in known:
            problems["phase"] = [f'Invalid pk "{phase}" - object does not exist.']
        every = {t.id: t for _, p in known.values() for t in p.tasks}
        wanted = body.get("tasks") or []
        for task in wanted:
            if task not in every:
                problems["tasks"] = [f'Invalid pk "{task}" - object does not exist.']
        if problems:
            raise Stop(400, problems)
        tasks = [every[t] for t in wanted]
        if any(task not in known[phase][1].tasks for task in tasks):
            raise Stop(400, {"non_field_errors": ["All tasks must be part of the current phase."]})
        return upload, known[phase], tasks

    def _visible(self, call: Call, with_deleted: bool = False) -> Submission:
        row: Submission = self._get(call.words[0], self.world.submissions, "Submission")
        public = call.user is None and row.on_board and row.status == "Finished"
        mine = call.user in (row.owner, "organiser")
        if not (mine or public) or (row.deleted and not with_deleted):
            raise Stop(404, {"detail": "No Submission matches the given query."})
        return row

    def submission_list(self, call: Call) -> Any:
        known = self.world.phases()
        phase = call.query.get("phase")
        if phase is not None and number_of(phase) not in known:
            raise Stop(400, {"phase": ["Select a valid choice. That choice is not one of the "
                                       "available choices."]})
        status = call.query.get("status")
        if status is not None and status not in STATUSES:
            raise Stop(400, {"status": [f"Select a valid choice. {status} is not one of the "
                                        "available choices."]})
        competition = number_of(call.query.get("phase__competition"))
        found = []
        for row in sorted(self.world.submissions.values(), key=lambda row: -row.id):
            mine = (call.user in (row.owner, "organiser") if call.user
                    else row.on_board and row.status == "Finished")
            if (mine and not row.deleted and (phase is None or row.phase.id == number_of(phase))
                    and status in (None, row.status)
                    and competition in (None, known[row.phase.id][0].id)):
                found.append(bodies.submission(self, row))
        return found

    def submission(self, call: Call) -> Any:
        row = self._visible(call)
        body = bodies.submission(self, row)
        if known_to_run(self.world, row):
            self.world.look(row)
        return body

    def details(self, call: Call) -> Any:
        row = self._visible(call)
        if row.phase.hide_output and call.user != "organiser":
            raise Stop(403, {"detail": "Cannot access submission details while phase marked to "
                                       "hide output."})
        return bodies.details(self, row)

    def cancel(self, call: Call) -> Any:
        row = self._visible(call)
        if call.user not in (row.owner, "organiser"):
            raise Stop(404, {"detail": "No Submission matches the given query."})
        if row.status in ENDED:
            return {"canceled": False}
        row.cancelled = self.world.cancelling != "ignored"
        return {"canceled": True}

    def soft_delete(self, call: Call) -> Any:
        row = self._visible(call, with_deleted=True)
        if row.deleted:
            raise Stop(400, {"error": "Submission already deleted"})
        if row.on_board:
            raise Stop(403, {"error": "You are not allowed to delete a leaderboard submission"})
        if row.status not in ENDED:
            raise Stop(403, {"error": "You are not allowed to delete a running submission"})
        row.deleted = True
        return {"message": "Submission deleted successfully"}

    def delete(self, call: Call) -> Any:
        row = self._get(call.words[0], self.world.submissions, "Submission")
        if row.on_board:
            raise Stop(403, {"detail": "You cannot delete a leaderboard submission!"})
        if call.user != row.owner:
            raise Stop(403, {"detail": "You do not have permission to delete this submission!"})
        del self.world.submissions[row.id]
        return Stop(204, None)

    def _board_row(self, call: Call) -> Submission:
        row: Submission = self._get(call.words[0], self.world.submissions, "Submission")
        if call.user != row.owner:
            raise Stop(403, {"detail": "You cannot perform this action, contact the competition "
                                       "organizer!"})
        if self.world.phases()[row.phase.id][0].rule in FORCED:
            raise Stop(403, {"detail": "Users are not allowed to edit the leaderboard on this "
                                       "Competition"})
        return row

    def board_add(self, call: Call) -> Any:
        row = self._board_row(call)
        if self.world.phases()[row.phase.id][0].rule == "Add_And_Delete":
            for other in self.world.submissions.values():
                if other.owner == row.owner and other.phase is row.phase:
                    other.on_board = False
        row.on_board = True
        return {}

    def board_remove(self, call: Call) -> Any:
        self._board_row(call).on_board = False
        return {}


def known_to_run(world: World, row: Submission) -> bool:
    """Whether anything works on it: with manual starts it stays as it is."""
    return world.phases()[row.phase.id][0].auto_run
