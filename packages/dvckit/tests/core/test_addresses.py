import pytest

from dvckit.core.addresses import address, without_secrets
from dvckit.core.errors import UserError, one_line

WORD = "hunt" + "er2"
ADDRESSES = {
    f"https://{WORD}@git.example/x.git": "https://git.example/x.git",
    f"https://me:{WORD}@git.example/x.git": "https://git.example/x.git",
    f"https://oauth2:{WORD}@git.example:8443/x": "https://git.example:8443/x",
    f"https://me:a@{WORD}@git.example/x": "https://git.example/x",
    f"https://me:a/{WORD}@git.example/x": "https://git.example/x",
    f"https://me:a#{WORD}?{WORD}@git.example/x": "https://git.example/x",
    f"https://me:a%40{WORD}@git.example/a%20b": "https://git.example/a%20b",
    f"https://git.example/x?access_token={WORD}": "https://git.example/x",
    f"https://git.example/x#{WORD}": "https://git.example/x",
    f"https://a.blob.core.windows.net/c?sv=1&sig={WORD}%3D": "https://a.blob.core.windows.net/c",
    f"postgresql+psycopg2://me:p@{WORD}/w?rd@db:5432/x?sslmode=require": "postgresql+psycopg2://db:5432/x",
    f"mysql+pymysql://root:{WORD}@localhost/x": "mysql+pymysql://localhost/x",
    f"mssql+pyodbc:///?odbc_connect=PWD%3D{WORD}": "mssql+pyodbc:///",
    f"redis://:{WORD}@cache:6379/0": "redis://cache:6379/0",
    f"http://me:{WORD}@[::1": "http://[::1",
    f"http://me:{WORD}@[::1]:80/x": "http://[::1]:80/x",
    f"http://me:{WORD}@host:port/": "http://host:port/",
    f"jdbc:postgresql://me:{WORD}@db/x": "jdbc:postgresql://db/x",
    f"ssh://git:{WORD}@host/x": "ssh://git@host/x",
    f"me:{WORD}@host:x": "me@host:x",
    f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={WORD}==;EndpointSuffix=e": (
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=…;EndpointSuffix=e"
    ),
    f"host=db user=me password='{WORD} x' dbname=x": "host=db user=me password=… dbname=x",
    f"Server=db;Uid=me;Pwd={{{WORD};}};": "Server=db;Uid=me;Pwd=…;",
}
PLAIN = [
    "git@github.com:x/y.git",
    "ssh://git@host:22/x",
    "https://host/path@v1.0",
    "https://host:8080/a@b",
    "http://[::1",
    "http://[fe80::1]:80/x",
    "sqlite:////home/me@x/study.db",
    "sqlite:///study.db",
    "s3://bucket/x",
    r"C:\Users\me@x",
    r"\\server\share",
    "reports:model@v1.0.0",
    "../storage",
    "",
]


@pytest.mark.parametrize(("written", "shown"), ADDRESSES.items())
def test_an_address_is_named_without_its_secrets(written, shown):
    assert address(written) == shown
    assert address(shown) == shown


@pytest.mark.parametrize("plain", PLAIN)
def test_an_address_without_secrets_stays(plain):
    assert address(plain) == plain


@pytest.mark.parametrize("written", [one for one in ADDRESSES if not one.startswith("me:")])
def test_no_error_quotes_a_secret(written):
    told = f"cannot open '{written}': refused, see https://docs.example/e"

    assert WORD not in str(UserError(told))
    assert WORD not in one_line(ValueError(told))
    assert without_secrets(told).endswith(": refused, see https://docs.example/e")
