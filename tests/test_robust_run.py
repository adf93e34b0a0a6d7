"""The run and train(): what they print, settings, Ctrl-C, threads, the import, the notebook."""
import contextlib
import io
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

from program import (FAST, NAMES, data, folder_with, model_of, printed_losses, printed_names, run,
                     source)
from microgpt import BOS, adam, document_loss, encode, parameters, sample, train

DOCS = NAMES.split()
VOCAB = sorted(set("".join(DOCS))) + [BOS]


def fast(**settings):
    return source(**dict(FAST, **settings))


def cells(text):
    """The program split at its headings, as editors that know notebooks split it."""
    return re.split(r"(?m)^(?=# %% )", text)


def run_here(test, *parts, text=NAMES):
    """Run parts of the program here, one by one. Return the variables, and what they printed."""
    folder = os.path.realpath(tempfile.mkdtemp())
    test.addCleanup(shutil.rmtree, folder)
    test.addCleanup(os.chdir, os.getcwd())
    os.chdir(folder)
    with open("input.txt", "w", encoding="utf-8") as file:
        file.write(text)
    variables = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()) as screen:
        for part in parts:
            exec(part, variables)
    return variables, screen.getvalue()


def quietly(function, *arguments):
    with contextlib.redirect_stdout(io.StringIO()) as screen:
        return function(*arguments), screen.getvalue()


class TheRun(unittest.TestCase):
    def test_its_lines_are_as_published_and_the_step_line_overwrites_itself(self):
        number = r"\d+\.\d{4}"
        steps = [rf"step    {step} /    3 \| loss {number} \| mean of last 100: {number} *\r"
                 for step in (1, 2, 3)]
        self.assertRegex(run_here(self, fast())[1], "".join([
            r"\Anum docs: 5\nvocab size: 10\nnum params: 296\n", *steps,
            r"\n--- inference \(new, hallucinated names\) ---\n",
            r"sample  1: [a-z]*\nsample  2: [a-z]*\n\Z"]))

    def test_a_prompt_begins_every_name(self):
        _, printed = run_here(self, fast(prompt="mar", num_samples=9))
        self.assertEqual([name[:3] for name in printed_names(printed)], ["mar"] * 9)


class Train(unittest.TestCase):
    def setUp(self):
        self.model = model_of(len(VOCAB), n_layer=1, n_embd=4)
        self.weights = data(parameters(self.model))

    def by_hand(self, model, docs, rates):
        """Train with these documents and rates. Return the losses."""
        params = parameters(model)
        m, v = [0.0] * len(params), [0.0] * len(params)
        losses = []
        for step, (doc, rate) in enumerate(zip(docs, rates)):
            loss = document_loss(encode(doc, VOCAB)[:7], model)
            loss.backward()
            adam(params, m, v, step, rate)
            losses.append(loss.data)
        return losses

    def test_it_takes_documents_in_turn_and_again_while_the_rate_decays_linearly(self):
        losses, _ = quietly(train, self.model, DOCS[:3], VOCAB, 4, 0.5)
        expected = self.by_hand(model_of(len(VOCAB), n_layer=1, n_embd=4),
                                [*DOCS[:3], DOCS[0]], [0.5, 0.375, 0.25, 0.125])
        self.assertEqual(losses, expected)

    def test_of_a_long_document_it_reads_block_size_letters_and_encodes_no_more(self):
        class Long(str):
            def __iter__(self):
                raise AssertionError("it goes through all letters")

        losses, _ = quietly(train, self.model, [Long("olivia" + "ava" * 1000)], VOCAB, 3, 0.1)
        again = model_of(len(VOCAB), n_layer=1, n_embd=4)
        self.assertEqual(losses, self.by_hand(again, ["oliviaav"] * 3, [0.1, 0.2 / 3, 0.1 / 3]))

    def test_it_clears_what_an_earlier_backward_left(self):
        losses, _ = quietly(train, self.model, DOCS, VOCAB, 3, 0.1)
        again = model_of(len(VOCAB), n_layer=1, n_embd=4)
        document_loss(encode("ava", VOCAB), again).backward()
        self.assertEqual(quietly(train, again, DOCS, VOCAB, 3, 0.1)[0], losses)
        self.assertEqual({param.grad for param in parameters(again)}, {0.0})

    def test_a_second_call_begins_with_the_first_document_again(self):
        first, _ = quietly(train, self.model, DOCS, VOCAB, 2, 0.0)
        self.assertEqual(quietly(train, self.model, DOCS, VOCAB, 2, 0.0)[0], first)

    def test_two_models_of_other_sizes_train_side_by_side(self):
        shapes = [dict(n_layer=1, n_embd=4), dict(n_layer=2, n_embd=6, n_head=3, block_size=3)]
        alone = [quietly(train, model_of(len(VOCAB), **shape), DOCS, VOCAB, 2, 0.1)[0]
                 for shape in shapes]
        models = [model_of(len(VOCAB), **shape) for shape in shapes]
        both = [[], []]
        threads = [threading.Thread(target=lambda i=i: both[i].extend(
            train(models[i], DOCS, VOCAB, 2, 0.1))) for i in (0, 1)]
        with contextlib.redirect_stdout(io.StringIO()):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(both, alone)

    def test_a_vocabulary_that_does_not_fit_is_refused_with_both_sizes(self):
        for vocab in (VOCAB[1:], ["x", *VOCAB]):
            both = rf"\b{len(vocab)}\b.*\b{len(VOCAB)}\b"
            with self.assertRaisesRegex(AssertionError, both):
                train(self.model, DOCS, vocab, 2, 0.1)
        self.assertEqual(data(parameters(self.model)), self.weights)

    def test_the_mean_is_that_of_the_last_100_losses(self):
        losses, printed = quietly(train, self.model, DOCS, VOCAB, 130, 0.1)
        means = re.findall(r"mean of last 100: (\S+)", printed)
        for step in (1, 50, 100, 101, 130):
            last = losses[max(0, step - 100):step]
            self.assertEqual(means[step - 1], f"{sum(last) / len(last):.4f}")

    def test_a_step_line_hides_all_of_the_line_before(self):
        _, printed = quietly(train, self.model, DOCS, VOCAB, 60, 10)
        lines = printed.split("\r")[:-1]
        self.assertGreater(max(map(float, printed_losses(printed))), 10)  # so lengths differ
        for line, following in zip(lines, lines[1:]):
            self.assertGreaterEqual(len(following), len(line.rstrip()))


class TheSettings(unittest.TestCase):
    def test_another_seed_gives_another_order_and_other_names(self):
        (first, one), (second, two) = [run_here(self, fast(num_steps=0, seed=n)) for n in (1, 2)]
        self.assertNotEqual(first["docs"], second["docs"])
        self.assertNotEqual(printed_names(one), printed_names(two))

    def test_a_low_temperature_writes_one_name_and_a_high_one_many(self):
        (_, cold), (_, hot) = [run_here(self, fast(temperature=t, num_samples=9))
                               for t in (0.001, 2.0)]
        self.assertEqual(len(set(printed_names(cold))), 1)
        self.assertGreater(len(set(printed_names(hot))), 1)

    def test_extreme_ones_that_can_work_run_to_the_end(self):
        for setting in (dict(learning_rate=10, num_steps=60), dict(learning_rate=1, num_steps=60),
                        dict(temperature=0.01), dict(temperature=100), dict(block_size=1),
                        dict(block_size=200), dict(num_steps=0), dict(num_steps=1),
                        dict(num_samples=0), dict(n_head=1), dict(n_layer=0),
                        dict(n_layer=12, n_embd=2)):
            with self.subTest(**setting):
                variables, printed = run_here(self, fast(**setting))
                self.assertTrue(all(math.isfinite(loss) for loss in variables["losses"]))
                self.assertEqual(len(printed_losses(printed)), variables["num_steps"])
                self.assertEqual(len(printed_names(printed)), variables["num_samples"])

    def test_impossible_ones_end_it_before_the_training_and_the_last_line_says_why(self):
        for setting, says in ((dict(n_embd=16, n_head=3), "n_head = 3 .*n_embd = 16"),
                              (dict(n_embd=16, n_head=0), "n_head = 0 .*n_embd = 16"),
                              (dict(temperature=0), "temperature = 0 "),
                              (dict(temperature=-0.5), "temperature = -0.5 "),
                              (dict(prompt="Mar"), "'M'.*'a', 'e', 'i', .*'v'")):
            with self.subTest(**setting):
                done = run(folder_with(self, NAMES, **dict(FAST, **setting)))
                self.assertNotEqual(done.returncode, 0)
                self.assertEqual(done.stdout, "")
                self.assertRegex(done.stderr, rf"\nAssertionError: .*{says}.*\n\Z")

    def test_an_impossible_one_leaves_a_trained_model_as_it_was(self):
        variables, _ = run_here(self, fast())
        model = variables["model"]
        for setting in (dict(n_head=3), dict(temperature=0), dict(prompt="Mar")):
            variables.update(setting)
            with self.assertRaises(AssertionError):
                exec(cells(fast())[-1], variables)
            self.assertIs(variables["model"], model)
            variables.update(FAST, temperature=0.5, prompt="")


class TheSurroundings(unittest.TestCase):
    @unittest.skipIf(os.name == "nt", "needs a signal that a test can send")
    def test_ctrl_c_while_training_goes_on_to_the_samples(self):
        # In a background job SIGINT may be ignored, and a program started there inherits that.
        self.addCleanup(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        folder = folder_with(self, NAMES, **dict(FAST, num_steps=1000000, num_samples=20))
        with subprocess.Popen([sys.executable, "-u", "microgpt.py"], cwd=folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
            printed = more = program.stdout.read(1)
            while more and b"step   20 " not in printed:
                more = program.stdout.read(1)
                printed += more
            program.send_signal(signal.SIGINT)
            rest, errors = program.communicate(timeout=60)
        self.assertEqual((program.returncode, errors), (0, b""))
        self.assertEqual(len(printed_names(rest.decode())), 20)

    def test_an_interrupted_train_returns_the_losses_and_spoils_nothing_after_it(self):
        class Interrupting(list):
            def __getitem__(self, i):
                if i == 2:
                    raise KeyboardInterrupt
                return DOCS[i]

        model = model_of(len(VOCAB), n_layer=1, n_embd=4)
        try:
            losses, _ = quietly(train, model, Interrupting(DOCS), VOCAB, 5, 0.0)
        except KeyboardInterrupt:
            self.fail("train() ends in a KeyboardInterrupt")
        self.assertEqual(losses, quietly(train, model, DOCS, VOCAB, 2, 0.0)[0])

    def test_an_interrupted_backward_spoils_nothing_for_the_next(self):
        class Interrupted:
            def __mul__(self, grad):
                raise KeyboardInterrupt

        model = model_of(len(VOCAB), n_layer=1, n_embd=4)
        loss = document_loss(encode("ava", VOCAB), model)
        loss.backward()
        right = [param.grad for param in parameters(model)]
        node = loss.inputs[0]
        local_grads, node.local_grads = node.local_grads, (Interrupted(),) * len(node.inputs)
        with self.assertRaises(KeyboardInterrupt):
            loss.backward()
        node.local_grads = local_grads
        for param in parameters(model):
            param.grad = 0.0
        loss.backward()
        self.assertEqual([param.grad for param in parameters(model)], right)

    def test_one_thread_can_sample_while_another_computes_gradients(self):
        model = model_of(len(VOCAB), n_embd=4)
        params = parameters(model)

        def gradients():
            for param in params:
                param.grad = 0.0
            document_loss(encode("ava", VOCAB), model).backward()
            return [param.grad for param in params]

        def write():
            while not done.is_set():
                samples.append(sample(model, VOCAB))

        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1e-6)  # seconds: the threads take turns as often as they can
        alone, samples, done = gradients(), [], threading.Event()
        writer = threading.Thread(target=write)
        writer.start()
        together = []
        while writer.is_alive() and (len(together) < 10 or not samples):
            together.append(gradients())
        done.set()
        writer.join()
        self.assertTrue(samples)
        self.assertEqual(together, [alone] * len(together))

    def test_options_and_locales_make_no_difference(self):
        folder = folder_with(self, NAMES, **FAST)
        plain = run(folder).stdout
        self.assertEqual((len(printed_losses(plain)), len(printed_names(plain))), (3, 2))
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
        self.assertEqual((len(printed_losses(printed)), len(printed_names(printed))), (3, 2))
        titles = [re.match(r"# %% (\w+)", cell)[1] for cell in cells(fast())[1:]]
        self.assertEqual(" ".join(titles), "Settings Dataset Autograd Model Training Sampling Run")
        self.assertEqual(run_here(self, *cells(fast()))[1], printed)

    def test_afterward_the_documents_the_model_and_the_losses_are_there(self):
        variables, printed = run_here(self, fast())
        self.assertEqual(sorted(variables["docs"]), sorted(DOCS))
        self.assertEqual(variables["vocab"], VOCAB)
        self.assertEqual([f"{loss:.4f}" for loss in variables["losses"]],
                         [f"{loss:.4f}" for loss in printed_losses(printed)])
        weights = variables["parameters"](variables["model"])
        self.assertEqual([weight.grad for weight in weights], [0.0] * 296)

    def test_a_model_goes_on_after_the_cell_of_the_class_alone_was_run_again(self):
        variables, _ = run_here(self, *cells(fast()))
        [autograd] = [cell for cell in cells(fast()) if "class Value" in cell]
        exec(autograd, variables)
        train, sample = variables["train"], variables["sample"]
        model, docs, vocab = [variables[name] for name in ("model", "docs", "vocab")]
        again, _ = run_here(self, *cells(fast()))
        losses, _ = quietly(train, model, docs, vocab, 2, 0.1)
        self.assertEqual(losses, quietly(again["train"], again["model"], docs, vocab, 2, 0.1)[0])
        self.assertIsInstance(sample(model, vocab), str)

    def test_any_cell_can_be_run_again_and_then_those_below_it(self):
        *_, last = parts = cells(fast())
        _, printed = run_here(self, *parts)
        for i in range(1, len(parts)):
            self.assertEqual(run_here(self, *parts[:-1], *parts[i:])[1], printed)


if __name__ == "__main__":
    unittest.main()
