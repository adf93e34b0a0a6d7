#!/usr/bin/env python3
"""What a training step costs: python3 tests/benchmark.py. It measures, and asserts nothing; about a minute."""
import gc
import os
import platform
import random
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)
import microgpt  # noqa: E402

DEFAULT = dict(n_layer=1, n_embd=16, n_head=4, length=7)  # 7: the mean length of a name, 6, and BOS
VOCAB = 27


def progress(text):
    print(f"\r{text:<70}", end="", file=sys.stderr, flush=True)


def model(n_layer, n_embd, length, **_):
    random.seed(42)
    state_dict = microgpt.init_weights(VOCAB, n_embd, n_layer, length)
    return state_dict, [weight for matrix in state_dict.values() for row in matrix for weight in row]


def measure(repeats, docs=None, **size):
    """Median seconds of the forward pass, the backward pass and the update, and the graph's nodes and edges."""
    state_dict, params = model(**dict(size, length=16 if docs else size["length"]))
    optimizer, times, graph = microgpt.Adam(params), [], []
    for repeat in range(repeats):
        if docs:
            tokens = docs[repeat % len(docs)]
        else:
            tokens = [VOCAB - 1] + [random.randrange(VOCAB - 1) for _ in range(size["length"])]
        t0 = time.perf_counter()
        loss = microgpt.document_loss(tokens, state_dict, size["n_head"])
        t1 = time.perf_counter()
        loss.backward()
        t2 = time.perf_counter()
        optimizer.step(0.01)
        t3 = time.perf_counter()
        times.append((t1 - t0, t2 - t1, t3 - t2))
        if docs:
            graph.append(count(loss))
        del loss
    forward, backward, update = [statistics.median(column) for column in zip(*times)]
    nodes, edges = [statistics.mean(column) for column in zip(*graph)] if graph else (0, 0)
    return forward, backward, update, nodes, edges


def count(root):
    """The computed Values that root depends on, and their inputs in all."""
    nodes, edges, seen = [root], 0, {root}
    for node in nodes:
        edges += len(node.inputs)
        for value in node.inputs:
            if value.inputs and value not in seen:
                seen.add(value)
                nodes.append(value)
    return len(nodes), edges


def multiplications(n_layer, n_embd, length, **_):
    """Of a forward pass: every weight for every token, and attention between all pairs of positions."""
    weights = VOCAB * n_embd + n_layer * 12 * n_embd ** 2
    return length * weights + n_layer * length * (length + 1) * n_embd


def peak_memory():
    """Peak MiB of a whole default run, from a process of its own; None where the system cannot tell."""
    try:
        import resource
        import subprocess
    except ImportError:
        return None
    subprocess.run([sys.executable, "microgpt.py"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (2 ** 20 if sys.platform == "darwin" else 2 ** 10)


def main():
    os.chdir(ROOT)
    if hasattr(gc, "set_threshold"):
        gc.set_threshold(10 ** 6)  # as the run does
    progress("default settings: 300 steps on names")
    random.seed(42)
    docs = microgpt.load_docs()
    random.shuffle(docs)
    vocab = {letter: token for token, letter in enumerate(sorted(set("".join(docs))))}
    docs = [microgpt.encode(doc, vocab) for doc in docs[:300]]
    forward, backward, update, nodes, edges = measure(300, docs, **DEFAULT)
    progress("peak memory: one whole run")
    memory = peak_memory()
    progress("")
    print(f"\r{platform.python_implementation()} {platform.python_version()}, default settings, medians of 300 steps")
    print(f"forward {1e3 * forward:.2f} ms, backward {1e3 * backward:.2f} ms, update {1e3 * update:.2f} ms: "
          f"{1e3 * (forward + backward + update):.2f} ms a step")
    print(f"{nodes:.0f} nodes and {edges:.0f} edges a step")
    print(f"peak memory of the whole run: {f'{memory:.1f} MiB' if memory else 'not told by this system'}")

    print("\n| changed | ms a step | grew by | multiplications grew by |\n|---|---:|---:|---:|")
    before = sum(measure(40, **DEFAULT)[:3])
    print(f"| nothing ({DEFAULT['length']} tokens) | {1e3 * before:.1f} | 1.0 | 1.0 |")
    for name, numbers in (("n_embd", (32, 64)), ("n_layer", (2, 4, 8)), ("length", (14, 28, 56, 112))):
        for number in numbers:
            progress(f"{name} = {number}")
            size = dict(DEFAULT, **{name: number})
            before = sum(measure(20, **DEFAULT)[:3])  # again, as machines change their pace
            now = sum(measure(8, **size)[:3])
            progress("")
            print(f"\r| {name} = {number} | {1e3 * now:.1f} | {now / before:.1f} | "
                  f"{multiplications(**size) / multiplications(**DEFAULT):.1f} |", flush=True)


if __name__ == "__main__":
    main()
