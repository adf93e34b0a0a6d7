"""The run: the lines that it prints, settings, Ctrl-C, options, the import, the notebook."""
import math
import os
import re
import signal
import subprocess
import sys
import unittest
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
from program import FAST, NAMES, folder_with, losses, names, run, run_here, source


def fast(**settings):
    return source(**dict(FAST, **settings))


def cells(text):
    """The program split at its headings, as editors that know notebooks split it."""
    return re.split(r"(?m)^(?=# %% )", text)


class TheRun(unittest.TestCase):
    def test_its_lines_are_as_published_and_the_step_line_overwrites_itself(self):
        number = r"\d+\.\d{4}"
        steps = [rf"step    {step} /    3 \| loss {number} \| mean of last 100: {number}\r"
                 for step in (1, 2, 3)]
        self.assertRegex(run_here(self, fast())[1], "".join([
            r"\Anum docs: 5\nvocab size: 10\nnum params: 296\n", *steps,
            r"\n--- inference \(new, hallucinated names\) ---\n",
            r"sample  1: [a-z]*\nsample  2: [a-z]*\n\Z"]))

    def test_the_mean_is_that_of_the_last_100_losses(self):
        variables, printed = run_here(self, fast(num_steps=130, n_layer=0))
        means = re.findall(r"mean of last 100: (\S+)", printed)
        for step in (1, 50, 100, 101, 130):
            last = variables["losses"][max(0, step - 100):step]
            self.assertEqual(means[step - 1], f"{sum(last) / len(last):.4f}")

    def calls(self, name, text=NAMES, **settings):
        """What the run gives to a function of the program: the first argument of each call."""
        *definitions, last = cells(fast(**settings))
        variables, _ = run_here(self, *definitions)
        function = variables[name] = mock.Mock(wraps=variables[name])
        run_here(self, last, text=text, variables=variables)
        return [call[0][0] for call in function.call_args_list]

    def test_documents_come_in_turn_and_again_from_the_first(self):
        read = self.calls("encode", num_steps=7)
        self.assertEqual(sorted(read[:5]), sorted(NAMES.split()))
        self.assertEqual(read[5:], read[:2])

    def test_of_a_long_document_it_reads_as_much_as_the_context_holds(self):
        [tokens] = self.calls("document_loss", text="ab" * 5000, num_steps=1, block_size=6)
        self.assertEqual(tokens, [2, 0, 1, 0, 1, 0, 1])

    def test_the_learning_rate_decays_linearly_to_0(self):
        *definitions, last = cells(fast(num_steps=4, learning_rate=0.5))
        variables, _ = run_here(self, *definitions)
        step = variables["Adam"].step = mock.Mock()
        run_here(self, last, variables=variables)
        self.assertEqual([call[0][0] for call in step.call_args_list], [0.5, 0.375, 0.25, 0.125])


class TheSettings(unittest.TestCase):
    def test_another_seed_gives_another_order_and_other_names(self):
        (first, one), (second, two) = [run_here(self, fast(num_steps=0, seed=n)) for n in (1, 2)]
        self.assertNotEqual(first["docs"], second["docs"])
        self.assertNotEqual(names(one), names(two))

    def test_a_low_temperature_writes_one_name_and_a_high_one_many(self):
        (_, cold), (_, hot) = [run_here(self, fast(temperature=t, num_samples=9))
                               for t in (0.001, 2.0)]
        self.assertEqual(len(set(names(cold))), 1)
        self.assertGreater(len(set(names(hot))), 1)

    def test_extreme_ones_that_can_work_run_to_the_end(self):
        for setting in (dict(learning_rate=10, num_steps=60), dict(temperature=0.01),
                        dict(temperature=100), dict(block_size=1), dict(block_size=200),
                        dict(num_steps=0), dict(num_steps=1), dict(num_samples=0),
                        dict(n_head=1), dict(n_layer=0), dict(n_layer=12, n_embd=2)):
            with self.subTest(**setting):
                variables, printed = run_here(self, fast(**setting))
                self.assertTrue(all(math.isfinite(loss) for loss in variables["losses"]))
                self.assertEqual(len(losses(printed)), variables["num_steps"])
                self.assertEqual(len(names(printed)), variables["num_samples"])

    def test_heads_that_do_not_divide_the_width_end_in_one_line_with_both_values(self):
        for n_head in (3, 0):
            with self.subTest(n_head=n_head):
                done = run(folder_with(self, NAMES, **dict(FAST, n_embd=16, n_head=n_head)))
                self.assertNotEqual(done.returncode, 0)
                self.assertEqual(done.stdout, "")
                self.assertRegex(done.stderr, rf"\A.*n_embd = 16 .*n_head = {n_head}\n\Z")


class TheSurroundings(unittest.TestCase):
    @unittest.skipIf(os.name == "nt", "needs a signal that a test can send")
    def test_ctrl_c_while_training_goes_on_to_the_samples(self):
        # In a background job SIGINT may be ignored, and a program started there inherits that.
        self.addCleanup(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with subprocess.Popen(
                [sys.executable, "-u", "microgpt.py"], stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, cwd=folder_with(self, NAMES, num_steps=1000000)) as program:
            printed = more = program.stdout.read(1)
            while more and b"step   20 " not in printed:
                more = program.stdout.read(1)
                printed += more
            program.send_signal(signal.SIGINT)
            rest, errors = program.communicate(timeout=60)
        self.assertEqual((program.returncode, errors), (0, b""))
        self.assertEqual(len(names(rest.decode())), 20)

    def test_options_and_locales_make_no_difference(self):
        folder = folder_with(self, NAMES, **FAST)
        plain = run(folder).stdout
        self.assertEqual((len(losses(plain)), len(names(plain))), (3, 2))
        for options, environment in (
                ("-O", {}), ("-W error", {}), ("-X dev", {}), ("-B -I", {}),
                ("", {"LC_ALL": "C"}), ("", {"PYTHONHASHSEED": "7"})):
            with self.subTest(options, **environment):
                done = run(folder, *options.split(), **environment)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, plain, ""))

    def test_the_import_prints_reads_and_draws_nothing_and_loads_no_network(self):
        check = ("import builtins, random, sys; builtins.open = None; random.seed(1)\n"
                 "before = random.getstate(); import microgpt\n"
                 "assert random.getstate() == before, 'it drew random numbers'\n"
                 "assert not {'socket', 'ssl', 'urllib.request'} & set(sys.modules)\n")
        done = subprocess.run([sys.executable, "-c", check], cwd=folder_with(self, NAMES),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual((done.returncode, done.stdout), (0, b""))


class TheNotebook(unittest.TestCase):
    def test_the_file_runs_in_one_cell_and_prints_the_same_cell_by_cell(self):
        _, printed = run_here(self, fast())
        self.assertEqual((len(losses(printed)), len(names(printed))), (3, 2))
        self.assertGreaterEqual(len(cells(fast())), 6)
        self.assertEqual(run_here(self, *cells(fast()))[1], printed)

    def test_afterward_the_documents_and_the_model_are_there_to_look_at(self):
        variables, _ = run_here(self, fast())
        self.assertEqual(sorted(variables["docs"]), sorted(NAMES.split()))
        self.assertEqual(variables["vocab"], [*"aeilmnorv", "<BOS>"])
        weights = [weight for matrix in variables["state_dict"].values()
                   for row in matrix for weight in row]
        self.assertEqual(list(map(id, variables["params"])), list(map(id, weights)))
        self.assertEqual([weight.grad for weight in weights], [0.0] * len(weights))

    def test_one_call_writes_another_name_that_begins_as_asked(self):
        m, _ = run_here(self, fast())
        name = m["sample"](m["model"], m["vocab"], temperature=2.0, start="mar")
        self.assertTrue(name.startswith("mar"))


if __name__ == "__main__":
    unittest.main()
