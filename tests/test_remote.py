"""Files behind addresses: a real web server on this machine, and a real S3 interface where moto is installed."""

from __future__ import annotations

import gc
import http.server
import re
import threading
import urllib.parse
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("fsspec", reason="the extra `remote` is not installed")
pytest.importorskip("aiohttp", reason="the extra `remote` is not installed")

from exoclassify.errors import FileError
from exoclassify.scoring.runners import Cluster
from exoclassify.scoring.stream import Asked, score_files
from scored import expected, model, read, same, samples, small_pieces, write

BUNDLE = model()
FRAME = samples(BUNDLE, 230)

# aiohttp's sessions end with the process, and Python says so of their sockets.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class _Plain(http.server.SimpleHTTPRequestHandler):
    """Whole files only."""

    def log_message(self, *_):
        pass


class _Ranged(_Plain):
    """Parts of files too, as every object store and most web servers give them."""

    sent = 0

    def do_GET(self):
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        path = Path(self.translate_path(self.path))
        if asked is None or not path.is_file():
            super().do_GET()
            return
        content = path.read_bytes()
        begin, end = int(asked[1]), min(int(asked[2] or len(content) - 1), len(content) - 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {begin}-{end}/{len(content)}")
        self.send_header("Content-Length", str(end - begin + 1))
        self.end_headers()
        self.wfile.write(content[begin : end + 1])
        type(self).sent += end - begin + 1

    def end_headers(self):
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()


def served(folder, handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def web(tmp_path):
    (tmp_path / "web").mkdir()
    server = served(tmp_path / "web", _Ranged)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    gc.collect()


@pytest.fixture(autouse=True)
def _cut_finely(monkeypatch):
    small_pieces(monkeypatch)


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.tsv.zst", "x.parquet", "x.arrow"])
def test_an_address_is_scored_like_a_file(web, tmp_path, name):
    write(FRAME, tmp_path / "web" / name)
    score_files(BUNDLE, [f"{web}/{name}"], tmp_path / "o.csv")
    same(read(tmp_path / "o.csv"), expected(BUNDLE, FRAME))


def test_only_the_panel_travels(web, tmp_path):
    frame = pd.concat([FRAME] * 20).assign(sample_id=[f"S-{i}" for i in range(4600)])
    others = np.random.default_rng(0).random((4600, 100))
    wide = pd.concat([frame, pd.DataFrame(others, frame.index, [f"other-{i}" for i in range(100)])], axis=1)
    wide.to_parquet(tmp_path / "web/x.parquet", index=False)
    _Ranged.sent = 0
    score_files(BUNDLE, [f"{web}/x.parquet"], tmp_path / "o.csv", Asked(keep=("other-3",)))
    assert [float(cell) for cell in read(tmp_path / "o.csv")["other-3"]] == list(wide["other-3"])
    assert _Ranged.sent < (tmp_path / "web/x.parquet").stat().st_size / 2


def test_a_worker_reads_the_address_itself(web, tmp_path):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    write(FRAME, tmp_path / "web/x.csv")
    score_files(BUNDLE, [f"{web}/x.csv"], tmp_path / "o.csv", runner=Cluster(None, 1))
    same(read(tmp_path / "o.csv"), expected(BUNDLE, FRAME))


def test_what_is_not_there_cannot_be_cut_or_has_no_library_is_told(web, tmp_path):
    with pytest.raises(FileError, match=r"/none\.csv: cannot be reached"):
        score_files(BUNDLE, [f"{web}/none.csv"], tmp_path / "o.csv")
    with pytest.raises(FileError, match=r"nope://x\.csv: cannot be opened"):
        score_files(BUNDLE, ["nope://x.csv"], tmp_path / "o.csv")
    write(FRAME, tmp_path / "web/x.xlsx")
    with pytest.raises(FileError, match=r"x\.xlsx: a table of this form is read from this machine alone; download it"):
        score_files(BUNDLE, [f"{web}/x.xlsx"], tmp_path / "o.csv")
    plain = served(tmp_path / "web", _Plain)
    write(FRAME, tmp_path / "web/x.parquet")
    address = f"http://127.0.0.1:{plain.server_port}/x.parquet"
    with pytest.raises(FileError, match=r"x\.parquet: cannot be read in parts.*download it first"):
        score_files(BUNDLE, [address], tmp_path / "o.csv")
    plain.shutdown()
    plain.server_close()
    assert not (tmp_path / "o.csv").exists()


def test_a_bucket_is_scored_with_its_folders_and_keys(tmp_path, monkeypatch):
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    import s3fs

    server = moto.ThreadedMotoServer(port=0)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    settings = {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    for name, value in {**settings, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        store = s3fs.S3FileSystem()
        store.mkdir("biobank")
        for site, rows in (("A", slice(0, 100)), ("B", slice(100, 230))):
            local = write(FRAME.iloc[rows], tmp_path / f"{site}.parquet")
            store.put(str(local), f"biobank/run/site={site}/part.parquet")
        score_files(BUNDLE, ["s3://biobank/run"], tmp_path / "o.csv", Asked(keep=("site",)))
    found = read(tmp_path / "o.csv")
    same(found.drop(columns="site"), expected(BUNDLE, FRAME))
    assert list(found["site"]) == ["A"] * 100 + ["B"] * 130
    server.stop()
    assert urllib.parse.urlparse(address).port
