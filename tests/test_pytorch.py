"""And how would I write this in PyTorch? The same model, from the same weights: same loss, same gradients.

Skipped where PyTorch is not installed; nothing else in the project needs it.
"""
import random
import unittest

from microgpt import document_loss, gpt, init_weights

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    torch = None


def torch_gpt(tokens, weights, n_head):
    """[T] -> logits [T, vocab_size], all positions at once instead of one after the other."""
    T, n_embd = len(tokens), weights["wte"].shape[1]
    x = weights["wte"][tokens] + weights["wpe"][:T]                           # [T, n_embd]
    x = F.rms_norm(x, [n_embd], eps=1e-5)
    for i in range(sum(name.endswith("attn_wq") for name in weights)):
        normed = F.rms_norm(x, [n_embd], eps=1e-5)
        query, keys, values = [
            F.linear(normed, weights[f"layer{i}.attn_w{kind}"])               # [T, n_embd]
            .view(T, n_head, n_embd // n_head).transpose(0, 1)                # [n_head, T, n_embd / n_head]
            for kind in "qkv"]
        found = F.scaled_dot_product_attention(query, keys, values, is_causal=True)  # a mask hides what is to come
        found = found.transpose(0, 1).reshape(T, n_embd)                      # the heads, side by side
        x = x + F.linear(found, weights[f"layer{i}.attn_wo"])
        hidden = F.relu(F.linear(F.rms_norm(x, [n_embd], eps=1e-5), weights[f"layer{i}.mlp_fc1"]))
        x = x + F.linear(hidden, weights[f"layer{i}.mlp_fc2"])
    return F.linear(x, weights["lm_head"])


def torch_loss(tokens, weights, n_head):
    block_size = len(weights["wpe"])
    logits = torch_gpt(tokens[:-1][:block_size], weights, n_head)
    return F.cross_entropy(logits, tokens[1:][:block_size])


@unittest.skipIf(torch is None, "PyTorch is not installed: pip install torch")
class BesidePyTorch(unittest.TestCase):
    cases = [dict(n_embd=16, n_layer=1, block_size=16, n_head=4), dict(n_embd=12, n_layer=3, block_size=4, n_head=2),
             dict(n_embd=8, n_layer=2, block_size=8, n_head=8), dict(n_embd=4, n_layer=0, block_size=8, n_head=1)]
    tokens = [26, 12, 0, 17, 8, 13, 0, 26]

    def pair(self, n_embd, n_layer, block_size, n_head):
        random.seed(42)
        state_dict = init_weights(27, n_embd, n_layer, block_size)
        weights = {name: torch.tensor([[weight.data for weight in row] for row in matrix], dtype=torch.float64,
                                      requires_grad=True) for name, matrix in state_dict.items()}
        return state_dict, weights, n_head

    def test_the_logits_agree(self):
        for case in self.cases:
            with self.subTest(**case):
                state_dict, weights, n_head = self.pair(**case)
                tokens = self.tokens[:case["block_size"]]
                ours = [[logit.data for logit in logits] for logits in gpt(tokens, state_dict, n_head)]
                theirs = torch_gpt(torch.tensor(tokens), weights, n_head)
                self.assertLess((torch.tensor(ours, dtype=torch.float64) - theirs).abs().max().item(), 1e-9)

    def test_the_loss_and_every_gradient_agree(self):
        for case in self.cases:
            with self.subTest(**case):
                state_dict, weights, n_head = self.pair(**case)
                ours = document_loss(self.tokens, state_dict, n_head)
                theirs = torch_loss(torch.tensor(self.tokens), weights, n_head)
                self.assertLess(abs(ours.data - theirs.item()), 1e-9)
                ours.backward()
                theirs.backward()
                for name, matrix in state_dict.items():
                    grads = torch.tensor([[weight.grad for weight in row] for row in matrix], dtype=torch.float64)
                    self.assertLess((grads - weights[name].grad).abs().max().item(), 1e-9, name)
                    self.assertGreater(grads.abs().max().item(), 1e-6, name)  # there was something to compare


if __name__ == "__main__":
    unittest.main()
