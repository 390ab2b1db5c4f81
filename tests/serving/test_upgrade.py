"""What an earlier release wrote is opened, verified and replayed by this one.

`releases/COMMIT.tar.gz` is the home of that commit: a model version of one flat column with its public key, the ledger
(a promotion, a policy, five sealed decisions) and the key that opens it.
"""

from __future__ import annotations

import contextlib
import tarfile
from pathlib import Path

import pytest

from configs.settings import load_settings
from serving import champion, finding, overlay, waiver
from serving.ledger import open_ledger
from serving.replay import replay
from training import bundle as bundles
from training.signature import trusted_in

RELEASES = sorted(Path(__file__).parent.glob("releases/*.tar.gz"))


@pytest.fixture(params=RELEASES, ids=lambda path: path.name.removesuffix(".tar.gz"))
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The home of an earlier release."""
    with tarfile.open(request.param) as packed:
        packed.extractall(tmp_path, filter="data")
    return tmp_path


def test_the_ledger_of_an_earlier_release_verifies_and_every_decision_replays(home: Path) -> None:
    with contextlib.closing(open_ledger(load_settings(home))) as ledger:
        assert ledger.verify()[0] == 7
        assert [(one.decision_id, one.equal, one.detail) for one in replay(ledger, home)] == [
            (f"d-{number}", True, "") for number in range(5)
        ]


def test_what_is_new_is_absent_there_and_can_be_written_after_it(home: Path) -> None:
    with contextlib.closing(open_ledger(load_settings(home))) as ledger:
        made = champion.current(ledger, "tiny")
        assert made is not None
        bundle = bundles.load(champion.bundle_folder(home, "tiny", made.version), trusted_in(home))
        assert (finding.findings(ledger, "tiny"), waiver.waivers(ledger, made.version)) == ([], [])
        assert overlay.overlays(ledger, "tiny") == []
        champion.promote(ledger, bundle, made, "Ada", "again, by this release", "2026-02-01T00:00:00+00:00")
        assert ledger.verify()[0] == 8
