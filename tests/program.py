"""Runs microgpt.py as people do: in a folder of its own, or in the cells of a notebook."""
import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FAST = dict(n_layer=1, n_embd=4, n_head=2, block_size=6, num_steps=3, num_samples=2)
NAMES = "emma\nolivia\nava\nmarina\nmarie\n"


def source(**settings):
    """The text of the program, with other numbers in the lines that set these settings."""
    with open(os.path.join(ROOT, "microgpt.py"), encoding="utf-8") as file:
        text = file.read()
    for name, number in settings.items():
        text, found = re.subn(rf"(?m)^{name} = [\d.]+", f"{name} = {number}", text)
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


def run_here(test, *cells, text=NAMES, variables=None):
    """Run cells here, one by one. Return the variables they leave, and what they printed."""
    variables = {"__name__": "__main__"} if variables is None else variables
    folder = folder_with(test, text)
    test.addCleanup(os.chdir, os.getcwd())
    os.chdir(folder)
    with contextlib.redirect_stdout(io.StringIO()) as screen:
        for cell in cells:
            exec(cell, variables)
    return variables, screen.getvalue()


def losses(output):
    return [float(number) for number in re.findall(r"\| loss (\S+)", output)]


def names(output):
    return re.findall(r"(?m)^sample [ \d]+: (.*)$", output)
