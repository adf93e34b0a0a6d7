"""Fifth: do training and sampling give the published numbers?

known_good.json has them, of the losses the sum of each ten, to 10 decimals: a step that went wrong
by 1e-9 would change one. So each can be made again:

"default run": with Karpathy's own program, microgpt.py of February 2026 as his article at
https://karpathy.github.io/2026/02/12/microgpt/ first published it. Put this project's input.txt
beside it, let its step line print {loss.data!r} in place of {loss.data:.4f}, and run it.

"other settings": with any other program of the kind, these settings and this text, or input.txt
if none is given. Those here come from one whose backward pass is derived by hand, without a graph;
test_robust_pytorch.py makes them once more with PyTorch.
"""
import contextlib
import io
import json
import random
import unittest

from program import default_run, read
from microgpt import BOS, new_model, sample, train

KNOWN_GOOD = json.loads(read("tests/known_good.json"))
DEFAULTS = dict(n_layer=1, n_embd=16, n_head=4, block_size=16, num_steps=1000, learning_rate=0.01,
                temperature=0.5, num_samples=20, seed=42)


def prepare(text, settings):
    """What a run makes before it trains: documents, vocabulary and model."""
    random.seed(settings["seed"])
    docs = text.split()
    random.shuffle(docs)
    vocab = sorted(set("".join(docs))) + [BOS]
    shape = [settings[name] for name in ("n_layer", "n_embd", "n_head", "block_size")]
    return docs, vocab, new_model(len(vocab), *shape)


def losses_and_names(text, **changed):
    """What a run prints, by calls: the losses of all steps, and the names."""
    settings = dict(DEFAULTS, **changed)
    docs, vocab, model = prepare(text, settings)
    with contextlib.redirect_stdout(io.StringIO()):
        losses = train(model, docs, vocab, settings["num_steps"], settings["learning_rate"])
    names = [sample(model, vocab, settings["temperature"]) for _ in range(settings["num_samples"])]
    return losses, names


class PublishedNumbers(unittest.TestCase):
    def check(self, losses, names, known):
        sums = [sum(losses[i:i + 10]) for i in range(0, len(losses), 10)]
        self.assertEqual(len(losses), 10 * len(known["sums of ten losses"]))
        for found, expected in zip(sums, known["sums of ten losses"]):
            self.assertAlmostEqual(found, expected, delta=1e-9)
        self.assertEqual(names, known["names"])

    def test_the_default_run_prints_the_published_counts_losses_and_names(self):
        variables, printed, _ = default_run()
        lines = printed.replace("\r", "\n").splitlines()
        self.assertEqual(lines[:3], ["num docs: 32257", "vocab size: 27", "num params: 4192"])
        self.assertRegex(lines[3], r"^step    1 / 1000 \| loss 3\.4639")
        self.assertRegex(lines[1002], r"^step 1000 / 1000 \| .* \| mean of last 100: 2\.4078 *$")
        names = [line.split(": ")[1] for line in lines if line.startswith("sample ")]
        self.check(variables["losses"], names, KNOWN_GOOD["default run"])
        printed = [line.split()[6] for line in lines if line.startswith("step ")]
        self.assertEqual(printed, [f"{loss:.4f}" for loss in variables["losses"]])

    def test_other_settings_give_the_losses_and_names_of_another_program(self):
        for known in KNOWN_GOOD["other settings"]:
            with self.subTest(**known["settings"]):
                text = known.get("text") or read("input.txt")
                self.check(*losses_and_names(text, **known["settings"]), known)


if __name__ == "__main__":
    unittest.main()
