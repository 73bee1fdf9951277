"""What a manager sets of escalation (ESCALATION_*)."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.escalation.domain.decide import DEFAULT as NUMBERS
from services.escalation.domain.decide import Policy
from services.escalation.domain.team import FollowUpPolicy, Terms
from services.escalation.policyfile import DEFAULT, load


class EscalationSettings(BaseSettings):
    """The domain's numbers, from the environment, and where the follow-up policy is; times are ISO 8601 durations, such as PT2H."""

    model_config = SettingsConfigDict(env_prefix="ESCALATION_", frozen=True)

    policy: Path = Field(default=DEFAULT, description="the follow-up policy, a TOML file")
    threshold: float = Field(default=NUMBERS.threshold, gt=0, le=1)
    due_in: timedelta = Field(default=NUMBERS.due_in, gt=timedelta(0))
    quiet: timedelta = Field(default=NUMBERS.quiet, ge=timedelta(0))
    rise: float = Field(default=NUMBERS.rise, ge=0, le=1)
    recovered: float = Field(default=NUMBERS.recovered, ge=-1, le=1)
    # How long it can be looked up what it took to be flagged.
    keep_days: int = Field(default=30, ge=1)
    # Customers a second who are told of a wave at most.
    outreach_per_s: int = Field(default=20, ge=1, le=1000)

    def numbers(self) -> Policy:
        """In the domain's words."""
        return Policy(**self.model_dump(exclude={"policy", "keep_days", "outreach_per_s"}))

    def follow_ups(self) -> FollowUpPolicy:
        """The follow-up policy; what a team does not say there is as it is here. Raises BadPolicyError."""
        return load(self.policy, Terms(least=self.threshold, due_in=self.due_in))
