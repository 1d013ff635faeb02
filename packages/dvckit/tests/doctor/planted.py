"""Files with made-up secrets of many kinds; each is put together here, so that no file of this repository holds one."""

import base64
import json
import random
import string
from collections.abc import Iterator

LETTERS, DIGITS = string.ascii_letters, string.digits
WORDS = LETTERS + DIGITS
HEX = "0123456789abcdef"
DRAW = random.Random(7)


def drawn(length: int, signs: str = WORDS) -> str:
    return "".join(DRAW.choice(signs) for _ in range(length))


def block(kind: str) -> str:
    body = "\n".join(drawn(64) for _ in range(12))
    return f"-----BEGIN {kind}-----\n\n{body}\n-----END {kind}-----\n"


def part(**content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def planted() -> Iterator[tuple[str, bytes]]:
    """Yield name and content of a file for each kind."""
    key, word, dash = "PRIVATE" + " KEY", "pass" + "word", "-"
    texts = {
        "hugging_face.txt": f"hf_{drawn(34, LETTERS)}",
        "gitlab.py": f'TOKEN = "glpat-{drawn(20)}"',
        "github_fine.txt": f"github_pat_{drawn(22)}_{drawn(59)}",
        "github.txt": f"use ghp_{drawn(36)}",
        "slack.txt": f"xoxb-{drawn(12, DIGITS)}-{drawn(12, DIGITS)}-{drawn(24)}",
        "slack_hook.txt": f"https://hooks.slack.com/services/T{drawn(8).upper()}/B{drawn(8).upper()}/{drawn(24)}",
        "google.js": f'key = "AIza{drawn(35)}"',
        "google_client.json": json.dumps({"installed": {"client_secret": f"GOCSPX-{drawn(28)}"}}),
        "google_service.json": json.dumps({"type": "service_account", "private_key": block(key)}),
        "home/netrc": f"machine example.org login me {word} {drawn(12)}",
        "settings.ini": f"db_{word} = {drawn(14)}",
        "settings.yaml": f"{word}: '{drawn(14)}'",
        "prod.env": f"API_SECRET={drawn(24)}",
        "jwt.txt": f"Bearer {part(alg='HS256', typ='JWT')}.{part(sub='1234567890', iat=1516239022)}.{drawn(43)}",
        "stripe.txt": f"sk_live_{drawn(24)}",
        "openai.txt": f"key sk-proj-{drawn(74)}T3BlbkFJ{drawn(74)}",
        "anthropic.txt": f"key sk-ant-api03-{drawn(93)}AA",
        "pgp.asc": block(f"PGP {key} BLOCK"),
        "putty.txt": f"PuTTY-User{dash}Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\n{drawn(64)}",
        "openssh": block(f"OPENSSH {key}"),
        "server.pem": block(f"RSA {key}"),
        "encrypted.pem": block(f"ENCRYPTED {key}"),
        "deploy_key_named_otherwise": block(f"EC {key}"),
        "azure.txt": f"AccountName=a;AccountKey={base64.b64encode(drawn(64).encode()).decode()};EndpointSuffix=x",
        "azure_signed.txt": f"https://a.blob.core.windows.net/c?sv=2023-01-03&sr=c&sig={drawn(42)}%3D",
        "kaggle-copy.json": json.dumps({"username": "me", "key": drawn(32, HEX)}),
        "clearml-copy.conf": f'api {{ credentials {{ "secret_key" = "{drawn(50)}" }} }}',
        "aws.txt": f"AKIA{drawn(16, string.ascii_uppercase + '234567')}",
        "aws_secret.txt": f"aws_secret_access_key = {drawn(40)}",
        "npmrc.txt": f"//registry.npmjs.org/:_authToken=npm_{drawn(36)}",
        "pypi.txt": f"pypi-AgEIcHlwaS5vcmc{drawn(120)}",
        "database.py": f'URL = "postgresql+psycopg://me:{drawn(12)}@db.internal/x"',
        "redis.txt": f"redis://:{drawn(12)}@cache.internal:6379/0",
        "clone.md": f"git clone https://me:{drawn(12)}@git.internal/x.git",
        "clone_token.md": f"git clone https://{drawn(40, HEX)}@git.internal/x.git",
        "wandb.txt": f"WANDB_API_KEY={drawn(40, HEX)}",
        "docker.json": json.dumps({"auths": {"x": {"auth": base64.b64encode(f"me:{drawn(20)}".encode()).decode()}}}),
        "with space.txt": f"ghp_{drawn(36)}",
        "-dash.txt": f"ghp_{drawn(36)}",
        "línea\n.txt": f"ghp_{drawn(36)}",
    }
    yield from ((name, f"{text}\n".encode()) for name, text in texts.items())
    yield "utf16.txt", f"ghp_{drawn(36)}\n".encode("utf-16")
    yield "utf16be.txt", f"ghp_{drawn(36)}\n".encode("utf-16-be")
