"""`pip install .` carries everything that the package reads: built from what git knows, put to use elsewhere."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def repository_files():
    """The files that git tracks or would track, as paths relative to the repository."""
    git = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return sorted(name for name in listed if name and (ROOT / name).is_file())


def pip(*arguments, python=None):
    aim = ["--python", str(python)] if python else []
    command = [sys.executable, "-m", "pip", *aim, *arguments, "--no-index", "--no-deps", "--quiet"]
    done = subprocess.run([*command, "--disable-pip-version-check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy without what an editable install leaves behind, as a fresh clone would be."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in repository_files():
        if name.startswith("mamba_edu/") or "/" not in name:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(out), str(source))
    return next(out.glob("mamba_edu-*.whl"))


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """The Python of a fresh environment in which the wheel is installed; its dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("fresh") / "env"
    venv.create(folder, with_pip=False)
    fresh = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip("install", str(wheel), python=fresh)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([fresh, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    # A plain path, so that the .pth of this environment's editable install is not read.
    Path(site, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return fresh


def test_the_wheel_holds_every_file_of_the_package(wheel):
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {name for name in repository_files() if name.startswith("mamba_edu/")}
    kinds = {Path(name).suffix for name in wanted}
    assert {".gz", ".js", ".css", ".json"} <= kinds, "the corpus, the live figures' files and the records are data"
    assert sorted(wanted - packed) == []


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    packed = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in packed} == {"mamba_edu"}
    assert {"LICENSE", "LICENSE-TEXT"} <= {name.rpartition("licenses/")[2] for name in packed}


def test_the_installed_figures_have_their_scripts_and_styles(python, tmp_path):
    code = (
        "import pathlib, sys\n"
        "from mamba_edu import widgets\n"
        "assert pathlib.Path(sys.prefix) in pathlib.Path(widgets.__file__).parents\n"
        "figures = [widgets.figure_class(name)() for name in widgets._HOME.values()]\n"
        "for figure in figures:\n"
        "    sent = figure.get_state()\n"
        "    assert 'export default' in sent['_esm'] and '.live-stage' in sent['_css'] and '--ss-h' in sent['_css']\n"
        "    assert '<figure class=' in figure.html()\n"
        "print(len(figures))\n"
    )
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=clean)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0


def test_the_installed_package_works_away_from_the_repository(python, tmp_path):
    code = (
        "import pathlib, sys, mamba_edu\n"
        "home = pathlib.Path(mamba_edu.__file__)\n"
        "assert pathlib.Path(sys.prefix) in home.parents, home\n"
        "train, valid, test = mamba_edu.load_enwiki8_dataset(fallback='pocket')\n"
        "import torch; torch.manual_seed(0)\n"
        "model = mamba_edu.Mamba(mamba_edu.MambaConfig(d_model=8, n_layer=1))\n"
        "print(len(train) > len(test) > 0, model(mamba_edu.encode_dataset(test[:9])[None]).shape[1])\n"
    )
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MAMBA_EDU_DATA")}
    clean |= {"MAMBA_EDU_CACHE": str(tmp_path)}
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=clean)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[-2] == "True 9"
