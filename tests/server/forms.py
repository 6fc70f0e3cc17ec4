"""What comes in: bodies, numbers, names; and the answers to what is wrong with them."""

import json
import re
import urllib.parse
from dataclasses import dataclass
from typing import Any

from server.world import World


@dataclass
class Stop(Exception):
    """An answer other than 200."""

    status: int
    body: Any


class Crash(Exception):
    """The server's bare 500 page."""


def parse(headers: dict[str, str], body: bytes) -> Any:
    """The request's body as JSON or form."""
    kind = headers.get("content-type", "").split(";")[0]
    if not body:
        return {}
    if kind == "application/x-www-form-urlencoded":
        return dict(urllib.parse.parse_qsl(body.decode()))
    if kind != "application/json":
        raise Stop(415, {"detail": f'Unsupported media type "{kind}" in request.'})
    try:
        return json.loads(body)
    except ValueError as e:
        raise Stop(400, {"detail": f"JSON parse error - {e}"}) from None


def number_of(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def announce_problems(body: dict[str, Any], world: World) -> dict[str, list[str]]:
    """What the serializer says about an announcement."""
    problems = {}
    for key in ("type", "request_sassy_file_name"):
        if key not in body:
            problems[key] = ["This field is required."]
    if body.get("type", "submission") != "submission":
        problems["type"] = [f'"{body["type"]}" is not a valid choice.']
    if body.get("request_sassy_file_name") == "":
        problems["request_sassy_file_name"] = ["This field may not be blank."]
    if len(str(body.get("file_name") or "")) > 64:
        problems["file_name"] = ["Ensure this field has no more than 64 characters."]
    competition = body.get("competition")
    if competition is not None and number_of(competition) not in world.competitions:
        problems["competition"] = [f'Invalid pk "{competition}" - object does not exist.']
    return problems


def stored_name(name: str) -> str:
    """What storage makes of a name: no path, no blanks, 35 characters before the ending."""
    name = re.sub(r"[^\w.-]", "", name.rsplit("/", 1)[-1].replace(" ", "_"))
    stem, dot, ending = name.rpartition(".")
    return f"{stem[:35]}{dot}{ending}" if dot else name[:35]
