"""The one way to name an address: without what only its owner may know.

Regular expressions, not urlsplit, which refuses some addresses, and takes a password with a slash for a host.
"""

import re

_KEEPS_USER = ("ssh", "sftp", "git+ssh", "ssh+git")  # a server for all of whose users there is one name, such as git
_URL = re.compile(r"""(?P<scheme>[A-Za-z][\w+.-]*)://(?P<rest>[^\s'"<>`]*)""")
_HOST = re.compile(r"(?:\[[^]]*\]?|[^:@]*)(?::\d*)?")
_SCP = re.compile(r"(?P<user>[\w.-]+):[^@/\\\s]*@(?=[\w.-]+:)")  # of scp and git: user:password@host:path
# What connection strings of databases and of Azure call a secret, and what signed addresses do, each with its value.
_SETTING = re.compile(
    r"(?i)(?P<name>\b(?:account_?key|shared_?access_?key|shared_?access_?signature|(?:\w*_)?password|passwd|pwd|passphrase"
    r"|(?:\w*_)?secret(?:_?key)?|(?:\w*_)?token|api_?key|sig)=)(?:\{[^}]*\}|'[^']*'|\"[^\"]*\"|[^\s;&,'\"]+)"
)


def without_secrets(text: str) -> str:
    """Return a text, such as an error's, with each address and connection string in it without its secrets."""
    return _SETTING.sub(r"\g<name>…", _URL.sub(_without_secret, text))


def address(url: str) -> str:
    """Return one address: a URL, one of scp and git, a connection string, or a path, which stays."""
    return without_secrets(url if "://" in url else _SCP.sub(r"\g<user>@", url))


def _without_secret(url: re.Match[str]) -> str:
    authority = re.split("[/?#]", url["rest"], maxsplit=1)[0]
    user, at, place = authority.rpartition("@")
    if ":" in user or not (at or _HOST.fullmatch(authority)):
        # a password may have any sign, also those that end the authority
        user, at, place = url["rest"].rpartition("@")
    else:
        place = url["rest"].removeprefix(user + at)
    place = re.split("[?#]", place, maxsplit=1)[0]
    name = f"{user.partition(':')[0]}@" if at and url["scheme"].lower() in _KEEPS_USER else ""
    return f"{url['scheme']}://{name}{place}"
