"""A short visit in the twin's world: a small battery, nearly full."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pilothat.service.demo import staged
from pilothat.service.story import Story
from pilothat.twin.profile import CarProfile
from pilothat.twin.world import World

LIMIT_S = 300.0
QUICK = """
name = "quick"
about = "a small car"
[car]
unplugs_after_s = 1
[battery]
capacity_wh = 4000
soc_pct = 70
[goal]
target_soc_pct = 80
"""


def quick() -> CarProfile:
    """Return a car that is charged in half a minute."""
    base = CarProfile()
    return replace(
        base,
        name="quick",
        about="a small car",
        car=replace(base.car, unplugs_after_s=1.0),
        battery=replace(base.battery, capacity_wh=4000.0, soc_pct=70.0),
    )


def car_file(folder: Path, extra: str = "", name: str = "quick") -> Path:
    """Return a profile file of that car. extra: lines for its section [car]."""
    path = folder / f"{name}.toml"
    path.write_text(QUICK.replace("[car]\n", f"[car]\n{extra}\n"))
    return path


def played(until_step: str = "", profile: CarProfile | None = None) -> Story:
    """Return the story of a visit up to a step; up to its end without."""
    world, story = begun(profile)
    done = world.run(lambda: story.is_over or story.step == until_step, LIMIT_S)
    assert done, f"{story.step} at the time limit"
    return story


def begun(profile: CarProfile | None = None) -> tuple[World, Story]:
    """Return a world in which the car is about to plug in."""
    return staged(profile or quick(), seed=1)
