"""What the generated requests need to reach something, and a stricter reading of the answers."""

import json
import os
import random
import re

import requests
import schemathesis
from schemathesis.core.parameters import ParameterLocation

with open(os.environ["HOSTLER_KNOWN"], encoding="utf-8") as file:
    # What is there: names and ids by what they can be used for.
    KNOWN = json.load(file)
CHANCE = random.Random(int(os.environ["HOSTLER_SEED"]))
ULID = re.compile("^[0-9A-HJKMNP-TV-Z]{26}$")

# Which known things the path of an operation can name; the others take any job.
PATHS = {
    "GET /v1/accounts/{id}": "accounts",
    "GET /v1/accounts/{id}/traffic": "accounts",
    "POST /v1/jobs/{id}/replay": "failed",
    "POST /v1/jobs/{id}/secret": "secrets",
    "POST /v1/jobs/{id}/secret/ack": "acknowledged",
}


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """A field that the description does not know is outside of it."""
    schemas = raw_schema["components"]["schemas"]
    flattened = set()
    for schema in schemas.values():
        for part in schema.get("allOf", []):
            flattened.add(part.get("$ref", "").rsplit("/", 1)[-1])
    for name, schema in schemas.items():
        if "allOf" in schema:
            schema["unevaluatedProperties"] = False
        elif "properties" in schema and name not in flattened:
            schema.setdefault("additionalProperties", False)


@schemathesis.hook
def before_call(context, case, **kwargs):
    """Names what is there instead of what is made up, in most requests; and waits for no long time."""
    positive = lambda place: not case.meta or not case.meta.is_negative_at(place)
    if positive(ParameterLocation.PATH):
        name_known(case)
    query = case.query or {}
    # A wait is checked for its bounds, not for its patience.
    if str(query.get("wait", "")).isdigit() and 1 < int(query["wait"]) <= 60:
        query["wait"] = 1
    if positive(ParameterLocation.QUERY):
        for name, values in (("server", "servers"), ("cursor", cursors(case)), ("account", "accounts")):
            if isinstance(query.get(name), str) and CHANCE.random() < 0.7:
                query[name] = CHANCE.choice(KNOWN[values])
    body = case.body
    # A key in the header that is another one than in the body hides all that is wrong besides.
    if isinstance(body, dict) and "idempotency_key" in body and positive(ParameterLocation.HEADER):
        (case.headers or {}).pop("Idempotency-Key", None)
        # So does the key of the document's example, once it is used.
        if body["idempotency_key"] == "order-42" and CHANCE.random() < 0.9:
            body["idempotency_key"] = new_key()
    if positive(ParameterLocation.BODY) and isinstance(body, dict):
        for part in [body, body.get("filter")]:
            if isinstance(part, dict) and isinstance(part.get("server"), str) and CHANCE.random() < 0.7:
                part["server"] = CHANCE.choice(KNOWN["servers"])
        of_path = (case.path_parameters or {}).get("kind")
        for request in [body, *(body.get("jobs") or [])]:
            kind = of_path or (isinstance(request, dict) and request.get("kind"))
            if kind and CHANCE.random() < 0.7:
                make_sense(request, kind, case.media_type == "application/x-www-form-urlencoded")
                (case.headers or {}).pop("Idempotency-Key", None)


# The fields of `account` that a kind uses besides those that name it.
USED = {
    "create": ["email", "dedicated_ip"],
    "change_package": ["package"],
    "change_limits": ["limits"],
    "change_password": ["password"],
    "move": ["panel"],
}


def new_key():
    return f"key-{CHANCE.getrandbits(64)}"


def make_sense(request, kind, is_form):
    """Leaves of a request what its kind uses, with an account, a package and a server that are there."""
    account = request.get("account") if isinstance(request.get("account"), dict) else {}
    for field in ("import", "month", "account", "webhook"):
        request.pop(field, None)
    for name in [name for name in request if name.startswith("account")]:
        request.pop(name)
    if CHANCE.random() < 0.9:
        request["idempotency_key"] = new_key()
    if kind in ("get_stats", "get_server_config", "check_connection", "list_accounts"):
        request["server"] = CHANCE.choice(KNOWN["servers"])
        if kind == "get_stats":
            request["month"] = "2026-11"
        return
    given = {"package": "gold", "password": "Correct-Horse-7-Battery", "limits": {"disk_mb": 2000}, "panel": {"target": "1"}}
    given.update({name: value for name, value in account.items() if name in ("email", "dedicated_ip")})
    told = {name: given[name] for name in USED.get(kind, []) if name in given}
    if kind == "create":
        name = f"a{CHANCE.getrandbits(24):06x}"
        request["server"] = CHANCE.choice(KNOWN["servers"])
        told |= {"username": name, "domain": f"{name}.example.com", "package": "gold", "email": "owner@example.com"}
    else:
        request.pop("server", None)
        told["id"] = CHANCE.choice(KNOWN["accounts"])
    if is_form:
        told.pop("limits", None)
        request.update({f"account[{name}]": str(value) for name, value in told.items() if name != "panel"})
    else:
        request["account"] = told


def name_known(case):
    path = case.path_parameters or {}
    if "name" in path and path["name"] not in KNOWN["servers"] and CHANCE.random() < 0.7:
        path["name"] = CHANCE.choice(KNOWN["servers"])
    label = case.operation.label
    if label == "POST /v1/jobs/{id}/cancel" and CHANCE.random() < 0.7:
        path["id"] = waiting_job()
        return
    # An id that was answered stays, but where the operation needs a thing of a certain state.
    answered = ULID.match(str(path.get("id", ""))) and label not in PATHS
    if "id" in path and not answered and CHANCE.random() < 0.8:
        path["id"] = CHANCE.choice(KNOWN[PATHS.get(label, "jobs")])


def waiting_job():
    """A job of its own for a request that can be made once."""
    body = {"kind": "check_connection", "server": "web1", "due_at": KNOWN["later"]}
    headers = {"Authorization": f"Bearer {os.environ['HOSTLER_TOKEN']}"}
    answer = requests.post(KNOWN["base"] + "/v1/jobs", json=body, headers=headers, timeout=20)
    return answer.json()["id"]


def cursors(case):
    return "accounts" if case.operation.label.endswith("/accounts") else "jobs"
