"""The experiments of experiments.md, run anew. In the project's folder, type

    python3 tests/experiments.py                  all of them, in more than an hour
    python3 tests/experiments.py "no relu"        one of them, with seeds 42, 1, 2 and 3
    python3 tests/experiments.py "no relu" 42     with one seed
    python3 tests/experiments.py picture          the picture of the loss

(It takes less with pypy3 in place of python3.) On the pages, README.md and
experiments.md, a block of changed lines has "-" for a line of microgpt.py and "+" for
what takes its place, under "@@" and the name of the change. A block of output has the
name of an experiment, the mean of the last 100 losses with each seed, and what the model
writes with the first. Its name is made of changes, settings and texts, such as "twice,
no attention" or "n_embd = 32". This script makes the changes and prints the same, with
the time of a run (the default run is 1). What is not on the pages is marked "differs".
"""
import codecs
import contextlib
import io
import math
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)
from microgpt import document_loss, encode, new_model, train, BOS

SEEDS = ["42", "1", "2", "3"]


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


PAGES = read("README.md") + read("tests", "experiments.md")
INPUT = read("input.txt")


def zen():
    """The poem that Python prints for "import this"."""
    with contextlib.redirect_stdout(io.StringIO()):
        import this
    return codecs.decode(this.s, "rot13")


def twice():
    """3,000 lines of four random letters, written twice, as experiments.md makes them."""
    draw = random.Random(1)
    words = ["".join(draw.choices("abcdefgh", k=4)) for _ in range(3000)]
    return "\n".join([word + word for word in words])


TEXTS = {"towns": "london paris berlin madrid rome vienna prague warsaw lisbon dublin "
                  "athens brussels".replace(" ", "\n"),
         "verse": zen(),
         "twice": twice()}


def blocks(language):
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", PAGES)


def changes():
    """{name of a change: [(old line, new line), ...]}, as they stand on the pages."""
    found = {}
    for name, lines in re.findall(r"(?m)^@@ (.*)\n((?:[-+].*\n)+)", "".join(blocks("diff"))):
        old, new = [re.findall(rf"(?m)^{sign}(.*)", lines) for sign in (r"-", r"\+")]
        found[name] = list(zip(old, new))
    return found


def experiments():
    """{name: (figures, names)}, as they stand on the pages."""
    found = re.findall(r"(?m)^(\w[\w =.,]*?) *((?:  \d+\.\d{4}){4}|)\n    writes: (.*)$",
                       "".join(blocks("text")))
    return {name: (figures.split(), names) for name, figures, names in found}


def run(name, seed):
    """Run a changed copy of the program. Return what it prints, and the seconds."""
    print(f"... {name}, seed {seed}", file=sys.stderr, flush=True)
    program = "\n" + read("microgpt.py")
    text = INPUT
    lines = []
    for part in [*name.split(", "), f"seed = {seed}"]:
        if part in TEXTS:
            text = TEXTS[part]
        elif " = " in part:
            lines += [(re.search(rf"(?m)^{part.split()[0]} = .*", program)[0], part)]
        elif part != "default":
            lines += changes()[part]
    for old, new in lines:
        if program.count(f"\n{old}\n") != 1:
            raise SystemExit(f"microgpt.py has no such line, or more than one: {old}")
        program = program.replace(f"\n{old}\n", f"\n{new}\n")
    with tempfile.TemporaryDirectory() as folder:
        for file_name, content in ("microgpt.py", program), ("input.txt", text):
            with open(os.path.join(folder, file_name), "w", encoding="utf-8") as file:
                file.write(content)
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "microgpt.py"], cwd=folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=dict(os.environ, PYTHONIOENCODING="utf-8"))
        seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{name}: " + done.stderr.decode("utf-8").strip().splitlines()[-1])
    return done.stdout.decode("utf-8"), seconds


def picture():
    """One loss in 20 (.), and the mean of the last 100 (#), of the default run."""
    output, _ = run("default", "42")
    losses = [float(loss) for loss in re.findall(r"loss (\S+)", output)]
    means = [float(mean) for mean in re.findall(r"100: (\S+)", output)]
    for row in range(36, 17, -1):
        line = ["#" if round(10 * mean) == row else
                "." if round(10 * loss) == row else " "
                for loss, mean in zip(losses[::20], means[::20])]
        print(f"{row / 10} |{''.join(line)}".rstrip())
    print("    +" + "-" * 50 + "\nstep 1" + "1000".rjust(49))


def counted(names, length):
    """Count what follows each run of this many letters. Return p(letter, text before it):
    a table's guess, mixed with that of the next shorter run, as often as it was seen."""
    after = [Counter() for _ in range(length + 1)]
    for name in names:
        text = "^" * length + name + "$"
        for i in range(length, len(text)):
            for n in range(length + 1):
                after[n][text[i - n:i], text[i]] += 1
                after[n][text[i - n:i]] += 1

    def probability(letter, before):
        p = 1 / 27
        for n in range(length + 1):
            run_of = before[len(before) - n:]
            p = (after[n][run_of, letter] + 3 * p) / (after[n][run_of] + 3)
        return p

    return probability


def counting():
    """The loss on 1,000 names that were never read: the model, and tables of letters."""
    random.seed(42)
    docs = INPUT.split()
    random.shuffle(docs)
    vocab = sorted(set("".join(docs))) + [BOS]
    known = set(docs[:5000])
    unread = [name for name in docs[5000:] if name not in known][:1000]

    def mean_loss(loss):
        return sum([loss(name) for name in unread]) / len(unread)

    def table_loss(names, length):
        probability = counted(names, length)

        def loss(name):
            text = "^" * length + name + "$"
            return -sum([math.log(probability(text[i], text[:i]))
                         for i in range(length, len(text))]) / (len(name) + 1)

        return mean_loss(loss)

    print("names read               0    1000    5000")
    weights = random.getstate()
    row = []
    for number in (0, 1000, 5000):
        random.setstate(weights)
        model = new_model(len(vocab), 1, 16, 4, 16)
        with contextlib.redirect_stdout(io.StringIO()):
            train(model, docs, vocab, number, 0.01)
        row.append(mean_loss(lambda name: document_loss(encode(name, vocab)[:17], model).data))
    rows = {"the model": row}
    for title, length in {"single letters": 0, "pairs": 1, "triples": 2}.items():
        rows[title] = [table_loss(docs[:number], length) for number in (0, 1000, 5000)]
    for title, row in rows.items():
        print(f"{title:<20}" + "".join([f"  {loss:.2f}  " for loss in row]).rstrip())


def looking():
    """What a head looks at that has learned to copy: the piece of experiments.md, on "twice"."""
    [piece] = [piece for piece in blocks("python") if "looks at" in piece]
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "input.txt"), "w", encoding="utf-8") as file:
            file.write(twice())
        os.chdir(folder)
        variables = {"__name__": "__main__"}
        with contextlib.redirect_stdout(io.StringIO()):
            exec(read("microgpt.py"), variables)
        os.chdir(here)
    exec(piece.replace("marina", "deahdeah"), variables)


def compare(function):
    """Print what a function prints, and whether it stands on one of the pages."""
    with contextlib.redirect_stdout(io.StringIO()) as screen:
        function()
    text = screen.getvalue()
    print(text + ("" if f"```text\n{text}```" in PAGES else "differs"), flush=True)


def main(arguments):
    stated = experiments()
    special = {"picture": picture, "looking": looking, "counting": counting}
    seeds = [word for word in arguments if word.isdigit()] or SEEDS
    names = [word for word in arguments if not word.isdigit()] or [*stated, *special]
    if not set(names) <= {*stated, *special}:
        raise SystemExit("\n    ".join(["These are on the pages:", *stated, *special]))
    default = None
    for name in names:
        if name in special:
            compare(special[name])
            continue
        figures, writes = stated[name]
        output, _ = first = run(name, seeds[0])
        samples = " | ".join(re.findall(r"(?m)^sample [ \d]+: (.*)$", output))
        if figures:
            default = default or run("default", "42")[1]
            runs = [first, *(run(name, seed) for seed in seeds[1:])]
            means = [re.findall(r"100: (\S+)", output)[-1] for output, _ in runs]
            right = means == [dict(zip(SEEDS, figures)).get(seed, "new") for seed in seeds]
            seconds = sum([seconds for _, seconds in runs]) / len(runs)
            print(f"{name:<18}  {'  '.join(means)}  time {seconds / default:.1f}"
                  f"{'' if right else '  differs'}")
        else:
            print(name)
        right = seeds[0] != "42" or samples.startswith(writes)
        print(f"    writes: {samples[:76]}{'' if right else '  differs'}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
