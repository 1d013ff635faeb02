"""What the failures of remotes mean, in plain words."""

import re

from dvckit.core.errors import one_line

ABSENT = "it does not have the object"
OTHER = "what answers is no remote of DVC's"
CLOSED = "it closed the connection before its answer was complete; try again later"
BUSY = r"its server has an error (HTTP \1); try again later"

# The first that fits. The text is the courier's, DVC's or the server's.
MEANING = {
    r"app (is|has been) blocked|access_denied|admin_policy_enforced": "Google refuses DVC's own app: make an OAuth client "
    "of your own and set gdrive_client_id and gdrive_client_secret with `dvc remote modify --local`",
    r"do not have storage quota|storageQuotaExceeded": "a service account has no storage of its own: let the remote's url "
    "be a folder in a shared drive of which the account is a member",
    r"invalid_grant|expired or revoked|invalid_client|Failed to authenticate GDrive": "Google refuses the "
    "credentials (expired, revoked, or of another client): make new ones at a terminal with `dvc pull -r`",
    r"cannotDownloadAbusiveFile|acknowledgeAbuse": "Google calls a file harmful: set gdrive_acknowledge_abuse to true",
    r"NoCredentials|Unable to locate credentials": "there are no credentials",
    r"HTTP 407|\(407\)|\b407 Proxy|ProxyAuth": "a proxy on the way refuses (HTTP 407); set HTTPS_PROXY to http://USER:PASSWORD@PROXY",
    r"InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|HTTP 40[13]|\(40[13]\)|HttpError 40[13]|Forbidden|Unauthorized":
    "the credentials are refused",
    r"NoSuchBucket|bucket does not exist": "there is no such bucket",
    r"PermissionDenied|Permission denied": "access is denied",
    r"[Hh]ost key": "the server's key is not known: connect once with `ssh`, and compare the key",
    r"no answer within": "",
    r"Connect call failed|Connection refused|Could not connect": "the connection is refused",
    r"CERTIFICATE_VERIFY_FAILED": "its certificate is not trusted; name yours with `dvc remote modify NAME ssl_verify FILE`",
    r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|record layer failure": f"{OTHER}: it does not speak TLS, as its url says",
    r"Data after": f"{OTHER}: its answers are longer than it says",
    r"TooManyRedirects": f"{OTHER}: it redirects in a circle",
    r"multi-?status": f"{OTHER}: it does not speak WebDAV",
    r"[Bb]ad ?status|BadHttp|RemoteProtocolError.*(?i:illegal|invalid)|Expected HTTP/": f"{OTHER}: it does not speak HTTP",
    r"ContentEncoding|content-encoding|DecodingError|Error -3 while decompressing": OTHER,
    r"(?:HTTP |\()(5\d\d)\b": BUSY,
    r"HTTP 429|SlowDown": "it takes no more requests for now; try again later",
    r"Disconnected|[Cc]onnection (was )?(reset|lost|closed)|ConnectionReset|Connection aborted|PayloadError|IncompleteRead": CLOSED,
    r"RemoteProtocolError|ReadError|EOFError": CLOSED,
    r"HTTP (\d{3})": rf"{OTHER} (HTTP \1)",
    r"FileNotFoundError|NoSuchKey": ABSENT,
}  # fmt: skip


def plain_words(message: str) -> str:
    """Return what a failure of a remote means, in plain words; the message itself where it is not known."""
    for pattern, meaning in MEANING.items():
        if match := re.search(pattern, message):
            return match.expand(meaning) if meaning else message
    return re.sub(r"^`[^`]*` failed: (ERROR: )?", "", one_line(message))
