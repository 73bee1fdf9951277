"""`touchline topics`: the topics of the house, made on any Kafka."""

import asyncio
import json

import click

from services.cli.common import fail


@click.command(short_help="List the topics, or create them on a Kafka. 列出或创建主题。")
@click.option(
    "--bootstrap",
    envvar="KAFKA_BOOTSTRAP",
    help="Create what is missing on this Kafka (host:port). 在此 Kafka 上创建缺少的主题。",
)
@click.option(
    "--replication", type=click.IntRange(1), default=1, show_default=True, help="Replicas of each topic. 副本数。"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object. 输出 JSON。")
def topics(bootstrap: str | None, replication: int, as_json: bool) -> None:
    """Lists the catalogue of topics; with --bootstrap, creates those that are missing. 列出主题目录，或在 Kafka 上创建。

    How to get in (TLS, SASL) is said by KAFKA_SECURITY_PROTOCOL and its kin; docs/settings.md has them. 安全设置见 docs/settings.md。
    """
    from services.runtime.topics import CATALOGUE

    created: list[str] = []
    others: dict[str, int] = {}
    if bootstrap:
        from services.runtime.admin import create_topics
        from services.runtime.errors import Misconfigured
        from services.runtime.settings import KafkaSettings, load

        try:
            made = asyncio.run(create_topics(load(KafkaSettings, bootstrap=bootstrap), CATALOGUE, replication))
            created, others = made.created, made.others
        except Misconfigured as error:
            raise click.UsageError(str(error)) from None
        except Exception as error:  # whatever the client raises, it is the run that failed
            fail(f"{bootstrap}: {error}")
    if as_json:
        listed = [{"name": t.name, "partitions": t.partitions, "config": t.config} for t in CATALOGUE]
        click.echo(json.dumps({"topics": listed, "created": created, "other_partitions": others}))
        return
    for topic in CATALOGUE:
        mark = " (created 已创建)" if topic.name in created else ""
        if topic.name in others:
            mark = f" (has {others[topic.name]} partitions there 实有 {others[topic.name]} 个分区)"
        click.echo(f"{topic.name:26} {topic.partitions:3}  {topic.meaning}{mark}")
    if others:
        click.echo(
            "Topics that a service reads together must have the same number of partitions: it waits until they have. "
            "同一服务一起读取的主题，分区数必须相同；不同则服务等待。",
            err=True,
        )
