"""Runs microgpt.py as a user does: a copy of it in a folder of its own, some settings changed in the text."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FAST = dict(n_layer=1, n_embd=4, n_head=2, block_size=6, num_steps=3, num_samples=2)


def source(all_digits=False, **settings):
    """The program's text, with the numbers of some settings changed, each in the one line that sets it."""
    with open(os.path.join(ROOT, "microgpt.py"), encoding="utf-8") as file:
        text = file.read()
    for name, number in settings.items():
        text, found = re.subn(rf"(?m)^{name} = [\d.]+", f"{name} = {number}", text)
        assert found == 1, f"{found} lines set {name}"
    if all_digits:  # the same program, printing its losses in full
        assert text.count("loss {loss.data:.4f}") == 1
        text = text.replace("loss {loss.data:.4f}", "loss {loss.data!r}")
    return text


def folder_with(test, text=None, **settings):
    """A new folder with the program and, if text is not None, an input.txt; removed after the test."""
    folder = tempfile.mkdtemp()
    test.addCleanup(shutil.rmtree, folder)
    with open(os.path.join(folder, "microgpt.py"), "w", encoding="utf-8") as file:
        file.write(source(**settings))
    if text is not None:
        with open(os.path.join(folder, "input.txt"), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode("utf-8"))
    return folder


def run(folder, *options, **environment):
    """Run it; in its output, as on a screen, a carriage return begins a new line."""
    return subprocess.run([sys.executable, *options, "microgpt.py"], cwd=folder, env=dict(os.environ, **environment),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300,
                          universal_newlines=True, encoding="utf-8", errors="replace")


def losses(output):
    return [float(number) for number in re.findall(r"(?m)^step .*\| loss (\S+)", output)]


def names(output):
    return re.findall(r"(?m)^sample [ \d]+: (.*)$", output)
