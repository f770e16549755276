"""Root's commands beside the installed service: they work as its user, and with its groups."""

import pytest

from booted import Machine
from running import eventually
from serving import BUNDLE, LIBRARY, STATE, UNIT, Household
from tiny import other_bundle

pytestmark = pytest.mark.booted


def owners(machine: Machine, directory: str) -> set[str]:
    said = machine.run("find", directory, "-printf", "%u:%g\\n").stdout
    return set(said.split())


def test_root_works_as_the_service(machine: Machine, household: Household) -> None:
    household.dcim.mkdir(parents=True)
    household.configure(model=None)
    machine.run("rm", "-rf", STATE)
    # Before the first start.
    machine.run("photosortd", "model", "install", BUNDLE)
    assert owners(machine, STATE) == {"photosortd:photosortd"}
    # Only a group of the unit's, which the user database knows nothing of, leads into the library.
    household.library.mkdir(mode=0o755)
    machine.run("chgrp", "household", LIBRARY)
    machine.run("chmod", "2770", LIBRARY)
    household.unit("SupplementaryGroups=household", f"ReadWritePaths={LIBRARY}")
    household.photo("a.jpg")
    said = machine.run("photosortd", "check").stdout
    assert "tried as user photosortd (photosortd, household)" in said
    machine.run("photosortd", "--once")
    assert household.names() == ["red/a.jpg"]
    assert owners(machine, f"{LIBRARY}/red") == {"photosortd:household"}
    machine.run("photosortd", "undo", "--last", "--yes")
    assert household.names() == []
    assert owners(machine, STATE) == {"photosortd:photosortd"}
    # Beside the service, from a home that its sandbox hides, closed to its user or not.
    machine.run("systemctl", "start", UNIT)
    eventually(household.is_up)
    bundle = "/home/ann/bundle"
    other = other_bundle(machine.path(bundle))
    machine.run("chmod", "700", "/home/ann")
    done = machine.run("photosortd", "model", "install", bundle, check=False)
    assert done.returncode == 78
    assert "user photosortd has to read it: copy the bundle" in done.stderr
    machine.run("chmod", "755", "/home/ann")
    said = machine.run("photosortd", "model", "install", bundle).stdout
    assert f"using bundle {other[:12]}" in said
    assert owners(machine, STATE) == {"photosortd:photosortd"}
