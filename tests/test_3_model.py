"""Third: does the model do what makes it a GPT?

From its parts to the whole: softmax, the norm, attention, what a position can see, the loss, and
how samples are drawn.
"""
import math
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from microgpt import (BOS, GPT, Value, add, attention, document_loss, encode, linear, rmsnorm,
                      sample, softmax)

VOCAB = {"a": 0, "b": 1, "c": 2, "d": 3, BOS: 4}


def values(*numbers):
    return [Value(number) for number in numbers]


def data(vector):
    return [value.data for value in vector]


def named_matrices(model):
    in_layers = [item for layer in model.layers for item in layer.items()]
    return [("wte", model.wte), ("wpe", model.wpe), ("lm_head", model.lm_head)] + in_layers


def small_model(n_layer=2, n_embd=8, n_head=2, block_size=6):
    """A model with weights so large that each part of it makes a difference."""
    random.seed(3)
    model = GPT(len(VOCAB), n_layer, n_embd, n_head, block_size)
    for _, matrix in named_matrices(model):
        for row in matrix:
            row[:] = values(*[6 * weight.data for weight in row])
    return model


def fixed_model(*logits):
    """A model that has the same logits whatever it reads: it makes x = [1] of any token."""
    model = small_model(n_layer=0, n_embd=1, n_head=1)
    model.wpe = [values(1e6) for _ in range(6)]
    model.lm_head = [values(logit) for logit in logits]
    return model


def read(tokens, model):
    """Return the logits after each token."""
    cache = model.empty_cache()
    return [data(model.forward(token, i, cache)) for i, token in enumerate(tokens)]


class TestCase(unittest.TestCase):
    def assert_close(self, found, expected):
        self.assertEqual(len(found), len(expected))
        for a, b in zip(found, expected):
            self.assertAlmostEqual(a, b, delta=1e-11)


class Parts(TestCase):
    def test_softmax_is_e_to_the_score_over_the_sum_whatever_is_added_to_all_scores(self):
        exps = [math.exp(0.5), math.exp(-1.0), math.exp(2.0)]
        for shift in (0, -30, 700):
            probs = data(softmax(values(0.5 + shift, -1.0 + shift, 2.0 + shift)))
            self.assert_close(probs, [e / sum(exps) for e in exps])
            self.assertAlmostEqual(sum(probs), 1, delta=1e-11)

    def test_softmax_does_not_overflow_for_scores_of_1000_and_minus_1000(self):
        self.assert_close(data(softmax(values(1000, -1000, 0))), [1.0, 0.0, 0.0])
        self.assert_close(data(softmax(values(-1000, -1000))), [0.5, 0.5])

    def test_rmsnorm_makes_the_mean_square_1_but_leaves_zeros_zero_thanks_to_1e_5(self):
        normed = data(rmsnorm(values(3.0, -1.0, 2.0)))
        self.assertAlmostEqual(sum([x ** 2 for x in normed]) / 3, 1, delta=1e-5)
        scale = 1 / math.sqrt((0.001 ** 2 + 0.002 ** 2) / 2 + 1e-5)
        self.assert_close(data(rmsnorm(values(0.001, 0.002))), [0.001 * scale, 0.002 * scale])
        self.assertEqual(data(rmsnorm(values(0.0, 0.0))), [0.0, 0.0])

    def test_attention_is_the_mean_of_the_values_weighted_by_how_well_the_keys_fit(self):
        query, key1, key2 = values(1.0, 2.0), values(0.5, -1.0), values(2.0, 0.3)
        e1 = math.exp((1.0 * 0.5 + 2.0 * -1.0) / math.sqrt(2))
        e2 = math.exp((1.0 * 2.0 + 2.0 * 0.3) / math.sqrt(2))
        result = attention(query, [key1, key2], [values(10.0, 20.0), values(30.0, 50.0)])
        self.assert_close(data(result), [(e1 * 10.0 + e2 * 30.0) / (e1 + e2),
                                         (e1 * 20.0 + e2 * 50.0) / (e1 + e2)])
        only_one = attention(query, [key1], [values(10.0, 20.0)])
        self.assertEqual(data(only_one), [10.0, 20.0])

    def test_encode_puts_bos_where_a_text_begins_and_ends(self):
        self.assertEqual(encode("abba", VOCAB), [4, 0, 1, 1, 0, 4])
        self.assertEqual(encode("", VOCAB), [4, 4])

    def test_the_weights_have_these_names_and_shapes_and_are_drawn_in_this_order(self):
        shapes = [("wte", 27, 4), ("wpe", 8, 4), ("lm_head", 27, 4)]
        shapes += 2 * [("attn_wq", 4, 4), ("attn_wk", 4, 4), ("attn_wv", 4, 4), ("attn_wo", 4, 4),
                       ("mlp_fc1", 16, 4), ("mlp_fc2", 4, 16)]
        random.seed(1)
        expected = [(name, [[random.gauss(0, 0.08) for _ in range(n)] for _ in range(m)])
                    for name, m, n in shapes]
        random.seed(1)
        model = GPT(vocab_size=27, n_layer=2, n_embd=4, n_head=2, block_size=8)
        self.assertEqual([(name, [data(row) for row in matrix])
                          for name, matrix in named_matrices(model)], expected)


class Reading(TestCase):
    def test_a_later_token_changes_no_earlier_logits_and_an_earlier_one_all_later_logits(self):
        model = small_model()
        base, later, earlier = [read([4, a, 1, b], model) for a, b in ((0, 2), (0, 3), (3, 2))]
        self.assertEqual([x == y for x, y in zip(base, later)], [True, True, True, False])
        self.assertEqual([x == y for x, y in zip(base, earlier)], [True, False, False, False])

    def test_reading_on_with_the_cache_equals_reading_afresh(self):
        model, tokens = small_model(), [4, 0, 1, 2, 3]
        afresh = [read(tokens[:n], model)[-1] for n in range(1, 6)]
        self.assertEqual(read(tokens, model), afresh)

    def test_two_documents_read_in_turn_do_not_mix(self):
        model, a, b = small_model(), [4, 0, 1], [4, 3, 2]
        cache_a, cache_b = model.empty_cache(), model.empty_cache()
        in_turn = [(data(model.forward(a[i], i, cache_a)), data(model.forward(b[i], i, cache_b)))
                   for i in range(3)]
        self.assertEqual(in_turn, list(zip(read(a, model), read(b, model))))

    def test_the_order_of_earlier_tokens_is_known_from_the_position_embeddings_only(self):
        model = small_model(n_layer=1)
        self.assertNotEqual(read([4, 0, 1, 2], model)[3], read([4, 1, 0, 2], model)[3])
        model.wpe = [values(*[0.0] * 8) for _ in range(6)]
        self.assert_close(read([4, 0, 1, 2], model)[3], read([4, 1, 0, 2], model)[3])

    def test_the_number_of_heads_matters(self):
        one, two, four = [read([4, 0, 1], small_model(n_head=n))[2] for n in (1, 2, 4)]
        self.assertNotEqual(one, two)
        self.assertNotEqual(two, four)

    def test_one_position_by_hand_where_attention_returns_the_only_value(self):
        model = small_model(n_layer=1)
        [layer] = model.layers
        x = rmsnorm(add(model.wte[2], model.wpe[0]))
        value = linear(rmsnorm(x), layer["attn_wv"])
        x = add(x, linear(value, layer["attn_wo"]))
        hidden = [h.relu() for h in linear(rmsnorm(x), layer["mlp_fc1"])]
        x = add(x, linear(hidden, layer["mlp_fc2"]))
        self.assert_close(read([2], model)[0], data(linear(x, model.lm_head)))


class Loss(TestCase):
    def test_it_is_the_mean_of_minus_log_p_over_the_tokens_that_follow(self):
        model, tokens = small_model(), [4, 0, 3, 1, 4]
        losses = [-math.log(math.exp(logits[target]) / sum(map(math.exp, logits)))
                  for logits, target in zip(read(tokens[:-1], model), tokens[1:])]
        self.assertAlmostEqual(document_loss(tokens, model).data, sum(losses) / 4, delta=1e-11)

    def test_without_training_it_is_that_of_a_blind_guess(self):
        random.seed(42)
        untrained = GPT(vocab_size=27, n_layer=1, n_embd=16, n_head=4, block_size=16)
        loss = document_loss([26, 4, 12, 12, 0, 26], untrained)
        self.assertAlmostEqual(loss.data, math.log(27), delta=0.1)
        loss = document_loss([4, 0, 1, 4], fixed_model(0, 0, 0, 0, 0))
        self.assertAlmostEqual(loss.data, math.log(5), delta=1e-11)

    def test_its_derivative_by_a_logit_is_p_less_1_for_the_token_that_did_come(self):
        for target in range(5):
            model = fixed_model(0.5, -1.0, 2.0, 1000, -1000)
            loss = document_loss([4, target], model)
            loss.backward()
            logits = [row[0] for row in model.lm_head]  # as x = [1]
            expected = data(softmax(logits))
            expected[target] -= 1
            self.assert_close([logit.grad for logit in logits], expected)
            self.assertAlmostEqual(loss.data, 1000 - logits[target].data, delta=1e-9)


class Sampling(TestCase):
    def test_bos_ends_a_sample_and_so_does_block_size(self):
        self.assertEqual(sample(fixed_model(0, 0, 0, 0, 100), VOCAB), "")
        self.assertEqual(sample(fixed_model(100, 0, 0, 0, 0), VOCAB), "aaaaaa")

    def test_letters_are_drawn_by_their_probabilities(self):
        random.seed(1)
        model = fixed_model(math.log(6), math.log(3), -1000, -1000, math.log(1))
        first = [sample(model, VOCAB)[:1] for _ in range(2000)]
        for letter, p in (("a", 0.6), ("b", 0.3), ("", 0.1)):
            self.assertAlmostEqual(first.count(letter) / 2000, p, delta=0.03)

    def test_a_low_temperature_makes_the_likely_letters_likelier(self):
        random.seed(1)
        model = fixed_model(1, 0, -1000, -1000, -1000)
        for settings in ({}, {"temperature": 0.5}, {"temperature": 4}):
            text = "".join([sample(model, VOCAB, **settings) for _ in range(300)])
            p = 1 / (1 + math.exp(-1 / settings.get("temperature", 1)))  # 1 is the default
            self.assertAlmostEqual(text.count("a") / len(text), p, delta=0.03)

    def test_start_is_read_before_the_first_draw(self):
        random.seed(1)
        model = small_model(n_layer=1, n_embd=4, block_size=3)  # BOS, c, a, and 1 letter at most
        probs = data(softmax(values(*read([4, 2, 0], model)[2])))
        samples = [sample(model, VOCAB, start="ca") for _ in range(600)]
        for text, p in zip(["caa", "cab", "cac", "cad", "ca"], probs):
            self.assertAlmostEqual(samples.count(text) / 600, p, delta=0.05)

    def test_a_start_that_fills_block_size_comes_back_as_it_is(self):
        for start in ("abcdab", "abcdabcdabcd"):
            self.assertEqual(sample(fixed_model(100, 0, 0, 0, 0), VOCAB, start=start), start)

    def test_one_random_number_is_drawn_for_each_token(self):
        model = fixed_model(0, 0, 0, 0, -1000)
        random.seed(7)
        drawn = ["abcd"[int(random.random() * 4)] for _ in range(5)]
        random.seed(7)
        self.assertEqual(sample(model, VOCAB, start="ab"), "ab" + "".join(drawn[:4]))
        self.assertEqual("abcd"[int(random.random() * 4)], drawn[4])


class Work(TestCase):
    def work(self, length, n_embd, n_layer):
        """Count the edges of the graph: each is one multiplication forward and one backward."""
        model = small_model(n_layer, n_embd, block_size=length)
        loss = document_loss([i % 5 for i in range(length + 1)], model)
        nodes, stack = {loss}, [loss]
        while stack:
            fresh = set(stack.pop().inputs) - nodes
            nodes |= fresh
            stack.extend(fresh)
        return sum([len(node.inputs) for node in nodes])

    def test_it_grows_no_faster_than_the_multiplications_in_length_width_and_depth(self):
        def multiplications(length, n_embd, n_layer):
            weights = 5 * n_embd + n_layer * 12 * n_embd ** 2  # each is used at each position
            return length * weights + n_layer * length ** 2 * n_embd

        small = dict(length=4, n_embd=8, n_layer=2)
        for setting in small:
            large = dict(small, **{setting: 5 * small[setting]})
            growth = multiplications(**large) / multiplications(**small)
            self.assertLess(self.work(**large) / self.work(**small), 1.25 * growth, setting)

    def test_forty_layers_train(self):
        random.seed(1)
        model = GPT(vocab_size=5, n_layer=40, n_embd=2, n_head=1, block_size=4)
        document_loss([4, 0, 1, 4], model).backward()
        grads = [weight.grad for row in model.layers[0]["attn_wv"] for weight in row]
        self.assertNotIn(0.0, grads)


if __name__ == "__main__":
    unittest.main()
