"""The service as systemd knows it: unit files, the drop-in, the sandbox, and who may read what.

`manager` alone runs systemctl and systemd-run, `household` alone tries things out as another user;
the rest is pure or only looks.
"""
