"""The JSON of the API's objects, field for field as recorded."""

import io
import zipfile
from typing import TYPE_CHECKING, Any

from server.lives import LOG_NAMES, LOGS
from server.world import Competition, Phase, Submission, Task, Upload, iso

if TYPE_CHECKING:
    from server.api import Api

DESCRIPTION = "A small code submission competition"


def logos(api: "Api", competition: Competition) -> dict[str, str]:
    path = f"/public/logos/{competition.id}/logo"
    return {"logo": api.storage.sign(path + ".png"), "logo_icon": api.storage.sign(path + "_i.png")}


def short_competition(api: "Api", c: Competition) -> dict[str, Any]:
    return {"id": c.id, "title": c.title, "created_by": "organiser",
            "owner_display_name": "organiser", "created_when": c.created, "published": True,
            "participants_count": len(c.participants) + 1, **logos(api, c),
            "description": DESCRIPTION, "competition_type": "competition", "reward": None,
            "contact_email": None, "report": None, "is_featured": False,
            "submissions_count": count(api, c)}


def count(api: "Api", c: Competition) -> int:
    return sum(s.parent is None for s in api.world.submissions.values() if s.phase in c.phases)


def competition(api: "Api", c: Competition, user: str | None) -> dict[str, Any]:
    status = {} if user is None else {"participant_status": c.participants.get(user)}
    shown = not c.hidden_board or user == "organiser"
    return {
        "id": c.id, "title": c.title, "published": True, "created_by": "organiser",
        "owner_display_name": "organiser", "created_when": c.created, **logos(api, c),
        "terms": "Be fair.", "pages": [{"id": c.id, "title": "Overview", "index": 0,
                                        "content": "# Overview\nSmall test competition"}],
        "phases": [phase(api, p, user) for p in c.phases],
        "leaderboards": [board(c)] if shown else [], "collaborators": [], **status,
        "registration_auto_approve": c.auto_approve, "description": DESCRIPTION,
        "participants_count": len(c.participants) + 1, "submissions_count": count(api, c),
        "queue": None, "enable_detailed_results": c.detailed,
        "show_detailed_results_in_submission_panel": True,
        "show_detailed_results_in_leaderboard": True, "auto_run_submissions": c.auto_run,
        "can_participants_make_submissions_public": True, "make_programs_available": False,
        "make_input_data_available": False, "docker_image": "codalab/codalab-legacy:py39",
        "allow_robot_submissions": False, "competition_type": "competition", "fact_sheet": None,
        "forum": c.id, "reward": None, "contact_email": None, "report": None,
        "forum_enabled": True}


def phase(api: "Api", p: Phase, user: str | None) -> dict[str, Any]:
    today, total = api.world.used(user, p) if user else (0, 0)
    tasks = [{"task": t.key, "order_index": 999, "phase": p.id, "id": t.id, "value": t.key,
              "key": t.key, "created_when": "2026-11-25T02:47:59.728081Z", "name": t.name,
              "solutions": [], "public_datasets": []} for t in p.tasks]
    return {**limits(p), "tasks": tasks, "public_data": None, "starting_kit": None,
            "is_final_phase": False, "used_submissions_per_day": today,
            "used_submissions_per_person": total}


def phase_alone(c: Competition, p: Phase) -> dict[str, Any]:
    return {**limits(p), "tasks": [t.key for t in p.tasks], "leaderboard": c.id,
            "public_data": None, "starting_kit": None, "is_final_phase": False}


def limits(p: Phase) -> dict[str, Any]:
    return {"id": p.id, "index": p.index, "start": p.start, "end": p.end, "name": p.name,
            "description": p.description, "status": p.status, "execution_time_limit": p.seconds,
            "has_max_submissions": True, "max_submissions_per_day": p.per_day,
            "max_submissions_per_person": p.per_person, "auto_migrate_to_this_phase": False,
            "hide_output": p.hide_output, "hide_prediction_output": False,
            "hide_score_output": False}


def board(c: Competition) -> dict[str, Any]:
    return {"id": c.id, "primary_index": 0, "title": "Results", "key": "main",
            "columns": columns(c), "hidden": c.hidden_board, "submission_rule": c.rule}


def columns(c: Competition) -> list[dict[str, Any]]:
    return [{"id": col.id, "computation": None, "computation_indexes": None, "title": col.title,
             "key": col.key, "sorting": "desc", "index": col.index, "hidden": False,
             "precision": col.precision} for col in c.columns]


def leaderboard(api: "Api", c: Competition, p: Phase) -> dict[str, Any]:
    """Scores rounded to the columns' precision; of a parent one entry, numbered by a child."""
    entries: dict[int, list[Submission]] = {}
    for row in api.world.submissions.values():
        if row.phase is p and row.on_board and not row.children:
            entries.setdefault(row.parent or row.id, []).append(row)
    ranked = sorted(entries.values(), key=lambda rows: -sum(
        score[3] for row in rows for score in api.world.scores(row) if score[1] == 0))
    precision = {col.key: col.precision for col in c.columns}
    return {
        "title": "Results", "id": p.id,
        "submissions": [{
            "id": rows[0].id, "owner": rows[0].owner,
            "scores": [{"id": number, "index": index, "task_id": task, "column_key": key,
                        "score": str(round(value, precision[key]))}
                       for row in rows for number, index, key, value, task in
                       api.world.scores(row)],
            "detailed_results": [{"task": row.task.id if row.task else 0, "id": row.id}
                                 for row in rows],
            "fact_sheet_answers": None, "slug_url": f"/profiles/user/{rows[0].owner}/",
            "organization": None, "created_when": iso(rows[0].created)} for rows in ranked],
        "tasks": [{"name": t.name, "id": t.id, "colWidth": len(c.columns), "columns": columns(c)}
                  for t in p.tasks],
        "fact_sheet_keys": None, "primary_index": 0}


def upload(api: "Api", u: Upload) -> dict[str, Any]:
    size = float(len(api.storage.files.get(u.path, b""))) or 0
    c = api.world.competitions.get(u.competition or 0)
    return {"id": u.id, "created_by": u.owner, "owner_display_name": u.owner,
            "created_when": u.created, "name": u.name, "type": "submission", "description": None,
            "is_public": False, "key": u.key, "value": u.key, "was_created_by_competition": False,
            "in_use": [], "competition": {"id": c.id, "title": c.title} if c else None,
            "file_name": u.file_name, "file_size": size, "submission_file_size": size,
            "prediction_result_file_size": 0, "scoring_result_file_size": 0,
            "detailed_result_file_size": 0}


def created(row: Submission) -> dict[str, Any]:
    """What the POST answers: the time without seconds and zone."""
    return {"id": row.id, "data": row.upload.key, "phase": row.phase.id, "status": "Submitting",
            "status_details": None, "filename": row.upload.path.rsplit("/", 1)[-1],
            "description": "", "md5": None, "fact_sheet_answers": None, "organization": None,
            "queue": None, "created_when": f"{row.created:%Y-%m-%d %H:%M}", "scores": []}


def submission(api: "Api", row: Submission) -> dict[str, Any]:
    c = api.world.phases()[row.phase.id][0]
    on_board = row.on_board or any(api.world.submissions[k].on_board for k in row.children)
    scores = [{"id": number, "index": index, "score": f"{value:.10f}", "column_key": key}
              for number, index, key, value, _ in api.world.scores(row)]
    shown = row.children[:row.shown]
    body = {
        "phase_name": row.phase.name, "name": "",
        "filename": "Deleted File" if row.deleted else row.upload.path.rsplit("/", 1)[-1],
        "description": "", "created_when": iso(row.created), "is_public": False,
        "is_specific_task_re_run": False, "status": row.status,
        "status_details": row.frame.details, "owner": row.owner,
        "has_children": bool(row.children), "parent": row.parent, "children": shown,
        "pk": row.id, "id": row.id, "phase": row.phase.id, "scores": scores,
        "fact_sheet_answers": None, "leaderboard": c.id if row.on_board else None,
        "on_leaderboard": on_board, "task": task(row.task) if row.task and row.started else None,
        "auto_run": c.auto_run, "can_make_submissions_public": True,
        "is_soft_deleted": row.deleted}
    if row.children and not shown:
        del body["on_leaderboard"]
    return body


def task(t: Task) -> dict[str, Any]:
    return {"id": t.id, "name": t.name, "description": "two features, one label", "key": t.key,
            "created_by": 2, "created_when": "2026-11-25T02:47:59.728081Z", "is_public": False,
            "ingestion_only_during_scoring": False, "validated": False, "input_data": t.key,
            "ingestion_program": t.key, "reference_data": t.key, "scoring_program": t.key,
            "shared_with": []}


def details(api: "Api", row: Submission) -> dict[str, Any]:
    """Presigned addresses. Before the end all files are there and empty."""
    c = api.world.phases()[row.phase.id][0]
    if not row.children:
        fill(api, row)
    sign = api.storage.sign
    return {
        "logs": [{"name": name, "data_file": sign(path)} for name, path in row.logs.items()],
        "data_file": sign(row.upload.path),
        "prediction_result": sign(row.results["prediction_result"]) if row.results else None,
        "detailed_result": (sign(row.results["detailed_result"])
                            if "detailed_result" in row.results else None),
        "scoring_result": sign(row.results["scoring_result"]) if row.results else None,
        "leaderboards": [board(c)] if api.world.scores(row) else [], "fact_sheet_answers": None}


def fill(api: "Api", row: Submission) -> None:
    """Make the log and result files, and fill them when the submission has ended."""
    ended = row.status in ("Finished", "Failed")
    texts = LOGS["raises" if row.status == "Failed" else "good"] if ended else {}
    scoring = ended or row.status in ("Scoring", "Running") or len(row.logs) > 4
    for name in LOG_NAMES if scoring else LOG_NAMES[:4]:
        path = row.logs.setdefault(name, api.new_path("submission_details", f"{name}.txt"))
        text = texts.get(name, "").encode()
        if path not in api.storage.files or text:
            api.storage.put(path, text, "application/zip" if text else "text/plain")
    finished = {"prediction_result": ended, "scoring_result": row.status == "Finished"}
    for kind, there in finished.items():
        path = row.results.setdefault(kind, api.new_path(kind, f"{kind}.zip"))
        api.storage.put(path, zipped(RESULTS[kind]) if there else b"", "application/zip")
    if api.world.phases()[row.phase.id][0].detailed:
        path = row.results.setdefault("detailed_result", api.new_path("detailed_result", "d.html"))
        api.storage.put(path, b"<h1>accuracy</h1>", "text/html")


RESULTS = {"prediction_result": {"model.py": "class Model: pass", "metadata": "exitCode: 0\n",
                                 "predictions.json": "[0, 1]"},
           "scoring_result": {"metadata": "exitCode: 0\n", "scores.json": '{"accuracy": 0.94}'}}


def zipped(members: dict[str, str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return data.getvalue()
