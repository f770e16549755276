"""What the subcommands print in the same way."""

import sys

import click
from rich.console import Console
from rich.markup import escape

from photosortd.commands.checking.finding import Mark
from photosortd.commands.service.trial import Trial

_SIGNS = {
    Mark.GOOD: "[green]✓[/]",
    Mark.WARN: "[yellow]![/]",
    Mark.BAD: "[red]✗[/]",
    Mark.CONFIG: "[red]✗[/]",
}


def show_trial(tried: Trial, user: str | None, *, own: bool) -> None:
    """The lines of `photosortd check`. `own`: the user's own service has no sandbox of mounts."""
    where = "as your own service runs" if own else "inside the sandbox"
    click.echo(
        f"{'checked' if tried.findings else 'could not check'} "
        f"{f'as user {user} ' if user else ''}{where}:"
    )
    console = Console()
    for each in tried.findings:
        text = f"  {_SIGNS[each.mark]} {each.about:<14} {escape(each.text)}"
        console.print(text, soft_wrap=True, highlight=False)
    if tried.said:
        print(tried.said, file=sys.stderr)
