"""The sentiment service's settings, from the environment."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SentimentSettings(BaseSettings):
    """How long the service keeps what it needs no more (SENTIMENT_*)."""

    model_config = SettingsConfigDict(env_prefix="SENTIMENT_", frozen=True)

    # Moods and conversations. A customer's mood halves every 3 days: what was felt 30 days ago weighs a thousandth.
    keep_days: int = Field(default=30, ge=1)
    # How long corrections are kept with their texts: long enough for a training every quarter and one that was missed.
    feedback_days: int = Field(default=180, ge=1)
