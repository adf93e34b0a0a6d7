"""Sixth: the same model in PyTorch, the library that large models are written with.

From the same weights come the same loss and the same gradients. PyTorch computes with tensors
(arrays of numbers), and with all positions at once: a mask has to hide those that lie ahead.
(test_robust_pytorch.py trains and samples with it, too.)
"""
import unittest

from program import model_of
from microgpt import document_loss

try:
    import torch
    from torch.nn.functional import (cross_entropy, linear, relu, rms_norm,
                                     scaled_dot_product_attention)
except ImportError:
    torch = None


def tensors(model, attribute="data"):
    """The model's lists as tensors: [n_embd, n_embd] for the heads' matrices, stacked."""
    def tensor(weights):
        if isinstance(weights[0][0], list):  # a matrix for each head
            weights = [row for matrix in weights for row in matrix]
        return torch.tensor([[getattr(weight, attribute) for weight in row] for row in weights],
                            dtype=torch.float64)

    parts = [{name: model[name] for name in ("wte", "wpe", "lm_head")}, *model["layers"]]
    return [{name: tensor(part[name]) for name in part} for part in parts]


def torch_logits(tokens, parts, n_head):
    """[n] -> [n, vocab_size]"""
    def norm(x):
        return rms_norm(x, x.shape[1:], eps=1e-5)

    def split(x):
        """[n, n_embd] -> [n_head, n, head_dim]"""
        return x.view(len(tokens), n_head, -1).transpose(0, 1)

    model, *layers = parts
    x = norm(model["wte"][tokens] + model["wpe"][:len(tokens)])  # [n, n_embd]
    for layer in layers:
        query, keys, values = [split(linear(norm(x), layer["attn_w" + kind])) for kind in "qkv"]
        heads = scaled_dot_product_attention(query, keys, values, is_causal=True)
        x = x + linear(heads.transpose(0, 1).flatten(1), layer["attn_wo"])
        x = x + linear(relu(linear(norm(x), layer["mlp_fc1"])), layer["mlp_fc2"])
    return linear(x, model["lm_head"])


def torch_loss(tokens, parts, n_head):
    return cross_entropy(torch_logits(tokens[:-1], parts, n_head), torch.tensor(tokens[1:]))


@unittest.skipIf(torch is None, "PyTorch is not installed: pip install torch")
class BesidePyTorch(unittest.TestCase):
    def test_the_loss_and_the_gradient_of_every_weight_agree(self):
        tokens = [26, 12, 0, 17, 8, 13, 0, 26]
        for n_layer, n_embd, n_head in [(1, 16, 4), (3, 12, 2), (2, 8, 8), (2, 8, 1), (0, 4, 1)]:
            model = model_of(27, n_layer, n_embd, n_head, block_size=7)
            theirs = [{name: tensor.requires_grad_() for name, tensor in part.items()}
                      for part in tensors(model)]
            torch_result = torch_loss(tokens, theirs, n_head)
            torch_result.backward()

            loss = document_loss(tokens, model)
            loss.backward()
            self.assertAlmostEqual(loss.data, torch_result.item(), delta=1e-9)
            for our_grads, their in zip(tensors(model, "grad"), theirs):
                for name, grads in our_grads.items():
                    self.assertLess((grads - their[name].grad).abs().max(), 1e-9, name)
                    self.assertGreater(grads.max(), 1e-6, name)


if __name__ == "__main__":
    unittest.main()
