"""The run: the published numbers, the printed lines, the import that does nothing, the notebook."""
import contextlib
import gc
import io
import json
import math
import os
import subprocess
import sys
import unittest

from program import FAST, ROOT, folder_with, losses, names, run, source

with open(os.path.join(ROOT, "tests", "known_good.json"), encoding="utf-8") as known_good:
    KNOWN_GOOD = json.load(known_good)
with open(os.path.join(ROOT, "input.txt"), encoding="utf-8") as input_txt:
    INPUT = input_txt.read()
NAMES = "emma\nolivia\nava\nmarina\nmarie\n"


class TheDefaultRun(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        keeper = unittest.TestCase()  # (to keep the folder for the whole class)
        cls.done = run(folder_with(keeper, INPUT, all_digits=True))
        keeper.doCleanups()

    def test_all_1000_losses_are_the_published_ones(self):
        found, expected = losses(self.done.stdout), KNOWN_GOOD["default"]["losses"]
        self.assertEqual((len(found), len(expected)), (1000, 1000))
        self.assertLess(max([abs(a - b) for a, b in zip(found, expected)]), 1e-9)

    def test_the_20_names_are_the_published_ones(self):
        self.assertEqual(names(self.done.stdout), KNOWN_GOOD["default"]["samples"])
        self.assertEqual(len(names(self.done.stdout)), 20)

    def test_it_says_what_it_learns_from_first(self):
        counts = [f"{name}: {KNOWN_GOOD['default'][name]}" for name in ("num docs", "vocab size", "num params")]
        self.assertEqual(self.done.stdout.splitlines()[:3], counts)

    def test_the_mean_of_the_last_100_losses_has_come_down_to_2_4078(self):
        [last] = [line for line in self.done.stdout.splitlines() if line.startswith("step 1000 ")]
        self.assertTrue(last.rstrip().endswith("| mean of last 100: 2.4078"), last)

    def test_it_ends_well_and_complains_of_nothing(self):
        self.assertEqual((self.done.returncode, self.done.stderr), (0, ""))


class OtherSettings(unittest.TestCase):
    def test_losses_and_names_agree_with_a_program_derived_by_hand(self):
        for case in KNOWN_GOOD["others"]:
            with self.subTest(case["name"]):
                done = run(folder_with(self, case["text"] or INPUT, all_digits=True, **case["settings"]))
                found = losses(done.stdout)
                self.assertEqual(len(found), len(case["losses"]), done.stderr)
                self.assertLess(max([abs(a - b) for a, b in zip(found, case["losses"])]), 1e-9)
                self.assertEqual(names(done.stdout), case["samples"])

    def test_extreme_settings_that_can_work_run_to_the_end(self):
        for setting in (dict(learning_rate=10), dict(temperature=0.01), dict(temperature=100), dict(block_size=1),
                        dict(num_steps=0), dict(num_steps=1), dict(n_head=1), dict(n_embd=1, n_head=1),
                        dict(n_layer=0), dict(num_samples=0), dict(learning_rate=10, num_steps=60),
                        dict(n_layer=12, n_embd=2), dict(block_size=200)):
            with self.subTest(**setting):
                done = run(folder_with(self, NAMES, **dict(FAST, **setting)))
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(len(losses(done.stdout)), setting.get("num_steps", 3))
                self.assertTrue(all(math.isfinite(loss) for loss in losses(done.stdout)))
                self.assertEqual(len(names(done.stdout)), setting.get("num_samples", 2))

    def test_heads_that_do_not_divide_the_width_are_named_before_anything_is_trained(self):
        done = run(folder_with(self, NAMES, n_head=3))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"^n_head \(3\) must divide n_embd \(16\)[^\n]*\n$")

    def test_settings_that_cannot_work_end_in_one_clear_line(self):
        for setting in (dict(n_head=0), dict(n_embd=0), dict(block_size=0), dict(temperature=0)):
            with self.subTest(**setting):
                done = run(folder_with(self, NAMES, **setting))
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertRegex(done.stderr, r"^n_head [^\n]* n_embd [^\n]* block_size, temperature [^\n]*> 0\n$")

    def test_the_way_in_which_a_python_adds_up_floats_makes_no_difference_to_1e_9(self):
        """Python 3.12's sum() of floats rounds once, at the end; before, it rounded after each."""
        def plain(numbers):
            total = 0
            for number in numbers:
                total = total + number
            return total

        def exact(numbers):
            numbers = list(numbers)
            return math.fsum(numbers) if all(isinstance(n, float) for n in numbers) else plain(numbers)
        found = [run_here(text=INPUT, all_digits=True, num_steps=20, num_samples=5, sum=way)[1] for way in (plain, exact)]
        self.assertLess(max([abs(a - b) for a, b in zip(losses(found[0]), losses(found[1]))]), 1e-9)
        self.assertEqual(names(found[0]), names(found[1]))
        self.assertEqual(len(losses(found[0])), 20)


class Screen(io.StringIO):
    """Standard output that counts how often it was flushed."""
    flushed = 0

    def flush(self):
        self.flushed += 1


def run_here(text=NAMES, pieces=lambda program: [program], all_digits=False, sum=sum, **settings):
    """Run the program in this process, as a notebook's kernel does: -> (its variables, what it printed)"""
    test, screen, argv, folder = unittest.TestCase(), Screen(), sys.argv, os.getcwd()
    if hasattr(gc, "set_threshold"):
        test.addCleanup(gc.set_threshold, *gc.get_threshold())  # the run sets it
    variables = {"__name__": "__main__", "sum": sum}
    try:
        sys.argv = ["/somewhere/ipykernel_launcher.py", "-f", "/somewhere/kernel-1.json"]
        os.chdir(folder_with(test, text))
        with contextlib.redirect_stdout(screen):
            for piece in pieces(source(all_digits, **settings)):
                exec(compile(piece, "cell", "exec"), variables)
    finally:
        sys.argv = argv
        os.chdir(folder)
        test.doCleanups()
    variables["flushed"] = screen.flushed
    return variables, screen.getvalue().replace("\r\n", "\n").replace("\r", "\n")


def cells(program):
    head, *rest = program.split("# %% ")
    return [head] + ["# %% " + cell for cell in rest]


class Notebook(unittest.TestCase):
    def test_the_whole_file_pasted_into_one_cell_runs(self):
        variables, printed = run_here(**FAST)
        self.assertEqual((len(losses(printed)), len(names(printed))), (3, 2))

    def test_it_falls_into_cells_that_run_one_by_one_and_print_the_same(self):
        self.assertGreaterEqual(len(cells(source())), 6 + 1)
        self.assertEqual(run_here(pieces=cells, **FAST)[1], run_here(**FAST)[1])

    def test_a_cell_alone_can_be_run_again(self):
        once, twice = run_here(pieces=cells, **FAST)[1], run_here(pieces=lambda p: cells(p) + cells(p)[-1:], **FAST)[1]
        self.assertEqual(twice, once + once)

    def test_afterward_docs_params_and_state_dict_are_there_to_look_at(self):
        variables, _ = run_here(**FAST)
        self.assertEqual(sorted(variables["docs"]), sorted(NAMES.split()))
        self.assertEqual(list(variables["state_dict"])[:3], ["wte", "wpe", "lm_head"])
        flat = [weight for matrix in variables["state_dict"].values() for row in matrix for weight in row]
        self.assertEqual(len(variables["params"]), len(flat))
        self.assertTrue(all(a is b for a, b in zip(variables["params"], flat)))
        self.assertEqual([param.grad for param in flat], [0.0] * len(flat))

    def test_nothing_is_kept_from_step_to_step_but_the_weights(self):
        variables, _ = run_here(**FAST)
        self.assertEqual([name for name, thing in variables.items() if isinstance(thing, variables["Value"])], [])

    def test_one_call_gives_another_sample_hotter_and_from_given_letters(self):
        m, _ = run_here(**dict(FAST, block_size=8))
        text = m["sample"](m["state_dict"], m["n_head"], m["vocab"], temperature=2.0, start="mar")
        self.assertTrue(text.startswith("mar"))
        self.assertLessEqual(len(text), 8)


class PrintedLines(unittest.TestCase):
    def test_they_begin_as_published_and_the_step_line_goes_on_with_a_mean(self):
        done = run(folder_with(self, NAMES, **FAST))
        number = r"\d+\.\d{4}"
        for line, pattern in zip(done.stdout.splitlines(), [
                r"num docs: 5", r"vocab size: 10", rf"num params: {2 * 10 * 4 + 6 * 4 + 12 * 4 * 4}",
                rf"step    1 /    3 \| loss {number} \| mean of last 100: {number} *",
                rf"step    2 /    3 \| loss {number} \| mean of last 100: {number} *",
                rf"step    3 /    3 \| loss {number} \| mean of last 100: {number} *",
                r"--- inference \(new, hallucinated names\) ---", r"sample  1: [a-z]*", r"sample  2: [a-z]*"]):
            self.assertRegex(line, f"^{pattern}$")
        self.assertEqual(len(done.stdout.splitlines()), 9)

    def test_the_step_line_overwrites_itself_and_is_flushed(self):
        done = subprocess.run([sys.executable, "microgpt.py"], cwd=folder_with(self, NAMES, **FAST),
                              stdout=subprocess.PIPE, check=True)
        steps = done.stdout.split(b"num params")[1].split(b"---")[0].replace(os.linesep.encode(), b"\n")
        self.assertEqual((steps.count(b"\n"), steps.count(b"\r")), (2, 3))
        self.assertGreaterEqual(run_here(**FAST)[0]["flushed"], 3)

    def test_the_mean_is_that_of_the_last_100_losses(self):
        _, printed = run_here(all_digits=True, **dict(FAST, num_steps=130))
        found = losses(printed)
        for step in (1, 50, 100, 101, 130):
            line = next(line for line in printed.splitlines() if line.startswith(f"step {step:4d} "))
            last = found[max(0, step - 100):step]
            self.assertIn(f"mean of last 100: {sum(last) / len(last):.4f} ", line)

    def test_a_shorter_step_line_leaves_nothing_of_a_longer_one(self):
        self.assertRegex(run_here(**FAST)[1], r"mean of last 100: \S+  \n")  # two blanks: room for 999.9 before 9.9

    def test_the_learning_rate_decays_to_0_over_the_run(self):
        variables, _ = run_here(pieces=record_rates, learning_rate=0.5, **dict(FAST, num_steps=4))
        self.assertEqual(variables["rates"], [0.5, 0.375, 0.25, 0.125])

    def test_documents_come_in_turn_and_again_from_the_first(self):
        variables, _ = run_here(pieces=record_docs, **dict(FAST, num_steps=7))
        docs = variables["docs"]
        self.assertEqual(variables["read"], docs + docs[:2])

    def test_another_seed_gives_another_order_and_other_names(self):
        a, b = [run_here(INPUT, **dict(FAST, seed=seed, num_steps=0)) for seed in (1, 2)]
        self.assertNotEqual(a[0]["docs"], b[0]["docs"])
        self.assertNotEqual(names(a[1]), names(b[1]))

    @unittest.skipUnless(hasattr(gc, "set_threshold"), "needs CPython's cycle collector")
    def test_training_never_stops_to_search_for_cycles(self):
        variables, _ = run_here(pieces=record_collections, num_steps=20, num_samples=0)
        self.assertEqual(variables["collections"], 0)

    def test_the_temperature_of_the_settings_is_used(self):
        cold, hot = [run_here(**dict(FAST, num_steps=60, num_samples=9, temperature=t))[1] for t in (0.01, 2.0)]
        self.assertLess(len(set(names(cold))), len(set(names(hot))))


def record_rates(program):
    """The program, with an Adam that notes the rate of each step."""
    *parts, last = cells(program)
    noting = "rates, adam = [], Adam.step\nAdam.step = lambda self, rate: (rates.append(rate), adam(self, rate))"
    return parts + [noting, last]


def record_docs(program):
    """The program, with an encode() that notes what it is given."""
    *parts, last = cells(program)
    return parts + ["read, code = [], encode\ndef encode(t, v): (read.append(t) if t else 0); return code(t, v)", last]


def record_collections(program):
    """The program, counting the cycle collector's runs between the first update and the last."""
    *parts, last = cells(program)
    return parts + ["""
collections, adam = 0, Adam.step
def count(phase, info): globals().update(collections=collections + (phase == "start"))
def noting(self, rate):
    adam(self, rate)
    if self.steps == 1: gc.callbacks.append(count)
    if self.steps == num_steps: gc.callbacks.remove(count)
Adam.step = noting""", last]


class Import(unittest.TestCase):
    def test_it_prints_nothing_reads_nothing_draws_nothing_and_loads_no_network(self):
        folder = folder_with(self)  # without an input.txt
        check = ("import random, sys; random.seed(1); before = random.getstate(); import microgpt\n"
                 "assert random.getstate() == before, 'it drew random numbers'\n"
                 "assert not {'urllib.request', 'ssl', 'socket'} & set(sys.modules), 'it loaded the network'\n"
                 "assert not hasattr(microgpt, 'docs') and microgpt.Value(2).data == 2")
        done = subprocess.run([sys.executable, "-c", check], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual((done.returncode, done.stdout), (0, b""))
        self.assertEqual(sorted(set(os.listdir(folder)) - {"__pycache__"}), ["microgpt.py"])


class TheFile(unittest.TestCase):
    def test_it_has_at_most_200_lines_of_at_most_100_columns(self):
        lines = source().splitlines()
        self.assertLessEqual(len(lines), 200)
        self.assertLessEqual(max([len(line) for line in lines]), 100)

    def test_no_function_or_class_is_longer_than_a_screen(self):
        starts = [i for i, line in enumerate(source().splitlines()) if line.startswith(("def ", "class ", "# %%"))]
        self.assertLessEqual(max([b - a for a, b in zip(starts, starts[1:])]), 50)

    def test_every_public_function_says_what_it_does(self):
        import microgpt
        for name, thing in vars(microgpt).items():
            if getattr(thing, "__module__", None) == "microgpt" and name != "as_value":  # (it has a comment)
                self.assertTrue(thing.__doc__, name)

    def test_it_needs_the_standard_library_alone(self):
        imports = [line.strip() for line in source().splitlines() if line.strip().startswith(("import ", "from "))]
        self.assertEqual(imports, ["import contextlib, gc, itertools, math, operator, os, random, sys",
                                   "from urllib.request import urlopen"])

    def test_the_data_are_the_published_ones(self):
        docs = INPUT.split()
        self.assertEqual((len(docs), docs[0], max([len(doc) for doc in docs])), (32257, "emma", 15))


if __name__ == "__main__":
    unittest.main()
