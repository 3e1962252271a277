import datetime
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine, func, select, update
from typer.testing import CliRunner

from exoclassify.cli.main import app
from exoclassify.errors import InputError
from exoclassify.monitoring.database import opened, upgrade
from exoclassify.monitoring.outcomes import Outcome, add_outcomes, read_outcomes
from exoclassify.monitoring.records import RecordWriter
from exoclassify.monitoring.retention import Removed, forget, remove_before
from exoclassify.monitoring.tables import OUTCOMES, PREDICTIONS
from test_records import ANSWERS, COHORT, SHA, put

pytestmark = pytest.mark.slow

SAMPLES = ANSWERS.sample_ids


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database in which every sample was scored once."""
    url = f"sqlite:///{tmp_path}/records.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("server").url
    engine = opened(url)
    upgrade(engine)
    writer = RecordWriter(url, tmp_path / "spool")
    put(writer, ANSWERS, request_id="r", input_sha256=SHA, subjects=[str(s) for s in COHORT.groups])
    assert writer.close()
    yield engine
    engine.dispose()


def n_rows(engine: Engine, table: object) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[arg-type]


def test_adding_the_same_again_changes_nothing(engine: Engine) -> None:
    given = [Outcome(SAMPLES[0], "control", datetime.date(2026, 3, 1), "letter"), Outcome(SAMPLES[1], "neuropathic")]
    assert add_outcomes(engine, given).new == SAMPLES[:2]
    again = add_outcomes(engine, given)
    assert (again.new, again.same) == ((), SAMPLES[:2])
    assert n_rows(engine, OUTCOMES) == 2


def test_another_state_is_said_and_changed_only_when_asked(engine: Engine) -> None:
    add_outcomes(engine, [Outcome(SAMPLES[0], "control")])
    other = [Outcome(SAMPLES[0], "neuropathic", source="second look")]
    assert add_outcomes(engine, other).contradicted == SAMPLES[:1]
    assert add_outcomes(engine, other, replace=True).replaced == SAMPLES[:1]
    with engine.connect() as connection:
        assert connection.execute(select(OUTCOMES.c.state, OUTCOMES.c.source)).one() == ("neuropathic", "second look")


def test_samples_never_scored_and_states_never_answered_are_kept_and_reported(engine: Engine) -> None:
    done = add_outcomes(engine, [Outcome("elsewhere", "control"), Outcome(SAMPLES[0], "migrane")])
    assert done.never_scored == ("elsewhere",)
    assert done.strange_states == ("migrane",)
    assert n_rows(engine, OUTCOMES) == 2


def test_many_outcomes_are_added_at_once(engine: Engine) -> None:
    done = add_outcomes(engine, [Outcome(f"x-{i}", "control") for i in range(1200)])
    assert len(done.new) == len(done.never_scored) == 1200


def test_a_sample_that_comes_twice_is_refused(engine: Engine) -> None:
    with pytest.raises(InputError, match=r"1 samples come twice \(a\)"):
        add_outcomes(engine, [Outcome("a", "control"), Outcome("a", "control")])


def test_all_that_is_known_of_a_person_is_forgotten(engine: Engine) -> None:
    subject = str(COHORT.groups[0])
    theirs = [s for s, g in zip(SAMPLES, COHORT.groups, strict=True) if g == subject]
    add_outcomes(engine, [Outcome(sample, "control") for sample in SAMPLES])
    expected = Removed(predictions=len(theirs), outcomes=len(theirs), tallies=0)
    assert forget(engine, subject=subject, dry_run=True) == expected
    assert n_rows(engine, PREDICTIONS) == len(SAMPLES)
    assert forget(engine, subject=subject) == expected
    assert forget(engine, subject=subject) == Removed(0, 0, 0)
    assert n_rows(engine, PREDICTIONS) == n_rows(engine, OUTCOMES) == len(SAMPLES) - len(theirs)
    left = next(s for s in SAMPLES if s not in theirs)
    assert forget(engine, sample=left) == Removed(1, 1, 0)
    with pytest.raises(InputError, match="either the sample or the subject"):
        forget(engine)


def test_what_is_older_is_removed(engine: Engine) -> None:
    with engine.begin() as connection:
        old = PREDICTIONS.c.sample_id == SAMPLES[0]
        moment = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        connection.execute(update(PREDICTIONS).where(old).values(at=moment))
    assert remove_before(engine, datetime.date(2021, 1, 1)) == Removed(1, 0, 0)
    assert n_rows(engine, PREDICTIONS) == len(SAMPLES) - 1


def run(*words: object) -> object:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_outcomes_come_from_a_file_through_the_command(engine: Engine, tmp_path: Path) -> None:
    url = engine.url.render_as_string(hide_password=False)
    frame = pd.DataFrame(
        {"sample_id": [*SAMPLES[:3], "other"], "dx": ["control", "", "neuropathic", "control"], "day": "2026-03-01"}
    )
    frame.to_csv(tmp_path / "o.csv", index=False)
    words = ("outcomes", "add", tmp_path / "o.csv", "--state", "dx", "--diagnosed", "day", "--database", url)
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert "3 new, 0 known already" in done.stdout
    assert "1 samples were never scored; their outcomes are kept: other" in done.stdout
    assert json.loads(run(*words, "--json").stdout)["same"] == [SAMPLES[0], SAMPLES[2], "other"]
    gone = run("records", "forget", "--sample", SAMPLES[0], "--database", url)
    assert "removed 1 predictions, 1 outcomes" in gone.stdout
    kept = run("records", "prune", "--keep-days", 30, "--dry-run", "--database", url)
    assert "would remove 0 predictions" in kept.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sample_id,state,day\na,control,soon\n", "the date of a is soon; write dates as 2026-03-01"),
        ("sample_id,state,day\na,control,\na,control,\n", "a"),
        ("sample_id,label,day\na,control,\n", "there is no label column state"),
    ],
)
def test_a_broken_file_of_outcomes_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "o.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_outcomes(tmp_path / "o.csv", state="state", diagnosed="day")


def test_records_that_wait_are_delivered_by_command(tmp_path: Path) -> None:
    writer = RecordWriter("postgresql://nobody@127.0.0.1:1/none", tmp_path / "spool")
    put(writer, ANSWERS, request_id="r", input_sha256=SHA)
    assert not writer.close()
    done = run("records", "deliver", "--spool", tmp_path / "spool", "--database", f"sqlite:///{tmp_path}/r.db")
    assert f"{len(SAMPLES)} records delivered" in done.stdout
    away = run("outcomes", "add", "x.csv", "--database", "postgresql://a:s3cret@127.0.0.1:1/none")
    assert away.exit_code == 2
    assert "s3cret" not in away.stderr
