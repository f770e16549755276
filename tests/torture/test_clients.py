"""Clients that bring photos over a network, from loopback: stalled, cut off, and sent again."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

import pytest

from auditing import Audit
from clients import HOST, SFTP_SERVER, SMB, Servers, answers, needs, servers
from deliveries import FAULTS, STALL, Deliver, Delivery, deliver_all
from running import House, eventually
from torture.conftest import Effort, Figures

pytestmark = [pytest.mark.faults, pytest.mark.root]

PAGE = 4096
SAMBA_PYTHON = "/usr/bin/python3"  # Debian's own, for which Samba's bindings are made
SMB_WRITER = Path(__file__).parents[1] / "smb_writer.py"


def over_webdav_by_curl(there: Servers) -> Deliver:
    return lambda given: given.disturbed(
        *("curl", "--fail", "--silent", "--limit-rate", str(given.pace())),
        *("-T", "{" + ",".join(given.paths()) + "}"),
        f"http://{HOST}:{there.webdav}/{given.goal.name}/",
    )


def over_webdav_by_rclone(there: Servers) -> Deliver:
    return _rclone(f":webdav,url='http://{HOST}:{there.webdav}':")


def over_sftp_by_rclone(there: Servers) -> Deliver:
    remote = f":sftp,host={HOST},port={there.ssh},user=root,key_file='{there.key}',shell_type=none:"
    return _rclone(remote, absolute=True)


def by_rclone(there: Servers) -> Deliver:
    return _rclone("", absolute=True)


def _rclone(remote: str, absolute: bool = False) -> Deliver:
    def deliver(given: Delivery) -> None:
        goal = str(given.goal) if absolute else given.goal.name
        pace = f"{max(1, given.pace() >> 10)}k"
        quick = ("--retries=1", "--low-level-retries=1", "--config=/dev/null")
        given.disturbed(
            "rclone", "copy", f"--bwlimit={pace}", *quick, str(given.stage), remote + goal
        )

    return deliver


def over_ftp_by_curl(there: Servers) -> Deliver:
    return lambda given: given.disturbed(
        *("curl", "--fail", "--silent", "--limit-rate", str(given.pace())),
        *("-T", "{" + ",".join(given.paths()) + "}"),
        f"ftp://{HOST}:{there.ftp}/{given.goal.name}/",
    )


def over_ftp_by_lftp(there: Servers) -> Deliver:
    """What was cut off is continued where it ended."""

    def deliver(given: Delivery) -> None:
        script = (
            f"set net:limit-rate {given.pace()}; set net:max-retries 1; set cmd:fail-exit yes; "
            f"mirror -R -c --no-perms {given.stage} {given.goal.name}; bye"
        )
        given.disturbed("lftp", "-p", str(there.ftp), "-e", script, HOST)

    return deliver


def over_sftp(there: Servers) -> Deliver:
    def deliver(given: Delivery) -> None:
        batch = given.stage.with_suffix(".batch")
        batch.write_text("".join(f"put -p {path} {given.goal}/\n" for path in given.paths()))
        pace = str(max(1, given.pace() * 8 >> 10))
        given.disturbed("sftp", "-q", "-l", pace, "-b", str(batch), "-D", SFTP_SERVER)

    return deliver


def over_sftp_resuming(there: Servers) -> Deliver:
    """What was cut off is continued where it ended."""

    def deliver(given: Delivery) -> None:
        batch = given.stage.with_suffix(".batch")
        pace = str(max(1, given.pace() * 8 >> 10))
        command = ("sftp", "-q", "-l", pace, "-b", str(batch), "-D", SFTP_SERVER)
        for number in (*(FAULTS * given.faults)[: given.faults], None):
            batch.write_text("".join(f"{line}\n" for line in _sending(given)))
            ended = given.attempt(command, number)
        assert ended == 0

    return deliver


def _sending(given: Delivery) -> Iterator[str]:
    for name, data in given.photos.items():
        there = given.goal / name
        if not there.exists():
            yield f"put {given.stage / name} {given.goal}/"
        elif there.stat().st_size < len(data):
            yield f"reput {given.stage / name} {given.goal}/"


def over_ssh_by_scp(there: Servers) -> Deliver:
    return lambda given: given.disturbed(
        *("scp", "-q", "-p", "-l", str(max(1, given.pace() * 8 >> 10)), "-P", str(there.ssh)),
        *(*there.ssh_options(), *given.paths(), f"root@{HOST}:{given.goal}/"),
    )


def over_ssh_by_rsync(there: Servers) -> Deliver:
    def deliver(given: Delivery) -> None:
        shell = " ".join(["ssh", "-p", str(there.ssh), *map(quote, there.ssh_options())])
        pace = f"--bwlimit={max(1, given.pace() >> 10)}"
        goal = f"root@{HOST}:{given.goal}/"
        given.disturbed("rsync", "-a", "--partial", pace, "-e", shell, f"{given.stage}/", goal)

    return deliver


def over_smb(there: Servers) -> Deliver:
    """smbclient, fed at a trickle."""

    def deliver(given: Delivery) -> None:
        client = f"smbclient //{HOST}/photos -p {there.smb} -N -s /dev/null"
        given.disturbed("sh", "-ec", "\n".join(_piped(given, client)))

    return deliver


def _piped(given: Delivery, client: str) -> list[str]:
    feed = f"curl --silent --limit-rate {given.pace()} file://"
    return [
        f"{feed}{quote(str(given.stage / name))} | {client} -c 'put - {given.goal.name}/{name}'"
        for name in given.photos
    ]


def over_smb_like_windows(there: Servers) -> Deliver:
    """Each file gets its size first. Some are given up in their middle, and sent again later."""
    command = (SAMBA_PYTHON, str(SMB_WRITER), HOST, "photos")

    def line(given: Delivery, name: str, seconds: float) -> bytes:
        at = given.dice.randrange(len(given.photos[name]) - 2 * PAGE) // PAGE * PAGE
        target = f"{given.goal.name}\\{name}"
        return f"{given.stage / name}\t{target}\t{at}\t{seconds}\n".encode()

    def deliver(given: Delivery) -> None:
        chosen = given.dice.sample(sorted(given.photos), min(len(given.photos), given.faults))
        for name in chosen[::2]:
            with fed(command, line(given, name, 600)):
                size = len(given.photos[name])
                eventually(lambda name=name, size=size: _size(given.goal / name) == size)
            given.lie()
        lines = [line(given, name, STALL if name in chosen else 0) for name in given.photos]
        with fed(command, b"".join(lines)) as process:
            assert process.wait(300) == 0

    return deliver


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1


@contextmanager
def fed(command: Sequence[str], lines: bytes) -> Iterator["subprocess.Popen[bytes]"]:
    """A program with these lines on its input; ended when it is not needed any more."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        assert process.stdin is not None
        process.stdin.write(lines)
        process.stdin.close()
        yield process
    finally:
        process.kill()
        process.wait()


def over_http_at_a_trickle(there: Servers) -> Deliver:
    """A download that writes under the last name, and is continued where it ended."""

    def deliver(given: Delivery) -> None:
        get = f"curl --fail --silent --limit-rate {given.pace()} -C -"
        web = f"http://{HOST}:{there.http}/{given.stage.name}"
        lines = [
            f"test $(stat -c %s {given.goal}/{name} 2>&-0 || echo 0) = {len(data)} || "
            f"{get} -o {given.goal}/{name} {web}/{name}"
            for name, data in given.photos.items()
        ]
        given.disturbed("sh", "-ec", "\n".join(lines).replace("2>&-0", "2>/dev/null"))

    return deliver


CLIENTS = {
    "WebDAV, curl": over_webdav_by_curl,
    "WebDAV, rclone": over_webdav_by_rclone,
    "FTP, curl": over_ftp_by_curl,
    "FTP, lftp": over_ftp_by_lftp,
    "SFTP, sftp": over_sftp,
    "SFTP, sftp resuming": over_sftp_resuming,
    "SFTP, rclone": over_sftp_by_rclone,
    "SSH, scp": over_ssh_by_scp,
    "SSH, rsync --partial": over_ssh_by_rsync,
    "SMB, smbclient": over_smb,
    "SMB, size first as Windows does": over_smb_like_windows,
    "HTTP, curl": over_http_at_a_trickle,
    "rclone": by_rclone,
}


def needs_samba_bindings() -> None:
    tried = [SAMBA_PYTHON, "-c", "from samba.samba3 import libsmb_samba_internal"]
    if subprocess.run(tried, capture_output=True, check=False).returncode:
        pytest.skip("needs python3-samba")
    if answers(SMB):
        pytest.skip("needs port 445 of loopback")


def _directory(words: str) -> str:
    return words.replace(", ", "-").replace(" --", "-").replace(" ", "-").lower()


def test_clients_that_are_stalled_killed_and_come_again(
    house: House, audit: Audit, effort: Effort, figures: Figures, tmp_path: Path
) -> None:
    needs("rclone", "curl", "vsftpd", "lftp", "smbd", "smbclient", "rsync")
    needs("sshd", "ssh", "ssh-keygen", "sftp", "scp", SFTP_SERVER, SAMBA_PYTHON)
    needs_samba_bindings()
    count, faults = effort.of(2, 200), effort.of(1, 30)
    stage = house.base / "stage"
    stage.mkdir()
    with servers(tmp_path / "servers", house.dcim, stage) as there:
        writers = {_directory(words): make(there) for words, make in CLIENTS.items()}
        given = deliver_all(house, audit, writers, count, faults, at_once=13, seed=50)
    partial = sum(each.partial for each in given.values())
    assert partial
    note = f"{partial:,} times a photo lay there incomplete for longer than `settle.quiet`"
    words = "; ".join(CLIENTS)
    figures.add("writers", words, len(CLIENTS), count * len(CLIENTS), note)
