"""Credentials of every kind, and the requests that each may make."""
import base64
import hashlib
import hmac
import json
import re
import time

SECRET = "a secret of the host that signs its tokens"
PHRASES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict", 405: "Method Not Allowed",
           415: "Unsupported Media Type"}
CODES = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 409: ("held", "no_engine"), 405: "method_not_allowed",
         415: "unsupported_media_type"}


def b64(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


def token(claims, secret=SECRET, header=None):
    """A JWT as a host signs it."""
    text = b64(header or {"alg": "HS256", "typ": "JWT"}) + "." + b64(claims)
    return text + "." + b64(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())


def claims(business, role="viewer", lives=3600, now=None, **more):
    made = {"business_id": business, "role": role, "exp": int((now or time.time()) + lives), **more}
    return {name: value for name, value in made.items() if value is not None}


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def cookie_of(answer):
    """Name and value of the cookie that a response sets."""
    values = answer.all("set-cookie")
    assert len(values) == 1, answer
    name, value = values[0].split(";")[0].split("=", 1)
    assert re.fullmatch(r"[\w-]{43}", value), answer
    return f"{name}={value}"


def sign_in(server, credential):
    """The Cookie header of a new session."""
    answer = server.post("/api/session", headers=bearer(credential))
    assert answer.status == 204 and answer.body == b"", answer
    return {"Cookie": cookie_of(answer)}


def problem(answer, status):
    """Asserts that the response is a problem document of that status, with the required fields."""
    assert answer.status == status, answer
    assert answer.header("content-type") == "application/problem+json", answer
    assert answer.header("cache-control") == "no-store", answer
    assert answer.header("x-content-type-options") == "nosniff" and answer.header("referrer-policy") == "no-referrer"
    assert (answer.header("www-authenticate") == "Bearer") == (status == 401), answer
    body = answer.json()
    assert set(body) == {"type", "title", "status", "code", "detail"}, body
    assert (body["type"], body["title"], body["status"]) == ("about:blank", PHRASES[status], status), body
    codes = CODES[status]
    assert body["code"] in (codes if isinstance(codes, tuple) else (codes,)), body
    return body
