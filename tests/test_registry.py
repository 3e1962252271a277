import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cohorts import FAST
from exoclassify.errors import FileError, ModelError
from exoclassify.lifecycle.finish import numbered
from exoclassify.lifecycle.fit import fit
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.registry import Registry
from exoclassify.model.signature import make_keys, sign
from exoclassify.model.version import free_version, next_version
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate

pytestmark = pytest.mark.slow

COHORT = simulate(SimulationDesign(seed=3, n_samples=90, n_molecules=80)).cohort
BUNDLE = fit(COHORT, FAST, judge=False, name="pain")
WHO = {"who": "ann", "why": "the gate said so"}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Three versions; none in use."""
    registry = Registry(tmp_path / "models")
    for version in ("1.0.0", "1.9.0", "1.10.0"):
        registry.add(numbered(BUNDLE, version))
    return registry


def shifted(by: float) -> ModelBundle:
    known = BUNDLE.blend.calibration
    heads = tuple(replace(head, shift=head.shift + np.array([by, 0, -by])) for head in known.heads)
    return replace(BUNDLE, blend=replace(BUNDLE.blend, calibration=replace(known, heads=heads)))


def test_versions_are_listed_by_their_numbers(registry: Registry) -> None:
    assert registry.names() == ("pain",)
    assert registry.versions("pain") == ("1.0.0", "1.9.0", "1.10.0")


def test_what_was_added_is_read_again(registry: Registry) -> None:
    again = registry.load("pain", "1.9.0", verify=True)
    assert (again.name, again.version) == ("pain", "1.9.0")
    assert again.card.startswith("# pain 1.9.0")
    assert (again.predict(COHORT.cargo).probabilities == BUNDLE.predict(COHORT.cargo).probabilities).all()


def test_nothing_is_in_use_before_it_is_promoted(registry: Registry) -> None:
    with pytest.raises(ModelError, match=r"pain: no version is in use; promote one of 1\.10\.0, 1\.9\.0"):
        registry.champion("pain")
    registry.promote("pain", "1.9.0", **WHO)
    assert registry.champion("pain") == "1.9.0"
    assert registry.load("pain").version == "1.9.0"
    assert registry.path("pain").name == "1.9.0"


def test_the_history_says_who_when_why_and_from_what(registry: Registry) -> None:
    registry.promote("pain", "1.0.0", **WHO)
    registry.promote("pain", "1.9.0", who="bob", why="better", source="run 7")
    first, second = registry.history("pain")
    assert (first.version, first.previous, first.who) == ("1.0.0", None, "ann")
    assert (second.version, second.previous, second.source) == ("1.9.0", "1.0.0", "run 7")
    assert second.when.endswith("+00:00")
    assert [promotion.number for promotion in (first, second)] == [1, 2]


def test_a_promotion_of_the_champion_changes_nothing(registry: Registry) -> None:
    assert registry.promote("pain", "1.0.0", **WHO) == registry.promote("pain", "1.0.0", who="bob", why="again")
    assert len(registry.history("pain")) == 1


def test_each_rollback_goes_one_further_back(registry: Registry) -> None:
    for version in registry.versions("pain"):
        registry.promote("pain", version, **WHO)
    assert registry.rollback("pain", **WHO).version == "1.9.0"
    assert registry.rollback("pain", **WHO).version == "1.0.0"
    with pytest.raises(ModelError, match=r"no version was in use before 1\.0\.0"):
        registry.rollback("pain", **WHO)
    registry.promote("pain", "1.10.0", **WHO)
    assert registry.rollback("pain", **WHO).version == "1.0.0"
    assert [promotion.back for promotion in registry.history("pain")] == [
        False, False, False, True, True, False, True,
    ]  # fmt: skip


def test_a_history_written_without_its_champion_is_read_right(registry: Registry) -> None:
    """As after a kill between the two files of a promotion."""
    for version in ("1.0.0", "1.9.0"):
        registry.promote("pain", version, **WHO)
    before = (registry.root / "pain/champion").read_bytes()
    registry.promote("pain", "1.10.0", **WHO)
    (registry.root / "pain/champion").write_bytes(before)
    assert [promotion.version for promotion in registry.history("pain")] == ["1.0.0", "1.9.0"]
    registry.promote("pain", "1.10.0", **WHO)
    assert [promotion.number for promotion in registry.history("pain")] == [1, 2, 3]


def test_a_version_is_never_written_twice(registry: Registry) -> None:
    with pytest.raises(FileError, match=r"version 1\.0\.0 is there already, and a version is never changed"):
        registry.add(numbered(BUNDLE, "1.0.0"))


def test_a_decision_is_kept_beside_its_version(registry: Registry) -> None:
    registry.add(numbered(BUNDLE, "2.0.0"), decision={"promote": True})
    assert registry.decision("pain", "2.0.0") == {"promote": True}
    assert registry.decision("pain", "1.0.0") is None


def test_a_changed_version_is_not_promoted(registry: Registry) -> None:
    with (registry.path("pain", "1.9.0") / "arrays.npz").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError, match=r"arrays\.npz was changed after the model was saved"):
        registry.promote("pain", "1.9.0", **WHO)
    assert registry.history("pain") == ()


def test_a_version_that_was_copied_by_hand_is_refused(registry: Registry) -> None:
    shutil.copytree(registry.path("pain", "1.9.0"), registry.root / "pain/3.0.0")
    with pytest.raises(ModelError, match=r"pain/3\.0\.0: holds pain 1\.9\.0; it was copied by hand"):
        registry.promote("pain", "3.0.0", **WHO)


def test_a_promotion_without_a_reason_is_refused(registry: Registry) -> None:
    with pytest.raises(ModelError, match="needs who and why"):
        registry.promote("pain", "1.9.0", who="ann", why=" ")


@pytest.mark.parametrize("name", ["../pain", "", ".hidden", "a/b"])
def test_what_is_no_name_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(ModelError, match="is no name of a model"):
        registry.path(name)


def test_an_unknown_model_names_the_known_ones(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"headache: no version is in use; .*holds pain"):
        registry.champion("headache")
    with pytest.raises(ModelError, match=r"there is no version 7\.0\.0; it has 1\.10\.0"):
        registry.load("pain", "7.0.0")
    with pytest.raises(ModelError, match="holds no model; give --registry"):
        Registry(tmp_path / "nowhere").promote("pain", "1.0.0", **WHO)
    assert not (tmp_path / "nowhere").exists()


def test_pruning_keeps_the_champion_its_predecessor_and_the_newest(registry: Registry) -> None:
    for version in ("2.0.0", "3.0.0", "4.0.0"):
        registry.add(numbered(BUNDLE, version))
    for version in ("1.9.0", "1.10.0"):
        registry.promote("pain", version, **WHO)
    assert registry.prune("pain", keep=1, dry_run=True) == ("1.0.0", "2.0.0", "3.0.0")
    assert len(registry.versions("pain")) == 6
    assert registry.prune("pain", keep=1) == ("1.0.0", "2.0.0", "3.0.0")
    assert registry.versions("pain") == ("1.9.0", "1.10.0", "4.0.0")
    assert not [path for path in (registry.root / "pain").iterdir() if ".old-" in path.name]


@pytest.mark.slow
def test_promotions_at_once_leave_every_one_in_the_history(registry: Registry) -> None:
    code = (
        "import sys; from exoclassify.model.registry import Registry; r = Registry(sys.argv[1])\n"
        "for i in range(10): r.promote('pain', sys.argv[2 + i % 2], who=sys.argv[4], why='w')"
    )
    pairs = [("1.0.0", "1.9.0"), ("1.10.0", "1.0.0"), ("1.9.0", "1.10.0")]
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(registry.root), *pair, f"process-{i}"])
        for i, pair in enumerate(pairs)
    ]
    reads = 0
    while any(process.poll() is None for process in running):
        if (registry.root / "pain/champion").exists():
            reads += registry.champion("pain") in registry.versions("pain")
            registry.history("pain")
    assert [process.returncode for process in running] == [0, 0, 0]
    assert reads > 0
    history = registry.history("pain")
    assert [promotion.number for promotion in history] == list(range(1, len(history) + 1))
    assert all(a.version == b.previous for a, b in pairwise(history))


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes where it is read-only")
def test_a_read_only_registry_is_read_and_not_changed(registry: Registry) -> None:
    registry.promote("pain", "1.0.0", **WHO)
    (registry.root / "pain").chmod(0o500)
    try:
        assert registry.load("pain").version == "1.0.0"
        with pytest.raises(FileError, match="cannot be"):
            registry.promote("pain", "1.9.0", **WHO)
    finally:
        (registry.root / "pain").chmod(0o700)


def test_a_full_disk_leaves_the_champion_as_it_was(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, full_disk: Callable[[], None]
) -> None:
    registry.promote("pain", "1.0.0", **WHO)
    full_disk()
    with pytest.raises(FileError, match="No space left on device; free some space"):
        registry.promote("pain", "1.9.0", **WHO)
    with pytest.raises(FileError, match="No space left on device"):
        registry.add(numbered(BUNDLE, "5.0.0"))
    monkeypatch.undo()
    assert registry.champion("pain") == "1.0.0"
    assert registry.versions("pain") == ("1.0.0", "1.9.0", "1.10.0")
    assert sorted(path.name for path in (registry.root / "pain").iterdir() if path.name != ".lock") == [
        "1.0.0", "1.10.0", "1.9.0", "champion",
    ]  # fmt: skip


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def refuse(_: object) -> None:
        raise OSError(28, "No space left on device")

    return lambda: monkeypatch.setattr("os.fsync", refuse)


def test_a_broken_pointer_is_said(registry: Registry) -> None:
    (registry.root / "pain/champion").write_text("{")
    with pytest.raises(ModelError, match=r"champion: cannot be read .* restore it"):
        registry.champion("pain")


def test_a_signed_version_is_loaded_and_promoted(registry: Registry, tmp_path: Path) -> None:
    make_keys(tmp_path / "key.pem", tmp_path / "key.pub")
    assert (tmp_path / "key.pem").stat().st_mode & 0o077 == 0
    sign(registry.path("pain", "1.9.0"), tmp_path / "key.pem")
    assert registry.load("pain", "1.9.0", require_signature=tmp_path / "key.pub").version == "1.9.0"
    registry.promote("pain", "1.9.0", require_signature=tmp_path / "key.pub", **WHO)
    with pytest.raises(ModelError, match=r"pain/1\.0\.0: is not signed, and a signature is required"):
        registry.promote("pain", "1.0.0", require_signature=tmp_path / "key.pub", **WHO)
    with pytest.raises(FileError, match="a key is never replaced"):
        make_keys(tmp_path / "key.pem", tmp_path / "other.pub")


def test_a_signature_of_another_key_or_version_is_refused(registry: Registry, tmp_path: Path) -> None:
    make_keys(tmp_path / "a.pem", tmp_path / "a.pub")
    make_keys(tmp_path / "b.pem", tmp_path / "b.pub")
    signed = sign(registry.path("pain", "1.9.0"), tmp_path / "a.pem")
    with pytest.raises(ModelError, match=r"its signature was not made with the key b\.pub"):
        registry.load("pain", "1.9.0", require_signature=tmp_path / "b.pub")
    shutil.copy(signed, registry.root / "pain/1.0.0.signature.json")
    with pytest.raises(ModelError, match="the signature is that of another version"):
        registry.load("pain", "1.0.0", require_signature=tmp_path / "a.pub")
    with pytest.raises(FileError, match="is no public key that can be read"):
        registry.load("pain", "1.9.0", require_signature=signed)


def test_a_model_made_anew_in_a_signed_place_is_refused(registry: Registry, tmp_path: Path) -> None:
    """Its own checksums are right; only the signature tells."""
    make_keys(tmp_path / "a.pem", tmp_path / "a.pub")
    folder = registry.path("pain", "1.9.0")
    sign(folder, tmp_path / "a.pem")
    numbered(shifted(3.0), "1.9.0").save(folder, force=True)
    assert registry.load("pain", "1.9.0", verify=True).version == "1.9.0"
    with pytest.raises(ModelError, match="files were changed, added or removed after it was signed"):
        registry.load("pain", "1.9.0", require_signature=tmp_path / "a.pub")


def test_a_key_of_openssl_is_read(registry: Registry, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    for command in (
        ["genpkey", "-algorithm", "ed25519", "-out", "k.pem"],
        ["pkey", "-in", "k.pem", "-pubout", "-out", "k.pub"],
    ):
        subprocess.run(["openssl", *command], cwd=tmp_path, check=True, capture_output=True)
    sign(registry.path("pain", "1.0.0"), tmp_path / "k.pem")
    assert registry.load("pain", "1.0.0", require_signature=tmp_path / "k.pub").version == "1.0.0"


@pytest.mark.parametrize(
    ("by", "expected", "reason"),
    [
        (8.0, "2.0.0", r"other calls on \d+ of 20"),
        (1e-4, "1.1.0", "same calls on the golden"),
        (0.0, "1.0.1", "same answers"),
    ],
)
def test_a_version_says_what_changes_for_the_user(by: float, expected: str, reason: str) -> None:
    version, why = next_version(BUNDLE, shifted(by))
    assert version == expected
    assert re.search(reason, why)


def test_other_probabilities_in_an_unknown_batch_alone_are_another_minor_version() -> None:
    known = BUNDLE.blend.calibration
    further = replace(known.unknown, untested=known.unknown.untested + 1e-4)
    blend = replace(BUNDLE.blend, calibration=replace(known, unknown=further))
    assert next_version(BUNDLE, replace(BUNDLE, blend=blend))[0] == "1.1.0"


def test_a_model_of_other_molecules_or_states_is_a_major_version() -> None:
    labels = COHORT.y != "inflammatory"
    two = fit(COHORT.take(labels), FAST, judge=False, name="pain")
    assert next_version(BUNDLE, two)[0] == "2.0.0"
    panel = replace(BUNDLE.panel, molecules=tuple(f"hsa-miR-{9000 + i}" for i in range(len(BUNDLE.panel.molecules))))
    version, why = next_version(BUNDLE, replace(BUNDLE, panel=panel))
    assert version == "2.0.0"
    assert "it needs molecules" in why


def test_a_promotion_is_refused_when_another_version_came_into_use_meanwhile(registry: Registry) -> None:
    registry.promote("pain", "1.9.0", **WHO)
    with pytest.raises(ModelError, match=r"1\.10\.0 was compared with 1\.0\.0, and 1\.9\.0 is in use by now"):
        registry.promote("pain", "1.10.0", instead_of="1.0.0", **WHO)
    assert registry.promote("pain", "1.10.0", instead_of="1.9.0", **WHO).previous == "1.9.0"


@pytest.mark.parametrize(
    ("version", "expected"), [("2.0.0", "3.0.0"), ("1.1.0", "1.2.0"), ("1.1.1", "1.1.2"), ("4.0.0", "4.0.0")]
)
def test_a_taken_number_gives_way_to_the_next_of_its_meaning(version: str, expected: str) -> None:
    assert free_version(version, ("2.0.0", "1.1.0", "1.1.1")) == expected


def test_two_models_of_one_number_are_both_kept(registry: Registry) -> None:
    written = registry.add(numbered(BUNDLE, "1.9.0"), renumber=numbered)
    assert written.name == "1.11.0"
    assert registry.load("pain", "1.11.0").card.startswith("# pain 1.11.0")


def test_the_decision_is_valid_json(registry: Registry) -> None:
    registry.add(numbered(BUNDLE, "6.0.0"), decision={"figures": {"auc": 0.5}})
    assert json.loads((registry.root / "pain/6.0.0.decision.json").read_text())["figures"]["auc"] == 0.5
