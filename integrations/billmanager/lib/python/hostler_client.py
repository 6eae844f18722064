"""Hostler's HTTP API for BILLmanager's processing module: one running operation is one job, however often
BILLmanager starts it, and no call waits longer than it may. The twin of integrations/php/HostlerClient.php, for the
standard library of Python 3.6 and newer."""

import json
import math
import time
import urllib.error
import urllib.parse
import urllib.request

CONNECT = 5
AT_ONCE = 10
LONGEST_WAIT = 60
AT_REST = ("succeeded", "failed", "held", "cancelled")
DEAD = ("terminated", "failed", "conflict")
# Kinds in which another body is another intent, not the same one told in other words.
TOLD_BY_BODY = ("change_password", "change_package", "change_limits")


class Failure(Exception):
    """Why a call cannot say "done"; its text is fit for a customer, `detail` for the staff. Neither holds a secret."""

    def __init__(self, reason, message, detail=""):
        super().__init__(message)
        self.reason = reason
        self.detail = detail or message

    def passes(self):
        """Whether the same call is right again later, without a person."""
        return self.reason in ("pending", "unreachable")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token goes where the settings say and nowhere else."""

    def redirect_request(self, *_):
        return None


class Client:
    """The API at `base`; `note` takes one line a call, without bodies."""

    def __init__(self, base, token, patience=20, note=lambda line: None):
        self.base = base.rstrip("/")
        self.token = token
        self.patience = max(1, patience)
        self.note = note
        self.until = time.monotonic() + self.patience
        # No proxy of the environment either.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())

    def create(self, server, reference, account, operation):
        """Makes the account, or finds the job that does so already; its password is then the one given."""
        request = {"kind": "create", "server": server, "account": dict(account, reference=reference)}
        job, same_body = self._put(reference, request, operation)
        self._done(job)
        if not same_body and account.get("password"):
            self.change("change_password", reference, {"password": account["password"]}, operation)
        return job

    def change(self, kind, reference, account, operation, reason=""):
        """Another kind of job for the account of a reference."""
        request = {"kind": kind, "account": dict(account, reference=reference)}
        if reason:
            request["reason"] = reason[:500]
        job, _ = self._put(reference, request, operation)
        self._done(job)
        return job

    def login_url(self, reference):
        """A link that logs the account's owner in; it works once, so nothing is kept of it."""
        job = self._now({"kind": "login_url", "account": {"reference": reference}})
        path = "/v1/jobs/" + job["id"] + "/secret"
        secret = self._good(self._call("POST", path, {}))
        self._call("POST", path + "/ack", {})
        return secret["login_url"]

    def check(self, server):
        """Whether Hostler answers, takes this token, knows the server, and reaches it."""
        self._read("/v1/servers/" + urllib.parse.quote(server, safe=""))
        self._now({"kind": "check_connection", "server": server})

    def takes_password(self, server, password):
        """Whether a server's panel takes a password as it is: some change characters like `&` or `;`."""
        rules = self._read("/v1/servers/" + urllib.parse.quote(server, safe="")).get("rules") or {}
        rule = rules.get("password")
        if rule is None:
            return True
        fits = rule["min_length"] <= len(password) <= rule["max_length"]
        return fits and all(letter in rule["alphabet"] for letter in password)

    def read_packages(self, server):
        """Hostler reads the server's packages anew."""
        self._now({"kind": "get_server_config", "server": server})

    def packages(self, server):
        """The names of a server's packages."""
        path = "/v1/servers/" + urllib.parse.quote(server, safe="") + "/packages"
        return [package["name"] for package in self._read(path)["items"]]

    def usage(self, server, month):
        """A month's use of all the platform's accounts on a server."""
        path = "/v1/servers/" + urllib.parse.quote(server, safe="") + "/usage?month=" + month
        return self._read(path)

    def _now(self, request):
        """A job that reads, run to its end."""
        job = self._wait(self._good(self._call("POST", "/v1/jobs?wait=%d" % self._left(), request)))
        self._done(job)
        return job

    def _put(self, reference, request, operation):
        """Puts the job of an intent in, or finds it; and whether it was asked for by this very body.

        The key is REFERENCE:KIND:OPERATION:GENERATION. The operation is BILLmanager's running operation. A job of it
        that failed was looked at by a person before the operation is started again: that is the next generation."""
        stem = "%s:%s:%s:" % (reference, request["kind"], operation or "by-hand")
        generation, newest = self._newest_generation(stem)
        if newest is None or self._over(newest, operation):
            newest = None
            generation += 1
        status, answer = self._submit(request, stem + str(generation))
        if status == 409 and _problem(answer) == "idempotency_key_reused":
            if request["kind"] not in TOLD_BY_BODY:
                return self._wait(newest or self._job_of(stem + str(generation))), False
            status, answer = self._submit(request, stem + str(generation + 1))
        return self._wait(self._good((status, answer))), True

    @staticmethod
    def _over(job, operation):
        if job["state"] == "succeeded" and job["kind"] == "create":
            return (job["account"] or {}).get("state", "terminated") in DEAD
        if job["state"] == "succeeded":
            return not operation
        return job["state"] in ("failed", "cancelled")

    def _newest_generation(self, stem):
        job, known, free = None, 0, 1
        while True:
            found = self._job_of(stem + str(free))
            if found is None:
                break
            job, known, free = found, free, free * 2
        while free - known > 1:
            middle = (known + free) // 2
            found = self._job_of(stem + str(middle))
            if found is None:
                free = middle
            else:
                job, known = found, middle
        return known, job

    def _job_of(self, key):
        items = self._read("/v1/jobs?limit=1&idempotency_key=" + urllib.parse.quote(key, safe=""))["items"]
        return items[0] if items else None

    def _submit(self, request, key):
        return self._call("POST", "/v1/jobs?wait=%d" % self._left(), request, key)

    def _wait(self, job):
        while job["state"] not in AT_REST and self._left() > 0:
            job = self._read("/v1/jobs/%s?wait=%d" % (job["id"], self._left()))
        return job

    @staticmethod
    def _done(job):
        state, error = job["state"], job["error"] or {}
        if state == "succeeded":
            return
        which = "Hostler job %s, %s, %s" % (job["id"], job["kind"], state)
        said = error.get("message") or ""
        if state == "failed":
            raise Failure(error.get("code", "failed"), ("The server refused this: " + said).rstrip(": "), which)
        if state == "held":
            text = "This needs a look by our staff. Nothing is lost."
            raise Failure("held", text, "%s %s %s" % (which, error.get("code", ""), said))
        if state == "cancelled":
            raise Failure("cancelled", "This was cancelled.", which)
        waits = (job["waiting_for"] or {}).get("reason")
        which += ", waits for: " + waits if waits else ""
        raise Failure("pending", "This takes longer than usual and goes on by itself.", which)

    def _left(self):
        return int(min(LONGEST_WAIT, max(0, math.ceil(self.until - time.monotonic()))))

    def _read(self, path):
        return self._good(self._call("GET", path))

    @staticmethod
    def _good(answered):
        status, answer = answered
        if status < 300:
            return answer
        detail = "%d %s: %s" % (status, _problem(answer), answer.get("detail", ""))
        if status in (409, 422):
            reason = "invalid" if status == 422 else _problem(answer)
            raise Failure(reason, "This cannot be done: " + answer.get("detail", ""), detail)
        if status in (401, 403, 404):
            raise Failure("not_allowed", "The billing system may not do this on the server.", detail)
        raise _unreachable(detail)

    def _call(self, method, path, body=None, key=None):
        seconds = AT_ONCE
        if "wait=" in path:
            seconds = CONNECT + int(path.rsplit("wait=", 1)[1])
        headers = {"Accept": "application/json", "Authorization": "Bearer " + self.token}
        data = None
        if body is not None:
            data = json.dumps(body).encode("utf-8")
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        request = urllib.request.Request(self.base + path, data=data, headers=headers, method=method)
        try:
            with self.opener.open(request, timeout=seconds) as response:
                status, text = response.status, response.read()
        except urllib.error.HTTPError as refused:
            status, text = refused.code, refused.read()
        except (OSError, ValueError) as error:
            self.note("%s %s -> %s" % (method, path, type(error).__name__))
            raise _unreachable(str(error)) from None
        try:
            answer = json.loads(text.decode("utf-8"))
        except ValueError:
            raise _unreachable("%d and no JSON" % status) from None
        named = isinstance(answer, dict)
        said = [str(answer[name]) for name in ("id", "state", "type", "detail") if named and answer.get(name)]
        asked = [word for word in ((body or {}).get("kind"), key) if word]
        self.note(" ".join([method, path] + asked + ["->", str(status)] + said))
        return status, answer


def _problem(answer):
    return str(answer.get("type", "")).rsplit(":", 1)[-1]


def _unreachable(detail):
    return Failure("unreachable", "The hosting system cannot be reached at the moment. Nothing is lost.", detail)
