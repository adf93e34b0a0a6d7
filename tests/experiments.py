"""The experiments of README.md, run anew. In the project's folder, type

    python3 tests/experiments.py                  all experiments, in an hour or so
    python3 tests/experiments.py "no relu"        one of them, with seeds 42, 1, 2 and 3
    python3 tests/experiments.py "no relu" 42 7   with other seeds
    python3 tests/experiments.py picture          the picture of the loss

In README.md, an experiment is a block of lines, "-" for a line of microgpt.py and "+"
for what takes its place, and a block of output: the mean of the last 100 losses with
each seed, and what the model writes with the first. This script prints the same, and
how long a run takes (the default run is 1). What README.md has otherwise is marked
"differs".
"""
import codecs
import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SEEDS = ["42", "1", "2", "3"]


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def zen():
    """The poem that Python prints for "import this"."""
    with contextlib.redirect_stdout(io.StringIO()):
        import this
    return codecs.decode(this.s, "rot13")


TEXTS = {"towns": "london paris berlin madrid rome vienna prague warsaw lisbon dublin "
                  "athens brussels".replace(" ", "\n"),
         "verse": zen()}


def experiments():
    """{name: (changes, figures, names)}, as they stand in README.md."""
    found = {}
    changes = []
    for language, text in re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", read("README.md")):
        if language == "diff":
            changes = list(zip(re.findall(r"(?m)^-(.*)", text),
                               re.findall(r"(?m)^\+(.*)", text)))
        for name, figures, names in re.findall(
                r"(?m)^(\w[\w ]*?) +((?:  \d+\.\d{4}){4})(?:\n    writes: (.*))?$",
                text):
            found[name] = (changes, figures.split(), names)
            changes = []
    return found


def run(changes, seed, text):
    """Run a changed copy of the program. Return what it prints, and the seconds."""
    program = "\n" + read("microgpt.py")
    seed_line = re.search("(?m)^seed = .*", program)[0]
    for old, new in [*changes, (seed_line, f"seed = {seed}")]:
        if program.count(f"\n{old}\n") != 1:
            raise SystemExit(f"microgpt.py has no such line, or more than one: {old}")
        program = program.replace(f"\n{old}\n", f"\n{new}\n")
    with tempfile.TemporaryDirectory() as folder:
        for name, content in ("microgpt.py", program), ("input.txt", text):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(content)
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "microgpt.py"], cwd=folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=dict(os.environ, PYTHONIOENCODING="utf-8"))
        return done.stdout.decode("utf-8"), time.perf_counter() - start


def picture():
    """One loss in 20 (.), and the mean of the last 100 (#), of the default run."""
    output, _ = run([], 42, read("input.txt"))
    losses = [float(loss) for loss in re.findall(r"loss (\S+)", output)]
    means = [float(mean) for mean in re.findall(r"100: (\S+)", output)]
    for row in range(36, 17, -1):
        line = ["#" if round(10 * mean) == row else
                "." if round(10 * loss) == row else " "
                for loss, mean in zip(losses[::20], means[::20])]
        print(f"{row / 10} |{''.join(line)}".rstrip())
    print("    +" + "-" * 50 + "\nstep 1" + "1000".rjust(49))


def main(arguments):
    if arguments == ["picture"]:
        return picture()
    stated = experiments()
    seeds = [word for word in arguments if word.isdigit()] or SEEDS
    names = [word for word in arguments if not word.isdigit()] or list(stated)
    if not set(names) <= set(stated):
        raise SystemExit(f"These are in README.md: {', '.join(stated)}")
    _, default = run([], 42, read("input.txt"))
    for name in names:
        changes, figures, writes = stated[name]
        text = TEXTS.get(name) or read("input.txt")
        runs = [run(changes, seed, text) for seed in seeds]
        means = [re.findall(r"100: (\S+)", output)[-1] for output, _ in runs]
        right = means == [dict(zip(SEEDS, figures)).get(seed, "new") for seed in seeds]
        time = sum([seconds for _, seconds in runs]) / len(runs) / default
        print(f"{name:<18}  {'  '.join(means)}  time {time:.1f}"
              f"{'' if right else '  differs'}")
        samples = " | ".join(re.findall(r"(?m)^sample [ \d]+: (.*)$", runs[0][0]))
        right = writes in ("", samples[:len(writes)])
        print(f"    writes: {samples[:76]}{'' if right else '  differs'}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
