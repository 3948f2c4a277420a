"""How an asset that deletes is asked to say what it would do, and to do nothing."""

import dagster as dg
from pydantic import Field


class Looking(dg.Config):
    """Whether anything is to be done."""

    only_look: bool = Field(
        default=False,
        description="Say what would be done, and do nothing. What the sensor first_look asks for: "
        "the schedule comes later, when somebody has had time to look at the settings.",
    )
