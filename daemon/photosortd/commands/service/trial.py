"""`photosortd check` inside the service's own sandbox, and what came of it."""

import json
from dataclasses import dataclass

from photosortd.commands.checking.finding import Finding, Mark
from photosortd.errors import WorldError
from photosortd.units.manager import Manager
from photosortd.units.sandbox import Sandbox

_WITHOUT_A_WORD = (
    "`photosortd check` was ended before it could say anything, as the kernel does when memory "
    "runs out (MemoryMax= of the unit?); `journalctl -e` says more"
)


@dataclass(frozen=True, slots=True)
class Trial:
    code: int
    findings: tuple[Finding, ...]
    said: str  # on its standard error

    @property
    def fails_now(self) -> bool:
        """Something is in the way that is no matter of configuration."""
        return any(each.mark is Mark.BAD for each in self.findings)

    @property
    def lacks_bundle(self) -> bool:
        """Nothing is wrong but the bundle, which may come later."""
        wrong = {each.about for each in self.findings if each.mark in (Mark.BAD, Mark.CONFIG)}
        return wrong == {"bundle"} and not self.fails_now


def trial(manager: Manager, unit: Sandbox) -> Trial:
    """Run it. Raises WorldError if the sandbox cannot be had."""
    if not unit.command:
        raise WorldError("the unit has no ExecStart=, so there is no program to try out")
    ran = manager.run(unit.properties, (*unit.command, "check", "--json"))
    try:
        listed = json.loads(ran.out)
        findings = tuple(Finding(one["about"], Mark(one["mark"]), one["text"]) for one in listed)
    except (ValueError, KeyError, TypeError):
        if ran.code == 0:
            raise WorldError(f"`photosortd check` said nothing of use: {ran.out}") from None
        return Trial(ran.code, (), ran.err.strip() or ran.out.strip() or _WITHOUT_A_WORD)
    return Trial(ran.code, findings, ran.err.strip())
