"""What a training step costs. Run it on a quiet machine, for about half a minute:

    python3 tests/benchmark.py
"""
import os
import platform
import random
import subprocess
import sys
from statistics import mean, median
from time import perf_counter

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)
from microgpt import GPT, Adam, document_loss

DEFAULT = dict(n_layer=1, n_embd=16, length=7)  # 7: the mean length of a name, 6, and BOS
VOCAB_SIZE = 27


def measure(lengths, n_layer, n_embd):
    """A step for each of these lengths. Return the median milliseconds of forward pass, backward
    pass and update, and the mean number of nodes and edges of the graph."""
    model = GPT(VOCAB_SIZE, n_layer, n_embd, n_head=4, block_size=max(lengths))
    matrices = [model.wte, model.wpe, model.lm_head]
    matrices += [matrix for layer in model.layers for matrix in layer.values()]
    optimizer = Adam([weight for matrix in matrices for row in matrix for weight in row])
    times, sizes = [], []
    for length in lengths:
        tokens = [random.randrange(VOCAB_SIZE) for _ in range(length + 1)]
        start = perf_counter()
        loss = document_loss(tokens, model)
        forward = perf_counter()
        loss.backward()
        backward = perf_counter()
        optimizer.step(0.01)
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


def peak_memory():
    """The MiB that a whole default run takes, where the system tells."""
    try:
        import resource
    except ImportError:  # as on Windows
        return float("nan")
    subprocess.run([sys.executable, "microgpt.py"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    unit = 2 ** 20 if sys.platform == "darwin" else 2 ** 10
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit


def main():
    random.seed(42)
    with open(os.path.join(ROOT, "input.txt"), encoding="utf-8") as file:
        lengths = [len(name.strip()) + 1 for name in random.sample(list(file), 300)]
    (forward, backward, update), (nodes, edges) = measure(lengths, n_layer=1, n_embd=16)
    print(f"{platform.python_implementation()} {platform.python_version()}, default settings")
    print(f"forward {forward:.2f} ms, backward {backward:.2f} ms, update {update:.2f} ms, "
          f"together {forward + backward + update:.2f} ms a step (medians of 300)")
    print(f"{nodes:.0f} computed nodes and {edges:.0f} edges a step (means)")
    print(f"peak memory of a whole run: {peak_memory():.1f} MiB\n")

    print("| changed | time of a step | multiplications |\n|---|---:|---:|")
    for name, numbers in dict(n_embd=[32, 64], n_layer=[2, 4, 8], length=[14, 28, 56]).items():
        for number in numbers:
            both = []
            for size in (DEFAULT, dict(DEFAULT, **{name: number})):  # in turn: machines tire
                times, _ = measure([size["length"]] * 12, size["n_layer"], size["n_embd"])
                both.append((sum(times), multiplications(**size)))
            (time, work), (more_time, more_work) = both
            print(f"| {name} = {number} | x {more_time / time:.1f} | x {more_work / work:.1f} |")


if __name__ == "__main__":
    main()
