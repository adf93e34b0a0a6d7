"""What several tests need: the program, models to call, and folders to run a copy of it in.

Import this first: it makes microgpt.py, one folder up, importable.
"""
import contextlib
import functools
import io
import os
import random
import re
import runpy
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)
from microgpt import Value, new_model

FAST = dict(n_layer=1, n_embd=4, n_head=2, block_size=6, num_steps=3, num_samples=2)
NAMES = "emma\nolivia\nava\nmarina\nmarie\n"


def values(*numbers):
    return [Value(number) for number in numbers]


def data(vector):
    return [value.data for value in vector]


def model_of(vocab_size, n_layer=2, n_embd=8, n_head=2, block_size=6):
    """A small model, the same each time."""
    random.seed(3)
    return new_model(vocab_size, n_layer, n_embd, n_head, block_size)


def read(name):
    """The text of a file of the project."""
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def source(**settings):
    """The text of the program, with other values in the lines that set these settings."""
    text = read("microgpt.py")
    for name, value in settings.items():
        text, found = re.subn(rf"(?m)^{name} = \S+", f"{name} = {value!r}", text)
        assert found == 1, f"{found} lines set {name}"
    return text


def folder_with(test, text=None, **settings):
    """A folder with the program and, if there is a text, an input.txt, until the test ends."""
    folder = os.path.realpath(tempfile.mkdtemp())
    test.addCleanup(shutil.rmtree, folder)
    with open(os.path.join(folder, "microgpt.py"), "w", encoding="utf-8") as file:
        file.write(source(**settings))
    if text is not None:
        with open(os.path.join(folder, "input.txt"), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode("utf-8"))
    return folder


def run(folder, *options, **environment):
    """Run the program in a folder. In its output, a carriage return begins a new line."""
    return subprocess.run(
        [sys.executable, *options, "microgpt.py"], cwd=folder, timeout=300,
        env=dict(os.environ, PYTHONIOENCODING="utf-8", **environment),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        universal_newlines=True, encoding="utf-8", errors="replace")


@functools.lru_cache(maxsize=None)
def default_run():
    """Run the program as it is, once for all tests. Return its variables, what it printed, and the
    state of the random numbers afterward."""
    here = os.getcwd()
    os.chdir(ROOT)
    try:
        with contextlib.redirect_stdout(io.StringIO()) as screen:
            variables = runpy.run_path("microgpt.py", run_name="__main__")
    finally:
        os.chdir(here)
    return variables, screen.getvalue(), random.getstate()


def printed_losses(output):
    return [float(number) for number in re.findall(r"\| loss (\S+)", output)]


def printed_names(output):
    return re.findall(r"(?m)^sample [ \d]+: (.*)$", output)
