"""Nothing that a file may hold is run: no pickle is opened on the way from images to a report."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sklearn_groupcross"
#: What opens pickles or runs text, and where that is looked after: docs/guide/trust says so too.
ALLOWED = {
    "_compiled.py": {"pickle.loads"},  # numba's cache, which is trusted as the package
    "networks/_weights_file.py": {"torch.load"},  # after `check_pickle`, and with weights_only
}
OPENS = {
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.load", "marshal.loads"),
    *("torch.load", "torch.jit.load", "joblib.load", "np.load", "numpy.load", "shelve.open"),
    *("pd.read_pickle", "pandas.read_pickle", "yaml.load", "eval", "exec", "np.fromfile"),
}


def calls(tree):
    """Names of functions that are called, with the call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def opens_pickles(name, call):
    if name not in OPENS:
        return False
    arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    # numpy's default, since 1.16.3
    return name not in ("np.load", "numpy.load") or arguments.get("allow_pickle") == "True"


def found_in(text):
    return {name for name, call in calls(ast.parse(text)) if opens_pickles(name, call)}


def test_pickles_are_opened_where_the_guide_says_and_nowhere_else():
    found = {
        path.relative_to(PACKAGE).as_posix(): found_in(path.read_text(encoding="utf-8"))
        for path in PACKAGE.rglob("*.py")
    }
    assert {name: names for name, names in found.items() if names} == ALLOWED


def test_torch_loads_weights_only():
    text = (PACKAGE / "networks" / "_weights_file.py").read_text(encoding="utf-8")
    (call,) = [call for name, call in calls(ast.parse(text)) if name == "torch.load"]
    arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    assert arguments["weights_only"] == "True"


@pytest.mark.parametrize("text", ["pickle.load(file)", "np.load(path, allow_pickle=True)"])
def test_another_one_would_be_seen(text):
    assert found_in(text)
    assert not found_in("np.load(path)")


#: Runs everything under an audit hook that writes down what is unpickled, and for whom.
WATCHED = """
import json, sys
from pathlib import Path
from tests.cli.runs import run

seen = set()

def hook(event, arguments):
    if event == "pickle.find_class":
        frame, callers = sys._getframe(), []
        while frame is not None:
            callers.append(frame.f_code.co_filename.replace("\\\\", "/"))
            frame = frame.f_back
        of_cache = any(caller.endswith("_compiled.py") for caller in callers)
        seen.add("numba's cache" if of_cache else ".".join(arguments))

sys.addaudithook(hook)
images, out = map(Path, sys.argv[1:])
assert run(images, out, "--quiet") == 0
print(json.dumps(sorted(seen)))
"""


def test_a_run_opens_no_pickle_but_numbas_cache(smooth_images, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for i, image in enumerate(smooth_images):
        Image.fromarray(image).resize((150, 150)).save(images / f"{i}.png")
    command = [sys.executable, "-c", WATCHED, str(images), str(tmp_path / "out")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert set(json.loads(ended.stdout.splitlines()[-1])) <= {"numba's cache"}
