"""Servers on loopback that write what their clients send below one directory, each on its port."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from running import eventually

HOST = "127.0.0.1"
SMB = 445  # Samba's bindings know no other port
SFTP_SERVER = "/usr/lib/openssh/sftp-server"


def needs(*tools: str) -> None:
    search = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [tool for tool in tools if shutil.which(tool, path=search) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")


def tool(name: str) -> str:
    """Its path: servers are not on everybody's."""
    search = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return shutil.which(name, path=search) or name


def free_port(host: str = HOST) -> int:
    with socket.socket() as listening:
        listening.bind((host, 0))
        port: int = listening.getsockname()[1]
        return port


def answers(port: int, host: str = HOST) -> bool:
    with socket.socket() as trying:
        trying.settimeout(1)
        return trying.connect_ex((host, port)) == 0


@contextmanager
def serving(
    command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A server in a process group of its own."""
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """As a power cut would, with all that it started, in whatever process groups."""
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        with suppress(ProcessLookupError):
            if pid != process.pid and os.getsid(pid) == process.pid:
                os.kill(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


@dataclass(frozen=True, slots=True)
class Servers:
    """Where each of them listens, and the key that opens the one for SSH."""

    webdav: int
    http: int
    ftp: int
    smb: int
    ssh: int
    key: Path
    base: Path

    def ssh_options(self) -> list[str]:
        given = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            "IdentityFile": str(self.key),
        }
        return [f"-o{name}={value}" for name, value in given.items()]


@contextmanager
def servers(base: Path, root: Path, stage: Path) -> Iterator[Servers]:
    """All of them write below `root`; the one for HTTP gives out what is in `stage`."""
    base.mkdir()
    key = base / "key"
    for name in (key, base / "host"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name], check=True)
    ports = [free_port() for _ in range(5)]
    there = Servers(*ports, key, base)
    Path("/run/sshd").mkdir(exist_ok=True)
    Path("/run/vsftpd/empty").mkdir(parents=True, exist_ok=True)
    home = {"HOME": str(base), "RCLONE_CONFIG": "/dev/null"}
    rclone = {"webdav": (there.webdav, root), "http": (there.http, stage)}
    with ExitStack() as stack:
        for kind, (port, directory) in rclone.items():
            command = ["rclone", "serve", kind, str(directory), "--addr", f"{HOST}:{port}"]
            more = ["--dir-cache-time", "0s"]
            stack.enter_context(serving([*command, *more], base / f"{kind}.log", home))
        for name, command in (
            ("ftp", [tool("vsftpd"), _vsftpd(there, root)]),
            ("ssh", [tool("sshd"), "-D", "-e", "-f", _sshd(there)]),
            ("smb", [tool("smbd"), "-F", "--no-process-group", "-s", samba(base, root, there.smb)]),
        ):
            stack.enter_context(serving(command, base / f"{name}.log"))
        for port in ports:
            eventually(lambda port=port: answers(port), what=f"port {port} answers, {there}")
        yield there


def _vsftpd(there: Servers, root: Path) -> str:
    settings = {
        "listen": "YES", "listen_ipv6": "NO", "listen_address": HOST, "listen_port": there.ftp,
        "background": "NO", "anonymous_enable": "YES", "no_anon_password": "YES",
        "local_enable": "NO", "write_enable": "YES", "anon_upload_enable": "YES",
        "anon_other_write_enable": "YES", "anon_world_readable_only": "NO", "anon_umask": "022",
        "run_as_launching_user": "YES", "allow_writeable_chroot": "YES", "seccomp_sandbox": "NO",
        "secure_chroot_dir": "/run/vsftpd/empty", "anon_root": root, "xferlog_enable": "NO",
    }  # fmt: skip
    path = there.base / "vsftpd.conf"
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return str(path)


def _sshd(there: Servers) -> str:
    path = there.base / "sshd_config"
    path.write_text(
        f"ListenAddress {HOST}:{there.ssh}\nHostKey {there.base}/host\nPidFile none\n"
        f"AuthorizedKeysFile {there.key}.pub\nStrictModes no\nPermitRootLogin yes\n"
        f"UsePAM no\nSubsystem sftp {SFTP_SERVER}\n"
    )
    return str(path)


def samba(base: Path, root: Path, port: int, host: str = HOST) -> str:
    """Its configuration: `photos` is open to everybody, as root."""
    state = base / "samba"
    state.mkdir(parents=True)
    kinds = ("lock directory", "state directory", "cache directory", "pid directory")
    where = "".join(f"{kind} = {state}\n" for kind in (*kinds, "private dir", "ncalrpc dir"))
    path = base / "smb.conf"
    path.write_text(
        f"[global]\n{where}smb ports = {port} {SMB}\n"
        f"interfaces = {host}\nbind interfaces only = yes\n"
        "map to guest = Bad User\nguest account = root\nload printers = no\ndisable spoolss = yes\n"
        f"log file = {base}/smb.log\nserver min protocol = SMB2\n"
        f"[photos]\npath = {root}\nguest ok = yes\nread only = no\n"
    )
    return str(path)
