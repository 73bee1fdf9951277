"""`touchline fetch`: downloads Kafka and Zipkin, checked against the lock file."""

import click

from services.cli.common import fail


@click.command(short_help="Download Kafka and Zipkin. 下载 Kafka 与 Zipkin。")
def fetch() -> None:
    """Fetches the pinned jars into the cache and checks the sha256 of each; prepares fast starts. 下载并校验所需的 jar 包。"""
    from deploy.embedded import jars, train
    from deploy.embedded.process import StartError

    try:
        jars.ensure(click.echo)
        train.ensure(click.echo)
    except (jars.JarError, StartError) as error:
        fail(error)
    click.echo(f"all jars are there: {jars.cache_dir()}")
