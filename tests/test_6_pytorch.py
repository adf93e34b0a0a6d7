"""Sixth: the same model in PyTorch, the library that large models are written with.

From the same weights, it must have the same loss and the same gradients. PyTorch computes with
tensors (arrays of numbers) instead of single Values, and with all positions at once: so what lies
ahead is there, and a mask has to hide it. This file is skipped where PyTorch is not installed.
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
    n_embd = model["wte"].shape[1]

    def norm(x):
        return rms_norm(x, [n_embd], eps=1e-5)

    def split(x):
        """[n, n_embd] -> [n_head, n, head_dim]"""
        return x.view(n, n_head, n_embd // n_head).transpose(0, 1)

    x = norm(model["wte"][tokens[:-1]] + model["wpe"][:n])  # [n, n_embd]
    for layer in layers:
        normed = norm(x)
        query, keys, values = [split(linear(normed, layer["attn_w" + kind])) for kind in "qkv"]
        heads = scaled_dot_product_attention(query, keys, values, is_causal=True)
        heads = heads.transpose(0, 1).reshape(n, n_embd)
        x = x + linear(heads, layer["attn_wo"])
        hidden = relu(linear(norm(x), layer["mlp_fc1"]))
        x = x + linear(hidden, layer["mlp_fc2"])
    logits = linear(x, model["lm_head"])  # [n, vocab_size]
    return cross_entropy(logits, torch.tensor(tokens[1:]))


def tensors(matrices):
    return {name: torch.tensor([[weight.data for weight in row] for row in matrix],
                               dtype=torch.float64, requires_grad=True)
            for name, matrix in matrices.items()}


@unittest.skipIf(torch is None, "PyTorch is not installed: pip install torch")
class BesidePyTorch(unittest.TestCase):
    def test_the_loss_and_the_gradient_of_every_weight_agree(self):
        tokens = [26, 12, 0, 17, 8, 13, 0, 26]
        for n_layer, n_embd, n_head in [(1, 16, 4), (3, 12, 2), (2, 8, 8), (2, 8, 1), (0, 4, 1)]:
            with self.subTest(n_layer=n_layer, n_embd=n_embd, n_head=n_head):
                random.seed(42)
                model = GPT(27, n_layer, n_embd, n_head, block_size=7)
                ours = [dict(wte=model.wte, wpe=model.wpe, lm_head=model.lm_head)] + model.layers
                theirs = [tensors(matrices) for matrices in ours]

                loss = document_loss(tokens, model)
                torch_result = torch_loss(tokens, theirs[0], theirs[1:], n_head)
                self.assertAlmostEqual(loss.data, torch_result.item(), delta=1e-9)

                loss.backward()
                torch_result.backward()
                for our, their in zip(ours, theirs):
                    for name in our:
                        grads = [weight.grad for row in our[name] for weight in row]
                        torch_grads = their[name].grad.flatten().tolist()
                        difference = max([abs(a - b) for a, b in zip(grads, torch_grads)])
                        self.assertLess(difference, 1e-9, name)
                        self.assertGreater(max(grads), 1e-6, name)


if __name__ == "__main__":
    unittest.main()
