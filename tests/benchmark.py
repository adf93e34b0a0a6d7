"""What a training step costs. Run it on a quiet machine:

    python3 tests/benchmark.py          half a minute: times, graph, memory, and larger models
    python3 tests/benchmark.py FILE     beside another program of the kind, such as Karpathy's

FILE must have a line `num_steps = ...` and print a `loss` in each step. Both programs run three
times in turn, with 100 steps; times are the least of three, of the whole run, and CPU only.
"""
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
from statistics import mean, median
from time import perf_counter

from program import read
from microgpt import adam, document_loss, new_model, parameters

DEFAULT = dict(n_layer=1, n_embd=16, length=7)  # 7: the mean length of a name, 6, and BOS
VOCAB_SIZE = 27


def measure(lengths, n_layer, n_embd):
    """A step for each of these lengths. Return the median milliseconds of forward pass, backward
    pass and update, and the mean number of nodes and edges of the graph."""
    model = new_model(VOCAB_SIZE, n_layer, n_embd, n_head=4, block_size=max(lengths))
    params = parameters(model)
    m, v = [0.0] * len(params), [0.0] * len(params)
    times, sizes = [], []
    for step, length in enumerate(lengths):
        tokens = [random.randrange(VOCAB_SIZE) for _ in range(length + 1)]
        start = perf_counter()
        loss = document_loss(tokens, model)
        forward = perf_counter()
        loss.backward()
        backward = perf_counter()
        adam(params, m, v, step, 0.01)
        update = perf_counter()
        times.append([1000 * (forward - start), 1000 * (backward - forward),
                      1000 * (update - backward)])
        sizes.append(graph_size(loss))
    return [median(column) for column in zip(*times)], [mean(column) for column in zip(*sizes)]


def graph_size(loss):
    """The computed Values that the loss depends on, itself included, and their inputs."""
    nodes, stack = {loss}, [loss]
    while stack:
        for value in stack.pop().inputs:
            if value.inputs and value not in nodes:
                nodes.add(value)
                stack.append(value)
    return len(nodes), sum([len(node.inputs) for node in nodes])


def multiplications(n_layer, n_embd, length):
    """Of a forward pass: each weight with each token, and each position with all before it."""
    weights = VOCAB_SIZE * n_embd + n_layer * 12 * n_embd ** 2
    return length * weights + n_layer * n_embd * length * (length + 1)


MEASURED_RUN = """
import resource, runpy, sys
runpy.run_path("program.py", run_name="__main__")
used = resource.getrusage(resource.RUSAGE_SELF)
print("\\nmeasured", used.ru_utime + used.ru_stime,
      used.ru_maxrss / (2 ** 20 if sys.platform == "darwin" else 2 ** 10))
"""


def whole_run(program):
    """Run a program beside input.txt. Return what it prints, CPU seconds and peak MiB. (On Windows,
    which has no module `resource`, this ends in an error.)"""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("program.py", program), ("input.txt", read("input.txt"))):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        done = subprocess.run([sys.executable, "-c", MEASURED_RUN], cwd=folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=dict(os.environ, PYTHONIOENCODING="utf-8"))
    if done.returncode != 0:
        raise SystemExit(done.stderr.decode("utf-8").strip().splitlines()[-1])
    printed, _, measured = done.stdout.decode("utf-8").rpartition("\nmeasured ")
    seconds, memory = map(float, measured.split())
    return printed, seconds, memory


def alone():
    random.seed(42)
    lengths = [len(name) + 1 for name in random.sample(read("input.txt").split(), 300)]
    (forward, backward, update), (nodes, edges) = measure(lengths, n_layer=1, n_embd=16)
    print(f"{platform.python_implementation()} {platform.python_version()}, default settings")
    print(f"forward {forward:.2f} ms, backward {backward:.2f} ms, update {update:.2f} ms, "
          f"together {forward + backward + update:.2f} ms a step (medians of 300)")
    print(f"{nodes:.0f} computed nodes and {edges:.0f} edges a step (means)")
    print(f"peak memory of a whole run: {whole_run(read('microgpt.py'))[2]:.1f} MiB\n")

    print("| changed | time of a step | multiplications |\n|---|---:|---:|")
    for name, numbers in dict(n_embd=[32, 64], n_layer=[2, 4, 8], length=[14, 28, 56]).items():
        for number in numbers:
            both = []
            for size in (DEFAULT, dict(DEFAULT, **{name: number})):  # in turn: machines tire
                times, _ = measure([size["length"]] * 12, size["n_layer"], size["n_embd"])
                both.append((sum(times), multiplications(**size)))
            (time, work), (more_time, more_work) = both
            print(f"| {name} = {number} | x {more_time / time:.1f} | x {more_work / work:.1f} |")


def beside(path):
    programs = {"microgpt.py": read("microgpt.py")}
    with open(path, encoding="utf-8") as file:
        programs[path] = file.read()
    for name, text in programs.items():
        programs[name], found = re.subn(r"(?m)^num_steps = \d+", "num_steps = 100", text)
        if found != 1:
            raise SystemExit(f"{name} has {found} lines `num_steps = ...` instead of one")
    runs = {name: [] for name in programs}
    for _ in range(3):
        for name, program in programs.items():
            runs[name].append(whole_run(program))
    for name, results in runs.items():
        print(f"{min(seconds for _, seconds, _ in results):7.2f} s  "
              f"{max(memory for _, _, memory in results):6.1f} MiB  {name}")
    ours, theirs = [min(seconds for _, seconds, _ in results) for results in runs.values()]
    print(f"microgpt.py is {theirs / ours:.1f} times as fast (CPU time of 100 steps)")
    first, second = [re.findall(r"\bloss (\S+)", results[0][0]) for results in runs.values()]
    same = len(first) == 100 and first == second
    print("the printed losses agree" if same else "the printed losses DIFFER")
    return same


if __name__ == "__main__":
    if len(sys.argv) > 2:
        raise SystemExit(__doc__)
    if len(sys.argv) == 2:
        sys.exit(0 if beside(sys.argv[1]) else 1)
    alone()
