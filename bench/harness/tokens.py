"""Tokens of many users, signed with HS256, and the config of a server that takes them."""

import base64
import hmac
import json
import time

SECRET = "a secret for the benchmark alone, 32 bytes and more"
VALID_SECONDS = 3600

# All lines come from one address and at once; everything else is as a file has it.
CONFIG = f"""\
[auth]
handshake = true
keys = [{{algorithm = "HS256", secret = "{SECRET}"}}]

[namespace.default]
subscribe = "authenticated"

[limits]
connections_per_ip = 0
admission = "off"
"""


def tokens(users: int) -> str:
    """One token a line, each for another user."""
    return "".join(f"{_token(f'user-{number}')}\n" for number in range(users))


def _token(user: str) -> str:
    head = _part({"alg": "HS256", "typ": "JWT"})
    claims = _part({"sub": user, "exp": int(time.time()) + VALID_SECONDS})
    signature = hmac.digest(SECRET.encode(), f"{head}.{claims}".encode(), "sha256")
    return f"{head}.{claims}.{_base64(signature)}"


def _part(value: dict) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
