"""Settings of the projections (METRICS_*)."""

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class MetricsSettings(BaseSettings):
    """How Faust is run."""

    model_config = SettingsConfigDict(env_prefix="METRICS_", frozen=True)

    partitions: int = Field(default=4, ge=1, description="of the counters topic and of the table's changelog")
    replicas: int = Field(default=1, ge=1, description="of the table's changelog")
    # Faust's own default of 60 s would leave the projections still for a minute after a crash.
    session_timeout: timedelta = timedelta(seconds=10)
    commit_every: timedelta = timedelta(seconds=1)
    # Faust wants a folder, though nothing of ours is kept there.
    data_dir: str = "/tmp/touchline-metrics"
