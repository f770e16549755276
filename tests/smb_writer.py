"""A client of SMB that writes as Windows does: the size first, then the content.

To be run with a Python that has Samba's own bindings: HOST SHARE, then a line for each photo on
its input: SOURCE, TARGET, where to pause and for how many seconds, between tabs.
"""

import sys
import time

from samba.credentials import Credentials
from samba.param import LoadParm
from samba.samba3 import libsmb_samba_internal as libsmb
from samba.samba3 import param

GENERIC_ALL, OVERWRITE_IF, SHARE_ALL = 0x10000000, 5, 7
PIECE = 64 << 10


def connected(host, share):
    credentials = Credentials()
    given = LoadParm()
    credentials.guess(given)
    credentials.set_anonymous()
    settings = param.get_context()
    settings.load("/dev/null")
    return libsmb.Conn(host, share, lp=settings, creds=credentials)


def write(connection, source, target, pause_at, seconds):
    with open(source, "rb") as stream:
        data = stream.read()
    handle = connection.create(
        target,
        DesiredAccess=GENERIC_ALL,
        ShareAccess=SHARE_ALL,
        CreateDisposition=OVERWRITE_IF,
    )
    connection.write(handle, b"\0", len(data) - 1)  # which gives it its size
    for start, stop in ((0, pause_at), (pause_at, len(data))):
        for at in range(start, stop, PIECE):
            connection.write(handle, data[at : min(stop, at + PIECE)], at)
        if start == 0:
            time.sleep(seconds)
    connection.close(handle)


def main():
    connection = connected(*sys.argv[1:3])
    for line in sys.stdin:
        source, target, pause_at, seconds = line.rstrip("\n").split("\t")
        write(connection, source, target, int(pause_at), float(seconds))
        print(target, flush=True)


main()
