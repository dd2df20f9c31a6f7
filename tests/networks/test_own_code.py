"""Networks that somebody's function builds."""

from __future__ import annotations

import os
import pickle
import sys

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sklearn_groupcross import OrbitDataset, load_network

CODE = """
from torch import nn
from sklearn_groupcross import Network

class Net(nn.Module):
    def __init__(self, n_channels):
        super().__init__()
        self.conv = nn.Conv2d(n_channels, 4, 3)

    def forward(self, x):
        from groupcross_sibling import activate
        return activate(self.conv(x))

def build():
    return Net(3)

def build_five():
    return Network(Net(5), n_channels=5, input_size=20, default_layer="conv", name="five")

class Zoo:
    @staticmethod
    def small():
        return Net(1)

made = Net(3)

def number():
    return 3

def fails():
    kernel = None
    return nn.Conv2d(3, 4, kernel)

def leaves():
    raise SystemExit(3)

def speaks():
    raise RuntimeError("two\\nlines")

def silent():
    raise KeyError

def wants(something):
    return something

text = "no function"
"""


def line_of(text):
    return next(i for i, line in enumerate(CODE.splitlines(), 1) if text in line)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with code of one's own, which is the current one."""
    (tmp_path / "groupcross_own.py").write_text(CODE)
    (tmp_path / "groupcross_sibling.py").write_text("def activate(x):\n    return x.relu()\n")
    (tmp_path / "groupcross_package").mkdir()
    (tmp_path / "groupcross_package" / "nets.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("groupcross_")]:
        del sys.modules[name]


@pytest.mark.parametrize("where", ["groupcross_own.py", "groupcross_package.nets"])
class TestWhatIsBuilt:
    def test_a_module(self, place, where):
        network = load_network(f"{where}:build")
        assert repr(network) == f"<Network '{where}:build', 224 px>"
        maps = network.activations(torch.rand(1, 3, 16, 16), "conv")
        assert maps.shape == (1, 4, 14, 14)
        assert network.run(torch.rand(1, 3, 16, 16)).min() >= 0  # what lies beside it was found

    def test_a_network(self, place, where):
        network = load_network(f"{where}:build_five")
        assert (network.name, network.n_channels, network.input_size) == ("five", 5, 20)
        images = torch.rand(2, 24, 24, 5).numpy()
        dataset = OrbitDataset(images, network=f"{where}:build_five", group="cyclic:2")
        assert dataset.as_array().shape[1:] == (2, 4)

    def test_attributes_of_something_and_what_is_built_already(self, place, where):
        assert load_network(f"{where}:Zoo.small").module.conv.in_channels == 1
        made = load_network(f"{where}:made").module
        assert made is load_network(f"{where}:made").module  # the code ran once

    def test_what_it_draws_is_the_same_every_time(self, place, where):
        before = torch.random.get_rng_state()
        one, other = (load_network(f"{where}:build").module.conv.weight for _ in range(2))
        assert one is not other
        assert torch.equal(one, other)
        assert torch.equal(torch.random.get_rng_state(), before)

    def test_weights_are_loaded_strictly(self, place, where, tmp_path):
        module = nn.Sequential()
        module.add_module("conv", nn.Conv2d(3, 4, 3))
        save_file(module.state_dict(), tmp_path / "w.safetensors")
        network = load_network(f"{where}:build", tmp_path / "w.safetensors")
        assert torch.equal(network.module.conv.weight, module.conv.weight)
        with pytest.raises(ValueError, match="does not hold weights of 'five'.*conv.weight"):
            load_network(f"{where}:build_five", tmp_path / "w.safetensors")
        del module.conv._parameters["bias"]
        save_file(module.state_dict(), tmp_path / "less.safetensors")
        with pytest.raises(ValueError, match=r"does not hold weights of.*conv\.bias"):
            load_network(f"{where}:build", tmp_path / "less.safetensors")

    @pytest.mark.parametrize(
        ("function", "message"),
        [
            ("nothing", "has no function 'nothing'. It has Net, build, build_five, Zoo"),
            ("Zoo.nothing", "has no function 'Zoo.nothing'"),
            ("number", "returned an object of type int; it is to return a torch.nn.Module, or a"),
            ("fails", rf"failed at \S+, line {line_of('kernel)')}: \w+: "),
            ("leaves", rf"failed at \S+, line {line_of('SystemExit')}: SystemExit: 3$"),
            ("speaks", rf"failed at \S+, line {line_of('RuntimeError')}: RuntimeError: two lines$"),
            ("silent", rf"failed at \S+, line {line_of('KeyError')}: KeyError$"),
            ("wants", r"wants\(\) of .* failed: TypeError: wants\(\) missing 1 required"),
            ("text", "is no function, but 'no function'"),
        ],
    )
    def test_mistakes_are_said_in_one_line(self, place, where, function, message):
        with pytest.raises(ValueError, match=message) as refusal:
            load_network(f"{where}:{function}")
        assert "\n" not in str(refusal.value)


def test_the_path_is_as_after_python_with_a_file_or_a_module(place):
    before = list(sys.path)
    load_network("groupcross_package/nets.py:build")
    load_network("groupcross_own:build")
    assert sys.path == [str(place), str(place / "groupcross_package"), *before]
    load_network("groupcross_own:build")
    assert len(sys.path) == len(before) + 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("def build(:\n", r"failed at \S+groupcross_bad\.py, line 1: SyntaxError"),
        ("x = 1\nimport groupcross_absent\n", r"line 2: ModuleNotFoundError: No module named"),
        ("from . import nothing\n", r"line 1: ImportError: attempted relative import"),
        ("raise SystemExit\n", r"line 1: SystemExit$"),
    ],
)
@pytest.mark.parametrize("where", ["groupcross_bad.py", "groupcross_bad"])
def test_code_that_does_not_run(place, content, message, where):
    (place / "groupcross_bad.py").write_text(content)
    for _ in range(2):  # nothing half imported stays
        with pytest.raises(ValueError, match=message):
            load_network(f"{where}:build")
    (place / "groupcross_bad.py").write_text("from torch import nn\nbuild = nn.Identity\n")
    assert "groupcross_bad" not in sys.modules


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("absent.py:build", FileNotFoundError, r"No file absent\.py .* current folder is"),
        (".:build", ValueError, "is named FILE.py:FUNCTION"),
        ("groupcross_absent:build", ImportError, "No module 'groupcross_absent': there is none in"),
        ("groupcross_package.no:build", ImportError, r"No module 'groupcross_package\.no'"),
        ("groupcross_own.py:", ValueError, "PACKAGE.MODULE:FUNCTION, of a function that returns"),
        ("groupcross_own.py:a b", ValueError, "PACKAGE.MODULE:FUNCTION"),
        (":build", ValueError, "PACKAGE.MODULE:FUNCTION"),
        ("groupcross_own.py", ValueError, "Unknown network .* One of your own is named FILE.py:"),
    ],
)
def test_names_of_nothing(place, name, error, message):
    with pytest.raises(error, match=message):
        load_network(name)


@pytest.mark.parametrize("name", ["random.py", "torchvision.py", "a.b.py", "a b.py"])
def test_a_file_takes_no_name_of_another_module(place, name):
    (place / "other").mkdir()
    (place / "other" / name).write_text(CODE)
    before = sys.modules.get(name.removesuffix(".py"))
    assert load_network(f"other/{name}:build").name == f"{name}:build"
    assert sys.modules.get(name.removesuffix(".py")) is before


def test_a_file_that_has_changed_is_run_again(place):
    (place / "other").mkdir()
    for width in (4, 6):
        for folder in (place, place / "other"):
            code = CODE.replace("(n_channels, 4, 3)", f"(n_channels, {width}, 3)")
            (folder / "groupcross_own.py").write_text(code.replace("5", str(width)))
    for where, width in (("groupcross_own.py", 6), ("other/groupcross_own.py", 6)):
        assert load_network(f"{where}:build").module.conv.out_channels == width
    # of the same length, and in the same second
    file, before = place / "groupcross_own.py", (place / "groupcross_own.py").stat()
    file.write_text(CODE)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert load_network("groupcross_own.py:build").module.conv.out_channels == 4
    assert load_network("other/groupcross_own.py:build").module.conv.out_channels == 6


def test_processes_that_work_for_us_find_the_code(place, monkeypatch):
    """Those too that were started before it was on the path."""
    network = load_network("groupcross_own.py:build_five")
    pickled = pickle.dumps(network)
    for name in [name for name in sys.modules if name.startswith("groupcross_")]:
        del sys.modules[name]
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(place)])
    monkeypatch.chdir("/")
    images = torch.rand(1, 5, 20, 20)
    again = pickle.loads(pickled)
    assert torch.equal(again.activations(images), network.activations(images))
