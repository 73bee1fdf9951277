"""The router's settings, from the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.router.policyfile import DEFAULT


class PeerSettings(BaseSettings):
    """Where the services are that triage asks; one that isn't told counts as missing in each decision."""

    model_config = SettingsConfigDict(frozen=True)

    sentiment_addr: str = ""
    nps_addr: str = ""
    escalation_addr: str = ""


class RouterSettings(BaseSettings):
    """How the router works (ROUTER_*)."""

    model_config = SettingsConfigDict(env_prefix="ROUTER_", frozen=True)

    policy: Path = Field(default=DEFAULT, description="the triage policy, a TOML file")
    # What a decision waits for its lookups at most: they run side by side, and it goes on without those that fail.
    lookup_ms: int = Field(default=150, ge=1, le=10_000)
    # How long a seat's command waits for its pool's owner.
    command_ms: int = Field(default=5_000, ge=1, le=60_000)
    # How often the live audit holds what pools have against what is known of each contact.
    balance_s: int = Field(default=15, ge=1, le=3600)
    # How long decisions and conversations can be explained.
    keep_days: int = Field(default=30, ge=1)
