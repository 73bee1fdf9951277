"""The NPS service's settings, from the environment."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.nps.domain.asking import Plan
from services.nps.domain.windows import USUAL_ZONE, whole_hours


class NpsSettings(BaseSettings):
    """Who is asked when, and what is watched (NPS_*)."""

    model_config = SettingsConfigDict(env_prefix="NPS_", frozen=True)

    # Whether customers are asked at all: where another system asks them, ours must not.
    ask: bool = True
    # A customer who was asked, by whatever channel, is not asked again for so long.
    ask_every_days: int = Field(default=90, ge=1, le=3650)
    # Surveys that each store is to send in four weeks: small stores ask everybody, large ones a share.
    ask_per_store: int = Field(default=40, ge=1)
    # No customer is asked in these hours of NPS_ZONE, from the first up to the second; the same twice for none.
    quiet_from: int = Field(default=21, ge=0, le=23)
    quiet_until: int = Field(default=9, ge=0, le=23)
    # Minutes after a contact's end at which its customer is asked.
    ask_after_minutes: int = Field(default=10, ge=0, le=1440)
    # What is not sent by then, for the quiet hours, is not sent: nobody remembers the contact.
    ask_within_hours: int = Field(default=24, ge=1, le=240)
    # Days for which surveys' comments are kept, masked, for the broadcast's quotes.
    comment_days: int = Field(default=100, ge=1, le=3650)
    # The zone of quiet hours, of days, weeks and months, and of the times that sentences name: an IANA name.
    zone: str = USUAL_ZONE
    # The two dimensions whose values are watched for changes, each by strata of the other.
    watch: str = Field(default="region,touchpoint", pattern=r"^[^,\s]+,[^,\s]+$")
    # Seconds between two looks.
    watch_every_s: float = Field(default=60, gt=0, le=3600)

    @field_validator("zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            zone = ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("is not the IANA name of a time zone, such as Asia/Shanghai or UTC") from None
        if not whole_hours(zone):
            raise ValueError("has an offset from UTC that is not whole hours: days can't be counted by the hour in it")
        return value

    def zoned(self) -> ZoneInfo:
        """The zone itself."""
        return ZoneInfo(self.zone)

    def watched(self) -> tuple[str, str]:
        """The two dimensions."""
        one, _, two = self.watch.partition(",")
        return one, two

    def plan(self) -> Plan:
        """Who is asked when."""
        return Plan(
            every_days=self.ask_every_days,
            per_store=self.ask_per_store,
            quiet_from=self.quiet_from,
            quiet_until=self.quiet_until,
            after_minutes=self.ask_after_minutes,
            within_hours=self.ask_within_hours,
            asks=self.ask,
        )
