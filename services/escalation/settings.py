"""What a manager sets of escalation (ESCALATION_*)."""

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.escalation.domain.decide import DEFAULT, Policy


class EscalationSettings(BaseSettings):
    """The domain's policy, from the environment; times are ISO 8601 durations, such as PT2H."""

    model_config = SettingsConfigDict(env_prefix="ESCALATION_", frozen=True)

    threshold: float = Field(default=DEFAULT.threshold, gt=0, le=1)
    due_in: timedelta = Field(default=DEFAULT.due_in, gt=timedelta(0))
    quiet: timedelta = Field(default=DEFAULT.quiet, ge=timedelta(0))
    rise: float = Field(default=DEFAULT.rise, ge=0, le=1)
    recovered: float = Field(default=DEFAULT.recovered, ge=-1, le=1)

    def policy(self) -> Policy:
        """In the domain's words."""
        return Policy(**self.model_dump())
