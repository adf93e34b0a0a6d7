"""known_good.json once more: training and sampling with PyTorch, not with this program."""
import random
import unittest

from program import read
from microgpt import BOS, encode
from test_5_published import DEFAULTS, KNOWN_GOOD, prepare
from test_6_pytorch import tensors, torch, torch_logits, torch_loss


def torch_losses_and_names(text, **changed):
    """Train and sample with PyTorch. Only the random weights come from new_model()."""
    settings = dict(DEFAULTS, **changed)
    docs, vocab, model = prepare(text, settings)
    parts = tensors(model)
    n_head, block_size = settings["n_head"], settings["block_size"]
    params = [tensor.requires_grad_() for part in parts for tensor in part.values()]
    optimizer = torch.optim.Adam(params, betas=(0.85, 0.99), eps=1e-8)
    losses = []
    for step in range(settings["num_steps"]):
        tokens = encode(docs[step % len(docs)], vocab)[:block_size + 1]
        loss = torch_loss(tokens, parts, n_head)
        optimizer.zero_grad()
        loss.backward()
        rate = settings["learning_rate"] * (1 - step / settings["num_steps"])
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        losses.append(loss.item())

    names = []
    for _ in range(settings["num_samples"]):
        tokens = [len(vocab) - 1]
        while len(tokens) <= block_size:
            logits = torch_logits(tokens, parts, n_head)[-1] / settings["temperature"]
            probs = torch.softmax(logits, dim=0).tolist()
            tokens += random.choices(range(len(vocab)), probs)
            if vocab[tokens[-1]] == BOS:
                break
        names.append("".join([vocab[token] for token in tokens if vocab[token] != BOS]))
    return losses, names


@unittest.skipIf(torch is None, "PyTorch is not installed: pip install torch")
class KnownGood(unittest.TestCase):
    def test_training_and_sampling_give_the_losses_and_names_of_known_good(self):
        for known in KNOWN_GOOD["other settings"]:
            with self.subTest(**known["settings"]):
                text = known.get("text") or read("input.txt")
                losses, names = torch_losses_and_names(text, **known["settings"])
                self.assertAlmostEqual(sum(losses), known["sums of ten losses"][0], delta=1e-8)
                self.assertEqual(names, known["names"])


if __name__ == "__main__":
    unittest.main()
