"""`photosortd schema`: the JSON schema of the configuration."""

import json

import click

from photosortd import config


@click.command("schema")
def command() -> None:
    """Print the JSON schema of the configuration, for editors."""
    click.echo(json.dumps(config.json_schema(), indent=2))
