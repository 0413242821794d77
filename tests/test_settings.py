import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.providers import SIGNATURES, Provider
from ledger.settings import DATA_DIR_OF_ROOT, Settings, SettingsError, masked


def test_an_empty_environment_gives_the_embedded_server_on_this_machine_only(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = Settings.from_environment({"HOME": "/home/ada", "LEDGER_PORT": " "})

    assert found.database_url is None
    assert found.data_dir == Path("/home/ada/.local/share/decision-ledger")
    assert (found.host, found.port, found.workers) == ("127.0.0.1", 8000, 1)


def test_data_of_root_go_where_the_servers_user_can_follow(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert Settings.from_environment({"HOME": "/root"}).data_dir == DATA_DIR_OF_ROOT
    assert Settings.from_environment({"XDG_DATA_HOME": "/srv"}).data_dir == Path("/srv/decision-ledger")


def test_each_variable_is_taken():
    found = Settings.from_environment(
        {
            "LEDGER_DATABASE_URL": "postgresql://u@h/d",
            "LEDGER_DATA_DIR": "/srv/a b",
            "LEDGER_HOST": "0.0.0.0",
            "LEDGER_PORT": "0",
            "LEDGER_WORKERS": "3",
            "LEDGER_POOL_SIZE": "9",
            "LEDGER_FOLLOW": "no",
            "LEDGER_TOKEN_PEPPER": "ab" * 32,
            "LEDGER_LOG_LEVEL": "debug",
            "LEDGER_SEAL_FOLDER": "/mnt/outside",
        }
    )

    assert found == Settings(
        database_url="postgresql://u@h/d",
        data_dir=Path("/srv/a b"),
        host="0.0.0.0",
        port=0,
        workers=3,
        pool_size=9,
        follow=False,
        token_pepper=b"\xab" * 32,
        log_level="DEBUG",
        seal_folder=Path("/mnt/outside"),
    )
    assert found.pepper() == b"\xab" * 32
    assert found.log_level_number == 10


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("LEDGER_PORT", "65536", "from 0 to 65535"),
        ("LEDGER_PORT", "http", "from 0 to 65535"),
        ("LEDGER_PORT", "-1", "from 0 to 65535"),
        ("LEDGER_PORT", "٨٠", "from 0 to 65535"),
        ("LEDGER_WORKERS", "0", "from 1 to 64"),
        ("LEDGER_POOL_SIZE", "201", "from 1 to 200"),
        ("LEDGER_LOG_LEVEL", "LOUD", "DEBUG, INFO"),
        ("LEDGER_FOLLOW", "maybe", "yes or no"),
        ("LEDGER_HOST", "a b", "one address"),
        ("LEDGER_DATABASE_URL", "host=x password=hunter2", "postgresql://"),
        ("LEDGER_TOKEN_PEPPER", "hunter2", "openssl rand -hex 32"),
        ("LEDGER_OIDC", "/there/is/none", "No such file"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_what_it_takes_and_no_secret(name, value, says):
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({name: value})

    assert str(refused.value).startswith(f"{name} must be")
    assert says in str(refused.value)
    assert "hunter2" not in str(refused.value)


STAFF = """
[[provider]]
issuer = "https://id.example/realm"
audience = "https://ledger.example"
jwks_url = "http://127.0.0.1:8080/jwks"
"""
PARTNERS = """
[[provider]]
issuer = "https://partners.example"
audience = "ledger"
jwks_url = "https://partners.example/keys"
types = ["jwt", "at+jwt"]
algorithms = ["ES256"]
scopes = []
"""


def test_identity_providers_are_tables_of_a_file(tmp_path):
    file = tmp_path / "providers.toml"
    file.write_text(STAFF + PARTNERS)
    assert Settings.from_environment({}).oidc == ()
    staff, partners = Settings.from_environment({"LEDGER_OIDC": str(file)}).oidc
    assert staff == Provider("https://id.example/realm", "https://ledger.example", "http://127.0.0.1:8080/jwks")
    assert staff.algorithms == SIGNATURES
    assert (partners.types, partners.algorithms, partners.scopes) == ({"jwt", "at+jwt"}, {"ES256"}, frozenset())


def test_the_page_shows_a_file_of_providers_that_is_one_and_names_every_key(tmp_path):
    page = (Path(__file__).parents[1] / "docs/access.md").read_text("utf-8")
    (shown,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    file = tmp_path / "providers.toml"
    file.write_text(shown)
    assert len(Settings.from_environment({"LEDGER_OIDC": str(file)}).oidc) == 2
    told = page.split("## Identity providers")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE) == list(Provider.__struct_fields__)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has 0"),
        (STAFF * 17, "has 17"),
        (STAFF * 2, "https://id.example/realm 2 times"),
        ("[[provider]", "is none"),
        ("provider = 3", "is none"),
        (STAFF.replace("audience", "audiences"), "audience"),
        (STAFF + 'secret = "x"', "secret"),
        (STAFF.replace("https://id.example/realm", "http://id.example"), "provider 1, issuer must be an https address"),
        (STAFF.replace("http://127.0.0.1", "http://localhost.evil.example"), "jwks_url must be an https address"),
        (STAFF.replace("https://ledger.example", " "), "audience is empty"),
        (PARTNERS.replace('["jwt", "at+jwt"]', '["jws"]'), "types must be some of at+jwt, jwt"),
        (PARTNERS.replace("ES256", "HS256"), "algorithms must be some of ES256"),
        (PARTNERS.replace("ES256", "none"), "algorithms must be some of ES256"),
        (PARTNERS.replace('["ES256"]', "[]"), "algorithms must be some of ES256"),
        (STAFF + 'scopes_max = ["graphql:all"]', "scopes_max must be some of graphql:free-form"),
        (STAFF + PARTNERS.replace("[]", '["metrics:read"]'), "provider 2, scopes must be some of graphql:free-form"),
    ],
)
def test_a_file_of_providers_that_cannot_be_is_refused_with_what_is_wrong(tmp_path, text, says):
    file = tmp_path / "providers.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match="LEDGER_OIDC must") as refused:
        Settings.from_environment({"LEDGER_OIDC": str(file)})
    assert says in str(refused.value)


def test_all_faults_are_told_at_once():
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({"LEDGER_PORT": "x", "LEDGER_WORKERS": "x"})

    assert [line.split()[0] for line in str(refused.value).splitlines()] == ["LEDGER_PORT", "LEDGER_WORKERS"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:hunter2@h:5432/d?sslmode=require", "postgresql://ada:***@h:5432/d?sslmode=require"),
        ("postgresql://ada:p@ss/hunter2@h/d", "postgresql://ada:***@h/d"),
        ("postgresql://ada@/d?host=/x&password=hunter2&a=b", "postgresql://ada@/d?host=/x&password=***&a=b"),
        ("postgresql://h/d?sslpassword=hunter2", "postgresql://h/d?sslpassword=***"),
        ("postgresql://ada@h/d", "postgresql://ada@h/d"),
    ],
)
def test_no_secret_is_shown(url, shown):
    found = Settings(url, Path("/x"), token_pepper=b"hunter2" * 5)

    assert masked(url) == shown
    assert shown in repr(found)
    assert "hunter2" not in repr(found)
    assert "hunter2" not in f"{found}"


def test_a_pepper_is_made_once_and_for_its_owner_only(tmp_path):
    folder = tmp_path / "new"
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: Settings(None, folder).pepper(), range(32)))

    assert len(made) == 1
    assert len(made.pop()) == 32
    assert (folder / "token-pepper").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == ["token-pepper"]


def test_a_pepper_that_others_may_read_is_refused(tmp_path):
    Settings(None, tmp_path).pepper()
    (tmp_path / "token-pepper").chmod(0o640)

    with pytest.raises(SettingsError, match="chmod 600"):
        Settings(None, tmp_path).pepper()


def test_a_pepper_cut_short_is_refused_and_not_replaced(tmp_path):
    path = tmp_path / "token-pepper"
    path.touch(mode=0o600)

    with pytest.raises(SettingsError, match="must hold 32 bytes"):
        Settings(None, tmp_path).pepper()
    assert path.read_bytes() == b""
