"""Sixth: the same model in PyTorch, the library that large models are written with.

From the same weights come the same loss and the same gradients. PyTorch computes with tensors
(arrays of numbers), and with all positions at once: a mask has to hide those that lie ahead.
"""
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from microgpt import GPT, document_loss

try:
    import torch
    from torch.nn.functional import (cross_entropy, linear, relu, rms_norm,
                                     scaled_dot_product_attention)
except ImportError:
    torch = None


def torch_loss(tokens, model, layers, n_head):
    """model holds wte, wpe and lm_head, layers the matrices of each layer, all as tensors."""
    n = len(tokens) - 1  # positions

    def norm(x):
        return rms_norm(x, x.shape[1:], eps=1e-5)

    def split(x):
        """[n, n_embd] -> [n_head, n, head_dim]"""
        return x.view(n, n_head, -1).transpose(0, 1)

    x = norm(model["wte"][tokens[:-1]] + model["wpe"][:n])  # [n, n_embd]
    for layer in layers:
        query, keys, values = [split(linear(norm(x), layer["attn_w" + kind])) for kind in "qkv"]
        heads = scaled_dot_product_attention(query, keys, values, is_causal=True)
        x = x + linear(heads.transpose(0, 1).flatten(1), layer["attn_wo"])
        x = x + linear(relu(linear(norm(x), layer["mlp_fc1"])), layer["mlp_fc2"])
    return cross_entropy(linear(x, model["lm_head"]), torch.tensor(tokens[1:]))


def tensor(matrix, attribute):
    return torch.tensor([[getattr(weight, attribute) for weight in row] for row in matrix],
                        dtype=torch.float64)


@unittest.skipIf(torch is None, "PyTorch is not installed: pip install torch")
class BesidePyTorch(unittest.TestCase):
    def test_the_loss_and_the_gradient_of_every_weight_agree(self):
        tokens = [26, 12, 0, 17, 8, 13, 0, 26]
        for n_layer, n_embd, n_head in [(1, 16, 4), (3, 12, 2), (2, 8, 8), (2, 8, 1), (0, 4, 1)]:
            random.seed(42)
            model = GPT(27, n_layer, n_embd, n_head, block_size=7)
            ours = [dict(wte=model.wte, wpe=model.wpe, lm_head=model.lm_head)] + model.layers
            theirs = [{name: tensor(our[name], "data").requires_grad_() for name in our}
                      for our in ours]

            loss = document_loss(tokens, model)
            loss.backward()
            torch_result = torch_loss(tokens, theirs[0], theirs[1:], n_head)
            torch_result.backward()

            self.assertAlmostEqual(loss.data, torch_result.item(), delta=1e-9)
            for our, their in zip(ours, theirs):
                for name in our:
                    grads = tensor(our[name], "grad")
                    self.assertLess((grads - their[name].grad).abs().max(), 1e-9, name)
                    self.assertGreater(grads.max(), 1e-6, name)


if __name__ == "__main__":
    unittest.main()
