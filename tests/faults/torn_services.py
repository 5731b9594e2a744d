"""A service on real Kafka and real Redis, of which a file of the checkpoints is damaged."""

from __future__ import annotations

import random
import shutil
import uuid

from stream.cli import FINE
from stream.config import load
from tests.faults import damage
from tests.faults.judgement import REFUSING, WENT_ON, Try, compared, refuses, told
from tests.faults.member import Member
from tests.faults.shapes import Shape
from tests.faults.trial import Services, Trial, kill
from tests.streams import Stream


def hold_on_services(
    services: Services, shape: Shape, learner: str, stream: Stream, seed: int
) -> Try:
    """Kill a service twice, damage a file, start it again; return what came of it."""
    trial = Trial(services, shape, learner, f"torn-{uuid.uuid4().hex[:12]}")
    whole, path = trial.configured("whole", 1), trial.configured("live", 2)
    records = shape.feed(load(path), stream, seed)
    kill(path, records // 3, "stored")
    kill(path, records * 2 // 3, "unsent")
    place = load(path).checkpoint.path
    original = place.with_name(f"{place.name}-copy")
    shutil.copytree(place, original)
    # Whose tail is lost is told from one that crashed by nothing: see `World`.
    damages = damage.drawn(original, random.Random(seed), 1, besides=("journal",))
    damages[0].do(place)
    outcome, (code, sentence) = WENT_ON, _ended(Member(path, "--command"))
    if refuses(code, sentence):
        outcome = REFUSING
        damage.bring_back(damages[0], original, place)
        code, again = _ended(Member(path, "--command"))
        sentence = sentence if code == FINE else again
    if code != FINE:
        return Try(damages, f"exit {code} after it {outcome}", sentence)
    verdict = trial.verdict(whole, path, Member(path), records)
    figures = verdict.figures()
    same = figures["equal"] | {"records": figures["once"], "dead": True}
    differs = [name for name in same if not same[name]]
    differs += compared(verdict.tried.dead, verdict.whole.dead)
    return Try(damages, told(outcome, differs, damages, sentence), sentence)


def _ended(member: Member) -> tuple[int | None, str]:
    """Wait for the end of a process; return its exit code and what it said is wrong."""
    member.end()
    return member.code, "; ".join(member.errors[-1:] if member.code else member.errors)
